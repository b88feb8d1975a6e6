"""The local page of ``mrsal serve``: Gradio in front of :mod:`mrsal.web.studio`, and nothing else.

The page needs no internet: its fonts are the system's, its scripts come with Gradio, and nothing is counted or sent.
"""

import os
import webbrowser
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from mrsal._extras import optional
from mrsal.aoi import compare_shares, read_areas
from mrsal.errors import FileError, InputError, MrsalError
from mrsal.images import EXTENSIONS
from mrsal.web.address import addresses, bare, free_port
from mrsal.web.options import ServeOptions
from mrsal.web.session import Designs, Desk, areas_of_rows, is_complete, rows_of_areas
from mrsal.web.studio import (
    DIFFERENCE_HEADINGS,
    SHARE_HEADINGS,
    SHOWN,
    Look,
    Prediction,
    Studio,
    difference_rows,
    share_rows,
    shares_on,
    view,
    write_files,
)

if TYPE_CHECKING:
    import gradio as gr
else:
    gr = optional("gradio", extra="web", purpose="the pages of mrsal serve")

_FIRST_PORT = 7860  # Gradio's own
_BOX_HEADINGS = ["name", "x", "y", "width", "height"]
_EMPTY = "Drop a picture on the left. Everything stays on the machine that runs this page."
_INTERVAL = (
    "*95 %: where a study of 15 observers with 6 fixations each would measure it. It covers the model's error and chance "
    "in the sample; – where the model is not calibrated.*"
)
_CSS = "footer {display: none !important} .gradio-container {max-width: 1500px !important}"


