"""Read image files into arrays, resize them, and write JPEG files.

Inside mrsal, every image is an ``(H, W, 3)`` uint8 array in RGB order; ``image[y, x]`` is a pixel. Files of the iPhone (HEIC)
need ``pip install 'mrsal[heif]'``, and PDF needs ``pip install 'mrsal[pdf]'``.
"""

import math
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, features

from mrsal._extras import optional
from mrsal.errors import DataError, FileError, InputError, MrsalError, first_line
from mrsal.files import atomic_path

_HEIC_EXTENSIONS = (".heic", ".heif", ".hif")
EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".ppm", ".pgm"),
    *_HEIC_EXTENSIONS,
)
PDF = ".pdf"  # a document, whose pages are read like images
_ANIMATIONS = (".gif", ".webp")
PAGED = (*_ANIMATIONS, ".tif", ".tiff", PDF)  # may contain several images

_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112  # the EXIF tag
_PHOTOMETRIC = 262  # the TIFF tag PhotometricInterpretation
_WHITE_IS_ZERO = 0  # a value of that tag
_GREY_TOLERANCE = 3  # largest difference between the channels of a grey JPEG that was saved in colour

# PIL opens more formats, but not all are safe: Ghostscript runs PostScript files
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")
_HEIC = "HEIF"  # the name of the format in PIL, where pillow-heif has registered it
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_HEAD = 1024  # bytes in which a PDF says what it is

_PDF_DPI = 150  # pixels per inch of a page; an A4 page has 1240x1754
_POINTS = 72  # units of PDF per inch
_pdfium = threading.Lock()  # PDFium works in one thread at a time
# the errors that PIL raises for damaged files; a wrong tag of EXIF or TIFF gives a struct.error or a TypeError
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError, struct.error)


def read_image(path: str | Path | bytes, *, page: int = 1, max_pixels: float | None = None) -> NDArray[np.uint8]:
    """Read an image file as RGB.

    Parameters
    ----------
    path : str, Path or bytes
        The path of a file, or the encoded bytes of one: JPEG, PNG, WebP, TIFF, BMP, PPM, GIF, AVIF if PIL was built with it,
        HEIC (extra ``heif``) or PDF (extra ``pdf``). The content decides, not the name. The EXIF orientation is applied.
        Grey, palette, CMYK and [0, 1] float images become 8-bit RGB; of 16-bit values the high byte is taken; transparent
        pixels are blended with white. Pages of a PDF are drawn on white with 150 pixels per inch, or with fewer if the page
        would have too many pixels.
    page : int
        The page of a PDF or TIFF, or the frame of an animation, counted from 1; :func:`page_count` says how many there are.
    max_pixels : float, optional
        The largest allowed number of pixels. The number in the header is checked before any pixel is decoded. The default is
        PIL's limit: 89 million, unless ``PIL.Image.MAX_IMAGE_PIXELS`` was changed. PIL warns of images above its limit, and
        never reads more than twice as many pixels.

    Returns
    -------
    ndarray
        ``(H, W, 3)`` uint8.

    Raises
    ------
    FileError
        If the file cannot be opened.
    DataError
        If the file is not an image, is truncated, has too many pixels or no such page, or the extra for it is missing.
    """
    with _decoding(path, page=page, max_pixels=max_pixels) as image:
        return _to_rgb(ImageOps.exif_transpose(_sixteen_to_eight_bit(image)))


def page_count(path: str | Path | bytes) -> int:
    """The number of pages of a PDF or TIFF, or of frames of a GIF or WebP; 1 for every other image."""
    with _open(path) as file:
        if _is_pdf(_head(file)):
            with _pdf_document(file, path) as document:
                return len(document)
    with _decoding(path) as image:
        return getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP", "TIFF") else 1


