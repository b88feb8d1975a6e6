"""The documentation is true: its code blocks run, its commands parse, its links lead somewhere, and the site builds.

Blocks of a page run in order in one folder, which holds small made-up data under the names that the pages use; Python blocks
of a page share their names. A block marked ``no-run`` needs the network, a GPU or hours: its commands are only parsed.
"""

import ast
import doctest
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tokenize
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from docs_folder import write_docs_folder
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d
from typer.main import get_command

import mrsal
from mrsal import cli
from mrsal.datasets.archives import historical, native, sampling
from mrsal.evaluation import comparison_job, job as evaluation_job
from mrsal.inference import predictor
from mrsal.training import job as training_job

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"python", "sh", "text", "json", "csv", "yaml"}
UNRUN_COMMANDS = {"pip", "git", "pre-commit", "mkdocs", "scripts/check", "python", "pytest", "mrsal"}
UNRUN_COMMANDS |= {"torchrun", "sbatch", "srun", "ray", "export", "chromium", "curl"}
UNRUN_IMPORTS = (
    "mrsal.inference.onnx_predictor",
    "pysaliency",
    "ray",
    "gradio",
    "huggingface_hub",
)  # why a Python block may not be run
UNRUN_MRSAL = {"demo", "serve"}  # commands that no page runs: three minutes, a server


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line of its fence, its language, whether it is run, and its text."""

    page: Path
    line: int
    language: str
    runs: bool
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    found: list[Block] = []
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        if fence := re.fullmatch(r"( *)```(.*)", line):
            language, *marks = fence[2].split() or [""]
            assert language in LANGUAGES, f"{page.name}:{number}: a block has to say its language, one of {LANGUAGES}"
            assert set(marks) <= {"no-run"}, f"{page.name}:{number}: the only mark is no-run, got {marks}"
            text = []
            for _, inside in lines:
                if inside.strip() == "```":
                    break
                text.append(inside.removeprefix(fence[1]))
            else:
                pytest.fail(f"{page.name}:{number}: the block has no end")
            found.append(Block(page, number, language, "no-run" not in marks, "\n".join(text) + "\n"))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def commands_of(block: Block) -> list[list[str]]:
    """The commands of a shell block as words, without comments."""
    joined = re.sub(r"\\\n", " ", block.text)
    commands = [shlex.split(part, comments=True) for line in joined.splitlines() for part in line.split(" && ")]
    return [words for words in commands if words]


@pytest.fixture(scope="module")
def fewer_samples():
    """A tenth of the training locations, in every archive that is made."""
    with pytest.MonkeyPatch.context() as patch:
        for archive in (historical, native):
            patch.setattr(archive, "image_samples", _few_samples)
        yield


def _few_samples(dataset, index, seed):
    rng = np.random.default_rng([seed, index])
    return sampling.sample_locations(sampling.ground_truth(dataset, index), rng, fixated=1, unfixated=2)


@pytest.fixture(scope="module")
def template(tmp_path_factory, fewer_samples):
    """A folder with everything that the pages name."""
    return write_docs_folder(tmp_path_factory.mktemp("docs"))


RUN = [page for page in PAGES if any(block.page == page and block.runs for block in BLOCKS)]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page, template, tmp_path, monkeypatch, request):
    shutil.copytree(template, tmp_path, copy_function=os.link, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    x, y = np.array([60.0, 65.0, 210.0]), np.array([50.0, 52.0, 160.0])
    grid = np.arange(240 * 320, dtype=float).reshape(240, 320)
    names = {"__name__": "page", "x": x, "y": y, "saliency_map": grid, "density": grid + 1}
    if page.name != "method.md":  # which is about the network
        make_quick(monkeypatch)
        request.getfixturevalue("tiny_training")
    for block in BLOCKS:
        if block.page == page and block.runs and block.language == "python":
            run_python(block, names)
        elif block.page == page and block.runs and block.language == "sh":
            for words in commands_of(block):
                run_command(words, block, monkeypatch)


def make_quick(monkeypatch) -> None:
    """Brightness instead of the network's logits, and no charts: both take long, and have tests of their own."""

    def logits(network, levels, grid, *, mode):
        return adaptive_avg_pool2d(levels[0].mean(dim=1), (len(grid.rows), len(grid.columns)))

    def nothing(*_, **__):
        return None

    monkeypatch.setattr(predictor, "grid_logits", logits)
    monkeypatch.setattr(evaluation_job, "write_report", nothing)
    for chart in ("save_pairwise", "save_score_plot", "save_distributions"):
        monkeypatch.setattr(comparison_job, chart, nothing)
    monkeypatch.setattr(training_job, "save_curves", nothing)


