"""Names of results: those of a simple program that holds everything in memory, for any number of inputs in little memory."""

import itertools
import os
import random
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from messages import naming

import mrsal
from mrsal.errors import InputError
from mrsal.inference.inputs import InputFile, find_inputs
from mrsal.inference.result_names import of_page, stem, tell_apart
from mrsal.inference.shards import cut_into_shards

FOLDERS, STEMS, SUFFIXES = (
    ["a", "A", "a-b", "b", "a_jpg"],
    ["a", "A", "b", "a_jpg", "ä"],
    [".jpg", ".JPG", ".png", ".tar"],
)


def in_memory(inputs):
    """The expected result of ``tell_apart``: path to name, in order, or None if two names are the same."""
    names = {}
    for path, name in inputs:
        names.setdefault(path, name)

    def clashes():
        groups = defaultdict(list)
        for path, name in names.items():
            groups[str(name).casefold()].append(path)
        return [group for group in groups.values() if len(group) > 1]

    for group in clashes():
        if len({path.parent for path in group}) > 1:
            common = os.path.commonpath([path.parent for path in group])
            names |= {path: stem(path.relative_to(common)) for path in group}
    for _ in range(2):
        for path in itertools.chain.from_iterable(clashes()):
            names[path] = names[path].with_name(f"{names[path].name}_{path.suffix[1:].lower()}")
    return None if clashes() else names


def some_inputs(rng):
    """Paths that clash in all ways, some of them twice; named after the file, or after a folder and the file."""
    root, count = Path("/in"), rng.randint(1, 12)
    paths = [
        root.joinpath(*rng.choices(FOLDERS, k=rng.randint(0, 3)), rng.choice(STEMS) + rng.choice(SUFFIXES))
        for _ in range(count)
    ]
    paths += rng.choices(paths, k=rng.randint(0, 3))
    whole = rng.random() < 0.3
    return [(path, stem(path.relative_to(root) if whole else Path(path.name))) for path in paths]


def test_names_are_those_of_a_simple_program():
    rng, clashed = random.Random(0), 0
    for _ in range(400):
        inputs = some_inputs(rng)
        expected = in_memory(inputs)
        if expected is None:
            clashed += 1
            with pytest.raises(InputError, match=re.escape("/in/")):
                list(tell_apart(inputs, str))
            continue
        assert list(tell_apart(inputs, str)) == list(expected.items()), inputs
        assert len({str(name).casefold() for name in expected.values()}) == len(expected)
        rng.shuffle(inputs)  # which of two equal paths comes first makes no difference here
        by_path = sorted(expected.items(), key=lambda pair: os.fsencode(pair[0]))
        assert list(tell_apart(inputs, str, in_order=False)) == by_path, inputs
    assert 0 < clashed < 100


def test_one_process_and_a_cluster_give_the_same_names(tmp_path):
    """With real files: one process lists the arguments of the command, and a cluster gets the files in any order."""
    rng = random.Random(1)
    for case in range(15):
        folder = tmp_path / str(case)
        for path, _ in some_inputs(rng):
            file = folder / path.relative_to("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        files = [str(path) for path in (folder / "in").rglob("*") if path.is_file()]
        rng.shuffle(files)
        listed = [InputFile(Path(file), Path(stem(Path(file)).name)) for file in files]
        try:
            sources, complaints = find_inputs(files)
        except InputError:
            with pytest.raises(InputError, match="two inputs"):
                cut_into_shards(listed, folder / "out", {})
            continue
        assert complaints == [] and len(sources) == len(files)
        shards = cut_into_shards(listed, folder / "out", {}, size=3)
        from_shards = {s.path: s.name for shard in shards.todo for s in shards.inputs(shard)[0]}
        assert from_shards == {source.path: source.name for source in sources}


def test_no_file_has_the_name_of_a_page_of_another_one():
    rng = random.Random(2)
    stems = ["a", "A", "a_page2", "a_page2_page2", "a_gif", "a_gif_page3", "a_page2_gif", "b_page12", "b"]
    renamed = 0
    for _ in range(400):
        paths = {Path("/in", rng.choice("xy"), rng.choice(stems) + rng.choice([".gif", ".png"])) for _ in range(6)}
        inputs = [(path, Path(path.stem)) for path in sorted(paths)]
        try:
            plain, named = (dict(tell_apart(inputs, str, paged=paged)) for paged in ((), (".gif",)))
        except InputError:
            continue
        pages = [2, 3, 12]
        results = [str(name) for name in named.values()]
        results += [str(of_page(name, n)) for path, name in named.items() if path.suffix == ".gif" for n in pages]
        assert len({result.casefold() for result in results}) == len(results), named
        for path, name in named.items():  # only such names change
            if name != plain[path]:
                renamed += 1
                assert re.search(r"_page\d+$", str(plain[path]))
    assert renamed > 50


def test_a_link_and_its_target_are_one_input_where_they_have_one_real_path():
    real = {"/in/a.png": "/disk/a.png", "/in/link.png": "/disk/a.png", "/in/b.png": "/disk/b.png"}
    inputs = [(Path(path), Path(Path(path).stem)) for path in real]
    told_apart = tell_apart(inputs, lambda path: real[str(path)])
    assert [str(path) for path, _ in told_apart] == ["/in/a.png", "/in/b.png"]


def test_inputs_that_cannot_be_told_apart_are_named():
    paths = [Path("/in") / name for name in ("a.jpg", "a.JPG")]
    with pytest.raises(InputError, match=naming("a_jpg_jpg", "/in/a.jpg")):
        list(tell_apart([(path, Path(path.stem)) for path in paths], str))


def test_names_need_not_be_text():
    path = Path(os.fsdecode(b"/in/\xff.png"))
    other = Path(os.fsdecode(b"/in/\xff.jpg"))
    found = dict(tell_apart([(path, Path(path.stem)), (other, Path(other.stem))], str))
    assert [os.fsencode(found[each]) for each in (path, other)] == [b"\xff_png", b"\xff_jpg"]


# in a process of its own, as the table in which Python keeps short texts grows by megabytes at a time in a larger one
MANY = """
import tracemalloc
from pathlib import Path

from mrsal.inference.result_names import tell_apart


def inputs():
    for number in range(20_000):
        folder, file = divmod(number * 7919 % 20_000, 10)  # in no order
        path = Path(f"/crawl/{folder % 256:02x}/{folder}/{file}.jpg")
        yield path, Path(path.stem)


tracemalloc.start()
named = tell_apart(inputs(), str, in_order=False)
right = sum(name == path.relative_to("/crawl").with_suffix("") for path, name in named)
print(right, tracemalloc.get_traced_memory()[1])
"""


@pytest.mark.slow
def test_many_inputs_take_hardly_any_memory():
    """As in a crawl: the same ten names in each of 2000 folders."""
    path = {"PYTHONPATH": str(Path(mrsal.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True, env=path)
    right, peak = map(int, done.stdout.split())
    assert right == 20_000
    assert peak < 2e6, "bytes; a list of the paths takes ten times as much"
