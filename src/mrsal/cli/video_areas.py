"""``mrsal aoi`` and ``mrsal check`` for a video."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mrsal.aoi import AoiOptions, CheckOptions
from mrsal.cli._options import console, print_json
from mrsal.errors import InputError

if TYPE_CHECKING:
    from mrsal.aoi import Area, MovingArea, VideoShares
    from mrsal.evaluation import ModelOptions
    from mrsal.inference import SaliencyModel

log = logging.getLogger("mrsal")


def refuse_for_image(options: AoiOptions | CheckOptions) -> None:
    """Refuse options that have no meaning for an image."""
    given = {"--every": options.every != AoiOptions.every, "--smoothing": options.smoothing != AoiOptions.smoothing}
    if names := [name for name, is_given in given.items() if is_given]:
        raise InputError(f"{', '.join(names)} would have no effect on {options.image}, which is no video; leave it out")


def aoi_video(options: AoiOptions, *, json: bool) -> None:
    """Measure the areas of a video; the exit status is 1 if it is damaged."""
    from mrsal.aoi import check_video_out, video_json, video_table

    _refuse_for_video(options)
    check_video_out(options.out, inputs=[options.image, options.boxes])
    with warnings.catch_warnings(record=json, action="always" if json else None) as caught:
        mode, result = measured(options, areas_of(options), out=options.out)
    if json:
        about = {
            "model": options.model,
            "mode": mode or None,
            "every": options.every,
            "smoothing": options.smoothing,
        }
        print_json({**video_json(result), **about, "warnings": [str(c.message) for c in caught or []]})
    else:
        console.print(video_table(result))
        console.print(
            "mean: over the whole video, and 0 while an area is hidden; there are no intervals, since the calibration is for "
            "images that are looked at for seconds",
            soft_wrap=True,
        )
        for path in options.out:
            console.print(str(path), markup=False, soft_wrap=True)
    if result.damage:
        raise typer.Exit(1)


def _refuse_for_video(options: AoiOptions) -> None:
    """Refuse options that have no meaning for a video."""
    given = {
        "--compare": options.compare,
        "--compare_boxes": options.compare_boxes,
        "--fixations": options.fixations,
        "--observers": options.observers != AoiOptions.observers,
        "--per_observer": options.per_observer != AoiOptions.per_observer,
        "--level": options.level != AoiOptions.level,
        "--title": options.title,
    }
    if names := [name for name, is_given in given.items() if is_given]:
        raise InputError(f"{', '.join(names)} would have no effect on a video such as {options.image}; leave it out")


def areas_of(options: AoiOptions | CheckOptions) -> "list[Area | MovingArea]":
    """The areas in the file that the options name."""
    from mrsal.aoi import read_moving_areas, video_shape

    return read_moving_areas(options.boxes, video=options.image, shape=video_shape(options.image))


def model_of(options: "ModelOptions") -> "SaliencyModel":
    """The model that measures areas, of an image or of a video."""
    from mrsal.inference import open_model

    return open_model(
        options.model,
        mode=options.mode,
        precision=options.precision,
        device=options.device,
        adjustment=options.adjustment,
    )


def measured(
    options: AoiOptions | CheckOptions, areas: "Sequence[Area | MovingArea]", *, out: Sequence[Path] = ()
) -> tuple[str, "VideoShares"]:
    """The mode of the model, which is that for videos unless the user chose another, and the shares; logs damage."""
    from mrsal.aoi import measure_video
    from mrsal.progress import progress_bar

    model = model_of(options)
    model = model if options.mode else model.with_mode(model.video_mode)
    with progress_bar(console) as bar:
        task = bar.add_task("measuring", total=None, note="")

        def on_frame(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total, note=f"frame {done}" + (f" of {total}" if total else ""))

        result = measure_video(
            options.image, areas, model, every=options.every, smoothing=options.smoothing, out=out, on_frame=on_frame
        )
    if result.damage:
        count = len(result.times)
        log.error("%s is %s; the %d frames that can be decoded were measured", options.image, result.damage, count)
    return model.mode, result
