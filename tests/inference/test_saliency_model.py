"""The interface of all models: one call for every kind, modes that exist, and a stream that keeps its order."""

import pickle
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from known_images import Brightness
from made_up_examples import clusters
from messages import naming
from PIL import Image
from tiny_network import tiny

from mrsal.datasets import ArchiveImage
from mrsal.errors import DataError, FileError, InputError, MrsalError
from mrsal.evaluation.adjusting import fit_adjustment
from mrsal.evaluation.baselines import CentreBias, InterObserver
from mrsal.inference import (
    BASELINES,
    Adjusted,
    FunctionModel,
    Predictor,
    SaliencyMap,
    SaliencyModel,
    as_model,
    load_model,
    open_model,
)
from mrsal.inference.saliency_model import predict_stream
from mrsal.model.checkpoint import save_checkpoint
from mrsal.model.grid import Grid
from mrsal.model.improved import ImprovedNetwork
from mrsal.model.network import MrCNN
from mrsal.model.pyramid import Pyramid

SHAPE = (45, 62)
PIXELS = np.random.default_rng(4).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
MAP = np.random.default_rng(5).random(SHAPE)


# the kinds of models: how each is opened, and the map that it is to give of PIXELS


def loud():
    torch.manual_seed(3)
    network = MrCNN(tiny())
    network.output.weight.data *= 30
    return network.eval()


def of_network(mode="exact"):
    """The map straight from the network."""
    from mrsal.inference.predictor import Predictor

    predictor = Predictor(loud(), device="cpu", precision="fp32", mode=mode)
    return predictor.grid_map(Pyramid.from_image(PIXELS), Grid.cells(SHAPE))


def checkpoint(folder):
    path = save_checkpoint(loud(), folder / "cnn.pth")
    return open_model(str(path), device="cpu", precision="fp32"), of_network()


def fast_checkpoint(folder):
    path = save_checkpoint(loud(), folder / "cnn.safetensors")
    return open_model(str(path), device="cpu", precision="fp32", mode="fast"), of_network("fast")


def maps_in_a_folder(folder):
    (folder / "maps").mkdir()
    np.save(folder / "maps" / "other.npy", MAP + 1)
    np.save(folder / "maps" / "a.npy", MAP)
    return open_model(str(folder / "maps")), MAP


def maps_in_hdf5(folder):
    h5py = pytest.importorskip("h5py")
    density = MAP / MAP.sum()
    with h5py.File(folder / "maps.hdf5", "w") as file:
        file["deep/a.png"] = np.log(density)
        file["deep/b.png"] = np.log(density[::-1])
    return open_model(str(folder / "maps.hdf5")), density


def function(folder):
    (folder / "own_kind.py").write_text(
        "import torch\ndef red(image):\n    return torch.tensor(image[..., 0].astype('int32'), requires_grad=False)\n"
    )
    return open_model("own_kind:red"), PIXELS[..., 0]


def centre_bias(folder):
    examples = clusters(np.random.default_rng(0))
    return CentreBias(examples, bandwidth=0.1), CentreBias(examples, bandwidth=0.1).density(SHAPE)


def observers(folder):
    first, *others = clusters(np.random.default_rng(0), shape=SHAPE)
    examples = [replace(first, name="a.png"), *others]
    centre = CentreBias(examples).density(SHAPE, leave_out="a.png")
    return InterObserver(examples, sigma=4, weights=(0, 0.9, 0.1)), 0.9 * centre + 0.1 / MAP.size


def adjusted(folder):
    examples = clusters(np.random.default_rng(0), shape=SHAPE)
    model = FunctionModel(lambda _: MAP)
    adjustment = fit_adjustment(model, examples)
    log_density = adjustment.apply(SaliencyMap(MAP, PIXELS))
    return Adjusted(model, adjustment), np.exp(log_density - log_density.max()).astype(np.float32)


