"""The job of ``mrsal compare``: reads files of scores, compares the models, and writes tables and charts."""

from pathlib import Path

from mrsal.errors import InputError
from mrsal.evaluation.comparison import Comparison, compare
from mrsal.evaluation.options import CompareOptions
from mrsal.evaluation.report.charts import save_distributions, save_pairwise, save_score_plot
from mrsal.evaluation.scores import Scores
from mrsal.files import make_folder, new_folder, write_text


def compare_job(options: CompareOptions) -> tuple[Path, Comparison]:
    """Compare models by the scores in files, or in folders that ``mrsal evaluate`` made.

    The models have the names in ``options.names``, or those in the files.

    Returns
    -------
    folder : Path
        The folder ``options.out``, by default ``compare/<time>``, with ``comparison.csv``, ``comparison.md`` and the charts
        ``comparison``, ``scores`` and ``distributions``, each as ``.png`` and ``.pdf``.
    comparison : Comparison
        The comparison.
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
    results = dict(zip(names, loaded, strict=True))
    level, resamples, seed = options.level, options.resamples, options.seed
    comparison = compare(results, reference=options.reference, level=level, resamples=resamples, seed=seed)
    folder = make_folder(out) if out else new_folder(Path("compare"))
    comparison.save(folder / "comparison.csv")
    write_text(folder / "comparison.md", "\n".join([*comparison.table(), ""]))
    for suffix in (".png", ".pdf"):
        save_pairwise(comparison, folder / f"comparison{suffix}")
        save_score_plot(results, folder / f"scores{suffix}", level=level, resamples=resamples, seed=seed)
        save_distributions(results, folder / f"distributions{suffix}")
    return folder, comparison


def _file_name(path: Path) -> str:
    """The name of a model by its path: ``<time>`` for ``eval/<time>`` and ``eval/<time>/scores.csv``, ``a`` for ``a.csv``."""
    path = path.resolve()
    return path.name if path.is_dir() else path.parent.name if path.stem == "scores" else path.stem
