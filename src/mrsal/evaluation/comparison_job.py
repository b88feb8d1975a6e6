"""The job behind ``mrsal compare``: read score files, compare the models, write a table and charts."""

import logging
from pathlib import Path

from mrsal.errors import InputError
from mrsal.evaluation.comparison import Comparison, compare
from mrsal.evaluation.options import CompareOptions
from mrsal.evaluation.report.charts import save_distributions, save_pairwise, save_score_plot
from mrsal.evaluation.scores import Scores
from mrsal.files import make_folder, new_folder, write_text

log = logging.getLogger("mrsal")


def compare_job(options: CompareOptions) -> tuple[Path, Comparison]:
    """Compare the scores in files, or in folders of ``mrsal evaluate``, under ``names`` or the models they name.

    Returns the folder ``out``, by default ``compare/<time>``, with ``comparison.csv``, ``comparison.md`` and the charts
    ``comparison.png``, ``scores.png`` and ``distributions.png``; and the comparison.
    """
    paths, out = options.paths, options.out
    loaded = [Scores.load(path) for path in paths]
    names = [scores.model or _file_name(path) for path, scores in zip(paths, loaded, strict=True)]
    if options.names:
        names = [name.strip() for name in options.names.split(",")]
    if len(names) != len(paths):
        raise InputError(f"expected a name for each of {len(paths)} score files, got {len(names)}: {', '.join(names)}")
    if len(set(names)) < len(names):
        raise InputError(
            f"expected models with different names, got {', '.join(names)}; tell them apart with --names A,B"
        )
    by_name = dict(zip(names, loaded, strict=True))
    level, resamples, seed = options.level, options.resamples, options.seed
    found = compare(by_name, reference=options.reference, level=level, resamples=resamples, seed=seed)
    folder = make_folder(out) if out else new_folder(Path("compare"))
    found.save(folder / "comparison.csv")
    write_text(folder / "comparison.md", "\n".join([*found.table(), ""]))
    save_pairwise(found, folder / "comparison.png")
    save_score_plot(by_name, folder / "scores.png", level=level, resamples=resamples, seed=seed)
    save_distributions(by_name, folder / "distributions.png")
    return folder, found


def _file_name(path: Path) -> str:
    """``eval/<time>`` and ``eval/<time>/scores.csv`` are called ``<time>``, ``mine.csv`` is called ``mine``."""
    path = path.resolve()
    return path.name if path.is_dir() else path.parent.name if path.stem == "scores" else path.stem
