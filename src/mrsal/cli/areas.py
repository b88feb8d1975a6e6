"""``mrsal aoi`` and ``mrsal check``."""

import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mrsal.aoi import AoiOptions, CheckOptions
from mrsal.cli._options import command, console, print_json, readable
from mrsal.cli.video_areas import aoi_video, areas_of, measured, model_of, refuse_for_image
from mrsal.errors import InputError

if TYPE_CHECKING:
    from mrsal.aoi import Attention

log = logging.getLogger("mrsal")


@command(AoiOptions)
def aoi(options: AoiOptions, *, json: bool) -> None:
    """Measure the share of attention of areas in an image or video.

    With --compare, two designs are compared. The interval is where a study with the given numbers of observers and fixations
    would measure the share. It covers the error of the model and the chance in such a sample. Only calibrated models have
    intervals: the networks that ship with mrsal. With --fixations, the measured shares of your study stand beside the
    predicted ones. For a video, the share in each frame is measured, and the areas may move.
    """
    from mrsal.aoi import (
        Report,
        check_out,
        clear_text,
        compare_shares,
        difference_table,
        interval_text,
        is_video,
        json_dict,
        measure,
        measured_table,
        read_looks,
        share_table,
        write_out,
    )
    from mrsal.images import image_size

    if is_video(options.image):
        aoi_video(options, json=json)
        return
    refuse_for_image(options)
    image, boxes, compare, compare_boxes = options.image, options.boxes, options.compare, options.compare_boxes
    check_out(options.out, inputs=[path for path in (image, boxes, compare, compare_boxes, options.fixations) if path])
    if compare and not compare_boxes and image_size(image) != image_size(compare):
        raise InputError(f"{image} and {compare} differ in size; give the areas of the second one with --compare_boxes")
    images = [image, compare] if compare else [image]
    with warnings.catch_warnings(record=json, action="always" if json else None) as caught:
        looks = read_looks(options.fixations, images, options.table) if options.fixations else [None for _ in images]
        opened = model_of(options)
        attentions = [measure(image, boxes, opened, study=options.study, looks=looks[0])]
        if compare:
            second_boxes = compare_boxes or [share.area for share in attentions[0].shares]
            attentions.append(measure(compare, second_boxes, opened, study=options.study, looks=looks[1]))
        study, calibration = asdict(options.study), opened.calibration
        shares = [attention.shares for attention in attentions]
        differences = compare_shares(*shares, calibration=calibration, **study) if compare else []
        notes = [note for path, attention in zip(images, attentions, strict=True) for note in _notes(path, attention)]
        report = Report(
            attentions,
            differences,
            study=options.study,
            model=readable(options.model),
            mode=opened.mode or None,
            is_calibrated=calibration is not None,
            notes=notes,
            title=readable(options.title or ""),
        )
        for path in options.out:
            write_out(path, report)
    if json:
        settings = {
            "model": options.model,
            "mode": report.mode,
            **study,
            "calibration": calibration and asdict(calibration),
            "warnings": [str(c.message) for c in caught or []],
            "notes": notes,
        }
        print_json({**json_dict(attentions, differences), "summary": report.summary, **settings})
        return
    for attention in attentions:
        console.print(share_table(attention, level=options.level))
        if (table := measured_table(attention, level=options.level)) is not None:
            console.print(table)
    if compare:
        console.print(difference_table(attentions[0], attentions[1], differences, level=options.level))
        console.print(report.summary, markup=False, soft_wrap=True)
    if calibration is None:
        console.print("no intervals: this model is not calibrated")
    else:
        console.print(interval_text(options.study, is_comparison=report.is_comparison), soft_wrap=True)
        if compare:
            console.print(clear_text(options.level, len(differences)), soft_wrap=True)
    for path in options.out:
        console.print(str(path), markup=False, soft_wrap=True)


@command(CheckOptions)
def check(options: CheckOptions, *, json: bool) -> None:
    """Check whether areas get the attention they should.

    For a video, the rules are about the mean shares over the whole video. The exit status is 0 if all rules hold, 1 if one does
    not or the video is damaged, and 2 if the rules, the boxes or the image are wrong.
    """
    from mrsal.aoi import check_rules, is_video, measure, parse_rule, read_areas
    from mrsal.images import image_size

    damage, notes = "", []
    with warnings.catch_warnings(record=json, action="always" if json else None) as caught:
        if is_video(options.image):
            moving = areas_of(options)
            rules = [parse_rule(text, [area.name for area in moving]) for text in options.rule]
            _, result = measured(options, moving)
            outcomes = check_rules(rules, {summary.name: summary.mean for summary in result.summaries()})
            damage = result.damage
        else:
            refuse_for_image(options)
            areas = read_areas(options.boxes, image=options.image, shape=image_size(options.image))
            rules = [parse_rule(text, [area.name for area in areas]) for text in options.rule]
            attention = measure(options.image, areas, model_of(options))
            outcomes = check_rules(rules, attention.shares)
            notes = _notes(options.image, attention)
    if json:
        results = [
            {"rule": str(outcome.rule), "holds": outcome.holds, "left": outcome.left, "right": outcome.right}
            for outcome in outcomes
        ]
        messages = [str(c.message) for c in caught or []]
        about = {"image": str(options.image), **({"damage": damage} if damage else {})}
        print_json({**about, "rules": results, "warnings": messages, "notes": notes})
    else:
        for outcome in outcomes:
            console.print(str(outcome), style=None if outcome.holds else "red", markup=False, soft_wrap=True)
    if damage or not all(outcome.holds for outcome in outcomes):
        raise typer.Exit(1)


def _notes(path: Path, attention: "Attention") -> list[str]:
    """Log and return what the user should know about the map: that it is of the first page, or was predicted in windows."""
    from mrsal.images import first_page_note

    notes = [f"{readable(str(path))}: {note}" for note in (first_page_note(path), attention.saliency.note()) if note]
    for note in notes:
        log.info("%s", note)
    return notes
