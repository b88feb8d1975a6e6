"""``mrsal aoi`` and ``mrsal check``."""

import warnings
from dataclasses import asdict
from typing import Any

import typer

from mrsal.aoi import AoiOptions, CheckOptions
from mrsal.cli._options import command, console, print_json
from mrsal.errors import InputError


@command(AoiOptions)
def aoi(options: AoiOptions, *, json: bool) -> None:
    """Share the attention that a picture gets among areas of interest; compare two designs.

    The interval is where the share would lie that a study with so many observers and fixations measures. It covers the model's
    error and chance in the sample. Only models that were calibrated have one: those that ship with mrsal.
    """
    from mrsal.aoi import check_out, compare_shares, difference_table, json_dict, measure, share_table, write_out
    from mrsal.images import image_size
    from mrsal.inference import open_model

    image, boxes, compare, compare_boxes = options.image, options.boxes, options.compare, options.compare_boxes
    check_out(options.out, inputs=[path for path in (image, boxes, compare, compare_boxes) if path])
    if compare and not compare_boxes and image_size(image) != image_size(compare):
        raise InputError(f"{image} and {compare} differ in size; give the second one's areas with --compare_boxes")
    with warnings.catch_warnings(record=json, action="always" if json else None) as complaints:
        opened = open_model(options.model, mode=options.mode, precision=options.precision, device=options.device)
        found = [measure(image, boxes, opened, study=options.study)]
        if compare:
            of_other = compare_boxes or [share.area for share in found[0].shares]
            found.append(measure(compare, of_other, opened, study=options.study))
    study: dict[str, Any] = {"observers": options.observers, "fixations": options.fixations, "level": options.level}
    calibration = opened.calibration
    shares = [attention.shares for attention in found]
    differences = compare_shares(*shares, calibration=calibration, **study) if compare else []
    for path in options.out:
        write_out(path, found)
    if json:
        settings = {
            "model": options.model,
            "mode": opened.mode or None,
            **study,
            "calibration": calibration and asdict(calibration),
            "warnings": [str(c.message) for c in complaints or []],
        }
        print_json({**json_dict(found, differences), **settings})
        return
    for one in found:
        console.print(share_table(one, level=options.level))
    if compare:
        console.print(difference_table(found[0], found[1], differences, level=options.level))
    if calibration is None:
        console.print("interval: not calibrated for this model")
    else:
        console.print(
            f"{100 * options.level:g} %: where a study of {options.observers} observers with {options.fixations} fixations "
            "would measure it; covers the model's error and chance in the sample",
            soft_wrap=True,
        )
    for path in options.out:
        console.print(str(path), markup=False, soft_wrap=True)


@command(CheckOptions)
def check(options: CheckOptions, *, json: bool) -> None:
    """Check that areas get the attention they should; for scripts.

    The exit status is 0 if all rules hold, 1 if one fails, and 2 if the rules, the boxes or the image are wrong.
    """
    from mrsal.aoi import check_rules, measure, parse_rule, read_areas
    from mrsal.images import image_size
    from mrsal.inference import open_model

    with warnings.catch_warnings(record=json, action="always" if json else None) as complaints:
        areas = read_areas(options.boxes, image=options.image, shape=image_size(options.image))
        rules = [parse_rule(text, [area.name for area in areas]) for text in options.rule]
        opened = open_model(options.model, mode=options.mode, precision=options.precision, device=options.device)
        outcomes = check_rules(rules, measure(options.image, areas, opened).shares)
    if json:
        results = [{"rule": str(o.rule), "holds": o.holds, "left": o.left, "right": o.right} for o in outcomes]
        report = {"image": str(options.image), "rules": results, "warnings": [str(c.message) for c in complaints or []]}
        print_json(report)
    else:
        for outcome in outcomes:
            console.print(str(outcome), style=None if outcome.holds else "red", markup=False, soft_wrap=True)
    if not all(outcome.holds for outcome in outcomes):
        raise typer.Exit(1)
