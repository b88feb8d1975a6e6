"""The improved network on whole images: its maps are its densities, for any image, alone or in batches."""

import logging

import numpy as np
import pytest
import torch
from messages import naming
from tiny_improved import tiny_improved

from mrsal.datasets import ArchiveImage
from mrsal.errors import InputError
from mrsal.inference import ignored_mode
from mrsal.inference.density_predictor import DensityPredictor
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.video import predict_video


@pytest.fixture(scope="module")
def network():
    """Not to be changed."""
    return tiny_improved()


@pytest.fixture(scope="module")
def predictor(network):
    """Not to be changed."""
    return DensityPredictor(network, device="cpu", precision="fp32")


def picture(height, width, *, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@torch.inference_mode()
def expected_log_density(network, image):
    """By the network alone, with its own scaling in torch."""
    return network(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255)[0].double().numpy()


@pytest.mark.parametrize("shape", [(60, 80), (80, 60), (31, 300), (1, 1), (200, 200)])
def test_a_map_is_the_density_of_the_network(network, predictor, shape):
    image = picture(*shape)
    map_ = predictor.predict(image)
    density = np.exp(expected_log_density(network, image))
    assert (map_.values.dtype, map_.values.shape, map_.values.max()) == (np.float32, shape, 1)
    assert map_.density.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(map_.density, density, rtol=1e-3)
    np.testing.assert_allclose(map_.values, density / density.max(), rtol=1e-3)
    assert predictor.gives_density


def test_images_of_several_shapes_come_back_in_their_order(predictor):
    shapes = [(60, 80), (40, 40), (60, 80), (80, 60), (40, 40)]
    images = [picture(*shape, seed=i) for i, shape in enumerate(shapes)]
    together = predictor.predict_prepared([predictor.prepare(image) for image in images])
    streamed = list(predictor.predict_many(images, batch_size=3))
    for image, first, second in zip(images, together, streamed, strict=True):
        alone = predictor.predict(image)
        np.testing.assert_array_equal(first.image, image)
        for map_ in (first, second):
            np.testing.assert_allclose(map_.values, alone.values, atol=1e-4)
            np.testing.assert_allclose(map_.density, alone.density, rtol=1e-3)
    assert np.abs(together[0].values - together[2].values).max() > 1e-3  # so images of one shape are not exchanged


def test_images_of_one_shape_go_through_the_network_together(network, monkeypatch):
    sizes = []
    through = type(network).scores
    monkeypatch.setattr(
        type(network),
        "scores",
        lambda self, levels, size: sizes.append(len(levels[0])) or through(self, levels, size),
    )
    predictor = DensityPredictor(network, device="cpu", precision="fp32")
    list(predictor.predict_many([picture(60, 80), picture(60, 80), picture(40, 40)], batch_size=3))
    assert sizes == [2, 1]


def test_bf16_gives_nearly_the_same_map(network, predictor):
    image = picture(60, 80)
    half = DensityPredictor(network, device="cpu", precision="bf16").predict(image)
    assert half.values.dtype == np.float32
    assert (half.values != predictor.predict(image).values).any()
    np.testing.assert_allclose(half.density, predictor.predict(image).density, rtol=0.2, atol=2e-4)


def test_of_an_image_in_an_archive_the_pixels_count(predictor):
    image = picture(50, 70)
    archived = ArchiveImage((50, 70), lambda: image, pyramid=None, grid=None)  # which are for Mr-CNN
    np.testing.assert_array_equal(predictor.predict(archived).values, predictor.predict(image).values)


def test_the_modes_of_mrcnn_are_ignored_with_one_warning(predictor, caplog):
    ignored_mode._say_ignored.cache_clear()
    image = picture(40, 50)
    with caplog.at_level(logging.WARNING, logger="mrsal"):
        fast = [predictor.predict(image, mode="fast"), predictor.with_mode("fast").predict(image)]
        assert DensityPredictor(predictor.network, device="cpu", mode="fast").mode == ""
    assert all((map_.values == predictor.predict(image).values).all() for map_ in fast)
    assert [record.message for record in caplog.records] == [record.message for record in caplog.records][:1]
    assert "fast" in caplog.text and "mrcnn" in caplog.text
    assert predictor.modes == () and predictor.about() == {}


@pytest.mark.parametrize("use", [lambda p: p.with_mode("quick"), lambda p: DensityPredictor(p.network, mode="quick")])
def test_what_is_no_mode_at_all_is_refused(predictor, use):
    with pytest.raises(InputError, match=naming("exact", "fast", "quick")):
        use(predictor)


# the map as an object


def test_the_density_follows_from_the_log_density_however_small_it_is():
    log_density = np.log(np.array([[0.5, 0.5 - 1e-30, 1e-50]]))
    map_ = SaliencyMap(np.array([[1, 1, 0]], np.float32), np.zeros((1, 3, 3), np.uint8), log_density=log_density)
    np.testing.assert_allclose(map_.density, [[0.5, 0.5, 1e-50]], rtol=1e-9)


def test_the_overlay_of_a_density_shows_its_square_root():
    values = np.array([[0, 0.01, 0.25, 1]], np.float32)
    image = np.full((1, 4, 3), 100, np.uint8)
    density = SaliencyMap(values, image, log_density=np.log(values + 1e-9))
    np.testing.assert_allclose(density.shown(), [[0, 0.1, 0.5, 1]], atol=1e-6)
    roots = SaliencyMap(np.sqrt(values), image)
    np.testing.assert_array_equal(density.overlay(), roots.overlay())
    assert (SaliencyMap(values, image).overlay() != density.overlay()).any()
    np.testing.assert_array_equal(density.scaled(), values)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_frames_of_a_video_go_through_the_network_in_batches(network, tmp_path, batch_size):
    av = pytest.importorskip("av", reason="needs pip install 'mrsal[video]'")
    frames = [np.full((64, 96, 3), 90, np.uint8) for _ in range(6)]
    for i, frame in enumerate(frames):  # a checkered square moves to the right
        frame[20:44, 12 * i : 12 * i + 24] = np.kron(np.eye(2), np.full((12, 12), 255))[..., None]
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    predictor = DensityPredictor(network, device="cpu", precision="fp32")
    predictor.batch_size = batch_size
    result = predict_video(tmp_path / "in.mp4", [tmp_path / "out.npy", tmp_path / "out.mp4"], predictor)
    maps = np.load(tmp_path / "out.npy")
    assert result.frames == 6 and maps.shape == (6, 50, 50)
    with av.open(str(tmp_path / "in.mp4")) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    rows, columns = (np.linspace(0, side - 1, 50).round().astype(int) for side in (64, 96))
    alone = [predictor.predict(frame).values[np.ix_(rows, columns)] for frame in decoded]
    alike = np.corrcoef(np.concatenate([maps, alone]).reshape(12, -1))[:6, 6:]  # each map with that of each frame
    assert (alike.argmax(axis=1) == range(6)).all() and np.diag(alike).min() > 0.98
