"""A folder with two tiny data sets under their names, as ``mrsal reproduce`` expects it."""

import shutil
from pathlib import Path

from tiny_data import SIZES, write_folder

LISTED = ("s1", "s4", "s7")  # the test images of MIT1003, as its list has them


def write_sets(root: Path) -> Path:
    """``mit1003/`` in its authors' layout with a list of test images, and ``folder/`` with a table of splits."""
    own = write_folder(root / "folder")
    mit = root / "mit1003"
    shutil.copytree(own / "stimuli", mit / "ALLSTIMULI")
    shutil.copy(own / "fixations.csv", mit / "fixations.csv")
    (mit / "coursework_test_split.txt").write_text("\n".join(LISTED) + "\n")
    splits = ["test", "test", "val", *["train"] * (len(SIZES) - 3)]
    rows = ["stimulus,split", *(f"s{i},{split}" for i, split in enumerate(splits))]
    (own / "splits.csv").write_text("\n".join(rows) + "\n")
    return root