def first_page_note(path: str | Path, content: bytes | None = None) -> str:
    """Say that only the first of several pages or frames is used; empty if the file has one.

    ``content`` are the bytes of the file, if it is part of another one. Errors are left to the function that reads the image.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in PAGED:
        return ""
    try:
        count = page_count(path if content is None else content)
    except MrsalError:
        return ""
    return f"only the first of {count} {'frames' if suffix in _ANIMATIONS else 'pages'} was used" if count > 1 else ""


def image_size(path: str | Path | bytes) -> tuple[int, int]:
    """Read the height and width in pixels, as :func:`read_image` gives them, from the header only."""
    with _decoding(path) as image:
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)  # EXIF orientations that swap the axes
        if turned and image.format == "TIFF":
            # PIL rotates a TIFF when it loads the pixels; the size that it gives before that depends on its version
            image.load()
            turned = False
        width, height = image.size
        return (width, height) if turned else (height, width)


def read_grey(path: str | Path | bytes) -> NDArray[np.uint8]:
    """Read an 8-bit single-channel map, such as a published density map, as ``(H, W)`` uint8."""
    with _decoding(path) as image:
        return np.asarray(image.convert("L"))


def read_grey_values(path: str | Path | bytes) -> NDArray[np.float64]:
    """Read a map from an image file with all its grey levels, 8-bit, 16-bit or float: ``(H, W)`` float64, values as stored.

    Raises
    ------
    DataError
        If the image has colours or transparency, such as a heatmap over a photograph: these are not values of a map.
    """
    with _decoding(path) as image:
        if image.mode in (*_SIXTEEN_BIT, "I", "F"):
            return np.asarray(image).astype(np.float64)
        transparent = image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255
        colours = np.asarray(image.convert("RGB")).astype(np.int64)
        if transparent or np.ptp(colours, axis=2).max() > _GREY_TOLERANCE:
            raise DataError(
                f"expected the values of a map in {_label(path)}, got an image with colours or transparency; "
                "save the values as .npy or as a grey .png"
            )
        return colours.mean(axis=2)


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize an ``(H, W, 3)`` or ``(H, W)`` uint8 image, bicubic and antialiased, without keeping the aspect ratio."""
    if image.dtype != np.uint8:
        raise InputError(f"expected a uint8 image with values from 0 to 255, got {image.dtype}")
    # first the width, then the height: Pillow rounds after each, and in one call its newer versions choose the faster order
    across = Image.fromarray(image).resize((width, image.shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(across.resize((width, height), Image.Resampling.BICUBIC))


def to_image(image: object) -> NDArray[np.uint8]:
    """Convert a path, encoded bytes, a PIL image or an array to an RGB uint8 array.

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
            raise InputError(
                "expected a float image with finite values in [0, 1], got other values; divide by 255, or convert to uint8"
            )
        pixels = np.round(pixels * 255).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise InputError(f"expected a uint8 image, or a float image in [0, 1], got {pixels.dtype}; convert it")
    return _to_rgb(Image.fromarray(pixels))


def find_images(folder: Path) -> list[Path]:
    """List the image files directly in a folder, sorted by name."""
    if not folder.is_dir():
        raise FileError(f"expected a folder of images at {folder}, but there is no folder; check the path")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.name[0] != ".")


def _label(path: str | Path | bytes) -> str:
    return "the image" if isinstance(path, bytes) else str(path)


@contextmanager
def _decoding(path: str | Path | bytes, *, page: int = 1, max_pixels: float | None = None) -> Iterator[Image.Image]:
    """Open an image and yield it; every error of PIL, here and in the block, becomes a :class:`DataError`."""
    pil_limit = Image.MAX_IMAGE_PIXELS or math.inf  # PIL warns above it, and refuses above twice as many
    limit = pil_limit if max_pixels is None else min(max_pixels, 2 * pil_limit)
    with _open(path) as file:
        head = _head(file)
        if _is_pdf(head):
            with _pdf_document(file, path) as document:
                image = _drawn_page(document, path, page, limit)
        else:
            image = _opened(file, head, path, page, limit)
        width, height = image.size
        if width * height > limit:
            raise _too_large(path, f"{width}x{height}", limit)
        try:
            yield image
        except DataError:  # a message about the content of a sound file
            raise
        except InputError as error:  # the file is sound, but it is not clear how its values become 8-bit RGB
            raise DataError(f"{_label(path)}: {error}") from error
        except Image.DecompressionBombError as error:
            raise _too_large(path, "more", limit) from error
        except _DAMAGE as error:
            raise DataError(f"{_label(path)} is damaged: {first_line(error)}; replace or remove the file") from error


def _opened(file: IO[bytes], head: bytes, path: str | Path | bytes, page: int, limit: float) -> Image.Image:
    """Open an image with PIL, at a page."""
    kind = _heif_kind(head)
    if kind == "HEIC":
        _register_heic(path)
    try:
        image = Image.open(file, formats=[_HEIC] if kind == "HEIC" else _FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(path, "more", limit) from error
    except _DAMAGE as error:
        suffix = "" if isinstance(path, bytes) else Path(path).suffix.lower()
        if kind == "AVIF" and "avif" not in features.get_supported_modules():
            reason = "is an AVIF image, which this Pillow cannot read; upgrade it with: pip install -U pillow"
            raise DataError(f"{_label(path)} {reason}") from error
        reason = f"is a damaged {kind} image" if kind else "is not an image that can be read"
        advice = "replace the file, or use JPEG, PNG, WebP or TIFF"
        if suffix in _HEIC_EXTENSIONS and not kind:
            reason = "has the name of a HEIC image but other content"
        raise DataError(f"{_label(path)} {reason}; {advice}") from error
    if page == 1:
        return image
    try:
        count = getattr(image, "n_frames", 1)
        if 1 <= page <= count:
            image.seek(page - 1)
    except _DAMAGE as error:
        raise DataError(f"{_label(path)} is damaged: {first_line(error)}; replace or remove the file") from error
    _check_page(path, page, count)
    return image


def _head(file: IO[bytes]) -> bytes:
    """The first bytes of an open file, which is left at its beginning."""
    head = file.read(_HEAD)
    file.seek(0)
    return head


def _is_pdf(head: bytes) -> bool:
    return b"%PDF-" in head


def _heif_kind(head: bytes) -> str:
    """``"HEIC"`` or ``"AVIF"`` if the bytes begin such a file: a box ``ftyp`` with the brands that it conforms to."""
    if head[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):  # first, since AVIF also has the general brand mif1
        return "AVIF"
    return "HEIC" if any(brand in _HEIC_BRANDS for brand in brands) else ""


def _register_heic(path: str | Path | bytes) -> None:
    """Teach PIL to read HEIC, the format of iPhones."""
    if _HEIC not in Image.OPEN:
        _optional("pillow_heif", extra="heif", purpose=f"{_label(path)}: HEIC images").register_heif_opener()


def _optional(module: str, *, extra: str, purpose: str) -> Any:
    """As :func:`mrsal._extras.optional`, with an error about the file, since other files can be read without the extra."""
    try:
        return optional(module, extra=extra, purpose=purpose)
    except InputError as error:
        raise DataError(str(error)) from error


@contextmanager
def _pdf_document(file: IO[bytes], path: str | Path | bytes) -> Iterator[Any]:
    pdfium = _optional("pypdfium2", extra="pdf", purpose=f"{_label(path)}: PDF documents")
    with _pdfium:
        try:
            with pdfium.PdfDocument(file) as document:
                yield document
        except pdfium.PdfiumError as error:
            reason = first_line(error).rstrip(".")
            raise DataError(
                f"{_label(path)} is a PDF that cannot be read ({reason}); save it again, without a password"
            ) from error


def _drawn_page(document: Any, path: str | Path | bytes, page: int, limit: float) -> Image.Image:
    """Draw a page of a PDF."""
    _check_page(path, page, len(document))
    sheet = document[page - 1]
    width, height = sheet.get_size()  # as the page is shown, in points
    scale = min(_PDF_DPI / _POINTS, math.sqrt(limit / max(width * height, 1)))
    if scale < _PDF_DPI / _POINTS:  # sides are rounded up
        scale *= 1 - 2 / min(math.sqrt(limit), width * scale, height * scale)
    return sheet.render(scale=scale).to_pil()


def _check_page(path: str | Path | bytes, page: int, count: int) -> None:
    if not 1 <= page <= count:
        raise DataError(f"expected a page from 1 to {count} of {_label(path)}, got {page}")


def _open(path: str | Path | bytes) -> IO[bytes]:
    if isinstance(path, bytes):
        return BytesIO(path)
    try:
        return Path(path).open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"cannot open {_label(path)}: {reason}") from error


def _too_large(path: str | Path | bytes, size: str, limit: float) -> DataError:
    return DataError(
        f"expected at most {limit / 1e6:.4g} million pixels in {_label(path)}, got {size}; make it smaller"
    )


def _sixteen_to_eight_bit(image: Image.Image) -> Image.Image:
    """Take the high byte of 16-bit values, which PIL would clip at 255. The file, not its values, says how many bits it has."""
    sixteen_in_32 = image.mode == "I" and image.format in ("PNG", "PPM")  # older versions of PIL read PNG like this
    if image.mode in _SIXTEEN_BIT or sixteen_in_32:
        values = np.asarray(image).astype(np.uint16)
    elif image.mode == "I":
        raise InputError(
            "expected 8-bit or unsigned 16-bit values, got signed or 32-bit integers, of which it is not known which value "
            "is white; save it with 8 or 16 bits"
        )
    else:
        return image
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = ~values  # PIL inverts such TIFF files only if they have 8 bits
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
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert("RGB"))


def save_jpeg(picture: NDArray[np.uint8], path: str | Path, *, quality: int = 92) -> None:
    """Write an ``(H, W, 3)`` uint8 picture as a JPEG file."""
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="JPEG", quality=quality)


def min_max_scaled(values: NDArray, *, dtype: type = np.float64) -> NDArray:
    """Scale values to [0, 1] by their own minimum and maximum; constant values become 0."""
    low, high = dtype(values.min()), dtype(values.max())
    scaled = np.subtract(values, low, dtype=dtype)
    return np.divide(scaled, high - low if high > low else 1, out=scaled, dtype=dtype)
