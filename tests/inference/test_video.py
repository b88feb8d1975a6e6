"""Videos are made here, predicted and decoded again; the results are compared with what was in them."""

import sys
from collections import deque
from fractions import Fraction

import numpy as np
import pytest
from known_images import Brightness
from messages import mentions, naming
from PIL import Image

from mrsal.errors import DataError, FileError, InputError
from mrsal.inference.predictor import load_model
from mrsal.inference.saliency_model import FunctionModel
from mrsal.inference.video import predict_video

av = pytest.importorskip("av")

H, W, RATE = 33, 47, 25


def write(path, pictures, *, times=None, time_base=Fraction(1, RATE), rotation=0, sound=None):
    """Write images as a lossless FFV1 video, or in MP4 as H.264."""
    height, width, _ = pictures[0].shape
    codec, pix_fmt = ("libx264", "yuv420p") if path.suffix in (".mp4", ".mov") else ("ffv1", "bgr0")
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=RATE)
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        video.codec_context.time_base = time_base
        if rotation:
            video.set_display_rotation(*(rotation if isinstance(rotation, tuple) else (rotation,)))
        audio = container.add_stream(sound, rate=44100, layout="mono") if sound else None
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = times[i] if times else i, time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            for k in range(20):
                kind, dtype = ("fltp", np.float32) if sound == "aac" else ("u8", np.uint8)
                silence = np.zeros((1, 1024), dtype)
                frame = av.AudioFrame.from_ndarray(silence, format=kind, layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 44100, 1024 * k, Fraction(1, 44100)
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def flat(*values, size=(H, W)):
    return [np.full((*size, 3), value, np.uint8) for value in values]


def decode(path):
    with av.open(str(path)) as container:
        return [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mp4", ".mov"])
def test_a_video_comes_back_whole(tmp_path, suffix):
    size = (34, 48) if suffix in (".mp4", ".mov") else (H, W)  # H.264 has even sides only
    path = write(tmp_path / f"in{suffix}", flat(*range(0, 240, 20), size=size))
    seen = []
    outs = [tmp_path / "out.mp4", tmp_path / "out.npy", tmp_path / "out"]
    result = predict_video(path, outs, Brightness(), opacity=0, on_frame=lambda done, total: seen.append((done, total)))
    assert (result.frames, result.damage) == (12, "")
    assert seen == [(i, 12) for i in range(1, 13)]
    frames = decode(outs[0])
    np.testing.assert_allclose([time for time, _ in frames], np.arange(12) / RATE, atol=2e-3)
    assert frames[0][1].shape == (34, 48, 3)
    np.testing.assert_allclose([picture.mean() for _, picture in frames], np.arange(0, 240, 20), atol=4)
    maps = np.load(outs[1])
    assert (maps.shape, maps.dtype) == ((12, 50, 50), np.float16)
    np.testing.assert_allclose(maps[:, 20, 20], np.arange(0, 240, 20) / 255, atol=0.02)
    np.testing.assert_allclose(np.load(tmp_path / "out_times.npy"), np.arange(12) / RATE, atol=2e-3)
    with Image.open(tmp_path / "out" / "000011.png") as last:
        np.testing.assert_allclose(np.asarray(last) / 65535, maps[11], atol=1e-3)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["out", "out.mp4", "out.npy", "out_times.npy", path.name]
    )


def test_a_variable_frame_rate_keeps_its_time_stamps(tmp_path):
    times = [0, 40, 50, 400, 1000, 1033]
    path = write(tmp_path / "in.mkv", flat(*range(6)), times=times, time_base=Fraction(1, 1000))
    result = predict_video(path, [tmp_path / "out.mp4", tmp_path / "out.npy"], Brightness())
    assert result.damage == ""  # although there are fewer frames than the rate and the duration would give
    np.testing.assert_allclose([time for time, _ in decode(tmp_path / "out.mp4")], np.array(times) / 1000, atol=1e-4)
    np.testing.assert_allclose(np.load(tmp_path / "out_times.npy"), np.array(times) / 1000)


def test_smoothing_is_a_time_constant_and_not_a_number_of_frames(tmp_path):
    times = [0, 100, 150, 400, 1000]
    path = write(tmp_path / "in.mkv", flat(0, *[255] * 4), times=times, time_base=Fraction(1, 1000))
    predict_video(path, tmp_path / "out.npy", Brightness(), smoothing=0.2)
    # a step at the second frame, whose age counts from the first
    np.testing.assert_allclose(np.load(tmp_path / "out.npy")[:, 7, 7], 1 - np.exp(-np.array(times) / 200), atol=1e-3)


def test_without_smoothing_each_frame_is_predicted_by_itself(tmp_path):
    pictures = list(np.random.default_rng(0).integers(0, 256, (4, 50, 50, 3), dtype=np.uint8))
    path = write(tmp_path / "in.mkv", pictures)
    predict_video(path, tmp_path / "out.npy", Brightness(), smoothing=0)
    alone = [Brightness().predict(picture).values for picture in pictures]
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), alone, atol=1e-3)


