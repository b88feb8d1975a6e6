"""Scoring models on archives: any callable is a model, and both kinds of archive can be scored."""

import csv

import numpy as np
import pytest
from messages import naming

from mrsal import metrics
from mrsal.datasets.archives.historical import PthArchive
from mrsal.datasets.archives.native import NativeArchive
from mrsal.errors import InputError
from mrsal.evaluation.evaluator import evaluate
from mrsal.inference.simple_models import centre, uniform


@pytest.fixture
def examples(native_folder):
    return list(NativeArchive(native_folder).examples("all"))


def test_a_uniform_map_scores_chance(examples):
    means = evaluate(uniform, examples).mean()
    assert (means["AUC"], means["sAUC"], means["NSS"], means["CC"]) == (0.5, 0.5, 0, 0)


def test_the_ground_truth_scores_best(examples):
    truths = iter([example.ground_truth() for example in examples])
    scores = evaluate(lambda image: next(truths), examples).mean()
    assert scores["CC"] == pytest.approx(1)
    assert scores["SIM"] == pytest.approx(1)
    assert scores["KL"] == pytest.approx(0, abs=1e-9)
    assert scores["AUC"] > 0.85


def test_shuffled_negatives_are_the_other_images_fixations_rescaled(examples):
    image, here = examples[2], 2
    height, width = image.shape
    other_x, other_y = [], []
    for i, example in enumerate(examples):
        if i != here:
            other_x.extend(example.fixations.x / example.shape[1] * width)
            other_y.extend(example.fixations.y / example.shape[0] * height)
    expected = metrics.auc(
        centre(image.stimulus()),
        image.fixations.x,
        image.fixations.y,
        negatives="shuffled",
        other_x=other_x,
        other_y=other_y,
    )
    assert evaluate(centre, examples).values["sAUC"][here] == pytest.approx(expected)


def test_an_archive_of_maps_has_no_scores_at_fixations(pth_folder):
    scores = evaluate(centre, PthArchive(pth_folder).examples("test"))
    assert set(scores.values) == {"CC", "SIM", "KL"}


@pytest.mark.parametrize("protocol", ["tuebingen", "mrcnn", "historical"])
def test_the_historical_score_is_added_where_it_is_asked_for_and_is_always_the_same(examples, protocol):
    expected = [
        metrics.agreement_score(centre(e.stimulus()), e.ground_truth() * (255 / e.ground_truth().max()))
        for e in examples
    ]
    without, added = (evaluate(centre, examples, protocol=protocol, agreement=asked) for asked in (False, True))
    assert ("agreement" in without.values) is (protocol == "historical")
    np.testing.assert_allclose(added.values["agreement"], expected, atol=1e-9)
    assert {*added.values} == {*without.values, "agreement"}


def test_the_first_fixation_can_be_left_out(native_folder):
    archive = NativeArchive(native_folder)
    all_of_them, fewer = (next(archive.examples("all", skip_first=skip)).fixations for skip in (False, True))
    assert (fewer.order > 0).all()
    assert len(all_of_them) - len(fewer) == (all_of_them.order == 0).sum() > 0


def test_a_map_of_another_size_is_refused(examples):
    with pytest.raises(InputError, match=naming("s0.png", (61, 83), (5, 5))):
        evaluate(lambda image: np.ones((5, 5)), examples)


def test_nothing_to_score_is_refused():
    with pytest.raises(InputError, match="image"):
        evaluate(uniform, [])


def test_scores_are_saved_one_row_per_image(examples, tmp_path):
    scores = evaluate(centre, examples)
    scores.save(tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["stimulus"] for row in rows] == [example.name for example in examples]
    assert float(rows[3]["NSS"]) == pytest.approx(scores.values["NSS"][3], abs=1e-6)


def test_centre_baseline_on_osie(data_root):
    """Known values on OSIE's whole test split are AUC 0.724 and NSS 0.80; these ten images keep the test short."""
    from mrsal.datasets import load

    osie = load("osie", data_root / "osie")
    chosen = osie.split("test")[:10]
    scores = []
    for i in chosen:
        points = osie.fixations_of(i)
        map_ = centre(np.empty((*osie.stimuli[i].shape, 3), np.uint8))
        scores.append((metrics.auc(map_, points.x, points.y), metrics.nss(map_, points.x, points.y)))
    assert np.mean(scores, axis=0) == pytest.approx([0.72, 0.79], abs=0.08)
