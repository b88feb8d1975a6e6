"""The report holds what it is given, escapes it, and needs nothing from outside."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from messages import mentions, naming
from PIL import Image

from mrsal.errors import InputError
from mrsal.evaluation import comparison, scores
from mrsal.evaluation.report import charts, curves
from mrsal.evaluation.report.html import write_report
from mrsal.evaluation.report.panels import Panel, pick
from mrsal.evaluation.scores import Scores

IMAGES = tuple(f"image{i}.png" for i in range(12))
HOSTILE = '<script>alert("1")</script>&.png'
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags with their attributes, visible text, and whether every tag is closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)
        self.text = " ".join(self.text.split())

    def says(self, *values, without=""):
        """Whether one sentence names all of the values, and not the text ``without``."""
        return any(mentions(said, *values, without=without) for said in re.split(r"(?<=\.) ", self.text))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(autouse=True)
def quick(monkeypatch, request):
    """Few resamples, and charts only where a test asks for them: both are tested where they are made."""
    if "drawn" not in request.fixturenames:
        no_charts = {"svg": "data:image/svg+xml;base64,", "pdf": "data:application/pdf;base64,"}
        monkeypatch.setattr("mrsal.evaluation.report.html.embedded", lambda draw: no_charts)
    for function in (scores.Scores.intervals, comparison.compare, charts.save_score_plot):
        monkeypatch.setitem(function.__kwdefaults__, "resamples", 200)


@pytest.fixture
def drawn():
    """Asked for by tests that want the charts."""


def some(mean, *, images=IMAGES, metrics=("NSS", "KL"), **origin):
    rng = np.random.default_rng(3)
    return Scores(images, {m: mean[m] + rng.normal(0, 0.1, len(images)) for m in metrics}, **origin)


def three():
    about = {"command": "mrsal evaluate --protocol mine", "versions": {"torch": "2.9"}, "seeds": [7, 8]}
    origin = {"protocol": "mine", "dataset": "toy", "about": about}
    return {
        "mine": some({"NSS": 1.5, "KL": 0.75}, **origin),
        "centre": some({"NSS": 1.0, "KL": 1.0}, **origin),
        "gold": some({"NSS": 3.0, "KL": 0.5}, **origin),
    }


def panel(name="a.png", height=30, width=40):
    grey = np.full((height, width, 3), 128, np.uint8)
    ramp = np.linspace(0, 1, width)[None] * np.ones((height, 1))
    return Panel(
        name, grey, ramp, ramp[:, ::-1], np.array([5.0, np.nan]), np.array([6.0, 1.0]), {"NSS": 1.25, "KL": np.nan}
    )


def read(path):
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    return text, page


def test_the_best_the_median_and_the_worst_are_told_apart_in_either_direction():
    values = np.array([5, 1, 4, 2, 3, 0, np.nan, 6, 8, 7, 10, 9.0])
    rated = Scores(IMAGES, {"NSS": values, "KL": values})
    high = {f"image{i}.png" for i in (10, 11, 8)}
    low = {f"image{i}.png" for i in (5, 1, 3)}
    chosen = pick(rated, "NSS")
    assert chosen["best"] == ["image10.png", "image11.png", "image8.png"]
    assert chosen["worst"] == ["image5.png", "image1.png", "image3.png"]
    assert chosen["median"] == ["image7.png", "image0.png", "image2.png"]
    assert set(pick(rated, "KL")["best"]) == low
    assert set(pick(rated, "KL")["worst"]) == high


@pytest.mark.parametrize("images", range(0, 12))
@pytest.mark.parametrize("count", [1, 3, 5])
def test_no_image_is_picked_twice_and_as_many_as_can_be(images, count):
    chosen = pick(Scores(IMAGES[:images], {"NSS": np.arange(images) * 1.0}), "NSS", count=count)
    names = [name for group in chosen.values() for name in group]
    assert len(names) == len(set(names)) == min(images, 3 * count)
    assert list(chosen) == ["best", "median", "worst"]
    ranks = [int(name[5:-4]) for name in chosen["best"] + chosen["median"] + chosen["worst"][::-1]]
    assert ranks == sorted(ranks, reverse=True)


def test_the_report_says_what_it_was_given(tmp_path, drawn):
    history = [{"epoch": 1, "loss": 0.6, "accuracy": 0.7}, {"epoch": 2, "loss": 0.5, "accuracy": 0.8, "val_NSS": 1.0}]
    path = write_report(
        tmp_path / "report.html",
        three(),
        title="A toy",
        protocol_description="Negatives are all pixels.",
        panels={"best": [panel()], "median": [], "worst": [panel("b.png")]},
        history=history,
        floor="centre",
        ceiling="gold",
        notes=["Read with care."],
    )
    text, page = read(path)
    for said in (
        "Negatives are all pixels.",
        "Read with care.",
        "mrsal evaluate --protocol mine",
        "torch",
        "2.9",
    ):
        assert said in page.text
    assert page.says("centre", "NSS, KL")
    # NSS goes from 1 to 3, KL from 1 down to 0.5; the deviations are the same in all three
    assert page.says("25 %", "centre")
    assert "50 %" in page.text
    assert f"{three()['mine'].mean()['NSS']:.3f}" in page.text
    assert re.search(r"a\.png · NSS 1\.250\D+\b2\b", page.text)
    pictures = [a["src"].split(",")[0] for a in page.all("img")]
    assert pictures.count("data:image/jpeg;base64") == 6
    assert pictures.count("data:image/svg+xml;base64") == 4
    headings = [text.split(f'id="{a["id"]}">')[1].split("<")[0] for a in page.all("h2")]
    assert headings == [
        "Result",
        "How it was scored",
        "Scores per image",
        "Images",
        "Training",
        "Where the numbers are from",
    ]


def test_the_report_holds_the_charts_of_its_scores(tmp_path, drawn):
    """Each under the words that describe it, as the functions for charts save them."""
    history = [{"epoch": 1, "loss": 0.6, "accuracy": 0.7}, {"epoch": 2, "loss": 0.5, "accuracy": 0.8, "val_NSS": 1.0}]
    options = {"floor": "centre", "ceiling": "gold"}
    _, page = read(write_report(tmp_path / "report.html", three(), title="t", history=history, **options))
    compared = {name: scored for name, scored in three().items() if name != "gold"}
    charts.save_score_plot(three(), tmp_path / "Mean and interval.svg", **options)
    charts.save_pairwise(comparison.compare(compared, reference="centre"), tmp_path / "Differences.svg")
    charts.save_distributions(three(), tmp_path / "Distribution.svg")
    curves.save_curves(history, tmp_path / "Loss and accuracy.svg")
    embedded = {a["alt"]: base64.b64decode(a["src"].split(",")[1]) for a in page.all("img")}
    files = list(tmp_path.glob("*.svg"))
    assert len(embedded) == len(files) == 4
    for file in files:
        (chart,) = (svg for words, svg in embedded.items() if words.startswith(file.stem))
        assert chart == file.read_bytes(), file.stem
    offered = {a["download"]: base64.b64decode(a["href"].split(",")[1]) for a in page.all("a") if "download" in a}
    names = ("means", "differences", "distributions", "training")
    assert set(offered) == {f"{name}.{kind}" for name in names for kind in ("svg", "pdf")}
    assert {offered[f"{name}.svg"] for name in names} == {file.read_bytes() for file in files}
    charts.save_distributions(three(), tmp_path / "distributions.pdf")
    assert offered["distributions.pdf"] == (tmp_path / "distributions.pdf").read_bytes()


def test_nothing_is_asked_of_a_network_and_every_picture_has_words(tmp_path):
    path = write_report(tmp_path / "r.html", three(), title="https://example.org", panels={"best": [panel()]})
    text, page = read(path)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "poster", "data"):
                assert value.startswith("data:"), tag
    assert "@import" not in text
    assert "url(" not in text
    assert any("default-src 'none'" in a.get("content", "") for a in page.all("meta"))
    assert all(a["alt"] for a in page.all("img"))
    assert all(a["scope"] in ("row", "col") for a in page.all("th"))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_whatever_a_user_names_is_text(tmp_path):
    scored = some(
        {"NSS": 1, "KL": 1}, images=(HOSTILE, *IMAGES), protocol=HOSTILE, dataset=HOSTILE, about={HOSTILE: HOSTILE}
    )
    path = write_report(
        tmp_path / "r.html",
        {HOSTILE: scored},
        title=HOSTILE,
        protocol_description=HOSTILE,
        panels={HOSTILE: [panel(HOSTILE)]},
        notes=[HOSTILE],
    )
    text, page = read(path)
    assert "<script" not in text.lower()
    assert page.text.count('<script>alert("1")</script>&.png') >= 8
    assert any(a["alt"].startswith(HOSTILE) for a in page.all("img"))


def test_fixations_lie_where_they_were(tmp_path):
    picture = panel(height=400, width=1600)
    here = Panel(
        picture.name,
        picture.stimulus,
        picture.prediction,
        picture.ground_truth,
        np.array([1200.0]),
        np.array([100.0]),
        {},
    )
    _, page = read(write_report(tmp_path / "r.html", three(), title="t", panels={"best": [here]}))
    jpegs = [a["src"].split(",")[1] for a in page.all("img") if "jpeg" in a["src"][:16]]
    stimulus, prediction, target = (np.asarray(Image.open(io.BytesIO(base64.b64decode(j)))).astype(int) for j in jpegs)
    assert stimulus.shape == (150, 600, 3)
    coloured = np.argwhere(np.ptp(stimulus, axis=2) > 100)
    assert coloured.mean(axis=0) == pytest.approx([37.5, 450], abs=1.5)
    assert prediction[80, -5].sum() > prediction[80, 5].sum()
    assert target[80, -5].sum() < target[80, 5].sum()


@pytest.mark.slow
def test_nine_photographs_stay_under_three_megabytes(tmp_path):
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    noisy = np.asarray(coarse.resize((1600, 1200), Image.Resampling.BICUBIC))
    one = Panel("n", noisy, noisy[..., 0], noisy[..., 1], np.empty(0), np.empty(0), {})
    path = write_report(
        tmp_path / "r.html", three(), title="t", panels={g: [one] * 3 for g in ("best", "median", "worst")}
    )
    assert path.stat().st_size < 3e6


def test_one_model_and_one_image_are_enough(tmp_path):
    one = Scores(("a",), {"sAUC": np.array([np.nan]), "CC": np.array([0.5])})
    _, page = read(write_report(tmp_path / "r.html", {"m": one}, title="t"))
    assert page.says("m", "sAUC", 1, 0)
    assert "nan" not in page.text.lower()
    assert "Training" not in page.text
    read(write_report(tmp_path / "two.html", {"m": one, "centre": one}, title="t", floor="centre"))


def test_several_models_are_ranked_and_the_ceiling_is_out_of_the_running(tmp_path):
    results = three() | {"close": some({"NSS": 1.5, "KL": 0.75}, protocol="mine", dataset="toy")}
    _, page = read(write_report(tmp_path / "r.html", results, title="t", floor="centre", ceiling="gold"))
    assert page.says("mine", "NSS", 2)
    assert page.says("close")
    assert "gold −" not in page.text
    assert "− gold" not in page.text


def test_an_endless_score_is_shown_and_not_compared(tmp_path):
    results = three()
    results["mine"].values["KL"][0] = np.inf
    _, page = read(write_report(tmp_path / "r.html", results, title="t", floor="centre", ceiling="gold"))
    assert page.says("centre", "NSS", without="KL")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"floor": "chance"}, ["floor", "chance", "mine", "centre", "gold"]),
        ({"ceiling": "human"}, ["ceiling", "human", "mine", "centre", "gold"]),
        ({"floor": "gold", "ceiling": "gold"}, ["floor", "ceiling", "gold"]),
    ],
)
def test_wrong_limits_are_refused(tmp_path, options, named):
    with pytest.raises(InputError, match=naming(*named)):
        write_report(tmp_path / "r.html", three(), title="t", **options)


def test_wrong_input_is_refused(tmp_path):
    with pytest.raises(InputError, match=naming(".html", "r.pdf")):
        write_report(tmp_path / "r.pdf", three(), title="t")
    with pytest.raises(InputError, match=naming("floor", "ceiling")):
        write_report(tmp_path / "r.html", {"centre": three()["centre"]}, title="t", floor="centre")
    with pytest.raises(InputError, match=naming(7, "mine", "other", "image10.png")):
        write_report(tmp_path / "r.html", three() | {"other": some({"NSS": 1, "KL": 1}, images=IMAGES[:5])}, title="t")
    with pytest.raises(InputError, match=naming("AUC", "NSS", "KL")):
        pick(three()["mine"], "AUC")
    with pytest.raises(InputError, match=naming("mine", "IG", "agreement")):
        pick(Scores(("a",), {"mine": np.ones(1)}), "mine")
    with pytest.raises(InputError, match=naming("count", 0)):
        pick(three()["mine"], "NSS", count=0)
    with pytest.raises(InputError, match=naming((4, 5), (5, 4))):
        Panel("a", np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4)), np.zeros((4, 5)), np.empty(0), np.empty(0), {})
    with pytest.raises(InputError, match=naming("(H, W, 3)", "uint8", (4, 5, 3), "float64")):
        Panel("a", np.zeros((4, 5, 3)), np.zeros((4, 5)), np.zeros((4, 5)), np.empty(0), np.empty(0), {})
    assert list(tmp_path.iterdir()) == []