KINDS = [checkpoint, fast_checkpoint, maps_in_a_folder, maps_in_hdf5, function, centre_bias, observers, adjusted]
KINDS += [lambda folder, name=name: (open_model(name), BASELINES[name](PIXELS)) for name in BASELINES]
NAMES = [getattr(kind, "__name__", "") for kind in KINDS[: -len(BASELINES)]] + list(BASELINES)


@pytest.fixture(params=KINDS, ids=NAMES)
def kind(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where package.module:function is looked for
    return request.param(tmp_path)


def check_that_it_predicts(model, expected, folder, **close):
    """The same call with an image in every form, and the same map from all of them."""
    assert isinstance(model, SaliencyModel)
    Image.fromarray(PIXELS).save(folder / "a.png")
    archived = ArchiveImage(SHAPE, lambda: PIXELS, Pyramid.from_image(PIXELS), Grid.cells(SHAPE))
    for image in (PIXELS, Image.fromarray(PIXELS), folder / "a.png", str(folder / "a.png"), archived):
        map_ = model.predict(image, name="a.png")
        assert isinstance(map_, SaliencyMap)
        np.testing.assert_allclose(map_.values, expected, **close)
        np.testing.assert_array_equal(map_.image, PIXELS)
    np.testing.assert_allclose(model.predict(folder / "a.png").values, expected, **close)  # a file has a name already
    np.testing.assert_allclose(model(folder / "a.png"), expected, **close)
    three = model.predict_many([folder / "a.png"] * 3, batch_size=2)
    for map_ in three:
        np.testing.assert_allclose(map_.values, expected, **close)
    model.require(["a.png"])
    assert all(isinstance(value, str) for value in model.about().values())


def test_every_kind_predicts_an_image_in_any_form_by_the_same_call(kind, tmp_path):
    model, expected = kind
    check_that_it_predicts(model, expected, tmp_path, rtol=1e-5, atol=1e-6 if expected.max() > 0.1 else 0)


def test_an_exported_network_does_so_too(exported, tmp_path):
    torchs = open_model("mrcnn", device="cpu", precision="fp32", mode="fast")
    expected = torchs.grid_map(Pyramid.from_image(PIXELS), Grid.cells(SHAPE))
    check_that_it_predicts(open_model(str(exported), device="cpu"), expected, tmp_path, atol=1e-4)


def test_every_kind_refuses_modes_that_it_does_not_have(kind):
    model, _ = kind
    assert model.with_mode(None) is model
    assert model.with_mode(model.mode or None) is model
    with pytest.raises(InputError, match=naming("quick", *(model.modes or ["no modes"]))):
        model.with_mode("quick")
    if not model.modes:
        with pytest.raises(InputError, match=naming("fast")):
            model.with_mode("fast")


def test_another_mode_is_another_predictor_with_the_same_network(tmp_path):
    exact, _ = checkpoint(tmp_path)
    fast = exact.with_mode("fast")
    assert (exact.mode, fast.mode) == ("exact", "fast")
    assert fast.network is exact.network
    assert exact.about() == {"mode": "exact"} and fast.about() == {"mode": "fast"}
    np.testing.assert_allclose(fast.predict(PIXELS).values, of_network("fast"), atol=1e-6)
    np.testing.assert_allclose(exact.predict(PIXELS).values, of_network("exact"), atol=1e-6)
    assert np.abs(of_network("fast") - of_network("exact")).max() > 1e-4


def test_stored_maps_need_a_name(tmp_path):
    model, _ = maps_in_a_folder(tmp_path)
    with pytest.raises(InputError, match=naming(tmp_path / "maps", "name")):
        model.predict(PIXELS)
    with pytest.raises(DataError, match=naming("gone.png")):
        model.predict(PIXELS, name="gone.png")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (np.zeros(SHAPE[::-1]), (SHAPE, SHAPE[::-1])),
        (np.zeros((*SHAPE, 1)), (SHAPE, (*SHAPE, 1))),
        (1.0, (SHAPE,)),
        (np.full(SHAPE, "x"), (SHAPE,)),
        (np.where(MAP.max() == MAP, np.nan, MAP), ("NaN",)),
        (np.where(MAP.max() == MAP, np.inf, MAP), ("infinite",)),
    ],
)
def test_a_function_that_gives_no_map_of_the_image_is_named(values, named):
    with pytest.raises(InputError, match=naming("of mine", "a.png", *named)):
        FunctionModel(lambda _: values, name="of mine").predict(PIXELS, name="a.png")


