"""``mrsal aoi`` and ``mrsal check``."""

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mrsal.cli._options import (
    Device,
    DeviceOption,
    JsonOption,
    ModeOption,
    Precision,
    PrecisionOption,
    console,
    print_json,
)
from mrsal.errors import InputError

Boxes = Annotated[
    Path,
    typer.Option(help='Areas: {"name": [x, y, width, height]} in pixels, COCO, or an export of Label Studio.'),
]
Model = Annotated[
    str, typer.Option(help="A network, baseline, folder or HDF5 file of maps, or package.module:function.")
]


def aoi(
    image: Annotated[Path, typer.Argument(help="The picture.")],
    boxes: Boxes,
    compare: Annotated[Path | None, typer.Option(help="Another design, to compare with.")] = None,
    compare_boxes: Annotated[
        Path | None, typer.Option("--compare_boxes", help="Its areas; by default those of the first, pixel for pixel.")
    ] = None,
    out: Annotated[
        list[Path] | None, typer.Option(help="Write a picture (.png, .jpg) or table (.csv). May be repeated.")
    ] = None,
    json: JsonOption = False,
    observers: Annotated[int, typer.Option(min=1, help="Of the study that the interval is about.")] = 15,
    fixations: Annotated[int, typer.Option(min=1, help="Of each observer on the picture, in that study.")] = 6,
    level: Annotated[float, typer.Option(help="Of the interval.")] = 0.95,
    model: Model = "mrcnn-osie",
    mode: ModeOption = None,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
) -> None:
    """Share the attention that a picture gets among areas of interest; compare two designs.

    The interval is where the share would lie that a study with so many observers and fixations measures. It covers the model's
    error and chance in the sample. Only models that were calibrated have one: those that ship with mrsal.
    """
    from mrsal.aoi import check_out, compare_shares, difference_table, json_dict, measure, share_table, write_out
    from mrsal.images import image_size
    from mrsal.inference import open_model

    check_out(out or [], inputs=[path for path in (image, boxes, compare, compare_boxes) if path])
    if compare_boxes and not compare:
        raise InputError("--compare_boxes are the areas of another design; give that one with --compare")
    if compare and not compare_boxes and image_size(image) != image_size(compare):
        raise InputError(f"{image} and {compare} differ in size; give the second one's areas with --compare_boxes")
    study: dict[str, Any] = {"observers": observers, "fixations": fixations, "level": level}
    with warnings.catch_warnings(record=json, action="always" if json else None) as complaints:
        opened = open_model(model, mode=mode and mode.value, precision=precision.value, device=device.value)
        found = [measure(image, boxes, opened, **study)]
        if compare:
            of_other = compare_boxes or [share.area for share in found[0].shares]
            found.append(measure(compare, of_other, opened, **study))
    calibration = opened.calibration
    shares = [attention.shares for attention in found]
    differences = compare_shares(*shares, calibration=calibration, **study) if compare else []
    for path in out or []:
        write_out(path, found)
    if json:
        settings = {
            "model": model,
            "mode": opened.mode or None,
            **study,
            "calibration": calibration and asdict(calibration),
            "warnings": [str(c.message) for c in complaints or []],
        }
        print_json({**json_dict(found, differences), **settings})
        return
    for one in found:
        console.print(share_table(one, level=level))
    if compare:
        console.print(difference_table(found[0], found[1], differences, level=level))
    if calibration is None:
        console.print("interval: not calibrated for this model")
    else:
        console.print(
            f"{100 * level:g} %: where a study of {observers} observers with {fixations} fixations would measure it; covers "
            "the model's error and chance in the sample",
            soft_wrap=True,
        )
    for path in out or []:
        console.print(str(path), markup=False, soft_wrap=True)


def check(
    image: Annotated[Path, typer.Argument(help="The picture.")],
    boxes: Boxes,
    rule: Annotated[
        list[str],
        typer.Option(help="Such as 'cta>=0.15', 'cta>=15%', 'cta>logo'; with >=, >, <= or <. May be repeated."),
    ],
    json: JsonOption = False,
    model: Model = "mrcnn-osie",
    mode: ModeOption = None,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
) -> None:
    """Check that areas get the attention they should; for scripts.

    The exit status is 0 if all rules hold, 1 if one fails, and 2 if the rules, the boxes or the image are wrong.
    """
    from mrsal.aoi import check_rules, measure, parse_rule, read_areas
    from mrsal.images import image_size
    from mrsal.inference import open_model

    with warnings.catch_warnings(record=json, action="always" if json else None) as complaints:
        areas = read_areas(boxes, image=image, shape=image_size(image))
        rules = [parse_rule(text, [area.name for area in areas]) for text in rule]
        opened = open_model(model, mode=mode and mode.value, precision=precision.value, device=device.value)
        outcomes = check_rules(rules, measure(image, areas, opened).shares)
    if json:
        results = [{"rule": str(o.rule), "holds": o.holds, "left": o.left, "right": o.right} for o in outcomes]
        report = {"image": str(image), "rules": results, "warnings": [str(c.message) for c in complaints or []]}
        print_json(report)
    else:
        for outcome in outcomes:
            console.print(str(outcome), style=None if outcome.holds else "red", markup=False, soft_wrap=True)
    if not all(outcome.holds for outcome in outcomes):
        raise typer.Exit(1)
