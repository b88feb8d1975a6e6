"""Reading, resizing and refusing pictures."""

import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from messages import naming
from PIL import Image, features

from mrsal import images
from mrsal.errors import DataError, FileError, InputError
from mrsal.images import (
    find_images,
    first_page_note,
    image_size,
    page_count,
    read_grey,
    read_image,
    resize,
    to_image,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
SMOOTH = np.asarray(Image.fromarray(PIXELS[:4, :4]).resize((53, 37), Image.Resampling.BICUBIC))
RED = (200, 30, 40)


def encode(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_lossless_files_come_back_exactly(kind, options, tmp_path):
    path = tmp_path / f"picture.{kind.lower()}"
    path.write_bytes(encode(Image.fromarray(PIXELS), kind, **options))
    for source in (path, str(path), path.read_bytes()):
        image = read_image(source)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, PIXELS)
    assert image_size(path) == (37, 53)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_files_come_back_nearly(kind):
    image = read_image(encode(Image.fromarray(SMOOTH), kind, quality=95))
    assert np.abs(image.astype(int) - SMOOTH).mean() < 3


def test_grey_is_repeated_in_three_channels():
    image = read_image(encode(Image.fromarray(PIXELS[:, :, 0])))
    np.testing.assert_array_equal(image, np.repeat(PIXELS[:, :, :1], 3, axis=2))


def test_palette_gives_its_colours():
    picture = Image.new("P", (2, 1))
    picture.putpalette([1, 2, 3, *RED])
    picture.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF"):
        assert read_image(encode(picture, kind)).tolist() == [[[1, 2, 3], [*RED]]]


def test_one_bit_is_black_and_white():
    picture = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert read_image(encode(picture)).tolist() == [[[0] * 3, [255] * 3]]


def test_cmyk_jpeg_is_converted():
    picture = Image.new("RGB", (16, 16), RED).convert("CMYK")
    encoded = encode(picture, "JPEG", quality=95)
    assert b"Adobe" in encoded  # which means that its values are stored inverted
    np.testing.assert_allclose(read_image(encoded)[8, 8], RED, atol=6)
    np.testing.assert_array_equal(read_image(encode(picture, "TIFF"))[8, 8], RED)


def test_sixteen_bit_keeps_the_high_byte():
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    for kind in ("PNG", "TIFF"):
        assert read_image(encode(Image.fromarray(values), kind))[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_a_dark_sixteen_bit_picture_stays_dark():
    """Its depth counts, not its brightest value: 200 of 65535 is black, in whichever file."""
    values = np.array([[0, 100, 200]], np.uint16)
    encoded = [encode(Image.fromarray(values), kind) for kind in ("PNG", "TIFF")]
    encoded.append(b"P5 3 1 65535\n" + values.astype(">u2").tobytes())
    for file in encoded:
        assert not read_image(file).any()


def test_sixteen_bit_is_turned_and_made_opaque_like_the_rest():
    values = np.array([[0, 7, 65535]], np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 8  # shown turned to the left
    for kind in ("PNG", "TIFF"):
        assert read_image(encode(Image.fromarray(values), kind, exif=exif))[:, 0, 0].tolist() == [255, 0, 0]
    assert read_image(encode(Image.fromarray(values), transparency=7))[0, :, 0].tolist() == [0, 255, 255]


def test_sixteen_bit_colours_and_alpha_keep_the_high_byte():
    pixel = [0x1234, 0xABCD, 0x00FF]
    assert read_image(png16([*pixel], colour_type=2))[0, 0].tolist() == [0x12, 0xAB, 0x00]
    assert read_image(png16([*pixel, 0xFFFF], colour_type=6))[0, 0].tolist() == [0x12, 0xAB, 0x00]
    assert read_image(png16([*pixel, 0], colour_type=6))[0, 0].tolist() == [255] * 3


def png16(values: list[int], *, colour_type: int) -> bytes:
    """A 1x1 PNG, which PIL cannot write with 16 bits a channel and colours."""
    header = struct.pack(">IIBBBBB", 1, 1, 16, colour_type, 0, 0, 0)
    row = b"\0" + np.array(values, ">u2").tobytes()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def tiff(values: np.ndarray, *, sample_format: int = 1, photometric: int = 1) -> bytes:
    """A grey TIFF of kinds that PIL reads and does not write, put together by the letter of TIFF 6.0."""
    height, width = values.shape
    tags = {256: width, 257: height, 258: 8 * values.itemsize, 259: 1, 262: photometric, 273: 8, 277: 1}
    tags |= {278: height, 279: values.nbytes, 339: sample_format}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + values.nbytes) + values.tobytes() + directory


def test_a_tiff_whose_white_is_zero_is_no_negative():
    for kind in ("<u2", "u1"):
        white = np.iinfo(kind).max
        assert read_image(tiff(np.array([[0, white]], kind), photometric=0))[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize(("kind", "sample_format"), [("<u4", 1), ("<i4", 2), ("<i2", 2)])
def test_integers_without_a_known_white_are_refused(kind, sample_format):
    with pytest.raises(DataError, match=naming(8, 16)):
        read_image(tiff(np.array([[0, 100]], kind), sample_format=sample_format))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_of_many_frames_the_first_is_read(kind):
    first, *others = (Image.new("RGB", (16, 16), colour) for colour in (RED, "lime", "blue"))
    encoded = encode(first, kind, save_all=True, append_images=others)
    assert Image.open(BytesIO(encoded)).n_frames == 3
    np.testing.assert_allclose(read_image(encoded)[8, 8], RED, atol=3)


def test_grey_with_alpha_is_laid_over_white():
    picture = Image.fromarray(np.array([[[90, 255], [90, 0]]], np.uint8), "LA")
    for kind in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        assert read_image(encode(picture, kind, **options))[0, :, 0].tolist() == [90, 255]


@pytest.mark.skipif(not features.check("avif"), reason="this PIL was built without AVIF")
def test_avif_is_read_where_pil_can(tmp_path):
    Image.new("RGB", (9, 7), (200, 30, 60)).save(tmp_path / "a.avif", quality=100)
    pixels = read_image(tmp_path / "a.avif")
    assert pixels.shape == (7, 9, 3)
    np.testing.assert_allclose(pixels, np.full((7, 9, 3), (200, 30, 60)), atol=4)


def test_avif_gets_a_message_where_pil_cannot(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_FORMATS", ("JPEG", "NO SUCH FORMAT"))
    monkeypatch.setattr(images.features, "get_supported_modules", lambda: ["webp"])
    (tmp_path / "a.jpg").write_bytes(bytes([0, 0, 0, 24]) + b"ftypavif" + bytes(40))
    with pytest.raises(DataError, match=naming("a.jpg", "AVIF", "pip install -U pillow")):
        read_image(tmp_path / "a.jpg")


def heic(picture: Image.Image, **options) -> bytes:
    """The picture as an iPhone writes it, without PIL knowing the format afterwards."""
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = BytesIO()
    pillow_heif.from_pillow(picture).save(stream, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return stream.getvalue()


@pytest.fixture
def pil_without_heic(monkeypatch):
    """PIL as it is before the first HEIC image is read."""
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "IMG_1.jpg"])
def test_heic_is_read_whatever_its_name(name, tmp_path, pil_without_heic):
    path = tmp_path / name
    path.write_bytes(heic(Image.fromarray(SMOOTH)))
    for source in (path, path.read_bytes()):
        assert np.abs(read_image(source).astype(int) - SMOOTH).max() <= 3
        assert image_size(source) == (37, 53)


def test_heic_is_turned_as_the_phone_was_held(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = heic(Image.fromarray(SMOOTH), exif=exif.tobytes())
    assert image_size(file) == (53, 37)
    assert np.abs(read_image(file).astype(int) - np.rot90(SMOOTH, -1)).max() <= 3


def test_transparent_heic_is_laid_over_white():
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:8, :, 3] = 255
    image = read_image(heic(Image.fromarray(pixels)))
    assert image[:6].max() <= 3 and image[-6:].min() >= 252


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "IMG_1.jpg"])
def test_without_the_extra_heic_gets_the_install_line(name, tmp_path, monkeypatch, pil_without_heic):
    path = tmp_path / name
    path.write_bytes(bytes([0, 0, 0, 24]) + b"ftypmif1\0\0\0\0mif1heic" + bytes(40))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=naming(name, "HEIC", "pip install 'mrsal[heif]'")) as raised:
            read(path)
        assert "\n" not in str(raised.value) and "JPEG" not in str(raised.value)


