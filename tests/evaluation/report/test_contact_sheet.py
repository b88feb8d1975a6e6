"""The contact sheet of a data set."""

from dataclasses import replace

import numpy as np
import pytest
from messages import naming
from PIL import Image

from mrsal.datasets import FixationDataset, Stimulus, info_of
from mrsal.datasets.fixations import Fixations
from mrsal.errors import DataError, InputError
from mrsal.evaluation import ShowOptions
from mrsal.evaluation.report.contact_sheet import choose_stimuli, contact_sheet, show_job
from mrsal.images import read_image


def test_a_sheet_is_as_large_as_its_stimuli_need(dataset):
    one, three, four = (contact_sheet(dataset, list(range(n))) for n in (1, 3, 4))
    assert one.dtype == np.uint8 and one.shape[2] == 3
    assert one.shape[1] < three.shape[1] == four.shape[1] == 1968
    assert three.shape[0] < four.shape[0]


def test_the_density_is_brightest_where_the_fixations_are(tmp_path):
    black = tmp_path / "black.png"
    Image.new("RGB", (400, 300)).save(black)
    points = Fixations.create([100.0] * 5, [240.0] * 5)
    data = FixationDataset("one", (Stimulus.from_file(black),), points, pixels_per_degree=20)
    page = contact_sheet(data, [0]).astype(int)
    coloured = np.argwhere(np.ptp(page, axis=2) > 80)  # all else is black, white or grey
    middle = page.shape[1] / 2
    dots, heat = coloured[coloured[:, 1] < middle], coloured[coloured[:, 1] > middle]
    # both are at the same place of two pictures that are 304 + 4 pixels apart
    assert heat.mean(axis=0) - dots.mean(axis=0) == pytest.approx([0, 308], abs=2)


def test_wide_and_tall_stimuli_and_long_names_have_room(tmp_path):
    stimuli = []
    for name, size in {"wide" * 40: (500, 20), "tall": (20, 500)}.items():
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
        stimuli.append(Stimulus.from_file(tmp_path / f"{name}.png"))
    points = Fixations.create([1.0, 1.0], [1.0, 1.0], n=[0, 1])
    contact_sheet(FixationDataset("two", tuple(stimuli), points, pixels_per_degree=300), [0, 1])


def test_a_published_set_is_shown_with_its_citation(dataset):
    plain, cited = contact_sheet(dataset, [0]), contact_sheet(replace(dataset, info=info_of("salicon")), [0])
    assert cited.shape[0] > plain.shape[0]


def test_only_stimuli_with_fixations_are_drawn(dataset):
    seen = replace(dataset, fixations=dataset.fixations.where(dataset.fixations.n % 2 == 1))
    assert choose_stimuli(seen, 60) == [1, 3, 5, 7, 9]
    assert choose_stimuli(seen, 2, seed=1) == choose_stimuli(seen, 2, seed=1)
    assert len({tuple(choose_stimuli(seen, 2, seed=seed)) for seed in range(9)}) > 1
    with pytest.raises(DataError, match="own"):
        choose_stimuli(replace(dataset, fixations=Fixations.create([], [])), 2)


def test_the_job_writes_the_sheet(folder_root, tmp_path):
    about = show_job(ShowOptions(name="folder", root=folder_root, out=tmp_path / "a.png", count=2))
    assert read_image(tmp_path / "a.png").shape[1] < 1968
    assert (about["stimuli"], len(about["shown"]), about["dataset"]) == (10, 2, "own")
    with pytest.raises(InputError, match=naming("a.jpg")):
        show_job(ShowOptions(name="folder", root=folder_root, out=tmp_path / "a.jpg"))
