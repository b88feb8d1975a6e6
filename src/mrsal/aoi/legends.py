"""The pictures of a report and their legends: heatmaps on one scale, and where attention moved.

Both show attention per surface, of which a uniform map has 1 everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal.aoi.areas import AreaDifference
from mrsal.aoi.difference import difference_map
from mrsal.aoi.drawing import with_areas
from mrsal.aoi.sentences import points
from mrsal.aoi.shapes import Area
from mrsal.aoi.study import Attention
from mrsal.images import resize
from mrsal.inference import Heat

DIVERGING = "RdBu_r"  # blue, white and red, which can be told apart with any kind of colour vision
_STEPS = 97  # colours of a legend
_PAPER = 240  # grey level of a legend, which is like a faded design
_FADED = 0.4  # contrast of the design under the colours of a difference
_OPACITY = 0.9  # at the ends of the scale of differences
_OPACITY_POWER = 0.65  # below 1, so that small differences can be seen
_LEAST_LIMIT = 1.0  # end of the smallest scale of differences, so that small ones look small
_PERCENTILE = 99.5  # of the differences; the few places beyond it have the last colour
_FONT = 12.0  # size of labels in pixels, and what is added to it for each pixel of width
_FONT_GROWTH = 0.0108
_LABELS = 25  # areas with a label, since more of them would cover the picture
_LONGEST = 28  # letters of a name in a label


@dataclass(frozen=True)
class Legend:
    """What the colours of a picture mean.

    Parameters
    ----------
    title : str
        What is shown, and its unit.
    colours : array
        ``(N, 3)`` uint8: the colours from left to right.
    ticks : tuple of (float, str)
        Positions from 0 to 1, and their labels.
    """

    title: str
    colours: NDArray[np.uint8]
    ticks: tuple[tuple[float, str], ...]

    @property
    def gradient(self) -> str:
        """The colours as a background in CSS."""
        stops = ", ".join(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in self.colours.tolist())
        return f"linear-gradient(to right, {stops})"


def heat_pictures(attentions: Sequence[Attention], *, width: int) -> tuple[list[NDArray[np.uint8]], Legend]:
    """Draw the heatmaps of one or more designs with the same colours for the same attention, and their areas with shares.

    Parameters
    ----------
    attentions : sequence of Attention
        The designs.
    width : int
        The largest width of a picture in pixels.

    Returns
    -------
    pictures : list of array
        ``(H, W, 3)`` uint8 for each design.
    legend : Legend
        The legend of all of them.
    """
    sizes = [_size(attention, width) for attention in attentions]
    maps = [
        _reduced(attention.saliency.density * attention.saliency.density.size, size)
        for attention, size in zip(attentions, sizes, strict=True)
    ]
    low, high = min(float(map_.min()) for map_ in maps), max(float(map_.max()) for map_ in maps)
    has_densities = all(attention.saliency.log_density is not None for attention in attentions)
    power = 0.5 if has_densities else 1.0  # as in SaliencyMap.shown

    def scaled(values: NDArray) -> NDArray[np.float32]:
        return (((values - low) / max(high - low, 1e-9)).clip(0, 1) ** power).astype(np.float32)

    heat = Heat()
    pictures = []
    for attention, map_, size in zip(attentions, maps, sizes, strict=True):
        marks = [(share.area, share.attention, f"{100 * share.attention:.1f}%") for share in attention.shares]
        picture = heat.over(resize(attention.saliency.image, size[1], size[0]), scaled(map_))
        pictures.append(_with_labels(picture, marks, scale=size[0] / attention.saliency.density.shape[1]))
    paper = np.full((1, _STEPS, 3), _PAPER, np.uint8)
    colours = heat.over(paper, np.linspace(0, 1, _STEPS, dtype=np.float32)[None])[0]
    chosen = [value for value in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if low <= value <= high]
    ticks: list[tuple[float, str]] = []
    for value in reversed(chosen):
        at = float(scaled(np.array(value)))
        if not ticks or ticks[-1][0] - at > 0.1:
            ticks.append((at, f"{value:g}"))
    if not ticks or ticks[-1][0] > 0.1:
        ticks.append((0.0, f"{low:.1f}" if low >= 0.05 else "0"))
    title = "Attention per surface, where 1 is the average of the picture"
    return pictures, Legend(title, colours, tuple(reversed(ticks)))


def difference_picture(
    a: Attention, b: Attention, differences: Sequence[AreaDifference] = (), *, width: int
) -> tuple[NDArray[np.uint8], Legend]:
    """Draw where design B gets more attention than A, and where less, over a faded B with its areas.

    Parameters
    ----------
    a, b : Attention
        The designs.
    differences : sequence of AreaDifference
        The differences with which areas are labelled.
    width : int
        The largest width of the picture in pixels.

    Returns
    -------
    picture : array
        ``(H, W, 3)`` uint8. Where nothing differs, there is no colour.
    legend : Legend
        The legend, with the same scale to both sides of 0.

    Raises
    ------
    InputError
        If the designs differ in shape; see :func:`difference_map`.
    """
    size = _size(b, width)
    difference = difference_map(a.saliency, b.saliency)
    values = _reduced(difference * difference.size, size)
    limit = _nice(max(float(np.percentile(np.abs(values), _PERCENTILE)), _LEAST_LIMIT))
    design = resize(b.saliency.image, size[1], size[0])
    grey = np.asarray(Image.fromarray(design).convert("L"), np.float32)
    faded = np.round(_PAPER - (255 - grey) * _FADED).clip(0, 255)
    picture = _tinted(faded, values / limit)
    marks = [(pair.b.area, abs(pair.difference), points(pair.difference)) for pair in differences]
    drawn = _with_labels(picture, marks, scale=size[0] / difference.shape[1])
    colours = _tinted(np.full((1, _STEPS), _PAPER, np.float32), np.linspace(-1, 1, _STEPS)[None])[0]
    ticks = tuple((0.5 + 0.5 * part, f"{part * limit:+g}" if part else "0") for part in (-1, -0.5, 0, 0.5, 1))
    title = "Change from A to B, in percentage points of attention on 1 % of the surface"
    return drawn, Legend(title, colours, ticks)


def _tinted(grey: NDArray[np.float32], values: NDArray) -> NDArray[np.uint8]:
    """A grey picture under the colours of values in [-1, 1]; at 0 there is no colour.

    The white middle of the scale is left out: on a dark design, it would be visible where little differs.
    """
    from matplotlib import colormaps  # a slow import

    values = values.clip(-1, 1)
    alpha = (_OPACITY * np.abs(values) ** _OPACITY_POWER)[..., None]
    shades = np.where(values < 0, 0.3 + 0.3 * values, 0.7 + 0.3 * values)
    colours = 255 * colormaps[DIVERGING](shades)[..., :3]
    return np.round((1 - alpha) * grey[..., None] + alpha * colours).astype(np.uint8)


def _with_labels(
    picture: NDArray[np.uint8], marks: Sequence[tuple[Area, float, str]], *, scale: float
) -> NDArray[np.uint8]:
    """Draw areas, of which the most important ones have labels: each is an area, its importance, and its number."""
    if not marks:
        return picture
    least = sorted((importance for _, importance, _ in marks), reverse=True)[:_LABELS][-1]
    labels = [f"{_short(area.name)} {number}" if importance >= least else "" for area, importance, number in marks]
    size = _FONT + _FONT_GROWTH * picture.shape[1]
    return with_areas(picture, [area for area, *_ in marks], labels, scale=scale, font_size=size)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _size(attention: Attention, width: int) -> tuple[int, int]:
    """The width and height of a picture of a design, at most ``width`` wide."""
    high, wide = attention.saliency.density.shape
    factor = min(1.0, width / wide)
    return max(1, round(wide * factor)), max(1, round(high * factor))


def _reduced(values: NDArray, size: tuple[int, int]) -> NDArray[np.float32]:
    """Values per surface at a smaller size."""
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BOX))


def _nice(limit: float) -> float:
    """The next round number from a limit on."""
    unit = 10.0 ** np.floor(np.log10(limit))
    return float(next(unit * step for step in (1, 2, 4, 6, 8, 10) if unit * step >= limit * (1 - 1e-9)))