def test_damaged_heic_and_what_is_only_called_heic_are_refused(tmp_path):
    whole = heic(Image.fromarray(PIXELS))
    for content in (whole[: len(whole) // 2], whole[:100], b"no image"):
        (tmp_path / "a.heic").write_bytes(content)
        with pytest.raises(DataError, match=r"\A[^\n]*\ba\.heic [^\n]*\Z"):
            read_image(tmp_path / "a.heic")


def pdf(*pictures: Image.Image, **options) -> bytes:
    """A document with a picture on each page, whose pixels are a point large."""
    return encode(pictures[0], "PDF", save_all=True, append_images=pictures[1:], resolution=72, **options)


def test_a_pdf_has_pages_of_150_pixels_per_inch():
    pytest.importorskip("pypdfium2")
    document = pdf(Image.new("RGB", (72, 144), RED), Image.new("RGB", (144, 36), "lime"))
    assert page_count(document) == 2
    first, second = (read_image(document, page=page) for page in (1, 2))
    assert first.shape == (300, 150, 3) and image_size(document) == (300, 150)
    assert second.shape == (75, 300, 3)
    np.testing.assert_allclose(first[150, 75], RED, atol=4)
    np.testing.assert_allclose(second[40, 150], (0, 255, 0), atol=4)
    for page in (0, 3):
        with pytest.raises(DataError, match=naming(1, 2, page)):
            read_image(document, page=page)


def test_a_large_page_is_drawn_with_fewer_pixels():
    pytest.importorskip("pypdfium2")
    document = pdf(Image.new("L", (2000, 1000), 255))
    height, width, _ = read_image(document, max_pixels=20_000).shape
    assert 18_000 < height * width <= 20_000
    assert width / height == pytest.approx(2, rel=0.03)


def test_a_pdf_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 and nothing else")
    pytest.importorskip("pypdfium2")
    for read in (read_image, page_count):
        with pytest.raises(DataError, match=naming("a.pdf", "PDF")):
            read(tmp_path / "a.pdf")
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    for read in (read_image, page_count):
        with pytest.raises(DataError, match=naming("a.pdf", "pip install 'mrsal[pdf]'")):
            read(tmp_path / "a.pdf")


@pytest.mark.parametrize(("kind", "word"), [("GIF", "frames"), ("WEBP", "frames"), ("TIFF", "pages")])
def test_each_frame_of_an_animation_can_be_read(kind, word, tmp_path):
    colours = [RED, (0, 255, 0), (0, 0, 255)]
    first, *others = (Image.new("RGB", (16, 16), colour) for colour in colours)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encode(first, kind, save_all=True, append_images=others))
    assert page_count(path) == 3
    for page, colour in enumerate(colours, start=1):
        np.testing.assert_allclose(read_image(path, page=page)[8, 8], colour, atol=3)
    with pytest.raises(DataError, match=naming("a." + kind.lower(), 3, 4)):
        read_image(path, page=4)
    assert f"first of 3 {word}" in first_page_note(path)
    path.write_bytes(encode(first, kind))
    assert (page_count(path), first_page_note(path)) == (1, "")


def test_a_jpeg_of_a_phone_with_a_second_image_is_one_page(tmp_path):
    """Phones store a map of the highlights beside the photograph."""
    second = Image.new("RGB", (8, 8))
    file = encode(Image.new("RGB", (16, 16)), "MPO", save_all=True, append_images=[second])
    (tmp_path / "a.jpg").write_bytes(file)
    assert (page_count(tmp_path / "a.jpg"), first_page_note(tmp_path / "a.jpg")) == (1, "")


def test_float_tiff_in_the_unit_range_is_scaled_and_any_other_refused():
    unit, bytes_ = (encode(Image.fromarray(np.array([v], np.float32)), "TIFF") for v in ([0, 0.5, 1], [0, 255]))
    assert read_image(unit)[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(DataError, match=naming("[0, 1]", 255, "uint8")):
        read_image(bytes_)


def test_transparency_is_laid_over_white():
    pixels = np.array([[[*RED, 255], [*RED, 0], [0, 0, 0, 51]]], np.uint8)
    assert read_image(encode(Image.fromarray(pixels)))[0].tolist() == [[*RED], [255] * 3, [204] * 3]


@pytest.mark.parametrize(
    ("picture", "transparent"),
    [
        (Image.fromarray(np.array([[7, 90]], np.uint8)), 7),
        (Image.fromarray(np.array([[[7, 8, 9], [90, 90, 90]]], np.uint8)), (7, 8, 9)),
        (Image.fromarray(np.array([[7, 90]], np.uint8)).convert("P"), 7),
    ],
    ids=["grey", "rgb", "palette"],
)
def test_a_transparent_colour_becomes_white(picture, transparent):
    assert read_image(encode(picture, transparency=transparent)).tolist() == [[[255] * 3, [90] * 3]]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).swapaxes(0, 1)),
        (8, np.rot90),
    ],
)
def test_exif_orientation_is_applied(kind, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = encode(Image.fromarray(SMOOTH), kind, exif=exif)
    expected = upright(SMOOTH)
    assert image_size(encoded) == read_image(encoded).shape[:2] == expected.shape[:2]
    assert np.abs(read_image(encoded).astype(int) - expected).mean() < 10


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_truncated_file_is_refused(kind, share, tmp_path):
    encoded = encode(Image.fromarray(PIXELS), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(encoded[: int(len(encoded) * share)])
    with pytest.raises(DataError, match=r"cut\.img"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
@pytest.mark.parametrize("read", [read_image, read_grey, image_size])
def test_what_is_no_image_is_refused(read, content, tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"notes\.jpg"):
        read(path)


@pytest.mark.parametrize("read", [read_image, image_size])
def test_a_damaged_exif_block_is_refused(read):
    exif = Image.Exif()
    exif[0x0112] = 6
    encoded = encode(Image.fromarray(PIXELS), "WEBP", exif=exif)
    at = encoded.index(b"MM\x00*")
    with pytest.raises(DataError, match="not a TIFF file"):
        read(encoded[:at] + b"MM\x00z" + encoded[at + 4 :])


def header_only(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # PIL warns of all that it does not refuse
@pytest.mark.parametrize("read", [read_image, read_grey, image_size])
def test_a_decompression_bomb_is_refused(read):
    for side in (9_500, 12_000):
        with pytest.raises(DataError, match=naming(f"{side}x{side}", 89.48)):
            read(header_only(side, side))
    with pytest.raises(DataError, match=naming(89.48)):  # PIL refuses it before its size is known
        read(header_only(2**31 - 1, 2**31 - 1))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_limit_of_pixels_can_be_below_or_above_the_default_one():
    large = header_only(15_000, 10_000)
    with pytest.raises(DataError, match=naming("15000x10000", 149.9)):
        read_image(large, max_pixels=149.9e6)
    with pytest.raises(DataError, match="image file is truncated"):  # it is not too large, it is empty
        read_image(large, max_pixels=150e6)
    with pytest.raises(DataError, match=naming("53x37", 0.0019)):
        read_image(encode(Image.fromarray(PIXELS)), max_pixels=1900)
    assert read_image(encode(Image.fromarray(PIXELS)), max_pixels=37 * 53).shape == (37, 53, 3)
    with pytest.raises(DataError, match=naming("15000x10000", 89.48)):
        read_image(large)


def test_a_large_image_is_read_if_the_limit_allows_it():
    image = Image.new("1", (10_000, 9_000))
    image.putpixel((9_999, 8_999), 1)
    with pytest.warns(Image.DecompressionBombWarning):
        pixels = read_image(encode(image), max_pixels=90e6)
    assert pixels.shape == (9_000, 10_000, 3)
    assert pixels[-1, -1].tolist() == [255] * 3


def test_the_largest_images_are_refused_whatever_the_limit():
    wrong_size = tiff(np.zeros((1, 1), "u1"))
    for tag, side in ((256, 20_000), (257, 10_000)):
        wrong_size = wrong_size.replace(struct.pack("<HHII", tag, 4, 1, 1), struct.pack("<HHII", tag, 4, 1, side))
    for file in (wrong_size, header_only(20_000, 10_000)):
        with pytest.raises(DataError, match=naming(179)):  # twice what PIL reads without a warning
            read_image(file, max_pixels=200e6)
        with pytest.raises(DataError, match=naming(25)):
            read_image(file, max_pixels=25e6)


@pytest.mark.parametrize("read", [read_image, read_grey, image_size])
def test_a_missing_file_and_a_folder_cannot_be_opened(read, tmp_path):
    with pytest.raises(FileError, match=r"gone\.png"):
        read(tmp_path / "gone.png")
    with pytest.raises(FileError):
        read(tmp_path)


def test_read_grey_gives_one_channel():
    np.testing.assert_array_equal(read_grey(encode(Image.fromarray(PIXELS[:, :, 0]))), PIXELS[:, :, 0])


def test_resize_ignores_the_aspect_ratio_and_keeps_a_constant():
    flat = np.full((37, 53, 3), RED, np.uint8)
    small = resize(flat, 20, 90)
    assert small.shape == (20, 90, 3)
    assert (small == RED).all()


def test_resize_is_antialiased():
    """A one-pixel chequerboard shrunk fourfold is grey; without antialiasing it would stay black and white."""
    board = np.indices((80, 80)).sum(axis=0) % 2 * np.uint8(255)
    assert np.abs(resize(board.astype(np.uint8), 20, 20)[3:-3, 3:-3].astype(int) - 127.5).max() < 10


def test_resize_refuses_floats():
    with pytest.raises(InputError, match=naming("uint8", "float64")):
        resize(np.zeros((5, 5, 3)), 2, 2)


def test_to_image_accepts_what_people_hold(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(PIXELS).save(path)
    unit = PIXELS / 255
    arrays = (PIXELS, unit, unit.astype(np.float32))
    for source in (path, str(path), path.read_bytes(), Image.fromarray(PIXELS), *arrays):
        np.testing.assert_array_equal(to_image(source), PIXELS)
    grey = PIXELS[:, :, 0]
    np.testing.assert_array_equal(to_image(grey), np.stack([grey] * 3, axis=2))
    opaque = np.dstack([PIXELS, np.full(grey.shape, 255, np.uint8)])
    np.testing.assert_array_equal(to_image(opaque), PIXELS)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 5, 2), np.uint8),
        np.zeros((0, 5, 3), np.uint8),
        np.zeros(7, np.uint8),
        np.zeros((4, 5, 3), np.int64),
        np.full((4, 5, 3), 1.5),
        np.full((4, 5, 3), np.nan),
        np.full((4, 5, 3), -0.1),
        None,
        "",
    ],
)
def test_to_image_refuses_the_rest(image):
    with pytest.raises((InputError, FileError)):
        to_image(image)


def test_find_images_sorts_and_skips_other_files(tmp_path):
    found = ["a.jpeg", "b.PNG", "c.tif", "d.jfif", "e.jpe", "f.HEIC", "g.heif", "h.avif"]
    for name in (*reversed(found), "notes.txt", "Thumbs.db", "document.pdf"):
        (tmp_path / name).touch()
    assert [path.name for path in find_images(tmp_path)] == found
    with pytest.raises(FileError, match="nowhere"):
        find_images(Path(tmp_path / "nowhere"))