def serve(studio: Studio, *, host: str = ServeOptions.host, port: int | None = None, browser: bool = False) -> Any:
    """Serve the page, in a thread.

    Parameters
    ----------
    studio : Studio
    host : str
        Name or address to listen on; by default nobody but this machine can reach it.
    port : int, optional
        None: the first one that is free from 7860 on.
    browser : bool
        Open the page.

    Returns
    -------
    gradio.Blocks
        Running at its ``local_url``; wait with ``block_thread()``, end it with ``close()``.

    Raises
    ------
    FileError
        If the address or port cannot be had.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(studio.folder)  # uploads are gone when the server is
    everywhere = any(address.is_unspecified for address in addresses(host))
    host = bare(host)
    unproxied = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "localhost", host]
    os.environ["no_proxy"] = ",".join(filter(None, unproxied))  # Gradio asks its own page whether it is there
    port = free_port(host, [port] if port else range(_FIRST_PORT, _FIRST_PORT + 100))
    page = build(studio)
    page.queue(max_size=studio.limits.waiting, default_concurrency_limit=2, api_open=False)
    try:
        page.launch(
            server_name=f"[{host}]" if ":" in host else host,
            server_port=port,
            share=False,
            prevent_thread_lock=True,
            max_file_size=int(studio.limits.megabytes * 1e6),
            state_session_capacity=100,
            theme=gr.themes.Default(
                primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
            ),
            css=_CSS,
            footer_links=[],
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            quiet=True,
        )
    except OSError as error:
        raise FileError(f"cannot listen on {host}, port {port}: {error}; choose another --port") from error
    if everywhere:
        page.local_url = f"http://{'[::1]' if ':' in host else 'localhost'}:{port}/"
    if browser:
        webbrowser.open(page.local_url)
    return page


def build(studio: Studio) -> Any:
    """The page, a ``gradio.Blocks`` that is yet to be launched."""
    with gr.Blocks(title="mrsal", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        with gr.Row():
            with gr.Column(min_width=240):
                gr.Markdown("# mrsal\nWhere do people look in a picture?", elem_id="title")
            model = gr.Dropdown(list(studio.models), value=studio.models[0], label="Model", elem_id="model")
            mode = gr.Radio(["fast", "exact"], value="fast", label="Mode (fast is nearly exact)", elem_id="mode")
        with gr.Tab("Pictures"):
            _pictures(studio, model, mode)
        with gr.Tab("Compare two designs"):
            _designs(studio, model, mode)
    return page


def _pictures(studio: Studio, model: Any, mode: Any) -> None:
    """The tab with one or several pictures."""
    desk, limits = gr.State(Desk()), studio.limits
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            files = gr.File(
                file_count="multiple", file_types=[*EXTENSIONS], label="Pictures", height=140, elem_id="files"
            )
            chosen = gr.Dropdown([], label="Picture shown", interactive=True, elem_id="chosen")
            show = gr.Radio(list(SHOWN), value=SHOWN[0], label="As", elem_id="show")
            opacity = gr.Slider(0, 1, 0.6, step=0.05, label="Opacity of the heatmap", elem_id="opacity")
            contours = [(f"{share} %", share / 100) for share in (25, 50, 75)]
            levels = gr.CheckboxGroup(contours, label="Smallest region with so much attention", elem_id="levels")
            spots = gr.Slider(0, 10, 5, step=1, label="Strongest spots, in predicted order", elem_id="spots")
        with gr.Column(scale=3):
            status = gr.Markdown(_EMPTY, elem_id="status")
            image = _image("Click two opposite corners of an area of interest", "view")
            shares = _table(SHARE_HEADINGS, "Attention of each area", "shares")
            gr.Markdown(_INTERVAL)
            areas = _box_table("Areas in pixels: edit, rename, add", "areas")
            with gr.Row():
                undo = gr.Button("Remove the last area", size="sm", elem_id="undo")
                clear = gr.Button("Remove all areas", size="sm", elem_id="clear")
                load = gr.UploadButton("Load boxes (.json)", file_types=[".json"], size="sm", elem_id="load")
                make = gr.Button("Make files to download", size="sm", variant="primary", elem_id="make")
            made = gr.File(label="Map, picture, spots, areas", visible=False, elem_id="made")
    looks = [model, mode, show, opacity, levels, spots]
    inputs, outputs = [desk, *looks], [desk, image, areas, shares, status]

    def drawn(on: Desk, model: str, mode: str, *look: Any) -> list[Any]:
        if on.path is None:
            return [on, None, [], [], _EMPTY]
        found = studio.predict(on.path, model, mode)
        got = shares_on(found, on.current)
        picture = view(found, got, _look(*look), corner=on.corner)
        height, width = found.shape
        step = "now click the opposite corner" if on.corner else "click two opposite corners for an area of interest"
        status = f"**{_plain(on.chosen)}**, {width}x{height} pixels: {step}."
        return [on, picture, rows_of_areas(on.current), share_rows(got), status]

    def on_files(paths: list[str] | None, on: Desk, *look: Any) -> list[Any]:
        on, complaints = on.with_files(paths or [], limits)
        for complaint in complaints:
            gr.Warning(_plain(complaint), duration=None)
        return [gr.Dropdown(choices=list(on.paths), value=on.chosen or None), *drawn(on, *look)]

    def on_click(event: gr.SelectData, on: Desk, model: str, mode: str, *look: Any) -> list[Any]:
        if on.path:
            on = on.click(*studio.predict(on.path, model, mode).point(*event.index), limits)
        return drawn(on, model, mode, *look)

    def on_edit(rows: list[list[Any]], on: Desk, model: str, mode: str, *look: Any) -> list[Any]:
        if on.path:
            on = on.with_areas(areas_of_rows(rows, studio.predict(on.path, model, mode).shape), limits)
        found = drawn(on, model, mode, *look)
        return found if is_complete(rows) else [*found[:2], gr.skip(), *found[3:]]  # do not disturb who is typing

    def on_load(path: str, on: Desk, model: str, mode: str, *look: Any) -> list[Any]:
        if on.path is None:
            raise InputError("drop a picture first: boxes belong to one")
        boxes = read_areas(path, image=on.chosen, shape=studio.predict(on.path, model, mode).shape)
        return drawn(on.with_areas(boxes, limits), model, mode, *look)

    def on_make(on: Desk, model: str, mode: str, *look: Any) -> Any:
        if on.path is None:
            raise InputError("drop a picture first")
        found = studio.predict(on.path, model, mode)
        written = write_files(studio.new_folder(), found, shares_on(found, on.current), _look(*look))
        return gr.File([str(path) for path in written], visible=True)

    _listen(files.change, on_files, [files, *inputs], [chosen, *outputs])
    _listen(image.select, on_click, inputs, outputs)
    _listen(chosen.input, lambda name, on, *look: drawn(on.choose(name), *look), [chosen, *inputs], outputs)
    _listen(areas.input, on_edit, [areas, *inputs], outputs)
    _listen(load.upload, on_load, [load, *inputs], outputs)
    _listen(undo.click, lambda on, *look: drawn(on.with_areas(on.current[:-1], limits), *look), inputs, outputs)
    _listen(clear.click, lambda on, *look: drawn(on.with_areas([], limits), *look), inputs, outputs)
    _listen(make.click, on_make, inputs, made)
    for control in looks:
        _listen(control.change, drawn, inputs, outputs, trigger_mode="always_last")


def _designs(studio: Studio, model: Any, mode: Any) -> None:
    """The tab with two designs side by side."""
    pair, limits = gr.State(Designs()), studio.limits
    with gr.Row():
        same = gr.Checkbox(True, label="B has A's areas, pixel for pixel", elem_id="same")
        opacity = gr.Slider(0, 1, 0.6, step=0.05, label="Opacity of the heatmap", elem_id="opacity_ab")
    with gr.Row():
        drops, images = [], []
        for letter in "AB":
            with gr.Column():
                drops.append(
                    gr.File(file_types=[*EXTENSIONS], label=f"Design {letter}", height=140, elem_id=f"file_{letter}")
                )
                images.append(_image(f"{letter}: click two opposite corners of an area", f"view_{letter}"))
    table = _table(DIFFERENCE_HEADINGS, "Share of the attention in each design", "differences")
    gr.Markdown(_INTERVAL)
    with gr.Row():
        tables = []
        for letter in "AB":
            with gr.Column():
                tables.append(_box_table(f"Areas of {letter} in pixels: edit, rename, add", f"areas_{letter}"))
    clear = gr.Button("Remove all areas", size="sm", elem_id="clear_AB")
    looks = [model, mode, same, opacity]
    inputs, outputs = [pair, *looks], [pair, *images, *tables, table]

    def predicted(on: Designs, model: str, mode: str) -> list[Prediction | None]:
        return [studio.predict(desk.path, model, mode) if desk.path else None for desk in on.sides]

    def drawn(on: Designs, model: str, mode: str, same: bool, opacity: float) -> list[Any]:
        on = on.sharing(same)
        pictures, rows, shares = [], [], []
        predictions = predicted(on, model, mode)
        for side, found in enumerate(predictions):
            areas = on.areas(side, found.shape) if found else []
            rows.append(rows_of_areas(areas))
            shares.append(shares_on(found, areas) if found else [])
            look = Look(opacity=opacity)
            pictures.append(view(found, shares[side], look, corner=on.corner(side)) if found else None)
        alike = {share.area.name for share in shares[0]} & {share.area.name for share in shares[1]}
        calibration = next((found.calibration for found in predictions if found), None)  # of the one model for both
        differences = difference_rows(compare_shares(*shares, calibration=calibration)) if alike else []
        return [on, *pictures, *rows, differences]

    def on_drop(side: int) -> Callable[..., list[Any]]:
        def handle(path: str | None, on: Designs, *look: Any) -> list[Any]:
            on, complaints = on.with_file(side, path, limits)
            for complaint in complaints:
                gr.Warning(_plain(complaint), duration=None)
            return drawn(on, *look)

        return handle

    def on_click(side: int) -> Callable[..., list[Any]]:
        def handle(event: gr.SelectData, on: Designs, model: str, mode: str, *look: Any) -> list[Any]:
            if found := predicted(on, model, mode)[side]:
                on = on.click(side, *found.point(*event.index), limits)
            return drawn(on, model, mode, *look)

        return handle

    def on_edit(side: int) -> Callable[..., list[Any]]:
        def handle(rows: list[list[Any]], on: Designs, model: str, mode: str, *look: Any) -> list[Any]:
            shapes = [found.shape if found else (0, 0) for found in predicted(on, model, mode)]
            if on.sides[side].path:
                on = on.with_rows(side, rows, shapes, limits)
            found = drawn(on, model, mode, *look)
            if not is_complete(rows):
                found[3 + side] = gr.skip()
            return found

        return handle

    for side in range(2):
        _listen(drops[side].change, on_drop(side), [drops[side], *inputs], outputs)
        _listen(images[side].select, on_click(side), inputs, outputs)
        _listen(tables[side].input, on_edit(side), [tables[side], *inputs], outputs)
    _listen(clear.click, lambda on, *look: drawn(on.cleared(), *look), inputs, outputs)
    for control in looks:
        _listen(control.change, drawn, inputs, outputs, trigger_mode="always_last")


def _listen(
    event: Callable[..., Any], handle: Callable[..., Any], inputs: list[Any], outputs: Any, **options: Any
) -> None:
    """Have an event handled; what a person can mend is said on the page, in the words of the error."""

    @wraps(handle)
    def said(*values: Any) -> Any:
        try:
            return handle(*values)
        except MrsalError as error:
            raise gr.Error(_plain(str(error)), duration=None, print_exception=False) from error

    event(said, inputs, outputs, show_progress="minimal", api_visibility="private", **options)


def _plain(text: str) -> str:
    """A file's name is text and no HTML: messages and Markdown are shown as that."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("*", "\\*").replace("_", "\\_")


def _look(show: str, opacity: float, levels: list[float], spots: float) -> Look:
    return Look(show=show, opacity=opacity, levels=tuple(levels), spots=int(spots))


def _image(label: str, name: str) -> Any:
    return gr.Image(
        label=label, show_label=False, interactive=False, format="jpeg", buttons=["fullscreen"], elem_id=name
    )


def _table(headings: tuple[str, ...], label: str, name: str) -> Any:
    return gr.Dataframe(
        headers=list(headings),
        column_count=len(headings),
        label=label,
        interactive=False,
        elem_id=name,
        buttons=["copy"],
    )


def _box_table(label: str, name: str) -> Any:
    return gr.Dataframe(
        headers=_BOX_HEADINGS,
        column_count=5,
        datatype=["str", *4 * ["number"]],
        type="array",
        label=label,
        interactive=True,
        elem_id=name,
        buttons=[],
    )
