"""A contact sheet of a data set: stimuli with their fixations and the density of these, to look at and to show in a talk."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mrsal.datasets import FixationDataset, fixation_density, load
from mrsal.errors import DataError, InputError
from mrsal.evaluation.report.pictures import with_fixations
from mrsal.evaluation.show_options import ShowOptions
from mrsal.files import atomic_path
from mrsal.images import min_max_scaled
from mrsal.inference import Heat

log = logging.getLogger("mrsal")

_BOX = (304, 228)  # width and height in which a stimulus is drawn
_MARGIN, _GAP, _PAIR_GAP = 36, 30, 4  # around the page, between stimuli, and between the two pictures of one
_TITLE, _TEXT, _SMALL = 40, 21, 16  # sizes of letters
_SMALLEST_SIGMA = 5.0  # pixels of the page: a spot that is narrower would hardly be seen
_HEAT = Heat(opacity=0.8)
_INK, _GREY, _PAPER = "#1a1a1a", "#666666", "white"


def show_job(options: ShowOptions) -> dict[str, Any]:
    """Draw the sheet and write it; returns what ``mrsal datasets show --json`` prints."""
    if options.out.suffix.lower() != ".png":
        raise InputError(f"expected a file name that ends in .png, got {options.out}")
    dataset = load(options.name, options.root)
    chosen = choose_stimuli(dataset, options.count, seed=options.seed)
    page = contact_sheet(dataset, chosen)
    with atomic_path(options.out) as temporary:
        Image.fromarray(page).save(temporary, format="PNG", optimize=True)
    log.info("wrote %s, %d of %d stimuli", options.out, len(chosen), len(dataset))
    return {
        "file": options.out,
        "dataset": dataset.name,
        "stimuli": len(dataset),
        "fixations": len(dataset.fixations),
        "shown": [dataset.stimuli[i].name for i in chosen],
    }


def choose_stimuli(dataset: FixationDataset, count: int, *, seed: int = 0) -> list[int]:
    """Draw stimuli with fixations at random: sorted indices, ``count`` of them or as many as there are."""
    viewed = np.unique(dataset.fixations.n)
    if not len(viewed):
        raise DataError(f"expected fixations in {dataset.name}, got none, so there is nothing to show")
    drawn = np.random.default_rng(seed).choice(viewed, min(count, len(viewed)), replace=False)
    return sorted(drawn.tolist())


def contact_sheet(dataset: FixationDataset, indices: list[int]) -> NDArray[np.uint8]:
    """Draw stimuli of a data set, each with its fixations on the left and their density on the right.

    The density has a Gaussian of one degree, but of at least 5 pixels of the page.

    Parameters
    ----------
    dataset : FixationDataset
        The data set.
    indices : list of int
        The stimuli to draw.

    Returns
    -------
    array
        The page, ``(H, W, 3)`` uint8, 1,968 pixels wide for three stimuli or more.
    """
    columns = min(3, len(indices))
    rows = -(-len(indices) // columns)
    card = (2 * _BOX[0] + _PAIR_GAP, _BOX[1] + round(1.7 * _SMALL))
    width = 2 * _MARGIN + columns * (card[0] + _GAP) - _GAP
    inner = width - 2 * _MARGIN
    heading = _wrapped(_title(dataset), _TITLE, inner)
    facts, notes = _wrapped(_facts(dataset), _TEXT, inner), _wrapped(_source(dataset), _SMALL, inner)
    top = _MARGIN + _height(heading, _TITLE) + _height(facts, _TEXT) + _GAP
    below = top + rows * (card[1] + _GAP // 2)
    page = Image.new("RGB", (width, below + _height(notes, _SMALL) + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(page)
    _write(pen, heading, _TITLE, _MARGIN, _INK)
    _write(pen, facts, _TEXT, _MARGIN + _height(heading, _TITLE), _GREY)
    for place, index in enumerate(indices):
        left = _MARGIN + (place % columns) * (card[0] + _GAP)
        upper = top + (place // columns) * (card[1] + _GAP // 2)
        size = _fitted(dataset.stimuli[index].shape)
        for side, picture in enumerate(_pictures(dataset, index, size)):
            # both pictures touch the line between them, so that a narrow stimulus and its density stay together
            x = left + _BOX[0] - size[0] if side == 0 else left + _BOX[0] + _PAIR_GAP
            page.paste(Image.fromarray(picture), (x, upper))
        caption = f"{dataset.stimuli[index].name}, {np.count_nonzero(dataset.fixations.n == index)} fixations"
        _centred(pen, caption, left + card[0] / 2, upper + size[1] + 4, card[0])
    _write(pen, notes, _SMALL, below, _GREY)
    return np.asarray(page)


def _fitted(shape: tuple[int, int]) -> tuple[int, int]:
    """The width and height of a stimulus that is scaled to fit into the box."""
    scale = min(_BOX[0] / shape[1], _BOX[1] / shape[0])
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _pictures(
    dataset: FixationDataset, index: int, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The stimulus with its fixations, and in grey under its density, which stands out from it."""
    stimulus, found = dataset.stimuli[index].read(), dataset.fixations_of(index)
    height, width, _ = stimulus.shape
    dots = with_fixations(stimulus, found.x, found.y, size=size)
    x, y = found.x * size[0] / width, found.y * size[1] / height
    sigma = max(_SMALLEST_SIGMA, dataset.degree_of(index) * size[0] / width)
    density = fixation_density(x, y, size[::-1], sigma=sigma)
    grey = Image.fromarray(stimulus).resize(size, Image.Resampling.LANCZOS).convert("L").convert("RGB")
    return dots, _HEAT.over(np.asarray(grey), min_max_scaled(density).astype(np.float32))


def _title(dataset: FixationDataset) -> str:
    return dataset.info.title if dataset.info else dataset.name


def _facts(dataset: FixationDataset) -> str:
    observers = len(np.unique(dataset.fixations.subject))
    known = [f"{len(dataset):,} stimuli", f"{observers} observers"] if observers > 1 else [f"{len(dataset):,} stimuli"]
    parts = [*known, f"{len(dataset.fixations):,} fixations", *([dataset.info.task] if dataset.info else [])]
    return "  ·  ".join(parts) + "  ·  left: fixations, right: their density"


def _source(dataset: FixationDataset) -> str:
    return f"{dataset.info.citation}.  {dataset.info.terms.rstrip('.')}." if dataset.info else ""


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _wrapped(text: str, size: int, width: int) -> list[str]:
    """The lines of a text that is not wider than ``width``."""
    font, lines = _font(size), [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines if text else []


def _height(lines: list[str], size: int) -> int:
    return round(1.4 * size) * len(lines)


def _write(pen: ImageDraw.ImageDraw, lines: list[str], size: int, top: float, colour: str) -> None:
    for i, line in enumerate(lines):
        pen.text((_MARGIN, top + i * round(1.4 * size)), line, fill=colour, font=_font(size))


def _centred(pen: ImageDraw.ImageDraw, text: str, x: float, y: float, width: int) -> None:
    """A line under a picture; a name that is too long loses its beginning."""
    font = _font(_SMALL)
    while font.getlength(text) > width and len(text) > 1:
        text = "…" + text[2:]
    pen.text((x, y), text, fill=_GREY, font=font, anchor="ma")