def run_python(block: Block, names: dict) -> None:
    """Run a block; where a comment behind an expression is a value, that has to be the expression's."""
    comments = {
        token.start[0]: token.string[1:].strip()
        for token in tokenize.generate_tokens(StringIO(block.text).readline)
        if token.type == tokenize.COMMENT
    }
    for node in ast.parse(block.text).body:
        where = f"{block.page}:{block.line + node.lineno}"
        promised = comments.get(node.end_lineno or 0, "").replace("...", "what is left out")
        if not isinstance(node, ast.Expr):
            exec(compile(ast.Module([node], []), where, "exec"), names)
            continue
        value = eval(compile(ast.Expression(node.value), where, "eval"), names)
        try:
            expected = ast.literal_eval(promised)
        except (SyntaxError, ValueError):
            continue  # no comment, or one in words
        assert value == (pytest.approx(expected, abs=1e-6) if isinstance(expected, float) else expected), where


def run_command(words: list[str], block: Block, monkeypatch) -> None:
    """Run a command in this process, which has the imports behind it; one epoch of training will do."""
    words = [fill_in(word) for word in words]
    entry = {"mrsal": cli.main, "train.py": cli.train_script, "eval.py": cli.evaluate_script}
    words = words[1:] if words[0] == "python" else words
    assert words[0] in entry, f"{block}: no test can run {words[0]!r}; mark the block no-run"
    if "train" in words[0] or words[1] == "train":
        words += ["--epochs", "1", "--device", "cpu", "--num_gpus", "1"]
    if words[1] == "reproduce":
        words += ["--epochs", "1", "--device", "cpu"]
    *words, target = [*words[: words.index(">")], words[-1]] if ">" in words else [*words, os.devnull]
    monkeypatch.setattr(sys, "argv", words)
    try:
        with Path(target).open("w") as file, redirect_stdout(file if target != os.devnull else sys.stdout):
            entry[words[0]]()
    except SystemExit as leaving:
        assert not leaving.code, f"{block}: {shlex.join(words)} ends with status {leaving.code}"


def fill_in(word: str) -> str:
    """``runs/trained/<time>`` is the newest folder there, ``<one>`` the oldest; the last epoch is the first, as it is here."""
    word = re.sub(r"cnn_epoch_\d+", "cnn_epoch_1", word)
    while placeholder := re.search(r"^(.*?)/<(\w+)>", word):
        folders = sorted(Path(placeholder[1]).iterdir(), key=lambda path: path.stat().st_mtime_ns)
        chosen = folders[0] if placeholder[2] == "one" else folders[-1]
        word = chosen.as_posix() + word[placeholder.end() :]
    return word


SHELL = [(block, words) for block in BLOCKS if block.language == "sh" for words in commands_of(block)]


@pytest.mark.parametrize(
    ("block", "words"), [case for case in SHELL if case[1][0] == "mrsal"], ids=lambda case: str(case)[:60]
)
def test_every_command_has_the_options_it_is_given(block, words):
    group = get_command(cli.app)
    assert words[1] in group.commands, f"{block}: there is no mrsal {words[1]}"
    words = words[: words.index(">")] if ">" in words else words
    parent = group.context_class(group, info_name="mrsal", **group.context_settings)
    if hasattr(group.commands[words[1]], "commands"):  # such as datasets
        group, words = group.commands[words[1]], words[1:]
        assert words[1] in group.commands, f"{block}: there is no mrsal {words[0]} {words[1]}"
    group.commands[words[1]].make_context(words[1], words[2:], parent=parent)  # UsageError names what is wrong


