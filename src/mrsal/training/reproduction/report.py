"""The report: an HTML page, a table in Markdown, all numbers as JSON, and the score of every image as CSV."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mrsal._version import __version__
from mrsal.evaluation.limits import CEILING
from mrsal.evaluation.report.html import embedded, template
from mrsal.figures import BLUE, GREY, ORANGE, WIDTH, figure_style, new_figure, save_figure
from mrsal.files import write_text
from mrsal.metrics import PROTOCOLS
from mrsal.training.reproduction.experiment import FLOOR
from mrsal.training.reproduction.options import ReproduceOptions
from mrsal.training.reproduction.published import METRIC, PAPER, PROTOCOL
from mrsal.training.reproduction.result import (
    NETWORKS,
    NOT_KNOWN,
    Result,
    markdown_lines,
    number,
    table_rows,
    write_scores,
)

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Report:
    """What the command found out.

    Parameters
    ----------
    results : sequence of Result
        The results on the data sets that are done.
    options : ReproduceOptions
        The options of the command.
    missing : mapping of str to str
        The data sets that are not there, and the command that gets each.
    waiting : sequence of str
        The data sets that are there and not done yet.
    """

    results: Sequence[Result]
    options: ReproduceOptions
    missing: Mapping[str, str]
    waiting: Sequence[str]

    @property
    def network(self) -> str:
        """What was trained, in words."""
        return NETWORKS[self.options.improvements]

    def save(self) -> None:
        """Write ``report.html``, ``report.md``, ``report.json`` and ``scores.csv`` into the folder of the results."""
        out = self.options.out_dir
        write_scores(out / "scores.csv", self.results)
        write_text(out / "report.md", "\n".join([*self._markdown(), ""]))
        write_text(out / "report.html", self._page())
        write_text(out / "report.json", json.dumps(_plain(self.to_dict()), indent=1, ensure_ascii=False) + "\n")

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for ``report.json`` and ``--json``."""
        return {
            "folder": str(self.options.out_dir),
            "paper": PAPER,
            "network": self.network,
            "protocol": PROTOCOL,
            "complete": not self.waiting,
            "datasets": {result.name: result.to_dict() for result in self.results},
            "missing": dict(self.missing),
            "waiting": list(self.waiting),
            "notes": self.notes(),
        }

    def notes(self) -> list[str]:
        """What a reader has to know before comparing the numbers."""
        options, notes = self.options, []
        if self.waiting:
            notes.append(f"Not done yet: {', '.join(self.waiting)}. Run the same command again.")
        if options.all_epochs < options.usual_epochs:
            epochs = f"{options.all_epochs} epoch{'s' * (options.all_epochs > 1)}"
            notes.append(
                f"The networks were trained for {epochs} instead of {options.usual_epochs}. This shows that everything runs, "
                "and is not a reproduction."
            )
        if options.improvements:
            notes.append(f"The published numbers are those of the paper's network, and ours are of {self.network}.")
        if options.folds:
            notes.append(
                "Ours are from a cross-validation: each image is scored by networks that were not trained on it. The "
                "paper's number on MIT1003 is from one split."
            )
        if options.seeds == 1:
            notes.append("There is one random seed, so the spread over trainings is not known; --seeds 3 measures it.")
        lonely = [result.title for result in self.results if CEILING not in result.limits]
        if lonely:
            notes.append(
                f"No ceiling for {', '.join(lonely)}: it needs fixations of two known observers on each image."
            )
        return notes

    def summary(self) -> list[str]:
        """The table of the numbers and the notes, as lines in Markdown."""
        return [*markdown_lines(self.results), "", *(f"- {note}" for note in self.notes())]

    def _markdown(self) -> Iterator[str]:
        yield from [f"# Shuffled AUC: {PAPER}", "", *self.summary(), "", PROTOCOLS[PROTOCOL].description]
        for result in self.results:
            yield from ["", f"## {result.title}", ""]
            yield from (f"- {topic}: {text}" for topic, text in result.conditions.items())
            yield f"- published number: {_source(result)}"
        if self.missing:
            yield from ["", "## Data sets that were not there", ""]
            yield from (f"- {name}: `{how}`" for name, how in self.missing.items())

    def _page(self) -> str:
        header, *rows = table_rows(self.results)
        return template("reproduction.html", "mrsal.training.reproduction").render(
            title="Reproducing the shuffled AUC of Mr-CNN",
            paper=PAPER,
            network=self.network,
            results=[(result, _source(result)) for result in self.results],
            sentences=[_sentence(result) for result in self.results],
            header=header,
            rows=rows,
            legend=_legend(header),
            notes=self.notes(),
            missing=self.missing,
            numbers=embedded(partial(save_figure, partial(chart, self.results))),
            protocol_description=PROTOCOLS[PROTOCOL].description,
            metric=METRIC,
            written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
            version=__version__,
        )


