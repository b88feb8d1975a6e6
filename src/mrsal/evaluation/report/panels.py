"""The images in a report: which ones are shown, and the pictures of each."""

import io
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal.datasets import Example
from mrsal.errors import InputError
from mrsal.evaluation.report.pictures import with_fixations
from mrsal.evaluation.scores import Scores
from mrsal.inference import colour_map
from mrsal.metrics import HIGHER_IS_BETTER

_SIDE = 600  # longest side of a picture in pixels, twice the width of a column of the page
_QUALITY = 76


@dataclass(frozen=True)
class Panel:
    """One image in a report.

    Parameters
    ----------
    name : str
        The name of the stimulus.
    stimulus : array
        The stimulus: ``(H, W, 3)`` uint8.
    prediction, ground_truth : array
        The model's map and the ground truth: ``(H, W)``. Each is drawn in its own range of colours.
    x, y : array
        The fixations, in pixels of the stimulus; may be empty.
    scores : dict of str to float
        The scores by each metric, for the caption.
    """

    name: str
    stimulus: NDArray
    prediction: NDArray
    ground_truth: NDArray
    x: NDArray
    y: NDArray
    scores: dict[str, float]

    def __post_init__(self) -> None:
        if self.stimulus.ndim != 3 or self.stimulus.shape[2] != 3 or self.stimulus.dtype != np.uint8:
            got = f"{self.stimulus.shape} {self.stimulus.dtype}"
            raise InputError(f"{self.name}: expected a stimulus of (H, W, 3) uint8, got {got}")
        for field in ("prediction", "ground_truth"):
            shape = getattr(self, field).shape
            if shape != self.stimulus.shape[:2]:
                raise InputError(
                    f"{self.name}: expected a {field} of the stimulus's size {self.stimulus.shape[:2]}, got {shape}"
                )
        if np.shape(self.x) != np.shape(self.y):
            raise InputError(f"{self.name}: expected as many y as x, {np.shape(self.x)}, got {np.shape(self.y)}")

    @classmethod
    def of(cls, example: Example, map_: NDArray, scores: dict[str, float]) -> "Panel":
        """The panel of an example, with the model's map ``(H, W)`` and its scores."""
        fixations = example.fixations
        return cls(
            name=example.name,
            stimulus=example.stimulus(),
            prediction=map_,
            ground_truth=example.ground_truth(),
            x=np.empty(0) if fixations is None else fixations.x,
            y=np.empty(0) if fixations is None else fixations.y,
            scores=scores,
        )

    def pictures(self) -> dict[str, Any]:
        """What the page shows: the three pictures as addresses that contain them, their size, and the caption."""
        height, width, _ = self.stimulus.shape
        scale = min(1.0, _SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return {
            "name": self.name,
            "scores": [(metric, score) for metric, score in self.scores.items() if np.isfinite(score)],
            "fixations": len(self.x),
            "size": size,
            "stimulus": _jpeg(Image.fromarray(with_fixations(self.stimulus, self.x, self.y, size=size))),
            "prediction": _jpeg(_map_picture(self.prediction, size)),
            "ground_truth": _jpeg(_map_picture(self.ground_truth, size)),
        }


def pick(scores: Scores, metric: str, *, count: int = 3) -> dict[str, list[str]]:
    """Choose the images to show: the best, those around the median, and the worst by a metric.

    Parameters
    ----------
    scores : Scores
        The scores of a model.
    metric : str
        The metric. If lower is better, as with KL, the best images have the lowest scores.
    count : int
        The number of images in each group. No image is chosen twice, so with fewer than three times as many images, the groups
        are smaller.

    Returns
    -------
    dict of str to list of str
        The names under ``"best"`` (best first), ``"median"`` (better first) and ``"worst"`` (worst first). Images on which the
        metric is not defined are never chosen; images with equal scores are sorted by name.
    """
    if metric not in scores.values:
        raise InputError(f"expected a metric out of {', '.join(scores.values)}, got {metric!r}")
    if metric not in HIGHER_IS_BETTER:
        raise InputError(
            f"expected a metric whose direction is known, one of {', '.join(HIGHER_IS_BETTER)}, got {metric!r}"
        )
    if count < 1:
        raise InputError(f"expected a count of at least 1, got {count}")
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    ranked = sorted(
        (sign * score, name)
        for name, score in zip(scores.names, scores.values[metric].tolist(), strict=True)
        if not np.isnan(score)
    )
    names = list(dict.fromkeys(name for _, name in ranked))
    best = min(count, -(-len(names) // 3))
    worst = min(count, -(-(len(names) - best) // 2))
    median = min(count, len(names) - best - worst)
    start = min(max((len(names) - median) // 2, best), len(names) - worst - median)
    return {
        "best": names[:best],
        "median": names[start : start + median],
        "worst": names[len(names) - worst :][::-1],
    }


def _map_picture(map_: NDArray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(colour_map(map_)).resize(size, Image.Resampling.LANCZOS)


def _jpeg(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + b64encode(file.getvalue()).decode()