def test_every_nth_frame_is_predicted_and_those_between_interpolated(tmp_path):
    path = write(tmp_path / "in.mkv", flat(*range(0, 200, 20)))
    predictor = Brightness()
    predict_video(path, tmp_path / "out.npy", predictor, every=4)
    assert predictor.calls == 4  # frames 0, 4, 8 and the last
    np.testing.assert_allclose(np.load(tmp_path / "out.npy")[:, 9, 9], np.arange(0, 200, 20) / 255, atol=1e-3)


@pytest.mark.parametrize("every", [2, 30])
def test_no_more_frames_are_held_than_lie_between_two_that_are_predicted(tmp_path, every):
    class Ahead(Brightness):
        """Reads 47 images before it gives the first map, as a network on a GPU does; says how bright the last one was."""

        latest = 0

        def predict(self, image, *, name=""):
            self.latest = int(image[0, 0, 0])
            return super().predict(image, name=name)

        def predict_many(self, images, *, batch_size=None):
            waiting = deque()
            for image in images:
                waiting.append(self.predict(image))
                if len(waiting) == 47:
                    yield waiting.popleft()
            yield from waiting

    path = write(tmp_path / "in.mkv", flat(*range(200)))  # a frame's brightness is its number
    predictor, held = Ahead(), []
    predict_video(
        path,
        tmp_path / "out.npy",
        predictor,
        every=every,
        on_frame=lambda done, _: held.append(predictor.latest + 1 - done),
    )
    assert len(held) == 200
    assert max(held) < every


def test_a_still_video_has_one_heatmap(tmp_path):
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8)[None, :, None], (34, 1, 3))
    path = write(tmp_path / "in.mkv", [ramp] * 8)
    predict_video(path, tmp_path / "out.mp4", Brightness(), smoothing=0.5)
    pictures = np.array([picture for _, picture in decode(tmp_path / "out.mp4")], float)
    assert np.abs(pictures - pictures[0]).mean() < 2
    assert np.abs(pictures[0, :, :5] - ramp[:, :5]).mean() < 6  # dull: as it was
    assert np.abs(pictures[0, :, -5:] - ramp[:, -5:])[..., 2].mean() > 40  # hot: yellow, which has less blue


def test_a_dim_frame_keeps_the_colours_of_its_time(tmp_path):
    bright, dim = (np.tile(np.linspace(0, top, 48).astype(np.uint8)[None, :, None], (34, 1, 3)) for top in (250, 50))
    path = write(tmp_path / "in.mkv", [bright, dim])
    predict_video(path, tmp_path / "out.mp4", Brightness(), opacity=1)
    last = decode(tmp_path / "out.mp4")[1][1]
    assert last[:, -5:].mean() < 110  # a fifth of the way up the colours, where its own range would end in yellow


def test_rotation_is_applied(tmp_path):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, :20] = 255  # left
    path = write(tmp_path / "in.mp4", [picture] * 3, rotation=90)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation == 90
    predict_video(path, tmp_path / "out.mp4", Brightness(), opacity=0)
    upright = decode(tmp_path / "out.mp4")[0][1]
    assert upright.shape == (64, 32, 3)
    assert upright[-10:].mean() > 240  # turned against the clock, left is below
    assert upright[:30].mean() < 10