def test_what_is_not_run_could_not_be():
    for block in BLOCKS:
        if block.runs or block.language == "text":
            continue
        if block.language == "python":
            compile(block.text, str(block), "exec")
            assert re.search(rf"(from|import) ({'|'.join(UNRUN_IMPORTS)})", block.text), (
                f"{block}: why is this block not run?"
            )
            continue
        assert block.language == "sh"
        commands = commands_of(block)
        unknown = {words[0] for words in commands} - UNRUN_COMMANDS
        assert not unknown, f"{block}: {unknown} may not stand in a block that is not run"
        for words in commands:
            if words[0] == "python":
                assert words[1] == "-m" or (ROOT / words[1]).is_file(), f"{block}: there is no {words[1]}"
        if all(words[0] == "mrsal" for words in commands):
            needs = {
                "cache/",
                "their_models",
                "cuda",
                "bf16",
                "--engine ray",
                "datasets download",
            }  # pysaliency's files and models, a GPU, a cluster, the internet
            reason = {words[1] for words in commands} <= UNRUN_MRSAL or any(need in block.text for need in needs)
            assert reason, f"{block}: why is this block not run?"


def test_every_link_leads_to_a_file():
    for page in [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "benchmarks").glob("*.md"))]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target} leads nowhere"


def test_the_citation_names_this_version():
    assert f"\nversion: {mrsal.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_forms_are_forms():
    yaml = pytest.importorskip("yaml")
    for form in (ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"):
        asked = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert asked["name"] and asked["description"]
        assert all(part["type"] in ("markdown", "textarea", "input") for part in asked["body"])
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for repo in hooks["repos"] for hook in repo["hooks"]] == ["ruff-check", "ruff-format", "mypy"]


def load_script(path: str):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / "scripts" / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_what_the_metrics_page_says_of_its_picture():
    drawing = load_script("draw_metrics.py")
    scene = drawing.make_scene()
    scores = {name.replace("\n", " "): drawing.score(map_, scene) for name, map_ in drawing.make_maps().items()}
    density, blurred = scores["the density of the fixations"], scores["the same, blurred as the ground truth"]
    sure, half, uniform = scores["over-confident"], scores["half uniform"], scores["uniform"]
    for metric in ("AUC", "sAUC"):
        assert density[metric] == pytest.approx(sure[metric], abs=5e-4) == pytest.approx(half[metric], abs=5e-4)
    for metric in ("NSS", "CC"):
        assert density[metric] == pytest.approx(half[metric])
    best = {metric: max(s[metric] for s in scores.values()) for metric in density}
    assert all(density[metric] == pytest.approx(best[metric]) for metric in ("NSS", "IG"))
    assert all(blurred[metric] == best[metric] for metric in ("CC", "SIM"))
    assert blurred["KL"] == min(s["KL"] for s in scores.values())
    assert sure["KL"] == max(s["KL"] for s in scores.values()) > 2 * uniform["KL"]
    assert sure["IG"] < density["IG"] / 2
    missed, wrong = scores["a spot missed"], scores["a spot missed, a false alarm"]
    assert density["AUC"] - missed["AUC"] > 5 * (missed["AUC"] - wrong["AUC"]) > 0
    assert scores["only the centre"]["AUC"] == pytest.approx(0.70, abs=0.005)
    assert scores["only the centre"]["sAUC"] < 0.4
    worse = scores["times the centre bias"]
    assert all(worse[m] < density[m] for m in ("AUC", "sAUC", "NSS", "IG", "CC", "SIM"))
    assert worse["KL"] > density["KL"]
    assert density["agreement"] - uniform["agreement"] < 0.03
    assert scores["blurred a lot"]["agreement"] < uniform["agreement"] - 0.1


@pytest.mark.slow
def test_the_pictures_of_the_pages_are_drawn(tmp_path, monkeypatch):
    for script, arguments, written in [
        ("draw_metrics.py", [tmp_path], ["metrics-table.png", "metrics-where.png"]),
        ("draw_network.py", [tmp_path / "network.png"], ["network.png"]),
    ]:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        load_script(script).main()
        for name in written:
            with Image.open(tmp_path / name) as drawn, Image.open(ROOT / "docs/images" / name) as kept:
                assert drawn.size == kept.size


def test_docstrings_and_links_become_the_site_s():
    for script in ("site/pages.py", "site/docstrings.py"):
        pytest.importorskip("mkdocs")
        result = doctest.testmod(load_script(script))
        assert result.attempted > 0
        assert not result.failed


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:link|script|img)[^>]*(?:href|src)=\"(https?:[^\"]*)\"", html)
        assert fetched == [], page.name
        assert not re.search(r":(?:class|func|meth):|```", html), page.name
