"""The size of a degree of visual angle in pixels."""

import math

from mrsal.errors import InputError


def pixels_per_degree(
    *, screen_width_cm: float, screen_width_px: float, distance_cm: float, scale: float = 1.0
) -> float:
    """Compute the size of one degree of visual angle in pixels of an image, from the screen on which it was shown.

    Parameters
    ----------
    screen_width_cm, screen_width_px : float
        The width of the screen in centimetres, without its frame, and in pixels.
    distance_cm : float
        The distance from the eyes to the screen in centimetres.
    scale : float
        Pixels of the screen per pixel of the image file, as for ``mrsal prepare --scale``: above 1 if the images were enlarged.

    Returns
    -------
    float
        The pixels per degree around the point of the screen that is straight ahead. A Gaussian of half a degree, for example,
        has a ``sigma`` of half as many pixels.

    Raises
    ------
    InputError
        If a number is not positive and finite.

    Examples
    --------
    >>> round(pixels_per_degree(screen_width_cm=53, screen_width_px=1920, distance_cm=60), 1)
    37.9
    """
    given = {
        "screen_width_cm": screen_width_cm,
        "screen_width_px": screen_width_px,
        "distance_cm": distance_cm,
        "scale": scale,
    }
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise InputError(f"expected a positive number as {name}, got {value}; correct it")
    degree_cm = 2 * distance_cm * math.tan(math.radians(0.5))
    return degree_cm / screen_width_cm * screen_width_px / scale
