"""The size of a degree of visual angle, for data sets whose stimuli were shown at different scales."""

from mrsal.datasets import sun


def pixels_per_degree_of(dataset: str, pixels_per_degree: float, shape: tuple[int, int]) -> float:
    """Return the pixels per degree of a stimulus with this height and width.

    They are ``pixels_per_degree``, those of its data set, except for the SUN scenes: each was shown as large as the screen
    allows, so that a degree is a share of its longer side.
    """
    return sun.SIGMA_SHARE * max(shape) if dataset == "sun" else pixels_per_degree
