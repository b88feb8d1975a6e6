"""A folder with two tiny data sets under their names, as ``mrsal reproduce`` expects it."""

import shutil
from pathlib import Path

from tiny_data import write_folder

LISTED = ("s1", "s4", "s7")  # the test images of the split of MIT1003


def write_sets(root: Path) -> Path:
    """``mit1003/`` in its authors' layout with a list of test images, and ``folder/``; both have ten images."""
    own = write_folder(root / "folder")
    mit = root / "mit1003"
    shutil.copytree(own / "stimuli", mit / "ALLSTIMULI")
    shutil.copy(own / "fixations.csv", mit / "fixations.csv")
    (mit / "coursework_test_split.txt").write_text("\n".join(LISTED) + "\n")
    return root
