"""Shards have the names of one process in any order; finished shards are not repeated, and settings must agree."""

import random
import re
from pathlib import Path

import pytest
from messages import naming

from mrsal.errors import InputError
from mrsal.inference.inputs import InputFile, find_inputs, stem
from mrsal.inference.shards import FOLDER, Manifest, cut_into_shards


def sources(*names):
    return [InputFile(Path("/in") / name, Path(stem(Path(name)).name)) for name in names]


def cut(out, listed, *, size=2, settings=None, **options):
    return cut_into_shards(listed, out, settings or {"mode": "fast"}, size=size, **options)


def content(shards, shard):
    return [(str(s.path), s.name.as_posix()) for s in shards.inputs(shard)[0]]


def finish(shards, shard, **counts):
    listed, fingerprint = shards.inputs(shard)
    shards.finish(shard, Manifest(fingerprint, "a run", **({"done": len(listed)} | counts)))


def test_names_are_those_of_one_process(tmp_path):
    rng = random.Random(0)
    for case in range(60):
        folder = tmp_path / str(case)
        for _ in range(rng.randint(1, 8)):
            deep = "/".join(rng.choices(["a", "A", "a-b", "b", "a_jpg"], k=rng.randint(0, 3)))
            path = folder / "in" / deep / (rng.choice(["a", "A", "b", "a_jpg"]) + rng.choice([".jpg", ".png", ".tar"]))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        files = sorted(str(path) for path in (folder / "in").rglob("*") if path.is_file())
        try:
            found, _ = find_inputs(files)
        except InputError:
            with pytest.raises(InputError, match=re.escape(str(folder / "in"))):
                cut(folder / "out", [InputFile(Path(file), Path(stem(Path(file)).name)) for file in files])
            continue
        rng.shuffle(files)
        listed = [InputFile(Path(file), Path(stem(Path(file)).name)) for file in files]
        shards = cut(folder / "out", [*listed, *listed[:2]], size=3)
        got = [pair for shard in shards.todo for pair in content(shards, shard)]
        assert sorted(got) == sorted((str(s.path), s.name.as_posix()) for s in found)


def test_a_tar_is_a_shard_of_its_own(tmp_path):
    shards = cut(tmp_path, sources("a.png", "b.tar", "c.png", "d.png"))
    assert [[name for _, name in content(shards, shard)] for shard in shards.todo] == [["b.tar"], ["a", "c"], ["d"]]


def test_finished_shards_are_skipped_and_others_are_not(tmp_path):
    first = cut(tmp_path, sources("a.png", "b.png", "c.png", "d.png", "e.png"))
    assert first.todo == [0, 1, 2]
    finish(first, 0)
    finish(first, 1, done=1, failed=(("d", "/in/d.png", "broken"),))
    again = cut(tmp_path, sources("e.png", "d.png", "c.png", "b.png", "a.png"))
    assert (again.todo, again.finished) == ([1, 2], 2)
    more = cut(tmp_path, sources("a.png", "aa.png", "b.png", "c.png", "d.png", "e.png"))
    assert (more.todo, more.finished) == ([0, 1, 2], 0)
    fewer = cut(tmp_path, sources("a.png", "b.png", "c.png", "d.png"))
    assert (fewer.todo, content(fewer, 1)) == ([1], [("/in/c.png", "c"), ("/in/d.png", "d")])
    (tmp_path / FOLDER / "done" / "00000000.json").write_text("{")
    assert cut(tmp_path, sources("a.png", "b.png")).todo == [0]


def test_other_settings_are_refused_or_begin_anew(tmp_path):
    first = cut(tmp_path, sources("a.png"))
    finish(first, 0)
    assert cut(tmp_path, sources("a.png")).todo == []
    with pytest.raises(InputError, match=naming("mode", "fast", "exact", "--out", "--fresh")):
        cut(tmp_path, sources("a.png"), settings={"mode": "exact"})
    with pytest.raises(InputError, match=naming("shard_size", 2, 3)):
        cut(tmp_path, sources("a.png"), size=3)
    assert cut(tmp_path, sources("a.png"), settings={"mode": "exact"}, fresh=True).todo == [0]


def test_results_are_spread_over_folders_on_request(tmp_path):
    shards = cut(tmp_path, sources(*(f"{i}.png" for i in range(40))), size=100, nested=True)
    names = [name for _, name in content(shards, 0)]
    assert [name.split("/")[1] for name in names] == sorted(str(i) for i in range(40))
    assert 20 < len({name.split("/")[0] for name in names}) <= 40
    assert all(len(name.split("/")[0]) == 2 for name in names)


def test_inputs_do_not_lie_among_results(tmp_path):
    with pytest.raises(InputError, match=naming(tmp_path / "deep", "--out")):
        cut(tmp_path, [InputFile(tmp_path / "deep" / "a.png", Path("a"))])


def test_names_need_not_be_text(tmp_path):
    path = Path(b"/in/\xff.png".decode(errors="surrogateescape"))
    shards = cut(tmp_path, [InputFile(path, Path(path.stem))])
    assert shards.inputs(0)[0] == [InputFile(path, Path(path.stem))]
