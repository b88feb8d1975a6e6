"""Paths become files with names that never clash, and the job goes on after files that are broken."""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from known_images import Brightness, film, grey_ramp
from messages import mentions, naming
from PIL import Image
from rich.console import Console

from mrsal.errors import InputError
from mrsal.images import image_size, read_image
from mrsal.inference import job as inference_job
from mrsal.inference.inputs import find_inputs
from mrsal.inference.job import Summary, predict_job
from mrsal.inference.options import PredictOptions
from mrsal.inference.saliency_map import SaliencyMap


@pytest.fixture
def job(monkeypatch, tmp_path):
    """Run a job with that model; relative paths start in the folder of the test."""
    monkeypatch.setattr(inference_job, "open_model", lambda *_, **__: Brightness())
    monkeypatch.chdir(tmp_path)
    return lambda paths, out="out", **options: predict_job(
        PredictOptions(paths=tuple(map(str, paths)), out=tmp_path / out, model="any", **options),
        console=Console(file=io.StringIO()),
    )


def write_image(path, value=128):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (value,) * 3).save(path)
    return path


def first_frame(path):
    """The image, or the first frame of a video: ``(H, W, 3)`` int."""
    if path.suffix == ".jpg":
        return read_image(path).astype(int)
    with pytest.importorskip("av").open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)


def names(paths, **options):
    inputs, errors = find_inputs([str(path) for path in paths], **options)
    assert errors == []
    return [file.name.as_posix() for file in inputs]


@pytest.fixture
def photos(tmp_path):
    for name in ("b.png", "a.jpg", "deep/c.webp", "deep/er/a.jpg"):
        write_image(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.doc").write_text("")
    (tmp_path / "photos" / ".hidden.jpg").write_text("")
    return tmp_path / "photos"


def test_folders_are_sorted_and_searched_deeper_on_request(photos):
    assert names([photos]) == ["a", "b"]
    assert names([photos], recursive=True) == ["a", "b", "deep/c", "deep/er/a"]


def test_patterns_are_expanded_where_no_shell_does(photos, monkeypatch):
    monkeypatch.chdir(photos)
    assert names(["*.jpg"]) == ["a"]
    assert names(["*"]) == ["a", "b"]
    assert names(["**/*.[jw]*"]) == ["a", "c", "deep/er/a"]
    write_image(photos / "d[1].png")
    assert names(["d[1].png"]) == ["d[1]"]  # a file of that name comes before the pattern


@pytest.mark.parametrize("prefix", ["@", ""])
def test_a_list_is_relative_to_its_folder_and_may_hold_anything_but_lists(photos, prefix):
    list_ = photos / "list.txt"
    list_.write_bytes("# mine\r\n\r\n  b.png \r\ndeep\r\n*.jpg\r\n".encode("utf-8-sig"))
    assert names([f"{prefix}{list_}"]) == ["b", "c", "a"]
    list_.write_text("b.png\ngone.png\nhttps://a.b/c.jpg\n")
    inputs, errors = find_inputs([f"{prefix}{list_}"])
    assert [file.name.name for file in inputs] == ["b"]
    assert mentions(str(errors[0]), list_, 2, "gone.png")
    assert mentions(str(errors[1]), list_, 3, "https://a.b/c.jpg")


def test_a_file_named_twice_is_predicted_once(photos):
    assert names([photos / "a.jpg", photos, photos / ".." / "photos" / "b.png"]) == ["a", "b"]


def test_two_files_never_get_one_name(tmp_path):
    paths = [write_image(tmp_path / name) for name in ("x/a.jpg", "y/a.jpg", "y/A.png", "y/b.jpg", "y/b.png", "z.png")]
    found = names(paths)
    assert found == ["x/a", "y/a_jpg", "y/A_png", "b_jpg", "b_png", "z"]
    assert len({name.casefold() for name in found}) == len(paths)


def test_folders_below_a_folder_stay_where_names_clash(tmp_path):
    for name in ("x/a.jpg", "x/a.png", "y/a.jpg", "y/a.png", "y/a_jpg.png"):
        write_image(tmp_path / "d" / name)
    found = names([tmp_path / "d"], recursive=True)
    assert found == ["x/a_jpg", "x/a_png", "y/a_jpg_jpg", "y/a_png", "y/a_jpg_png"]
    assert names([tmp_path / "d" / "x"]) == ["a_jpg", "a_png"]


def test_a_name_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "~no-such-user.png")
    assert names(["~no-such-user.png"]) == ["~no-such-user"]


