"""Scores keep every bit through their files, and say which images counted."""

import csv

import numpy as np
import pytest
from messages import mentions, naming

from mrsal.errors import DataError, FileError, InputError
from mrsal.evaluation.report.tables import table_lines
from mrsal.evaluation.scores import Scores


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    values = {"AUC": rng.uniform(size=12), "KL": rng.gamma(2.0, size=12)}
    values["AUC"][3] = np.nan
    return Scores(
        tuple(f"s{i}, 'ü'.png" for i in range(12)),
        values,
        protocol="tuebingen",
        model="Mr-CNN",
        dataset="osie test",
        about={"command": "mrsal evaluate", "seed": "0"},
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_gives_back_every_bit(scores, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    scores.save(tmp_path / f"scores{suffix}")
    for path in (tmp_path / f"scores{suffix}", tmp_path):
        again = Scores.load(path)
        assert again.names == scores.names
        assert list(again.values) == ["AUC", "KL"]
        for metric, column in scores.values.items():
            assert again.values[metric].tobytes() == column.tobytes()
        for field in ("protocol", "model", "dataset", "about"):
            assert getattr(again, field) == getattr(scores, field)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_pandas_reads_the_file_without_options(scores, tmp_path, suffix):
    pandas = pytest.importorskip("pandas")
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    scores.save(tmp_path / f"a.{suffix}")
    frame = getattr(pandas, f"read_{suffix}")(tmp_path / f"a.{suffix}")
    assert list(frame) == ["stimulus", "model", "dataset", "protocol", "AUC", "KL"]
    assert frame["AUC"].count() == 11
    assert frame["KL"].mean() == pytest.approx(scores.mean()["KL"])
    assert set(frame["model"]) == {"Mr-CNN"}


def test_a_file_without_metadata_loads(tmp_path):
    (tmp_path / "old.csv").write_text("\ufeffstimulus,AUC,sAUC\n1001.jpg,0.687398,nan\n1008.jpg,0.786605,\n", "utf-8")
    scores = Scores.load(tmp_path / "old.csv")
    assert scores.names == ("1001.jpg", "1008.jpg")
    assert scores.values["AUC"].tolist() == [0.687398, 0.786605]
    assert np.isnan(scores.values["sAUC"]).all()
    assert (scores.model, scores.about) == ("", {})


def test_what_is_not_known_takes_no_column_and_leaves_no_older_word(scores, tmp_path):
    path = tmp_path / "scores.csv"
    scores.save(path)
    Scores(scores.names, scores.values).save(path)
    with path.open(newline="") as file:
        assert next(csv.reader(file)) == ["stimulus", "AUC", "KL"]
    assert Scores.load(path).about == {}


def test_means_and_intervals_leave_out_what_is_not_defined(scores):
    there = ~np.isnan(scores.values["AUC"])
    assert scores.counts() == {"AUC": 11, "KL": 12}
    assert scores.mean()["AUC"] == pytest.approx(scores.values["AUC"][there].mean())
    low, high = scores.interval("AUC", resamples=1000)
    deviation = scores.values["AUC"][there].std() / there.sum() ** 0.5
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.15)
    assert low < scores.mean()["AUC"] < high


def test_an_interval_is_the_same_alone_in_company_and_in_another_order(scores):
    order = np.random.default_rng(1).permutation(12)
    shuffled = Scores(
        tuple(scores.names[i] for i in order), {metric: column[order] for metric, column in scores.values.items()}
    )
    together = scores.intervals(resamples=500, seed=3)
    assert scores.interval("KL", resamples=500, seed=3) == pytest.approx(together["KL"])
    assert shuffled.intervals(resamples=500, seed=3)["AUC"] == pytest.approx(together["AUC"])
    assert scores.interval("KL", resamples=500, seed=4) != together["KL"]
    narrow, wide = (scores.interval("KL", level=level, resamples=500) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_what_has_no_interval_says_so_with_nan():
    values = {"one": np.array([0.5, np.nan]), "none": np.full(2, np.nan), "LL": np.array([-np.inf, 1.0])}
    scores = Scores(("a", "b"), values)
    assert np.isnan(list(scores.intervals().values())).all()
    assert scores.mean()["one"] == 0.5
    assert np.isnan(scores.mean()["none"])


def test_what_is_infinite_is_not_defined_with_the_cause():
    values = {
        "IG": np.array([0.5, -np.inf, -np.inf]),
        "AUC": np.array([0.5, np.nan, 0.6]),
        "LL": np.array([1, np.inf, -np.inf]),
    }
    scores = Scores(("a", "b", "c"), values, model="theirs")
    reasons = scores.not_defined()
    assert list(reasons) == ["IG", "LL"]
    assert mentions(reasons["IG"], "IG", "theirs", 2, 3, "b", ".npy")
    assert mentions(reasons["LL"], "LL", "theirs", 2, 3, "b")
    assert np.isnan(scores.mean()["LL"])
    lines = list(table_lines({"theirs": scores}))
    assert lines[-1] == "| theirs | not defined | 0.550 | not defined |"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ["stimulus", "mrsal evaluate"]),
        ("epoch,loss\n1,0.5\n", ["stimulus", "epoch", "loss"]),
        ("stimulus;AUC\na;0.5\n", ["stimulus;AUC"]),
        ("stimulus,AUC\n", ["images"]),
        ("stimulus\na\n", ["metric"]),
        ("stimulus,AUC\na,good\n", [2, "AUC", "good"]),
        ("stimulus,AUC\na,0.5,0.6\n", [2, 3]),
        ("stimulus,AUC,AUC\na,0.5,0.6\n", ["stimulus, AUC, AUC"]),
        ("stimulus,model,AUC\na,one,0.5\na,two,0.6\n", ["model", 2]),
    ],
)
def test_what_is_no_score_file_is_refused(tmp_path, text, named):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match=naming("x.csv", *named)):
        Scores.load(tmp_path / "x.csv")


def test_other_errors_say_what_to_do(scores, tmp_path, monkeypatch):
    with pytest.raises(FileError, match=naming("scores.csv", "scores.parquet", "mrsal evaluate")):
        Scores.load(tmp_path)
    with pytest.raises(FileError, match=naming("no.csv", "mrsal evaluate")):
        Scores.load(tmp_path / "no.csv")
    with pytest.raises(InputError, match=naming(".csv", ".parquet", "scores.xlsx")):
        scores.save(tmp_path / "scores.xlsx")
    with pytest.raises(InputError, match=naming("about", "JSON")):
        Scores(scores.names, scores.values, about={"array": np.ones(2)}).save(tmp_path / "x.csv")
    with pytest.raises(InputError, match=naming(1, "AUC", (2,))):
        Scores(("a",), {"AUC": np.ones(2)})
    with pytest.raises(InputError, match=naming("auc", "AUC", "KL")):
        scores.interval("auc")
    with pytest.raises(InputError, match=naming(95)):
        scores.intervals(level=95)
    (tmp_path / "x.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(DataError, match=naming("x.parquet", "Parquet")):
        Scores.load(tmp_path / "x.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[parquet\]'"):
        scores.save(tmp_path / "scores.parquet")
