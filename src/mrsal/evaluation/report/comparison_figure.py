"""The figure of one stimulus for a paper: where observers looked, what a model predicts, and what was measured."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mrsal.figures import FIXATION_COLOUR, WIDTH, new_figure, text_width
from mrsal.inference.figure import Colours, Layout, draw_map, draw_picture, draw_scale
from mrsal.inference.options import Look

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure


def comparison_figure(
    stimulus: NDArray[np.uint8],
    prediction: NDArray,
    ground_truth: NDArray,
    *,
    x: NDArray,
    y: NDArray,
    pixels_per_degree: float | None = None,
    caption: str = "",
) -> "Figure":
    """Draw stimulus, prediction and ground truth; to be called in :func:`mrsal.figures.figure_style`.

    Parameters
    ----------
    stimulus : array
        The stimulus: ``(H, W, 3)`` uint8.
    prediction, ground_truth : array
        The maps: ``(H, W)``. Each has its own bar of colours, which follow the square root of the values. If the prediction
        has negative values, these are values above its lowest one; otherwise they are densities.
    x, y : array
        The fixations in pixels of the stimulus; may be empty. Those that are not finite are left out.
    pixels_per_degree : float, optional
        The size of a degree of visual angle; None: not known.
    caption : str
        A text after the title of the prediction, such as its scores. It is left out if there is no room.
    """
    height, width = stimulus.shape[:2]
    layout = Layout((height, width), 3, WIDTH)
    figure = new_figure(*layout.size)
    fixations = np.stack([x, y], axis=1)
    fixations = fixations[np.isfinite(fixations).all(axis=1)]
    title = f"Stimulus, {len(fixations)} fixations" if len(fixations) else "Stimulus"
    axes = draw_picture(figure, layout, 0, stimulus, title)
    style = {"color": FIXATION_COLOUR, "markeredgecolor": "black", "markersize": 2.4, "markeredgewidth": 0.3}
    axes.plot(*fixations.T, "o", gid="fixations", **style)
    draw_scale(axes, layout, pixels_per_degree)
    axes.set(xlim=(0, width), ylim=(height, 0))
    long = f"Prediction, {caption}"
    title = long if caption and text_width(long) <= layout.cell[0] else "Prediction"
    draw_map(figure, layout, 1, _colours(prediction, pixels_per_degree), title)
    draw_map(figure, layout, 2, _colours(ground_truth, pixels_per_degree), "Ground truth")
    return figure


def _colours(map_: NDArray, pixels_per_degree: float | None) -> Colours:
    values = map_.astype(np.float64)
    low, total = values.min(), values.sum()
    if low < 0:
        return Colours(values - low, "Saliency above the lowest", True, Look.colormap)
    density = values / total if total > 0 else np.full(values.shape, 1 / values.size)
    return Colours.of_density(density, root=True, colormap=Look.colormap, pixels_per_degree=pixels_per_degree)
