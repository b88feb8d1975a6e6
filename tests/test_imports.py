"""Data moves left to right, and so do imports; and ``import mrsal`` costs next to nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mrsal

PACKAGE = Path(mrsal.__file__).parent

# a module imports only what stands before it; datasets and metrics are packages
ORDER = """
    errors images files saliency_map runtime progress fixations exchange datasets metrics grid patches
    model precision checkpoint archive native dense hub inference areas areas_io rules peaks contours
    baselines adjustment maps submission
    significance scores evaluation
    comparison plots charts report video sources predicting
    processes recipe runs tasks scoring aoi desk page submitting training shards cluster jobs demo doctor export hosts web
    cli __main__
""".split()
ON_TOP = {"cli", "web", "export", "doctor"}
PUBLIC = {
    *("DataError", "FileError", "InputError", "MrsalError", "Stopped", "TrainingError"),
    *("Predictor", "SaliencyMap", "load_model", "evaluate", "Scores", "compare", "TrainConfig", "train"),
    *("datasets", "metrics", "__version__"),
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def noun(path: Path) -> str:
    """``mrsal/images.py`` is ``images``, ``mrsal/datasets/osie.py`` is ``datasets``."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of what a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_nouns(path: Path) -> set[str]:
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("mrsal.")}
    return ours - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_before_it(path):
    assert noun(path) in ORDER, f"give {noun(path)} its place in ORDER, and in the design"
    allowed = {*ORDER[: ORDER.index(noun(path))]}
    if noun(path) not in ("cli", "__main__"):
        allowed -= ON_TOP
    if path.parent != PACKAGE:
        allowed.add(noun(path))
    assert imported_nouns(path) <= allowed


def test_errors_stand_alone_and_the_model_knows_torch_only():
    assert imported(PACKAGE / "errors.py") == set()
    third_party = {name.split(".")[0] for name in imported(PACKAGE / "model.py")} - sys.stdlib_module_names
    assert third_party <= {"torch", "mrsal"}
    assert imported_nouns(PACKAGE / "model.py") <= {"errors"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import mrsal; dir(mrsal)", ["torch", "numpy", "PIL", "scipy"]),
        ("from mrsal import datasets, metrics; datasets.LOADERS", ["torch", "matplotlib", "scipy.io"]),
        ("import mrsal.cli", ["torch", "matplotlib"]),
    ],
)
def test_an_import_stays_light(statement, absent):
    code = f"{statement}\nimport sys\nprint(*sorted(set({absent}) & set(sys.modules)))"
    path = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
    assert done.stdout.split() == []


def test_the_public_names_are_what_we_think_and_are_there():
    assert set(mrsal.__all__) == set(dir(mrsal)) == PUBLIC
    for name in PUBLIC:
        assert getattr(mrsal, name).__class__.__name__ != "NoneType"
    with pytest.raises(AttributeError, match="predcit"):
        _ = mrsal.predcit


def test_errors_form_the_tree_that_callers_catch():
    for error, builtin in {
        mrsal.InputError: ValueError,
        mrsal.DataError: ValueError,
        mrsal.FileError: OSError,
        mrsal.TrainingError: RuntimeError,
    }.items():
        assert issubclass(error, mrsal.MrsalError)
        assert issubclass(error, builtin)
