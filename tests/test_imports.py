"""Data moves left to right, and so do imports; and ``import mrsal`` costs next to nothing."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import mrsal

PACKAGE = Path(mrsal.__file__).parent

# a package imports only from those that stand before it
ORDER = """
    errors progress _version _extras options files images figures
    metrics model datasets inference evaluation training aoi web cli __main__
""".split()
PUBLIC = {
    *("DataError", "FileError", "InputError", "MrsalError", "Stopped", "TrainingError"),
    *("Predictor", "SaliencyMap", "load_model", "evaluate", "Scores", "compare", "TrainConfig", "train"),
    *("ImprovedTrainConfig", "TrainingImages"),
    *("datasets", "metrics", "__version__"),
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def package_of(path: Path) -> str:
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


def imported_packages(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("mrsal.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_package_imports_only_from_those_before_it(path):
    package = package_of(path)
    assert package in ORDER, f"give {package} its place in ORDER, and in the design"
    assert imported_packages(path) <= {*ORDER[: ORDER.index(package) + 1]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_other_packages_are_used_through_the_names_they_export(path):
    for name in imported(path):
        parts = name.split(".")
        if (
            parts[0] == "mrsal"
            and len(parts) > 3
            and parts[1] != package_of(path)
            and parts[1] not in ("metrics", "cli")
        ):
            stub = (PACKAGE / parts[1] / "__init__.pyi").read_text(encoding="utf-8")
            assert f" as {parts[-1]}" not in stub, f"import {parts[-1]} from mrsal.{parts[1]}"


def test_what_a_package_says_it_exports_is_there():
    for stub in PACKAGE.rglob("__init__.pyi"):
        package = import_module(".".join(("mrsal", *stub.parent.relative_to(PACKAGE).parts)))
        modules = {path.stem for path in stub.parent.iterdir()}
        for name in package.__all__:
            assert getattr(package, name) is not None
            if package is not mrsal:
                assert name not in modules, f"{name} is a module of the package, too, and one would hide the other"


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_tests_do_not_import_each_other(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert not {root for root in roots if root in ("conftest", "tests") or root.startswith("test_")}


def test_errors_stand_alone_and_the_model_knows_torch_only():
    assert imported(PACKAGE / "errors.py") == set()
    third_party = {name.split(".")[0] for name in imported(PACKAGE / "model" / "network.py")} - sys.stdlib_module_names
    assert third_party <= {"torch", "mrsal"}
    assert imported_packages(PACKAGE / "model" / "network.py") <= {"errors", "model"}


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
