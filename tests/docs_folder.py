"""The folder in which the documentation's code blocks run: small made-up data under the names that the pages use."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from tiny_network import tiny

from mrsal import datasets, evaluate
from mrsal.datasets.archives import historical, native
from mrsal.datasets.synthetic import write_synthetic
from mrsal.inference.simple_models import centre, spectral_residual
from mrsal.model.checkpoint import save_checkpoint
from mrsal.model.network import MrCNN

SCENES = 9  # OSIE's split makes of them two for test and two for val


def write_docs_folder(root: Path) -> Path:
    """Fill ``root``; returns it."""
    own = write_synthetic(root / "data/own", scenes=SCENES, observers=5, fixations=4)
    dataset = datasets.load("folder", own)
    _write_lab(root / "data/lab", dataset)
    _write_osie(root / "data/osie", dataset)
    _write_mit1003(root / "data/mit1003", dataset)
    osie = datasets.load("osie", root / "data/osie")
    for name, source in {
        "own": dataset,
        "osie": osie,
        "mit1003": datasets.load("mit1003", root / "data/mit1003"),
        "sun": osie,
        "crowd": osie,
    }.items():
        native.write_native(source, root / f"data/{name}-archive")
    historical.write_pth(osie, root / "data")

    for folder in ("photos", "stimuli", "their-maps"):
        (root / folder).mkdir()
    for i, stimulus in enumerate(osie.stimuli):
        if i < 3:
            shutil.copy(stimulus.path, root / f"photos/{i}.jpg")
            shutil.copy(stimulus.path, root / f"stimuli/{i}.jpg")
        np.save(root / f"their-maps/{stimulus.path.stem}.npy", spectral_residual(stimulus.read()))
    shutil.copy(root / "photos/0.jpg", root / "photo.jpg")
    for design in ("page", "other", "layout"):
        Image.new("RGB", (640, 480), "grey").save(root / f"{design}.png")
    for boxes in ("boxes", "other"):  # the button takes a third of the page, and so of anybody's attention
        (root / f"{boxes}.json").write_text('{"cta": [60, 200, 520, 230], "logo": [20, 10, 150, 45]}')
    (root / "moving.json").write_text(
        '{"cta": [{"time": 0, "area": [0, 0, 50, 40]}, {"time": 0.2, "area": [90, 60, 50, 40]}]}'
    )
    (root / "logo.json").write_text('{"logo": [100, 10, 40, 20]}')
    _write_pages(root, dataset)
    looks = [f"page,p{i % 4},{40 + 97 * i % 600},{30 + 53 * i % 440},{i // 4 * 300},{200 + i}" for i in range(24)]
    (root / "study.csv").write_text("\n".join(["stimulus,subject,x,y,start_ms,duration_ms", *looks]) + "\n")
    _write_film(root / "film.mp4", dataset.stimuli[0].read()[:120, :160])

    checkpoint = save_checkpoint(MrCNN(tiny()), root / "cnn_epoch_1.pth")
    for run in ("trained/before", "runs/trained/before"):
        (root / run).mkdir(parents=True)
        for name in ("cnn_epoch_1.pth", "cnn_best.pth"):
            os.link(checkpoint, root / run / name)
    examples = list(native.NativeArchive(root / "data/osie-archive").examples("test"))
    for name, model in {"before": centre, "earlier": spectral_residual}.items():
        evaluate(model, examples, name=name).save(root / f"runs/eval/{name}/scores.csv")
    return root


def _write_lab(root, dataset):
    """A fixation report of EyeLink Data Viewer: images of 320x240, enlarged three times in the centre of 1024x768."""
    (root / "stimuli").mkdir(parents=True)
    rows = ["RECORDING_SESSION_LABEL\tTRIAL_INDEX\timage\tCURRENT_FIX_X\tCURRENT_FIX_Y\tCURRENT_FIX_DURATION"]
    for i, stimulus in enumerate(dataset.stimuli):
        shutil.copy(stimulus.path, root / "stimuli" / f"scene{i}.png")
        fixations = dataset.fixations_of(i)
        for x, y, subject in zip(fixations.x, fixations.y, fixations.subject, strict=True):
            rows.append(f"p{subject}\t{i}\tscenes\\scene{i}.png\t{3 * x + 32:.1f}\t{3 * y + 24:.1f}\t250")
        rows.append(f"p0\t{i}\tscenes\\scene{i}.png\t.\t.\t80")
    rows += ["p0\t9\tcalibration.png\t512.0\t384.0\t300", "p1\t3\tscenes\\scene3.png\t700.5\t-12.0\t220"]
    (root / "fixations.txt").write_text("\n".join(rows) + "\n")


def _write_osie(root, dataset):
    """The layout of OSIE: positions from 1, durations in ms."""
    (root / "data/stimuli").mkdir(parents=True)
    (root / "data/eye").mkdir()
    records = []
    for i, stimulus in enumerate(dataset.stimuli):
        Image.fromarray(stimulus.read()).save(root / f"data/stimuli/{1001 + i}.jpg")
        points = dataset.fixations_of(i)
        subjects = np.empty(5, object)
        for subject in range(5):
            own = points.where(points.subject == subject)
            subjects[subject] = {"fix_x": own.x + 1, "fix_y": own.y + 1, "fix_duration": own.duration * 1000}
        records.append({"img": f"{1001 + i}.jpg", "subjects": subjects})
    table = np.empty(len(records), object)
    table[:] = records
    savemat(root / "data/eye/fixations.mat", {"fixations": table})


def _write_mit1003(root, dataset):
    """The layout of MIT1003, with a list of test images; 18 images, so that there are two to validate on."""
    (root / "ALLSTIMULI").mkdir(parents=True)
    rows = ["stimulus,subject,x,y,start_s,end_s"]
    for i in range(18):
        Image.fromarray(dataset.stimuli[i % SCENES].read()).save(root / f"ALLSTIMULI/i{i}.jpeg")
        points = dataset.fixations_of(i % SCENES)
        rows += [f"i{i},s{s},{x},{y},," for s, x, y in zip(points.subject, points.x, points.y, strict=True)]
    (root / "fixations.csv").write_text("\n".join(rows) + "\n")
    (root / "coursework_test_split.txt").write_text("i0\ni1\n")


def _write_pages(root, dataset):
    """A document of two pages, and a photograph as an iPhone writes it."""
    pillow_heif = pytest.importorskip("pillow_heif")
    pytest.importorskip("pypdfium2")
    first, second = (Image.fromarray(dataset.stimuli[i].read()) for i in (0, 1))
    first.save(root / "slides.pdf", save_all=True, append_images=[second], resolution=150)
    pillow_heif.from_pillow(first).save(root / "IMG_0815.HEIC")


def _write_film(path, picture):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
        for shift in range(3):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 8 * shift, axis=1), format="rgb24")
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