def test_a_model_that_gives_a_map_of_another_size_is_refused():
    class Wrong(SaliencyModel):
        def predict_prepared(self, images):
            return [image.map(MAP[1:]) for image in images]

    with pytest.raises(InputError, match=naming("a.png", SHAPE, MAP[1:].shape)):
        Wrong().predict(PIXELS, name="a.png")


def test_models_and_functions_are_models_and_nothing_else_is():
    model = Brightness()
    assert as_model(model) is model
    np.testing.assert_array_equal(as_model(lambda image: MAP).predict(PIXELS).values, MAP)
    for other in (Brightness, 3, "mrcnn", None):
        with pytest.raises(InputError, match="expected a model"):
            as_model(other)


# a stream of images


class Picky(Brightness):
    """Refuses batches with an image of this brightness, and remembers all batches."""

    def __init__(self, refused=None, *, batch_size=1):
        super().__init__()
        self.refused, self.batch_size, self.batches = refused, batch_size, []

    def predict_prepared(self, images):
        values = [int(image.pixels[0, 0, 0]) for image in images]
        self.batches.append(values)
        if self.refused in values:
            raise DataError(f"the model refuses {self.refused}")
        return super().predict_prepared(images)


def flat(value):
    return np.full((3 + value % 4, 5, 3), value, np.uint8)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 5, 50])
def test_results_come_in_order_and_errors_at_their_place(batch_size):
    delays = (
        np.random.default_rng(0).permutation(20) / 1000
    )  # so that reading does not end in the order in which it began
    unreadable = {0, 7, 8, 19}

    def read(item):
        time.sleep(delays[item])
        if item in unreadable:
            raise FileError(f"cannot read {item}")
        return flat(item)

    stream = predict_stream(Picky(12), range(20), read=read, name="{}.png".format, batch_size=batch_size)
    items, results = zip(*stream, strict=True)
    assert items == tuple(range(20))
    for item, result in zip(items, results, strict=True):
        if item in unreadable:
            assert isinstance(result, FileError) and str(item) in str(result)
        elif item == 12:
            assert isinstance(result, DataError) and "12" in str(result)
        else:
            assert result.values.shape == flat(item).shape[:2]
            np.testing.assert_allclose(result.values, item / 255, rtol=1e-6)
            np.testing.assert_array_equal(result.image, flat(item))


def test_the_model_is_given_whole_batches_and_a_bad_one_again_image_by_image():
    model = Picky(5, batch_size=3)
    results = dict(predict_stream(model, range(8), read=flat))
    assert model.batches == [[0, 1, 2], [3, 4, 5], [3], [4], [5], [6, 7]]
    assert [item for item, result in results.items() if isinstance(result, MrsalError)] == [5]
    model = Picky(batch_size=3)
    list(predict_stream(model, range(8), read=flat, batch_size=4))
    assert model.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_each_image_has_its_name():
    class Names(SaliencyModel):
        def predict_prepared(self, images):
            return [image.map(np.full(image.shape, float(image.name))) for image in images]

    stream = predict_stream(Names(), range(5), read=flat, name=lambda item: f"{item}.5", batch_size=2)
    assert [result.values[0, 0] for _, result in stream] == [0.5, 1.5, 2.5, 3.5, 4.5]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_no_more_is_read_ahead_than_the_next_batches(batch_size):
    taken = []

    def endless():
        for item in range(10_000):
            taken.append(item)
            yield item

    stream = predict_stream(Brightness(), endless(), read=lambda item: flat(item % 200), batch_size=batch_size)
    ahead = [len(taken) - done for done, _ in zip(range(100), stream, strict=False)]
    stream.close()
    assert max(ahead) <= 3 * batch_size + 2
    assert len(taken) < 120
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name and thread.is_alive()]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_next_images_are_read_while_the_model_runs(batch_size):
    next_is_read = threading.Event()

    class Waits(Brightness):
        def predict_prepared(self, images):
            assert next_is_read.wait(timeout=30), "the next image is not read before this one is predicted"
            return super().predict_prepared(images)

    def read(item):
        if item == batch_size:
            next_is_read.set()
        return flat(item)

    assert len(list(predict_stream(Waits(), range(3 * batch_size), read=read, batch_size=batch_size))) == 3 * batch_size