def test_what_cannot_be_looked_at_is_reported(tmp_path, monkeypatch):
    def closed(path, **options):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:  # root may look everywhere
        patched.setattr(Path, "stat", closed)
        assert "Permission denied" in str(find_inputs(["closed/a.png"])[1][0])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert mentions(str(find_inputs([str(tmp_path / "a.jpg")])[1][0]), tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("https://example.org/a.jpg", "https://example.org/a.jpg"),
        ("", "empty"),
        (5000 * "a", 5000 * "a"),
        ("a\0b.png", "null"),
        ("gone.jpg", "gone.jpg"),
        ("gone*.jpg", "gone*.jpg"),
        ("@gone.txt", "gone.txt"),
        ("empty", "--recursive"),
    ],
)
def test_what_leads_nowhere_is_reported_and_the_rest_done(job, tmp_path, path, named, caplog):
    (tmp_path / "empty").mkdir()
    write_image(tmp_path / "a.png")
    assert job([path, "a.png"]) == Summary(done=1, failed=1)
    assert mentions(caplog.text, named)
    assert (tmp_path / "out" / "a_overlay.jpg").is_file()


def test_every_format_at_once_and_its_values(job, tmp_path):
    write_image(tmp_path / "a.png", 51)
    assert job(["a.png"], format=("npy", "png", "overlay")) == Summary(done=1)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "a.npy"), np.full((6, 8), 0.2), rtol=1e-6)
    with Image.open(tmp_path / "out" / "a.png") as written:
        assert (np.asarray(written) == round(0.2 * 65535)).all()
    assert image_size(tmp_path / "out" / "a_overlay.jpg") == (6, 8)


def test_broken_files_at_any_place_are_skipped_and_maps_keep_their_names(job, tmp_path, caplog):
    for i in range(12):
        write_image(tmp_path / f"{i:02}.png", 20 * i)
    for broken in (0, 5, 6, 11):
        (tmp_path / f"{broken:02}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "IMG.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.4")  # nobody asked for its map
    assert job([tmp_path], format=("npy",)) == Summary(done=8, failed=5)
    for i in set(range(12)) - {0, 5, 6, 11}:
        assert np.load(tmp_path / "out" / f"{i:02}.npy")[0, 0] == pytest.approx(20 * i / 255)
    assert any(mentions(message, "IMG.HEIC", "HEIC") for message in caplog.messages)


def write_animation(path, *values):
    """A GIF or TIFF with an image of each brightness, or a PDF with a page of each."""
    first, *others = (Image.new("RGB", (8, 6), (value,) * 3) for value in values)
    first.save(path, save_all=True, append_images=others)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".tiff", ".pdf"])
def test_the_first_page_is_predicted_and_said_to_be(job, tmp_path, suffix, caplog):
    caplog.set_level("INFO", logger="mrsal")
    pytest.importorskip("pypdfium2")
    path = write_animation(tmp_path / f"a{suffix}", 51, 102, 204)
    write_image(tmp_path / "b.png")
    summary = job([path, "b.png"], format=("npy",))
    assert summary == Summary(done=2)
    assert np.load(tmp_path / "out" / "a.npy").mean() == pytest.approx(0.2, abs=0.01)
    assert list(summary.notes) == [str(path)]
    for text in (caplog.text, *summary.notes[str(path)]):
        assert mentions(text, 3, "--pages all")


