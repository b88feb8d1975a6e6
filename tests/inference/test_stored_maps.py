"""Maps on disk are found by name, checked, and scored like any model, and so are Python functions."""

import numpy as np
import pytest
from messages import naming
from PIL import Image

from mrsal.datasets.archives.native import NativeArchive
from mrsal.errors import DataError, FileError, InputError
from mrsal.evaluation.evaluator import evaluate
from mrsal.inference.any_model import load_function
from mrsal.inference.stored_maps import open_maps

h5py = pytest.importorskip("h5py")
SHAPE = (4, 6)
MAP = np.random.default_rng(0).random(SHAPE)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.npy", "a.jpg"),
        ("a.jpg.npy", "a.jpg"),
        ("i1.v2.npy", "i1.v2.jpeg"),
        ("Art/001.npy", "Art/001.jpg"),
        ("001.npy", "Art/001.jpg"),
        ("stimuli/Art/001.npy", "Art/001.jpg"),
    ],
)
def test_a_map_is_found_by_the_name_of_its_stimulus(tmp_path, file, name):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    np.save(tmp_path / file, MAP)
    np.save(tmp_path / "i1.npy", MAP + 1)
    assert np.array_equal(open_maps(tmp_path).map_of(name, SHAPE), MAP)


def test_names_that_fit_twice_or_not_at_all_are_refused(tmp_path):
    for file in ("a.npy", "Art/b.npy", "Day/b.npy", "c.npy"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        np.save(tmp_path / file, MAP)
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "a.png")
    maps = open_maps(tmp_path)
    for name, files in (("a.jpg", ("a.npy", "a.png")), ("b.jpg", ("Art/b.npy", "Day/b.npy"))):
        with pytest.raises(DataError, match=naming(name, *files)):
            maps.map_of(name, SHAPE)
    with pytest.raises(DataError, match=naming(2, 3, "x.jpg", "y.jpg", 5)):
        maps.require(["c.jpg", "x.jpg", "y.jpg"])
    with pytest.raises(DataError, match=naming("c.npy", "c.jpg", "Art/c.jpg")):
        maps.require(["Art/c.jpg", "Day/c.jpg"])


def test_pictures_keep_all_their_grey_levels_and_overlays_are_refused(tmp_path):
    deep = np.arange(24, dtype=np.uint16).reshape(SHAPE) * 2500
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=2)).save(tmp_path / "grey.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)).save(tmp_path / "overlay.png")
    maps = open_maps(tmp_path, kind="saliency")
    assert np.array_equal(maps.map_of("deep.jpg", SHAPE), deep)
    assert np.array_equal(maps.map_of("grey.jpg", SHAPE), deep >> 8)
    with pytest.raises(DataError, match=naming("overlay.png", ".npy", ".png", without="damaged")):
        maps.map_of("overlay.jpg", SHAPE)


def test_a_log_density_in_hdf5_is_recognised_and_becomes_a_density(tmp_path):
    density = MAP / MAP.sum()
    with h5py.File(tmp_path / "m.hdf5", "w") as file:
        file["Art/001.jpg"] = np.log(density)
        file["Art/002.jpg"] = MAP
    maps = open_maps(tmp_path / "m.hdf5")
    assert maps.kind == "log_density"
    np.testing.assert_allclose(maps.map_of("Art/001.jpg", SHAPE), density, rtol=1e-12)
    with pytest.raises(DataError, match=naming("Art/002.jpg", "logsumexp", "kind='saliency'")):
        maps.map_of("Art/002.jpg", SHAPE)


@pytest.mark.parametrize("first", [MAP, MAP / MAP.sum()])
def test_a_log_density_after_maps_of_another_kind_is_an_error(tmp_path, first):
    np.save(tmp_path / "a.npy", first)
    np.save(tmp_path / "b.npy", np.log(MAP / MAP.sum()))
    maps = open_maps(tmp_path)
    maps.map_of("a.jpg", SHAPE)
    with pytest.raises(DataError, match=naming("a.npy", "b.npy", "kind='saliency'")):
        maps.map_of("b.jpg", SHAPE)
    asked = open_maps(tmp_path, kind="saliency").map_of("b.jpg", SHAPE)
    np.testing.assert_array_equal(asked, np.log(MAP / MAP.sum()))


def test_another_size_is_refused_unless_it_may_be_resized(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 3), 1 / 6))
    with pytest.raises(DataError, match=naming("a.npy", (4, 6), (2, 3), "resize=True", "--resize_maps")):
        open_maps(tmp_path).map_of("a.jpg", SHAPE)
    maps = open_maps(tmp_path, resize=True)
    assert maps.kind == "density"
    np.testing.assert_allclose(maps.map_of("a.jpg", SHAPE), 1 / 24)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, bad):
    np.save(tmp_path / "a.npy", np.where(MAP.max() == MAP, bad, MAP))
    with pytest.raises(DataError, match=naming("a.npy", 1, "NaN")):
        open_maps(tmp_path, kind="saliency").map_of("a.jpg", SHAPE)


def test_a_damaged_header_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", MAP)
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"}", b" "))  # NumPy raises a TokenError
    with pytest.raises(DataError, match=naming("a.npy", "numpy.save")):
        open_maps(tmp_path).map_of("a.jpg", SHAPE)


def test_a_map_of_terabytes_that_are_not_in_the_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "m.hdf5", "w") as file:
        file.create_dataset("a.jpg", shape=(10**6, 10**6), dtype="f4", chunks=True)
        file.create_dataset("b.jpg", shape=(20_000, 20_000), dtype="f4", chunks=True)  # 1.6 GB would fit into memory
    for name in ("a.jpg", "b.jpg"):
        with pytest.raises(DataError, match=naming("m.hdf5", f"/{name}")):
            open_maps(tmp_path / "m.hdf5").map_of(name, SHAPE)


def test_objects_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(FileError, match=naming(tmp_path, ".npy", ".png")):
        open_maps(tmp_path)
    np.save(tmp_path / "a.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(DataError, match=naming("a.npy", "numpy.save")):
        open_maps(tmp_path).map_of("a.jpg", (1, 1))
    with pytest.raises(FileError, match=naming(tmp_path / "none")):
        open_maps(tmp_path / "none")


def test_stored_maps_score_as_the_function_that_made_them(native_folder, tmp_path, monkeypatch):
    (tmp_path / "own_model.py").write_text(
        "def red(image):\n    return image[..., 0]\ndef flat(image):\n    return 1\n"
    )
    monkeypatch.chdir(tmp_path)
    red = load_function("own_model:red")
    examples = list(NativeArchive(native_folder).examples("all"))
    for example in examples:
        np.save(tmp_path / f"{example.name}.npy", red(example.stimulus()))
    direct, stored = evaluate(red, examples).mean(), evaluate(open_maps(tmp_path), examples).mean()
    assert direct == stored
    with pytest.raises(InputError, match=naming("own_model:flat", (61, 83))):
        evaluate(load_function("own_model:flat"), examples[:1])


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("numpy", ["package.module:function", "numpy"]),
        ("no_such_module_x:f", ["no_such_module_x"]),
        ("numpy:nix", ["numpy", "nix"]),
        ("numpy:pi", ["numpy:pi", "float"]),
    ],
)
def test_a_name_that_is_no_function_is_explained(name, named):
    with pytest.raises(InputError, match=naming(*named)):
        load_function(name)
