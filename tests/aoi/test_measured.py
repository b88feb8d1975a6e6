"""Measured shares against plain counting, and their intervals against another bootstrap."""

from pathlib import Path

import numpy as np
import pytest
from messages import naming
from PIL import Image
from scipy.stats import spearmanr

from mrsal.aoi.areas import attention_shares
from mrsal.aoi.measured import Looks, measured_shares, read_looks
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle
from mrsal.datasets import Fixations
from mrsal.errors import DataError, InputError

SHAPE = (60, 80)
AREAS = [
    Rectangle("box", 5, 5, 30, 20),
    Ellipse("round", 60, 15, 12, 10),
    Polygon("slope", [(0, 60), (40, 60), (0, 30)]),
    Mask("any", np.ones((20, 15), bool), 60, 35),
    Rectangle("nobody", 45, 30, 1, 1),
]


@pytest.fixture
def looks():
    """12 observers with 9 fixations each, some of them twice on the image."""
    rng = np.random.default_rng(4)
    subject = np.repeat(np.arange(12), 9)
    trial = np.arange(len(subject)) // 3
    x, y = rng.uniform(0, 80, len(subject)), rng.uniform(0, 60, len(subject))
    x = np.where((x >= 45) & (x < 46), 40, x)
    start = np.tile([0.0, 0.3, 0.7], len(subject) // 3)
    duration = rng.uniform(0.1, 0.5, len(subject))
    return Looks(Fixations.create(x, y, subject=subject, duration=duration), trial, start)


def predicted(areas=AREAS):
    return attention_shares(np.random.default_rng(1).random(SHAPE), areas)


def inside(area, fixations):
    """Which fixations are in an area, by the whole pixel that it covers by half or more."""
    covered = area.coverage((0, 0, SHAPE[1], SHAPE[0]))
    return np.array([covered[int(y), int(x)] >= 0.5 for x, y in zip(fixations.x, fixations.y, strict=True)])


def test_shares_observers_and_times_are_counted(looks):
    found = measured_shares(looks, predicted(), SHAPE, level=0.95)
    assert (found.observers, found.fixations) == (12, 108)
    for area, share in zip(AREAS[:4], found.shares[:4], strict=True):
        mask = inside(area, looks.fixations)
        assert share.share == pytest.approx(mask.mean())
        assert share.looked == pytest.approx(len(set(looks.fixations.subject[mask].tolist())) / 12)
        firsts = [looks.start[mask & (looks.trial == trial)].min() for trial in set(looks.trial[mask].tolist())]
        assert share.first_fixation == pytest.approx(np.mean(firsts))
        assert share.dwell_time == pytest.approx(looks.fixations.duration[mask].sum() / 36)
        assert share.interval[0] <= share.share <= share.interval[1]
    nobody = found.shares[4]
    assert (nobody.share, nobody.looked, nobody.interval, nobody.first_fixation) == (0, 0, None, None)
    assert nobody.dwell_time == 0


def test_the_interval_is_that_of_another_bootstrap_over_observers(looks):
    (share,) = measured_shares(looks, predicted(AREAS[:1]), SHAPE, level=0.8).shares
    hits = inside(AREAS[0], looks.fixations)
    by_observer = [hits[looks.fixations.subject == observer] for observer in range(12)]
    rng = np.random.default_rng(99)
    means = [np.concatenate([by_observer[i] for i in rng.integers(12, size=12)]).mean() for _ in range(4000)]
    assert share.interval == pytest.approx(np.quantile(means, [0.1, 0.9]), abs=0.01)


def test_observers_and_not_fixations_are_drawn():
    """Each observer looks at one place only, so fixations of one observer say the same."""
    subject = np.repeat(np.arange(10), 50)
    x = np.where(subject < 5, 10.0, 70.0)
    looks = Looks(Fixations.create(x, 10, subject=subject), subject, np.full(500, np.nan))
    (share,) = measured_shares(looks, predicted(AREAS[:1]), SHAPE, level=0.95).shares
    low, high = share.interval
    assert low <= 0.25 and high >= 0.75
    assert (share.first_fixation, share.dwell_time) == (None, None)


def test_the_agreement_of_the_order_is_spearmans(looks):
    shares = predicted()
    found = measured_shares(looks, shares, SHAPE, level=0.95)
    expected = spearmanr([share.attention for share in shares], [share.share for share in found.shares]).statistic
    assert found.rank_correlation == pytest.approx(expected)
    low, high = found.interval
    assert -1 <= low <= high <= 1 and low < expected
    few = measured_shares(looks, shares[:2], SHAPE, level=0.95)
    assert (few.rank_correlation, few.interval) == (None, None)
    twins = predicted([Rectangle(name, 5, 5, 30, 20) for name in "abc"])
    assert measured_shares(looks, twins, SHAPE, level=0.95).rank_correlation is None


def test_one_observer_has_no_interval(looks):
    one = looks.fixations.subject == 3
    alone = Looks(looks.fixations.where(one), looks.trial[one], looks.start[one])
    found = measured_shares(alone, predicted(), SHAPE, level=0.95)
    assert {share.interval for share in found.shares} == {None}
    assert found.interval is None and found.observers == 1


@pytest.fixture
def images(tmp_path):
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        Image.new("RGB", (80, 60)).save(path)
    return paths


def test_the_table_is_split_by_image(tmp_path, images):
    table = tmp_path / "study.csv"
    table.write_text("stimulus,subject,x,y\na,s1,5,6\nb.png,s1,7,8\na,s2,9,9\nc,s2,1,1\n")
    a, b = read_looks(table, images)
    assert a.fixations.x.tolist() == [5, 9] and b.fixations.x.tolist() == [7]
    table.write_text("stimulus,subject,x,y\na,s1,5,6\n")
    assert read_looks(table, images)[1] is None


def test_images_of_one_name_and_tables_without_any_are_refused(tmp_path, images):
    table = tmp_path / "study.csv"
    table.write_text("stimulus,subject,x,y\nc,s1,5,6\n")
    with pytest.raises(DataError, match=naming("a.png", "c")):
        read_looks(table, images)
    (tmp_path / "new").mkdir()
    Image.new("RGB", (80, 60)).save(tmp_path / "new" / "a.png")
    with pytest.raises(InputError, match=naming("a")):
        read_looks(table, [images[0], Path(tmp_path / "new" / "a.png")])
