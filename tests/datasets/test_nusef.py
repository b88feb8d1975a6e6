"""NUSEF in the authors' layout."""

import numpy as np
import pytest
from messages import naming
from published_files import write_images

from mrsal.datasets import load
from mrsal.errors import DataError, FileError

HEADER = "[Segment Report]\r\nfile=x\r\n\r\n[Fix Listing]\r\nCOLS={}\r\n"
SUMMARY = "\r\n[Fix Segment Summary Listing]\r\nCOLS= 1 2 3\r\n9 9 9\r\n"


def row(number, horizontal, vertical, seconds, columns=15):
    values = ["0", "1", str(number), "0", f"12:00:0{number}.250", str(seconds), "0.02", "1.5", str(horizontal)]
    return "  ".join([*values, str(vertical), "40", "60", "0", "0", "0"][:columns])


def write_report(root, stimulus, name, *rows, header=HEADER):
    path = root / "NUSEF_database/fix_data" / stimulus / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((header + "\r\n".join(rows) + SUMMARY).encode())
    return path


@pytest.fixture
def root(tmp_path):
    """A stimulus of 4:3, a wide one, and a tall one, each smaller than the screen of 1024x768."""
    for name, size in {"a.jpg": (512, 384), "wide.jpg": (512, 256), "tall.jpg": (96, 192)}.items():
        write_images(tmp_path / "NUSEF_database/stimuli", [name], size=size)
    for stimulus in ("a", "wide", "tall"):
        rows = [row(1, 130, 140, 0.3), row(2, 140, 112, 0.25)]
        write_report(tmp_path, stimulus, f"sub07+{stimulus}+x.fix", *rows)
        write_report(tmp_path, stimulus, f"sub23+{stimulus}.FIX", row(1, 130, 140, 0.4))
    return tmp_path


def test_positions_go_from_the_tracker_over_the_screen_to_the_stimulus(root):
    data = load("nusef", root)
    assert [stimulus.name for stimulus in data.stimuli] == ["a.jpg", "tall.jpg", "wide.jpg"]
    # the second fixation is at (140 / 260 * 1024, 112 / 280 * 768) = (551.3846, 307.2) on the screen
    x, y = 140 / 260 * 1024, 307.2
    expected = {
        "a.jpg": (x / 2, y / 2),  # shown twice as large, everywhere
        "tall.jpg": ((x - 320) / 4, y / 4),  # four times as large, between 320 and 704
        "wide.jpg": (x / 2, (y - 128) / 2),  # twice as large, between 128 and 640
    }
    for n, stimulus in enumerate(data.stimuli):
        found = data.fixations_of(n)
        height, width = stimulus.shape
        np.testing.assert_allclose(found.x[[0, 2]], width / 2)  # the centre is the centre
        np.testing.assert_allclose(found.y[[0, 2]], height / 2)
        assert (found.x[1], found.y[1]) == pytest.approx(expected[stimulus.name])
        assert found.subject.tolist() == [7, 7, 23]
        assert found.order.tolist() == [0, 1, 0]
        assert found.duration.tolist() == [0.3, 0.25, 0.4]


def test_what_is_left_out_is_said(root, caplog):
    write_report(root, "iaps", "sub01+iaps.fix", row(1, 1, 1, 0.1))
    write_report(root, "tall", "sub30+tall.fix", row(1, 10, 140, 0.1))  # beside the picture
    write_images(root / "NUSEF_database/stimuli", ["unseen.jpg"])
    with caplog.at_level("INFO", "mrsal"):
        data = load("nusef", root)
    assert len(data) == 3 and len(data.fixations) == 9
    for text in ("fixations on 1 stimuli", "1 of 10 fixations", "1 of 4 stimuli"):
        assert text in caplog.text


def test_a_report_without_fixations_is_a_trial_without_fixations(root):
    write_report(root, "a", "sub09+a.fix")
    assert len(load("nusef", root).fixations) == 9


def test_reports_of_another_form_are_refused(root):
    path = write_report(root, "a", "sub09+a.fix", row(1, 1, 1, 0.1), row(2, 1, 1, 0.1, columns=12))
    with pytest.raises(DataError, match=naming(path, 15, 12)):
        load("nusef", root)
    path.write_text("no report")
    with pytest.raises(DataError, match=naming(path, "COLS=")):
        load("nusef", root)
    path.unlink()
    path = write_report(root, "a", "observer.fix", row(1, 1, 1, 0.1))
    with pytest.raises(DataError, match=naming(path)):
        load("nusef", root)


def test_nusef_needs_its_folders(tmp_path):
    with pytest.raises(FileError, match="fix_data"):
        load("nusef", tmp_path)
    (tmp_path / "fix_data").mkdir()
    with pytest.raises(FileError, match="stimuli"):
        load("nusef", tmp_path)