@pytest.mark.parametrize("vflip", [False, True])
@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_mirrored_video_is_mirrored_and_not_turned(tmp_path, rotation, hflip, vflip):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :32], picture[:16, 32:], picture[16:, :32] = 250, 170, 90  # four quarters that differ
    path = write(tmp_path / "in.mp4", [picture] * 3, rotation=(rotation, hflip, vflip))
    upright = np.rot90(picture, rotation // 90)  # against the clock, and mirrored after that
    upright = upright[:: -1 if vflip else 1, :: -1 if hflip else 1]
    predict_video(path, tmp_path / "out.mp4", Brightness(), opacity=0)
    found = decode(tmp_path / "out.mp4")[0][1]
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).mean() < 8


@pytest.mark.parametrize(("sound", "kept"), [("aac", True), ("pcm_u8", False)])
def test_sound_is_copied_where_mp4_can_hold_it(tmp_path, sound, kept, caplog):
    path = write(tmp_path / ("in.mkv" if kept else "in.avi"), flat(*range(10)), sound=sound)
    predict_video(path, tmp_path / "out.mp4", Brightness())

    def packets(file):
        with av.open(str(file)) as container:
            audio = container.streams.audio
            return [bytes(packet) for packet in container.demux(audio) if packet.size] if audio else []

    assert packets(path)
    assert packets(tmp_path / "out.mp4") == (packets(path) if kept else [])
    assert any(mentions(message, path, sound) for message in caplog.messages) == (not kept)


def test_a_cut_off_video_is_kept_up_to_the_damage(tmp_path):
    rng = np.random.default_rng(0)
    path = write(tmp_path / "in.mkv", list(rng.integers(0, 256, (20, H, W, 3), dtype=np.uint8)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = predict_video(path, tmp_path / "out.mp4", Brightness())
    assert 5 < result.frames < 15
    assert mentions(result.damage, 20)
    assert len(decode(tmp_path / "out.mp4")) == result.frames


def test_what_is_no_video_is_refused_and_leaves_nothing(tmp_path):
    path = tmp_path / "in.mp4"
    path.write_bytes(b"no video at all" * 100)
    with pytest.raises(DataError, match=r"in\.mp4"):
        predict_video(path, tmp_path / "out.mp4", Brightness())
    with pytest.raises(FileError, match=r"gone\.mp4"):
        predict_video(tmp_path / "gone.mp4", tmp_path / "out.mp4", Brightness())
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_no_half_file(tmp_path):
    path = write(tmp_path / "in.mkv", flat(*range(9)))

    def interrupt(done, _):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_video(path, [tmp_path / f"out{s}" for s in ("", ".mp4", ".npy")], Brightness(), on_frame=interrupt)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "options", [{"smoothing": -1}, {"every": 0}, {"opacity": 2}, {"colormap": "no"}, {"out": "in.mkv"}]
)
def test_wrong_options_are_refused(tmp_path, options):
    path = write(tmp_path / "in.mkv", flat(0))
    with pytest.raises(InputError):
        predict_video(path, tmp_path / options.pop("out", "out.mp4"), Brightness(), **options)


def test_maps_of_any_range_are_numbers_and_a_heatmap_but_no_png(tmp_path):
    path = write(tmp_path / "in.mkv", flat(0, 100, 200))
    model = FunctionModel(lambda image: image[..., 0])  # 0 to 255
    predict_video(path, [tmp_path / "out.npy", tmp_path / "out.mp4"], model)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy")[:, 9, 9], [0, 100, 200], atol=0.1)
    assert len(decode(tmp_path / "out.mp4")) == 3
    with pytest.raises(InputError, match=naming("PNG", 100, ".npy")):
        predict_video(path, tmp_path / "out", model)
    assert not (tmp_path / "out").exists()


def test_without_pyav_the_install_line_is_printed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[video\]'"):
        predict_video(tmp_path / "in.mkv", tmp_path / "out.mp4", Brightness())


@pytest.mark.slow
def test_the_bundled_network_predicts_a_frame_as_it_does_a_picture(tmp_path):
    ramp = np.random.default_rng(3).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(ramp).resize((80, 60), Image.Resampling.BICUBIC))
    path = write(tmp_path / "in.mkv", [picture])
    predictor = load_model("mrcnn", device="cpu", precision="fp32")
    predictor = predictor.with_mode(predictor.video_mode)
    predict_video(path, tmp_path / "out.npy", predictor)
    alone = predictor.predict(picture, mode="fast").values
    (map_,) = np.load(tmp_path / "out.npy")
    assert np.corrcoef(map_.ravel(), np.asarray(Image.fromarray(alone).resize((50, 50))).ravel())[0, 1] > 0.99
