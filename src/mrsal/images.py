"""Image files in, RGB arrays out: reading, resizing and safe writing.

Every picture inside mrsal is an ``(H, W, 3)`` uint8 array in RGB order; ``image[y, x]`` is a pixel.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_path

if TYPE_CHECKING:  # a slow import
    pass

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".ppm", ".pgm")
UNREAD = (".heic", ".heif")  # but people have them

_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112  # EXIF
_WHITE_IS_ZERO = 0  # of the TIFF tag PhotometricInterpretation
_GREY_TOLERANCE = 3  # between the channels of a grey JPEG that was saved as a colour one


# not what else PIL opens: PostScript, for one, is run by Ghostscript
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")
# what PIL raises on damaged files; odd tags of EXIF and TIFF come as errors of struct and of type
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError, struct.error)


def read_image(path: str | Path | bytes, *, max_pixels: float | None = None) -> NDArray[np.uint8]:
    """Read an image file to RGB.

    Parameters
    ----------
    path : str, Path or bytes
        A file, or the encoded bytes of one: JPEG, PNG, WebP, TIFF, BMP, PPM, GIF (first frame), or AVIF where PIL was built
        with it. The EXIF orientation is applied; grey, palette, CMYK and [0, 1] float pictures become 8-bit RGB, 16-bit ones by
        their high byte; transparency is laid over white.
    max_pixels : float, optional
        Refuse a picture with more of them, before any is decoded; the header says how many there are. None: PIL's limit,
        89 million unless ``PIL.Image.MAX_IMAGE_PIXELS`` was changed. Of a TIFF, PIL never reads more than twice as many.

    Returns
    -------
    ndarray
        ``(H, W, 3)`` uint8.

    Raises
    ------
    FileError
        If the file cannot be opened.
    DataError
        If it is no image, is cut off, or has too many pixels.
    """
    with _decoding(path, max_pixels=max_pixels) as image:
        return _to_rgb(ImageOps.exif_transpose(_sixteen_to_eight_bit(image)))


def image_size(path: str | Path | bytes) -> tuple[int, int]:
    """Height and width in pixels as :func:`read_image` would give them, from the header alone."""
    with _decoding(path) as image:
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)  # EXIF orientations that swap the axes
        if turned and image.format == "TIFF":
            # PIL turns a TIFF when it loads it; which size it gives before that depends on its version
            image.load()
            turned = False
        width, height = image.size
        return (width, height) if turned else (height, width)


def read_grey(path: str | Path | bytes) -> NDArray[np.uint8]:
    """Read an 8-bit single-channel map, such as a published density map, as ``(H, W)`` uint8."""
    with _decoding(path) as image:
        return np.asarray(image.convert("L"))


def read_grey_values(path: str | Path | bytes) -> NDArray[np.float64]:
    """Read a map that was saved as a picture, with all its grey levels: ``(H, W)`` float64 as stored, 8-bit, 16-bit or float.

    Raises
    ------
    DataError
        If it is a picture in colour, such as a heatmap laid over a photograph: its colours are no longer values.
    """
    with _decoding(path) as image:
        if image.mode in (*_SIXTEEN_BIT, "I", "F"):
            return np.asarray(image).astype(np.float64)
        transparent = image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255
        colours = np.asarray(image.convert("RGB")).astype(np.int64)
        if transparent or np.ptp(colours, axis=2).max() > _GREY_TOLERANCE:
            raise DataError(
                f"{_label(path)} is in colour or see-through, so it is a picture of a map and not its values; "
                "save the values as .npy or as a grey .png"
            )
        return colours.mean(axis=2)


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize an ``(H, W, 3)`` or ``(H, W)`` uint8 picture, bicubic and antialiased, ignoring the aspect ratio."""
    if image.dtype != np.uint8:
        raise InputError(f"expected a uint8 picture with values from 0 to 255, got {image.dtype}")
    # across, then down: Pillow rounds in between, and in one step its newer versions take whichever order is quicker
    across = Image.fromarray(image).resize((width, image.shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(across.resize((width, height), Image.Resampling.BICUBIC))


def to_image(image: object) -> NDArray[np.uint8]:
    """Accept what people hold in their hands: a path, a PIL image, or an array, and return RGB uint8.

    Arrays are ``(H, W, 3)``, ``(H, W, 4)`` or ``(H, W)``, uint8, or float in [0, 1].
    """
    if isinstance(image, str | Path | bytes):
        return read_image(image)
    if isinstance(image, Image.Image):
        return _to_rgb(_sixteen_to_eight_bit(image))
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)) or 0 in pixels.shape:
        raise InputError(f"expected an image of shape (H, W, 3), (H, W, 4) or (H, W), got {pixels.shape}")
    if np.issubdtype(pixels.dtype, np.floating):
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise InputError("a float image needs finite values in [0, 1]; divide by 255, or convert to uint8")
        pixels = np.round(pixels * 255).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise InputError(f"expected a uint8 image, or a float one in [0, 1], got {pixels.dtype}")
    return _to_rgb(Image.fromarray(pixels))