def test_many_images_raise_the_error_when_its_turn_has_come(tmp_path):
    maps = Brightness().predict_many([flat(1), flat(2), tmp_path / "gone.png", flat(3)], batch_size=3)
    assert [round(255 * next(maps).values[0, 0]) for _ in range(2)] == [1, 2]
    with pytest.raises(FileError, match=naming("gone.png")):
        next(maps)


def test_errors_that_are_not_about_an_image_end_the_stream():
    def read(item):
        if item == 1:
            raise RuntimeError("a mistake in the program")
        return flat(item)

    with pytest.raises(RuntimeError, match="a mistake"):
        list(predict_stream(Brightness(), range(3), read=read))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_has_at_least_one_image(batch_size):
    with pytest.raises(InputError, match=naming("batch_size", batch_size)):
        list(predict_stream(Brightness(), [], batch_size=batch_size))


def test_a_name_that_ships_comes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mrcnn").mkdir()
    Image.new("L", (8, 6)).save(tmp_path / "mrcnn" / "a.png")
    for model in (open_model("mrcnn"), load_model("mrcnn")):
        assert model.calibration is not None
    with pytest.raises(DataError):  # the folder of maps, which has none of this name
        open_model("./mrcnn").require(["b.png"])


def test_images_whose_grids_differ_do_not_share_a_batch():
    predictor = Predictor(MrCNN(tiny()), device="cpu", precision="fp32", mode="crops")
    predictor.network.output.weight.data *= 30
    rng = np.random.default_rng(0)
    images = []
    for shape in ((40, 60), (90, 31), (40, 60)):
        pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        pyramid, grid = Pyramid.from_image(pixels), Grid.historical(shape)
        images += [ArchiveImage(shape, lambda pixels=pixels: pixels, pyramid, grid), pixels]
    together = [map_.values for map_ in predictor.predict_many(images, batch_size=6)]
    alone = [map_.values for map_ in predictor.predict_many(images, batch_size=1)]
    for first, second in zip(together, alone, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_a_map_can_be_sent_to_another_process():
    map_ = FunctionModel(lambda image: image.mean(axis=2)).predict(PIXELS)
    again = pickle.loads(pickle.dumps(map_))
    np.testing.assert_array_equal(again.values, map_.values)
    np.testing.assert_array_equal(again.image, PIXELS)


def test_a_function_may_import_modules_of_its_folder_when_it_is_called(tmp_path, monkeypatch):
    (tmp_path / "late_model.py").write_text("def f(image):\n    import late_help\n    return late_help.g(image)\n")
    (tmp_path / "late_help.py").write_text("def g(image):\n    return image.mean(axis=2)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    assert open_model("late_model:f").predict(PIXELS).values.shape == SHAPE


def test_a_checkpoint_can_be_given_as_a_path(tmp_path):
    path = save_checkpoint(MrCNN(tiny()), tmp_path / "cnn.pth")
    assert open_model(path).predict(PIXELS).values.shape == SHAPE
    with pytest.raises(InputError, match="ImprovedNetwork"):
        Predictor(ImprovedNetwork())