def _source(result: Result) -> str:
    published = result.published
    return f"{number(published.value, 4)}, {published.source}" if published else NOT_KNOWN


def _legend(header: Sequence[str]) -> str:
    spreads = [name.removeprefix("± ") for name in header if name.startswith("±")]
    spread = f" ±: standard deviation of the means of {' and of '.join(spreads)}." if spreads else ""
    return (
        f"Means over the test images.{spread} The interval shows how a mean changes with other images of the same kind, not "
        f"with other trainings. The floor is the {FLOOR}, a map of where people look on the other images. The ceiling is the "
        f"{CEILING}, each of whom is predicted from the others who saw the same image."
    )


def _sentence(result: Result) -> dict[str, str]:
    """The parts of the sentence about a data set."""
    low, high = result.interval
    parts = {"title": result.title, "score": number(result.score), "interval": f"{number(low)}, {number(high)}"}
    if not result.published:
        return parts | {"comparison": "No published number is known to us."}
    value = result.published.value
    where = "below" if result.difference < 0 else "above"
    inside = "inside" if low <= value <= high else "outside"
    comparison = (
        f"That is {number(abs(result.difference))} {where} the {number(value, 4)} that the paper reports, which is "
        f"{inside} this interval."
    )
    return parts | {"comparison": comparison}


def chart(results: Sequence[Result]) -> "Figure":
    """Draw a row for each data set: our number with its interval, each seed, the published number, floor and ceiling."""
    with figure_style():
        figure = new_figure(WIDTH, 24 + 9 * len(results), layout="constrained")
        axes = figure.subplots()
        for row, result in enumerate(results):
            low, high = result.interval
            label = {name: name if row == 0 else "" for name in ("ours, 95 % interval", "one seed", FLOOR, CEILING)}
            for name, colour, style in ((FLOOR, GREY, ":"), (CEILING, ORANGE, "--")):
                value = result.limit(name)
                axes.plot(
                    [value, value],
                    [row - 0.36, row + 0.36],
                    color=colour,
                    linestyle=style,
                    linewidth=1.6,
                    label=label[name],
                )
            axes.plot([low, high], [row, row], color=BLUE, linewidth=2, solid_capstyle="butt")
            axes.plot([result.score], [row], "o", color=BLUE, markersize=6, label=label["ours, 95 % interval"])
            seeds = list(result.by_seed().values())
            if len(seeds) > 1:
                axes.plot(seeds, [row + 0.2] * len(seeds), "|", color=BLUE, markersize=7, label=label["one seed"])
        published = [(result.published.value, row) for row, result in enumerate(results) if result.published]
        if published:
            axes.plot(
                *zip(*published, strict=True),
                "D",
                color="black",
                markerfacecolor="white",
                markersize=6,
                label="published",
                zorder=4,
            )
        axes.set_yticks(range(len(results)), [result.title for result in results])
        axes.set_ylim(len(results) - 0.5, -0.5)
        axes.set_xlabel("shuffled AUC (chance is 0.5)")
        axes.axvline(0.5, color=GREY, linewidth=0.6)
        axes.grid(axis="x")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        handles, _ = axes.get_legend_handles_labels()
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _plain(value: Any) -> Any:
    """The value with NaN as None, which JSON has, and NaN not."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
