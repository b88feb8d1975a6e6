"""The figure of a saliency map for a paper: the image with contours and a scale, and the map with a bar of colours.

Panels are beside each other, or below each other if the image is wide. Places are in millimetres, and only the pictures
are pixels: contours, bars and text can be edited in the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal.figures import GREY, MM, SMALL_TEXT, WIDTH, new_figure, text_width
from mrsal.inference.contours import contour_lines
from mrsal.inference.overlay import Heat

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure

SHARES = (0.25, 0.5, 0.75)
_SHARES_IN_WORDS = "25, 50 and 75 %"

_EDGE, _GAP, _TITLE, _BELOW = 1.0, 5.0, 5.0, 12.0  # millimetres around, between panels, and above and below a picture
_CELL = 38.0  # the least width of a panel: the text below a picture needs it
_WIDE = 2.5  # aspect ratio from which panels are below each other
_HIGHEST, _PAGE = 120.0, 225.0  # the largest height of a picture, and of panels that are below each other
_BAR = 50.0  # the largest width of a bar of colours
_MOST_DPI = 500  # of a picture in the figure; a larger one is reduced
_SMOOTH = 1000  # pixels of the longer side of the map whose contours are drawn
_LABEL = (7.0, 3.2)  # width and height of the label of a contour
_THICK, _THIN = 1.4, 0.4  # points: the lines around the smallest and the largest region
_BLACK = 0.7  # points: both edges of a line together

Place = tuple[float, float, float, float]  # x and y of the upper left corner, width and height


@dataclass(frozen=True)
class Layout:
    """Where the panels of a figure are, in millimetres.

    Parameters
    ----------
    shape : (int, int)
        The height and width of the image in pixels.
    count : int
        The number of panels.
    width : float
        The width that the figure may have; that of a tall image is narrower.
    """

    shape: tuple[int, int]
    count: int
    width: float

    @property
    def is_stacked(self) -> bool:
        """Whether the panels are below each other."""
        return self.shape[1] / self.shape[0] > _WIDE or self._share < _CELL

    @property
    def _share(self) -> float:
        """The width of a panel that is beside others."""
        return (self.width - 2 * _EDGE - (self.count - 1) * _GAP) / self.count

    @property
    def picture(self) -> tuple[float, float]:
        """The width and height of the picture in each panel."""
        most = self.width - 2 * _EDGE if self.is_stacked else self._share
        highest = min(_HIGHEST, _PAGE / self.count - _TITLE - _BELOW) if self.is_stacked else _HIGHEST
        scale = min(most / self.shape[1], highest / self.shape[0])
        return self.shape[1] * scale, self.shape[0] * scale

    @property
    def cell(self) -> tuple[float, float]:
        """The width and height of a panel."""
        wide, high = self.picture
        return max(wide, min(_CELL, self.width - 2 * _EDGE)), _TITLE + high + _BELOW

    @property
    def size(self) -> tuple[float, float]:
        """The width and height of the figure."""
        wide, high = self.cell
        if self.is_stacked:
            return wide + 2 * _EDGE, self.count * high
        return self.count * (wide + _GAP) - _GAP + 2 * _EDGE, high

    def corner(self, panel: int) -> tuple[float, float]:
        """The upper left corner of the picture in a panel."""
        wide, high = self.cell
        return (_EDGE, _TITLE + panel * high) if self.is_stacked else (_EDGE + panel * (wide + _GAP), _TITLE)


@dataclass(frozen=True)
class Colours:
    """The colours of a map, and how the bar explains them.

    Parameters
    ----------
    values : array
        The map ``(H, W)``, with values of at least 0.
    label : str
        What the values are.
    root : bool
        Whether the colours follow the square root of the values, so that both a sharp maximum and the rest can be seen.
    colormap : str
        The name of a colormap of matplotlib.
    """

    values: NDArray
    label: str
    root: bool
    colormap: str

    @classmethod
    def of_density(
        cls, density: NDArray, *, root: bool, colormap: str, pixels_per_degree: float | None = None
    ) -> "Colours":
        """Of a density ``(H, W)``: relative to the uniform density, or, if the size of a degree is known, per square degree."""
        if pixels_per_degree is None:
            return cls(density * density.size, "Density relative to uniform", root, colormap)
        return cls(density * 100 * pixels_per_degree**2, "Density (% per square degree)", root, colormap)

    def norm(self) -> Any:
        """The function from values to the range of colours, for matplotlib."""
        from matplotlib.colors import PowerNorm

        return PowerNorm(0.5 if self.root else 1, vmin=0, vmax=float(self.values.max()) or 1)

    def ticks(self, nearest: float) -> list[float]:
        """Round values for the bar, with 0, no two of which are closer than this share of the bar."""
        norm = self.norm()
        magnitudes = range(floor(log10(norm.vmax)), floor(log10(norm.vmax)) - 4, -1)
        rounded = [digit * 10.0**m for m in magnitudes for digit in (5, 2, 1)]
        if not self.root:
            step = next(step for step in reversed(rounded) if step / norm.vmax >= nearest)
            return [float(tick) for tick in np.arange(0, norm.vmax * (1 + 1e-9), step)]
        chosen = [0.0]
        for tick in ([1.0] if norm.vmax >= 1 else []) + [tick for tick in rounded if tick <= norm.vmax]:
            if min(abs(float(norm(tick) - norm(other))) for other in chosen) >= nearest:
                chosen.append(tick)
        return sorted(chosen)


def attention_figure(
    image: NDArray[np.uint8],
    density: NDArray,
    *,
    root: bool,
    colormap: str,
    pixels_per_degree: float | None = None,
    width: float = WIDTH,
) -> "Figure":
    """Draw an image with the contours of a density, and the density; to be called in :func:`mrsal.figures.figure_style`.

    Parameters
    ----------
    image : array
        ``(H, W, 3)`` uint8.
    density : array
        ``(H, W)``, which sums to 1.
    root : bool
        Whether the colours follow the square root of the density.
    colormap : str
        The name of a colormap of matplotlib.
    pixels_per_degree : float, optional
        The size of a degree of visual angle in pixels of the image; None: not known.
    width : float
        The width of the figure in millimetres.
    """
    Heat(colormap=colormap)  # raises an error if there is no such colormap
    shape = image.shape[:2]
    layout = Layout((shape[0], shape[1]), 2, width)
    figure = new_figure(*layout.size)
    long = f"Image, regions with {_SHARES_IN_WORDS} of attention"
    title = next(filter(partial(_fits, layout), (long, "Image, shares of attention")), "Image")
    axes = draw_picture(figure, layout, 0, image, title)
    draw_contours(axes, layout, SHARES, density)
    draw_scale(axes, layout, pixels_per_degree)
    colours = Colours.of_density(density, root=root, colormap=colormap, pixels_per_degree=pixels_per_degree)
    draw_map(figure, layout, 1, colours, "Prediction")
    return figure


def describe(*, root: bool, windows: int = 1) -> str:
    """What the figure shows, in words for its properties and for a caption."""
    parts = [
        f"Image with the smallest regions that contain {_SHARES_IN_WORDS} of the attention; predicted density.",
        "The colours follow the square root of the density." if root else "",
        f"The image was predicted in {windows} windows." if windows > 1 else "",
    ]
    return " ".join(filter(None, parts))


def _fits(layout: Layout, title: str) -> bool:
    return text_width(title) <= layout.cell[0]


def draw_picture(figure: "Figure", layout: Layout, panel: int, picture: NDArray, title: str, **colours: Any) -> Any:
    """Draw an image, or a map with ``cmap`` and ``norm``, in a panel; returns the axes, in pixels of the image."""
    height, width = layout.shape
    axes = _axes(figure, layout, (*layout.corner(panel), *layout.picture))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():  # a white image on white paper would have no border
        spine.set(linewidth=0.4, color=GREY)
    shown = _reduced(picture, ceil(max(layout.picture) * MM * _MOST_DPI))
    # not interpolated: it is stored in the file as it is
    axes.imshow(shown, extent=(0, width, height, 0), aspect="auto", interpolation="none", **colours)
    axes.set_title(title, loc="left", pad=2.5)
    return axes


def draw_map(figure: "Figure", layout: Layout, panel: int, colours: Colours, title: str) -> Any:
    """Draw a map in its colours in a panel, and the bar of colours below it; returns the axes of the map."""
    norm = colours.norm()
    axes = draw_picture(figure, layout, panel, colours.values, title, cmap=colours.colormap, norm=norm)
    (left, top), (_, high) = layout.corner(panel), layout.picture
    long = min(_BAR, layout.cell[0] - 3)  # the number at its end is centred there
    bar = _axes(figure, layout, (left, top + high + 2, long, 2.2))
    bar.imshow(
        np.linspace(0, 1, 256)[None], cmap=colours.colormap, aspect="auto", extent=(0, 1, 0, 1), interpolation="none"
    )
    ticks = colours.ticks(7 / long)
    bar.set_xticks(norm(np.array(ticks)).tolist(), [f"{tick:g}" for tick in ticks])
    bar.set_yticks([])
    for spine in bar.spines.values():
        spine.set(linewidth=0.4, color=GREY)
    bar.tick_params(axis="x", pad=1.2, length=1.8)
    bar.set_xlabel(colours.label, loc="left", labelpad=1)
    return axes


def draw_scale(axes: Any, layout: Layout, pixels_per_degree: float | None) -> None:
    """Draw a bar below the picture, whose length is a round number of pixels, or of degrees if their size is known."""
    from matplotlib.lines import Line2D

    (height, width), (wide, high) = layout.shape, layout.picture
    unit = pixels_per_degree or 1
    longest = width / unit * min(1, max(0.25, 10 / wide))  # a quarter of the picture, but about a centimetre
    magnitude = 10.0 ** floor(log10(longest))
    length = next(digit * magnitude for digit in (5, 2, 1) if digit * magnitude <= longest * (1 + 1e-9))
    y = height * (1 + 3.2 / high)
    bar = Line2D([0, length * unit], [y, y], color="black", linewidth=1.2, solid_capstyle="butt", clip_on=False)
    bar.set_gid("scale-bar")
    axes.add_line(bar)
    text = f"{length:g}°" if pixels_per_degree else f"{length:g} px"
    axes.text(length * unit + 1.5 * width / wide, y, text, va="center_baseline", ha="left", fontsize=SMALL_TEXT)


def draw_contours(axes: Any, layout: Layout, shares: Sequence[float], density: NDArray) -> None:
    """Draw the outline of the smallest region with each share of a density: the smaller the region, the thicker the line.

    The lines are white with black edges, which is visible on any image. Their labels are on the lines, or below the picture if
    these are too short.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    height, width = layout.shape
    small = _reduced(density, _SMOOTH)
    pixel = np.array([width / small.shape[1], height / small.shape[0]])
    mm = np.array([layout.picture[0] / width, layout.picture[1] / height])
    thickness = np.linspace(_THICK, _THIN, len(shares)).tolist()
    outlines = {}
    for share, thick in zip(shares, thickness, strict=True):
        lines = [line * pixel for line in contour_lines(small, share)]
        if not lines:
            continue
        path = Path.make_compound_path(*map(Path, lines))
        for colour, wide, name in (("black", thick + _BLACK, "edge"), ("white", thick, "contour")):
            patch = PathPatch(path, fill=False, edgecolor=colour, linewidth=wide, joinstyle="round", capstyle="butt")
            patch.set_gid(f"{name}-{100 * share:g}")
            axes.add_patch(patch)
        outlines[_percent(share)] = [line * mm for line in lines]
    places = _label_places(outlines, layout.picture)
    for label, place in places.items():
        box = {"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.text(*(place / mm), label, fontsize=SMALL_TEXT, ha="center", va="center_baseline", bbox=box)
    if outlines and not places:
        _draw_key(axes, layout, dict(zip(map(_percent, shares), thickness, strict=True)))
    axes.set(xlim=(0, width), ylim=(height, 0))


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _draw_key(axes: Any, layout: Layout, lines: Mapping[str, float]) -> None:
    """Explain the thicknesses of lines, in points, in a row below the scale."""
    from matplotlib.lines import Line2D

    (height, width), (wide, high) = layout.shape, layout.picture
    y, step = height * (1 + 7.5 / high), 13 * width / wide
    for i, (label, thick) in enumerate(lines.items()):
        ends = [i * step, i * step + 4 * width / wide]
        for colour, broad in (("0.6", 7.0), ("black", thick + _BLACK), ("white", thick)):  # on grey instead of an image
            axes.add_line(Line2D(ends, [y, y], color=colour, linewidth=broad, solid_capstyle="butt", clip_on=False))
        axes.text(ends[1] + width / wide, y, label, fontsize=SMALL_TEXT, ha="left", va="center_baseline")


def _label_places(
    outlines: Mapping[str, Sequence[NDArray[np.float64]]], size: tuple[float, float]
) -> dict[str, NDArray[np.float64]]:
    """The centre of each label, in millimetres: on its outline, and far from the others. Empty if an outline is too small."""
    half = np.array(_LABEL) / 2
    points = {label: np.concatenate(lines) for label, lines in outlines.items()}
    places: dict[str, NDArray[np.float64]] = {}
    for label, lines in outlines.items():
        longest = max(lines, key=_length)
        if (np.ptp(longest, axis=0) < 1.2 * np.array(_LABEL)).any():
            return {}
        candidates = longest[:: ceil(len(longest) / 200)].clip(half, np.array(size) - half)
        barriers = [(points[other][:: ceil(len(points[other]) / 400)], 1) for other in points if other != label]
        barriers += [(place[None], 2) for place in places.values()]  # two labels need twice the room
        free = np.full(len(candidates), np.inf)
        for barrier, room in barriers:
            apart = np.abs(candidates[:, None] - barrier) / (room * np.array(_LABEL))
            free = np.minimum(free, np.hypot(apart[..., 0], apart[..., 1]).min(axis=1))
        places[label] = candidates[int(free.argmax())]
    return places


def _length(line: NDArray[np.float64]) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _axes(figure: "Figure", layout: Layout, place: Place) -> Any:
    (across, down), (x, y, wide, high) = layout.size, place
    return figure.add_axes((x / across, 1 - (y + high) / down, wide / across, high / down))


def _reduced(picture: NDArray, longest: int) -> NDArray:
    """An image, or a map as float32, whose longer side has at most so many pixels: means over the pixels that each replaces."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    values = picture if picture.dtype == np.uint8 else picture.astype(np.float32)
    if scale >= 1:
        return values
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BOX))