def find_images(folder: Path) -> list[Path]:
    """All image files directly in a folder, sorted by name."""
    if not folder.is_dir():
        raise FileError(f"expected a folder of images at {folder}, found none; check the path")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.name[0] != ".")


def _label(path: str | Path | bytes) -> str:
    return "the image" if isinstance(path, bytes) else str(path)


@contextmanager
def _decoding(path: str | Path | bytes, *, max_pixels: float | None = None) -> Iterator[Image.Image]:
    limit = Image.MAX_IMAGE_PIXELS if max_pixels is None else max_pixels
    with _open(path) as file:
        try:
            image = _image_of(file)
        except _DAMAGE as error:
            suffix = "" if isinstance(path, bytes) else Path(path).suffix.lower()
            other = f"is {suffix[1:].upper()} that cannot be read here; convert it to"
            kind = other if suffix in (*UNREAD, ".avif") else "is not an image that can be read; use"
            raise DataError(f"{_label(path)} {kind} JPEG, PNG, WebP or TIFF") from error
        width, height = image.size
        if limit is not None and width * height > limit:
            raise DataError(
                f"{_label(path)} has {width}x{height} pixels, and at most {limit / 1e6:.4g} million are read; make it smaller"
            )
        try:
            yield image
        except InputError as error:  # sound, but of a kind that has no one meaning as a picture
            raise DataError(f"{_label(path)}: {error}") from error
        except Image.DecompressionBombError as error:
            raise DataError(
                f"{_label(path)} has more pixels than are read of a TIFF; save it as PNG or JPEG"
            ) from error
        except _DAMAGE as error:
            raise DataError(f"{_label(path)} is damaged: {error}; replace or remove the file") from error


def _open(path: str | Path | bytes) -> IO[bytes]:
    if isinstance(path, bytes):
        return BytesIO(path)
    try:
        return Path(path).open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"cannot open {_label(path)}: {reason}") from error


def _image_of(file: IO[bytes]) -> Image.Image:
    """As ``PIL.Image.open``, without its limit of pixels, which is one for the whole process: here each caller has its own."""
    Image.init()  # all formats; only the first time takes any
    start = file.read(16)
    for name in filter(Image.OPEN.__contains__, _FORMATS):
        factory, accept = Image.OPEN[name]
        if accept is not None and accept(start) is True:
            file.seek(0)
            return factory(file, "")
    raise SyntaxError("it starts as no format that is read")


def _sixteen_to_eight_bit(image: Image.Image) -> Image.Image:
    """By the high byte, where PIL would clip at 255; how deep a picture is the file says, never its values."""
    sixteen_in_32 = image.mode == "I" and image.format in ("PNG", "PPM")  # as older versions of PIL give PNG
    if image.mode in _SIXTEEN_BIT or sixteen_in_32:
        values = np.asarray(image).astype(np.uint16)
    elif image.mode == "I":
        raise InputError("signed or 32-bit integers do not say which value is white; save it with 8 or 16 bits")
    else:
        return image
    if getattr(image, "tag_v2", {}).get(262) == _WHITE_IS_ZERO:
        values = ~values  # PIL inverts such TIFFs of 8 bits only
    high = (values >> 8).astype(np.uint8)
    if isinstance(transparent := image.info.get("transparency"), int):
        high[values == transparent] = 255
    eight = Image.fromarray(high)
    eight.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return eight


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "F":
        return to_image(np.asarray(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        page = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(page, image)
    return np.asarray(image.convert("RGB"))


def save_jpeg(picture: NDArray[np.uint8], path: str | Path, *, quality: int = 92) -> None:
    """Write a picture as JPEG."""
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="JPEG", quality=quality)


def min_max_scaled(values: NDArray, *, dtype: type = np.float64) -> NDArray:
    """Values scaled to [0, 1] by their own minimum and maximum; constant values become 0."""
    low, high = dtype(values.min()), dtype(values.max())
    scaled = np.subtract(values, low, dtype=dtype)
    return np.divide(scaled, high - low if high > low else 1, out=scaled, dtype=dtype)