@pytest.mark.parametrize("suffix", [".gif", ".tiff", ".pdf"])
def test_each_page_has_a_result_on_request(job, tmp_path, suffix):
    pytest.importorskip("pypdfium2")
    path = write_animation(tmp_path / f"a{suffix}", 51, 102, 204)
    write_image(tmp_path / "b.png")
    write_animation(tmp_path / "c.gif", 7)
    summary = job([path, "b.png", "c.gif"], format=("npy",), pages="all")
    assert summary == Summary(done=5)
    found = {file.stem: np.load(file).mean() for file in (tmp_path / "out").iterdir()}
    assert sorted(found) == ["a", "a_page2", "a_page3", "b", "c"]
    for name, value in (("a", 0.2), ("a_page2", 0.4), ("a_page3", 0.8)):
        assert found[name] == pytest.approx(value, abs=0.01)
    assert not summary.notes
    assert summary.results[f"{path}#page=2"] == {"npy": str(tmp_path / "out" / "a_page2.npy")}
    assert job([path], format=("npy",), pages="all", skip_existing=True) == Summary(skipped=3)


def test_a_page_never_has_the_name_of_another_file(job, tmp_path):
    for name, values in {"a.gif": (51, 102), "A_page2.gif": (1, 2), "d.gif": (3, 4)}.items():
        write_animation(tmp_path / name, *values)
    for name in ("a_page2.png", "a_page2_png.jpg", "d_page.png", "e_page2.png"):
        write_image(tmp_path / name)
    files = sorted(path for path in tmp_path.iterdir() if path.is_file())
    summary = job(files, format=("npy",), pages="all")
    assert summary == Summary(done=10)
    written = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.npy")]
    assert len({name.casefold() for name in written}) == 10
    assert {"a.npy", "a_page2.npy", "d_page.npy", "e_page2.npy"} <= set(written)
    assert np.load(tmp_path / "out" / "a_page2.npy").mean() == pytest.approx(0.4, abs=0.01)


def test_pages_in_a_tar_have_results_too(job, tmp_path):
    write_animation(tmp_path / "a.gif", 51, 102)
    write_image(tmp_path / "a_page2.png")
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        tar.add(tmp_path / "a.gif", "a.gif")
        tar.add(tmp_path / "a_page2.png", "a_page2.png")
    assert list(job(["s.tar"], format=("npy",)).notes) == ["s.tar/a.gif"]
    summary = job(["s.tar"], out="all", format=("npy",), pages="all")
    assert summary == Summary(done=3) and "s.tar/a.gif#page=2" in summary.results
    assert sorted(path.stem for path in (tmp_path / "all" / "s.tar").iterdir()) == ["a", "a_page2", "a_page2_png"]


def test_a_document_whose_pages_cannot_be_counted_is_reported(job, tmp_path, caplog):
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 and nothing else")
    write_image(tmp_path / "b.png")
    for pages in ("first", "all"):
        assert job(["a.pdf", "b.png"], out=pages, pages=pages) == Summary(done=1, failed=1)
        assert mentions(caplog.text, "a.pdf")
        caplog.clear()


