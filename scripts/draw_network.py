"""Draw the figure of the network, docs/images/network.png, with a made-up scene and the bundled network's map of it.

python scripts/draw_network.py docs/images/network.png
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Polygon, Rectangle
from numpy.typing import NDArray

import mrsal
from mrsal.datasets.synthetic import make_scene
from mrsal.images import resize
from mrsal.model.pyramid import PATCH, SCALES

SEED = 9  # three vivid objects, two of them close together, so that the crops of the three scales show different things
WIDTH, HEIGHT = 150.0, 64.0  # size of the drawing in its own units
ROWS = (46.0, 25.5, 9.5)  # height of each scale's row
COLOURS = ("#0072b2", "#d55e00", "#3a8a5d")  # one per scale
INK, GREY = "#1f2a33", "#66727c"
UNITS_PER_PIXEL = 20 / 400  # for the scaled images; a crop is 42 pixels wide at every scale
CROP = 8.0  # side of an enlarged crop
# (channels, side, x of the left edge, height, depth of the box)
MAPS = ((96, 18, 46.5, 5.6, 2.4), (160, 8, 61.0, 3.9, 3.6), (288, 3, 76.0, 2.3, 5.6))
X_IMAGE, X_CROP, X_FC, X_JOINT, X_OUT, X_MAP = 11.0, 28.0, 93.0, 108.0, 119.5, 129.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    scene, targets = make_scene(np.random.default_rng(SEED))
    map_ = mrsal.load_model("mrcnn").predict(scene, mode="fast").values
    figure = Figure(figsize=(WIDTH / 13, HEIGHT / 13))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect="equal")
    axes.axis("off")
    x, y = targets[np.hypot(targets[:, 0] - scene.shape[1], targets[:, 1] - scene.shape[0] / 2).argmin(), :2]
    draw(axes, scene, map_, (x / scene.shape[1], y / scene.shape[0]))
    figure.savefig(arguments.out, dpi=170, facecolor="white")


def draw(axes: Axes, scene: NDArray[np.uint8], map_: NDArray, place: tuple[float, float]) -> None:
    """Draw everything; ``place`` is the predicted location, relative to the sides of the scene."""
    for scale, y, colour in zip(SCALES, ROWS, COLOURS, strict=True):
        scaled_image(axes, scene, place, scale, y, colour)
        stream(axes, y, colour)
    headings(axes)
    ending(axes, map_, place)


def scaled_image(
    axes: Axes, scene: NDArray[np.uint8], place: tuple[float, float], scale: int, y: float, colour: str
) -> None:
    """Draw the image at one scale, the frame of the crop on it, and the enlarged crop."""
    level = resize(scene, scale, scale)
    side, half = scale * UNITS_PER_PIXEL, PATCH * UNITS_PER_PIXEL / 2
    left, bottom = X_IMAGE - side / 2, y - side / 2
    axes.imshow(level, extent=(left, left + side, bottom, bottom + side), zorder=1, interpolation="bilinear")
    axes.text(left, bottom + side + 0.7, f"{scale} × {scale}", color=colour, fontsize=10, weight="bold")
    column, row = (int(p * scale) for p in place)
    padded = np.pad(level, ((PATCH, PATCH), (PATCH, PATCH), (0, 0)), mode="edge")
    start_y, start_x = row + PATCH // 2, column + PATCH // 2
    crop = padded[start_y : start_y + PATCH, start_x : start_x + PATCH]
    axes.imshow(crop, extent=(X_CROP, X_CROP + CROP, y - CROP / 2, y + CROP / 2), zorder=3, interpolation="nearest")
    x_at, y_at = left + place[0] * side, bottom + (1 - place[1]) * side
    box(axes, x_at - half, y_at - half, 2 * half, 2 * half, edge=colour, fill="none", width=2, zorder=4)
    box(axes, X_CROP, y - CROP / 2, CROP, CROP, edge=colour, fill="none", width=2, zorder=4)
    for sign in (-1, 1):
        ends = [x_at + half, X_CROP], [y_at + sign * half, y + sign * CROP / 2]
        axes.plot(*ends, color=colour, linewidth=0.9, alpha=0.7, zorder=2)


def stream(axes: Axes, y: float, colour: str) -> None:
    """Draw the feature maps of one stream as boxes, whose height is the side and whose depth is the number of channels."""
    before = X_CROP + CROP
    for channels, side, left, height, depth in MAPS:
        arrow(axes, (before + 0.9, y), (left - 0.9, y), colour)
        cuboid(axes, left, y, height, depth, colour)
        axes.text(left + depth / 2 + 0.6, y - 5.6, f"{channels} × {side} × {side}", **small())
        before = left + depth + height * 0.25
    arrow(axes, (before + 0.9, y), (X_FC - 0.9, y), colour)
    bar(axes, X_FC, y, 10, colour)
    axes.text(X_FC + 0.8, y - 7.1, "512", **small())
    axes.plot([X_FC + 1.6, X_JOINT], [y, ROWS[1] + np.sign(y - ROWS[1]) * 4.8], color=colour, linewidth=1.4)


def headings(axes: Axes) -> None:
    """Write the titles of the columns."""
    top = HEIGHT - 2.4
    for x, title, text in (
        (X_IMAGE, "Three scales", ""),
        (X_CROP + CROP / 2, "Crops", "42 × 42, around\none location"),
        (48.5, "Convolution 1", "96 filters 7 × 7,\npooling 2 × 2"),
        (63.8, "Convolution 2", "160 filters 3 × 3,\npooling 2 × 2"),
        (79.3, "Convolution 3", "288 filters 3 × 3,\npooling 2 × 2"),
        (X_FC + 0.8, "Features", "512 units,\nfully connected"),
        (X_JOINT + 0.8, "Joined", "512 units,\nfully connected"),
    ):
        axes.text(x, top, title, ha="center", va="baseline", fontsize=9.8, weight="bold", color=INK)
        axes.text(x, top - 1.1, text, ha="center", va="top", fontsize=9, color=GREY, linespacing=1.3)


def ending(axes: Axes, map_: NDArray, place: tuple[float, float]) -> None:
    """Draw the joined layer, the probability, and the map of many locations."""
    y = ROWS[1]
    bar(axes, X_JOINT, y, 16, INK)
    axes.text(X_JOINT + 0.8, y - 10.1, "512", **small())
    arrow(axes, (X_JOINT + 2.4, y), (X_OUT - 2.6, y), INK)
    axes.add_patch(Circle((X_OUT, y), 1.8, facecolor="white", edgecolor=INK, linewidth=1.6, zorder=3))
    curve = np.linspace(-1, 1, 40)
    axes.plot(X_OUT + curve * 1.1, y + 1.9 / (1 + np.exp(-5 * curve)) - 0.95, color=INK, linewidth=1.6, zorder=4)
    axes.text(X_OUT, y - 3.9, "probability\nthat this place\nis looked at", **(small() | {"va": "top"}))
    height = 20 * map_.shape[0] / map_.shape[1]
    bottom = y - height / 2
    shown = (map_ - map_.min()) / np.ptp(map_)
    axes.imshow(shown, extent=(X_MAP, X_MAP + 20, bottom, bottom + height), cmap="inferno", zorder=1)
    x_at, y_at = X_MAP + place[0] * 20, bottom + (1 - place[1]) * height
    arrow(axes, (X_OUT + 2.4, y), (X_MAP - 0.8, y), INK)
    axes.plot([x_at], [y_at], marker="s", markersize=5, markerfacecolor="none", markeredgecolor="white", zorder=5)
    axes.text(X_MAP, bottom + height + 0.7, "Saliency map", fontsize=9.8, weight="bold", color=INK)
    axes.text(
        X_MAP + 10,
        bottom - 1.0,
        "50 × 50 locations,\nresized to the image",
        **(small() | {"va": "top"}),
        linespacing=1.3,
    )


def cuboid(axes: Axes, left: float, y: float, height: float, depth: float, colour: str) -> None:
    """Draw a box from slightly above: a front ``depth`` wide and ``height`` high, with a top and a side."""
    shift, bottom = height * 0.25, y - height / 2
    top = [(left, bottom + height), (left + shift, bottom + height + shift)]
    top += [(left + depth + shift, bottom + height + shift), (left + depth, bottom + height)]
    side = [(left + depth, bottom), (left + depth + shift, bottom + shift)]
    side += [(left + depth + shift, bottom + height + shift), (left + depth, bottom + height)]
    box(axes, left, bottom, depth, height, edge=colour, fill=tint(colour, 0.30), width=1.2)
    for corners, strength in ((top, 0.15), (side, 0.5)):
        axes.add_patch(
            Polygon(
                corners, facecolor=tint(colour, strength), edgecolor=colour, linewidth=1.2, zorder=3, joinstyle="round"
            )
        )


def bar(axes: Axes, left: float, y: float, height: float, colour: str) -> None:
    """Draw a layer of single units."""
    box(axes, left, y - height / 2, 1.6, height, edge=colour, fill=tint(colour, 0.30), width=1.2)


def box(
    axes: Axes,
    x: float,
    y: float,
    width_: float,
    height: float,
    *,
    edge: str,
    fill: object,
    width: float,
    zorder: float = 3,
) -> None:
    axes.add_patch(Rectangle((x, y), width_, height, edgecolor=edge, facecolor=fill, linewidth=width, zorder=zorder))


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=colour, linewidth=1.2))


def tint(colour: str, strength: float) -> tuple[float, ...]:
    """Mix a colour with white."""
    return tuple(1 - strength * (1 - value) for value in to_rgb(colour))


def small() -> dict[str, object]:
    return {"ha": "center", "va": "center", "fontsize": 9, "color": GREY}


if __name__ == "__main__":
    main()
