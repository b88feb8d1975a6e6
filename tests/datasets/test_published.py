"""Fingerprints of the published data sets: counts, and the shape of the distribution of their fixations.

Recipes: ``osie`` all ``fix_x``, ``fix_y`` of ``fixations.mat``, less 1; ``mit1003``, ``sun`` and ``crowd`` all rows of
``fixations.csv`` inside their stimulus. Those of ``toronto`` and ``cat2000`` are from pysaliency's tests (``cat2000`` from its
version 1.1), which reads the same files. Each test needs its data set in the folder ``MRSAL_DATA``.
"""

import hashlib

import pytest
from scipy.stats import skew

from mrsal.datasets import info_of, load

# stimuli; fixations; observers; mean, standard deviation and skewness of x; the same of y
FINGERPRINTS = {
    "osie": (700, 98_321, 15, (400.466025, 171.276001, 0.029429), (282.582935, 117.709433, 0.170932)),
    "mit1003": (1003, 109_284, 15, (481.932194, 181.320145, 0.201777), (392.720394, 154.459518, 0.650177)),
    "sun": (400, 35_162, 12, (225.684073, 175.476089, 1.831312), (194.954495, 124.064600, 1.642733)),
    "crowd": (400, 101_071, 16, (258.663801, 116.438664, -0.005927), (167.104388, 66.480557, 0.543462)),
    "toronto": (120, 11_199, 1, (345.746674, 132.747936, -0.095092), (244.113939, 82.896671, -0.086740)),
    "cat2000": (2000, 667_804, None, (977.048230, 265.756190, 0.076160), (535.733590, 200.470215, 0.277023)),
}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_fingerprint(name, data_root):
    if not (data_root / name).is_dir():
        pytest.skip(f"needs {name} at {data_root / name}")
    data = load(name, data_root / name)
    stimuli, count, observers, of_x, of_y = FINGERPRINTS[name]
    fixations = data.fixations
    assert (len(data), len(fixations)) == (stimuli, count)
    assert observers is None or set(fixations.subject.tolist()) == set(range(observers))
    assert (fixations.x.mean(), fixations.x.std(), skew(fixations.x)) == pytest.approx(of_x, abs=2e-6)
    assert (fixations.y.mean(), fixations.y.std(), skew(fixations.y)) == pytest.approx(of_y, abs=2e-6)
    assert data.info is not None and data.info.name == data.name == name


def test_the_checksums_of_osie_are_those_of_the_data_at_hand(data_root):
    if not (data_root / "osie").is_dir():
        pytest.skip(f"needs osie at {data_root / 'osie'}")
    files = info_of("osie").files
    assert len(files) == 701
    for file in files[:20]:
        content = (data_root / "osie" / file.path).read_bytes()
        assert file.checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert all(url.endswith(file.path) for url in file.urls)
    # pysaliency knows this file, too, so what is at hand is what the authors publish
    table = (data_root / "osie" / files[0].path).read_bytes()
    assert hashlib.md5(table).hexdigest() == "8efdf6fe66f38b6e70f854c7ff45aa70"