def test_phone_photographs_of_a_folder_are_predicted(job, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    (tmp_path / "photos").mkdir()
    pillow_heif.from_pillow(Image.new("RGB", (64, 64), (51,) * 3)).save(tmp_path / "photos" / "IMG_1.HEIC")
    Image.new("RGB", (8, 6), (204,) * 3).save(tmp_path / "photos" / "b.jfif", format="JPEG")
    assert job(["photos"], format=("npy",)) == Summary(done=2)
    assert np.load(tmp_path / "out" / "IMG_1.npy").mean() == pytest.approx(0.2, abs=0.01)


def cut_film(path, share=0.5):
    """A video that ends too early."""
    film(path, list(np.random.default_rng(0).integers(0, 256, (20, 33, 47, 3), dtype=np.uint8)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def test_a_damaged_video_counts_as_written_and_as_damaged(job, tmp_path, caplog):
    caplog.set_level("INFO", logger="mrsal")
    path = cut_film(tmp_path / "a.mkv")
    summary = job([path], format=("npy",))
    assert summary == Summary(done=1, damaged=1)
    frames = len(np.load(tmp_path / "out" / "a.npy"))
    assert 5 < frames < 15
    assert summary.results == {str(path): {"npy": str(tmp_path / "out" / "a.npy")}}
    [message] = summary.failures
    assert mentions(message, path, frames)
    assert message in caplog.messages and any(mentions(text, 1, "damaged") for text in caplog.messages)


def test_a_figure_is_drawn_of_each_page_as_asked_for(job, tmp_path):
    grey = Image.fromarray(grey_ramp())
    grey.save(tmp_path / "a.tif", save_all=True, append_images=[grey])
    look = {"colormap": "gray", "pixels_per_degree": 20.0}
    names = ["a_figure.pdf", "a_figure.png", "a_figure.svg"]
    names += [name.replace("a_", "a_page2_") for name in names]
    options = {"format": ("figure", "figure-svg", "figure-png"), "pages": "all", "figure_width": 100.0, **look}
    assert job(["a.tif"], **options) == Summary(done=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    map_ = SaliencyMap((grey_ramp().mean(axis=2) / 255).astype(np.float32), grey_ramp())
    for name in names:
        expected = map_.save_figure(tmp_path / "expected" / name, width=100, **look)
        assert (tmp_path / "out" / name).read_bytes() == expected.read_bytes()
    (tmp_path / "out" / "a_figure.svg").unlink()
    assert job(["a.tif"], **options, skip_existing=True) == Summary(done=1, skipped=1)


def test_a_video_has_no_figure_and_images_beside_it_have(job, tmp_path):
    write_image(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "a.mp4").touch()
    summary = job(["in"], format=("npy", "figure"))
    assert summary == Summary(done=1, failed=1)
    assert mentions(summary.failures[0], "in/a.mp4", "--format figure", "--format overlay")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.npy", "b_figure.pdf"]


@pytest.mark.parametrize("options", [{"pixels_per_degree": 20.0}, {"figure_width": 85.0}])
def test_options_of_figures_are_refused_without_a_figure(options):
    (name,) = options
    with pytest.raises(InputError, match=naming(f"--{name}", "--format figure")):
        PredictOptions(paths=("a.png",), out=Path("out"), format=("npy",), **options)


def test_skip_existing_goes_on_where_it_stopped(job, photos, tmp_path):
    assert job([photos], format=("npy",)) == Summary(done=2)
    (tmp_path / "out" / "b.npy").unlink()
    assert job([photos], format=("npy",), skip_existing=True) == Summary(done=1, skipped=1)
    assert job([photos], format=("npy", "png"), skip_existing=True) == Summary(done=2)


def test_inputs_are_never_overwritten_nor_results_read(job, photos, tmp_path, caplog):
    with pytest.raises(InputError, match=naming("photos/b.png", "--out")):
        job(["photos/b.png"], "photos", format=("png",))
    assert job(["photos"], "photos") == Summary(failed=1)
    assert mentions(caplog.text, "photos", "--out")
    assert job(["photos"], "photos/maps", recursive=True) == Summary(done=4)
    assert job(["photos"], "photos/maps", recursive=True) == Summary(done=4)


def test_a_file_beside_the_image_that_may_be_the_users_is_not_overwritten(job, photos):
    (photos / "a.npy").write_bytes(b"mine")
    with pytest.raises(InputError, match=naming(photos / "a.npy", "a.jpg", "--out")):
        job(["photos/a.jpg"], "photos", format=("npy",))
    assert (photos / "a.npy").read_bytes() == b"mine"
    assert job(["photos/a.jpg"], "photos", format=("npy",), skip_existing=True) == Summary(skipped=1)
    for _ in range(2):  # a_overlay.jpg is ours
        assert job(["photos/a.jpg"], "photos") == Summary(done=1)


def test_the_times_of_a_video_are_not_overwritten(job, tmp_path):
    write_image(tmp_path / "a_times.png")
    (tmp_path / "a.mp4").touch()
    with pytest.raises(InputError, match=naming("a_times.npy", "a_times.png", "a.mp4")):
        job(["a_times.png", "a.mp4"], format=("npy",))
    (tmp_path / "a_times.npy").touch()
    with pytest.raises(InputError, match=naming("a_times.npy", "a.mp4", "--out")):
        job(["a.mp4"], ".", format=("npy",))


def test_each_image_of_a_tar_has_its_result(job, tmp_path):
    for name in ("a.png", "b.jpg"):
        write_image(tmp_path / name)
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        tar.add("a.png")
        tar.add("b.jpg", "deep/b.jpg")
    expected = {
        f"s.tar/{name}": {"npy": str(tmp_path / "out" / "s.tar" / f"{name[:-4]}.npy")}
        for name in ("a.png", "deep/b.jpg")
    }
    assert job(["s.tar"], format=("npy",)).results == expected
    summary = job(["s.tar"], format=("npy",), skip_existing=True)
    assert (summary.skipped, summary.results) == (2, expected)


@pytest.mark.parametrize("options", [{"opacity": 2}, {"colormap": "nope"}])
def test_wrong_colours_are_refused_before_anything_is_done(job, photos, tmp_path, options):
    with pytest.raises(InputError):
        job([photos], **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["a.jpg", "a.mp4"])
def test_an_overlay_has_the_colours_and_the_opacity_that_were_asked_for(job, tmp_path, kind):
    if kind == "a.jpg":
        Image.fromarray(grey_ramp()).save(source := tmp_path / "a.png")
    else:
        source = film(tmp_path / "a.mkv", [grey_ramp()])

    def overlay(**options):
        assert job([source], **options).done == 1
        return first_frame(tmp_path / "out" / f"a_overlay{kind[1:]}")

    def colourfulness(picture):
        return np.ptp(picture, axis=2).max()

    assert colourfulness(overlay(colormap="inferno")) > 60
    grey = overlay(colormap="gray", opacity=1)
    assert colourfulness(grey) < 20
    np.testing.assert_allclose(overlay(opacity=0), grey_ramp(), atol=12)
    weak, strong = (np.abs(overlay(opacity=opacity) - grey_ramp()).mean() for opacity in (0.2, 0.8))
    assert 0 < 2 * weak < strong


def test_a_video_is_smoothed_and_predicted_at_intervals_as_asked_for(job, tmp_path):
    dark, bright = (np.full((64, 64, 3), value, np.uint8) for value in (0, 255))

    def brightness(*pictures, **options):
        assert job([film(tmp_path / "a.mkv", pictures)], format=("npy",), **options).done == 1
        return np.load(tmp_path / "out" / "a.npy")[:, 20, 20]

    np.testing.assert_allclose(brightness(dark, bright, dark, bright, dark), [0, 1, 0, 1, 0], atol=1e-3)
    np.testing.assert_allclose(brightness(dark, bright, dark, bright, dark, every=4), 0, atol=1e-3)
    smooth = brightness(dark, bright, bright, bright, smoothing=0.2)  # seconds; pictures are 0.1 s apart
    np.testing.assert_allclose(smooth, 1 - np.exp(-np.arange(4) / 2), atol=1e-3)


def test_a_mode_is_for_networks_and_other_models_ignore_it(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    options = PredictOptions(
        paths=(str(tmp_path / "a.png"),), out=tmp_path / "out", model="centre", mode="fast", format=("npy",)
    )
    assert predict_job(options, console=Console(file=io.StringIO())).done == 1


def test_one_text_is_no_list_of_paths(tmp_path):
    with pytest.raises(InputError, match=naming("paths", "a.png")):
        PredictOptions(paths="a.png", out=tmp_path)
