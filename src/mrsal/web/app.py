"""The page of ``mrsal serve``, made with Gradio; :mod:`mrsal.web.studio` computes what it shows.

The page needs no internet connection: it uses the fonts of the system and the scripts of Gradio, and it sends nothing anywhere.
"""

import warnings
import webbrowser
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from mrsal._extras import optional
from mrsal.aoi import Report, read_areas
from mrsal.errors import FileError, InputError, MrsalError
from mrsal.images import EXTENSIONS, PDF
from mrsal.web.address import addresses, bare, free_port
from mrsal.web.options import ServeOptions
from mrsal.web.session import Designs, Workspace, is_to_replace, rows_of_areas
from mrsal.web.studio import (
    DIFFERENCE_HEADINGS,
    SHARE_HEADINGS,
    SHOWN,
    Display,
    Prediction,
    Studio,
    difference_rows,
    share_rows,
    shares_on,
    view,
    write_files,
)
from mrsal.web.two_designs import comparison_report, comparison_view, write_reports

if TYPE_CHECKING:
    import gradio as gr
else:
    gr = optional("gradio", extra="web", purpose="the pages of mrsal serve")

_FIRST_PORT = 7860  # the default of Gradio
_BOX_HEADINGS = ["name", "x", "y", "width", "height"]
_EMPTY = "Drop an image into the box. It stays on the machine that runs this page."
_INTERVAL = (
    "*95 %: the interval in which a study with 15 observers and 6 fixations each would measure the share. It covers the "
    "error of the model and the chance in such a sample. A dash means that the model is not calibrated.*"
)
_CSS = "footer {display: none !important} .gradio-container {max-width: 1500px !important}"


def serve(studio: Studio, *, host: str = ServeOptions.host, port: int | None = None, browser: bool = False) -> Any:
    """Start the page in a thread.

    Parameters
    ----------
    studio : Studio
    host : str
        The name or address to listen on. With the default, only this machine can reach the page.
    port : int, optional
        The port to listen on. By default the first free one from 7860 on.
    browser : bool
        Whether to open the page in a browser.

    Returns
    -------
    gradio.Blocks
        The running page. Its address is ``local_url``; ``block_thread()`` waits for its end, and ``close()`` ends it.

    Raises
    ------
    FileError
        If the page cannot listen on the address or port.

    Notes
    -----
    Gradio reads two settings from environment variables, which this function leaves alone and ``mrsal serve`` sets. It stores
    uploads in the folder ``GRADIO_TEMP_DIR``. At the start it sends a request to its own page; if requests go through a proxy,
    ``no_proxy`` must contain the host and ``localhost``.
    """
    everywhere = any(address.is_unspecified for address in addresses(host))
    host = bare(host)
    port = free_port(host, [port] if port else range(_FIRST_PORT, _FIRST_PORT + 100))
    page = build(studio)
    page.queue(max_size=studio.limits.waiting, api_open=False)
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
    """The page as a ``gradio.Blocks``, not started yet."""
    with gr.Blocks(title="mrsal", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        with gr.Row():
            with gr.Column(min_width=240):
                gr.Markdown("# mrsal\nWhere do people look in an image?", elem_id="title")
            model = gr.Dropdown(list(studio.models), value=studio.models[0], label="Model", elem_id="model")
            mode = gr.Radio(["fast", "exact"], value="fast", label="Mode, for Mr-CNN only", elem_id="mode")
        with gr.Tab("Images"):
            _images_tab(studio, model, mode)
        with gr.Tab("Compare two designs"):
            _designs_tab(studio, model, mode)
    return page


def _images_tab(studio: Studio, model: Any, mode: Any) -> None:
    """The tab with one or several images."""
    state, limits = gr.State(Workspace()), studio.limits
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            files = gr.File(
                file_count="multiple", file_types=[*EXTENSIONS, PDF], label="Images", height=140, elem_id="files"
            )
            chosen = gr.Dropdown([], label="Image shown", interactive=True, elem_id="chosen")
            show = gr.Radio(list(SHOWN), value=SHOWN[0], label="Show", elem_id="show")
            opacity = gr.Slider(0, 1, 0.6, step=0.05, label="Opacity of the heatmap", elem_id="opacity")
            contours = [(f"{share} %", share / 100) for share in (25, 50, 75)]
            levels = gr.CheckboxGroup(contours, label="Outline the smallest region with", elem_id="levels")
            spots = gr.Slider(0, 10, 5, step=1, label="Strongest spots, in predicted order", elem_id="spots")
        with gr.Column(scale=3):
            status = gr.Markdown(_EMPTY, elem_id="status")
            picture = _picture("Click two opposite corners of an area of interest", "view")
            table = _table(SHARE_HEADINGS, "Attention of each area", "shares")
            gr.Markdown(_INTERVAL)
            boxes = _box_table("Areas in pixels: edit, rename, add", "areas")
            with gr.Row():
                undo = gr.Button("Remove the last area", size="sm", elem_id="undo")
                clear = gr.Button("Remove all areas", size="sm", elem_id="clear")
                load = gr.UploadButton(
                    "Load areas (.json, .csv, .xml, .png)",
                    file_types=[".json", ".csv", ".xml", ".png"],
                    size="sm",
                    elem_id="load",
                )
                make = gr.Button("Make files to download", size="sm", variant="primary", elem_id="make")
            made = gr.File(label="Map, picture, spots, areas", visible=False, elem_id="made")
    controls = [model, mode, show, opacity, levels, spots]
    inputs, outputs = [state, *controls], [state, picture, boxes, table, status]

    def drawn(workspace: Workspace, model: str, mode: str, *settings: Any) -> list[Any]:
        if workspace.path is None:
            return [workspace, None, [], [], _EMPTY]
        prediction = studio.predict(workspace.path, model, mode)
        shares = shares_on(prediction, workspace.current)
        height, width = prediction.shape
        step = "now click the opposite corner" if workspace.corner else "click two opposite corners to mark an area"
        return [
            workspace,
            view(prediction, shares, _display(*settings), corner=workspace.corner),
            rows_of_areas(workspace.current),
            share_rows(shares),
            f"**{_plain(workspace.chosen)}**, {width}x{height} pixels{_noted(prediction)}: {step}.",
        ]

    def on_files(paths: list[str] | None, workspace: Workspace, *settings: Any) -> list[Any]:
        workspace, complaints = workspace.with_files(paths or [], limits)
        _warn(complaints)
        choice = gr.Dropdown(choices=list(workspace.paths), value=workspace.chosen or None)
        return [choice, *drawn(workspace, *settings)]

    def on_click(event: gr.SelectData, workspace: Workspace, model: str, mode: str, *settings: Any) -> list[Any]:
        if workspace.path:
            prediction = studio.predict(workspace.path, model, mode)
            workspace = workspace.click(*prediction.point(*event.index), limits)
        return drawn(workspace, model, mode, *settings)

    def on_edit(rows: list[list[Any]], workspace: Workspace, model: str, mode: str, *settings: Any) -> list[Any]:
        if workspace.path:
            shape = studio.predict(workspace.path, model, mode).shape
            workspace = workspace.with_rows(rows, shape, limits)
        results = drawn(workspace, model, mode, *settings)
        if not is_to_replace(rows, results[2]):
            results[2] = gr.skip()
        return results

    def on_load(path: str, workspace: Workspace, model: str, mode: str, *settings: Any) -> list[Any]:
        if workspace.path is None:
            raise InputError("drop the image first, and then load its boxes")
        with warnings.catch_warnings(record=True, action="always") as caught:
            areas = read_areas(path, image=workspace.chosen, shape=studio.predict(workspace.path, model, mode).shape)
        _warn([str(warning.message) for warning in caught])
        return drawn(workspace.with_areas(areas, limits), model, mode, *settings)

    def on_make(workspace: Workspace, model: str, mode: str, *settings: Any) -> Any:
        if workspace.path is None:
            raise InputError("drop an image first")
        prediction = studio.predict(workspace.path, model, mode)
        shares = shares_on(prediction, workspace.current)
        paths = write_files(studio.new_folder(), prediction, shares, _display(*settings))
        return gr.File([str(path) for path in paths], visible=True)

    _listen(files.change, on_files, [files, *inputs], [chosen, *outputs])
    _listen(picture.select, on_click, inputs, outputs, trigger_mode="multiple")
    _listen(chosen.input, lambda name, space, *rest: drawn(space.choose(name), *rest), [chosen, *inputs], outputs)
    _listen(boxes.input, on_edit, [boxes, *inputs], outputs, trigger_mode="multiple")
    _listen(load.upload, on_load, [load, *inputs], outputs)
    _listen(
        undo.click, lambda space, *rest: drawn(space.with_areas(space.current[:-1], limits), *rest), inputs, outputs
    )
    _listen(clear.click, lambda space, *rest: drawn(space.with_areas([], limits), *rest), inputs, outputs)
    _listen(make.click, on_make, inputs, made)
    for control in controls:
        _listen(control.change, drawn, inputs, outputs, trigger_mode="always_last")


def _designs_tab(studio: Studio, model: Any, mode: Any) -> None:
    """The tab with two designs side by side."""
    state, limits = gr.State(Designs()), studio.limits
    with gr.Row():
        same = gr.Checkbox(True, label="B has the same areas as A", elem_id="same")
        opacity = gr.Slider(0, 1, 0.6, step=0.05, label="Opacity of the heatmap", elem_id="opacity_ab")
    with gr.Row():
        files, pictures = [], []
        for letter in "AB":
            with gr.Column():
                files.append(
                    gr.File(
                        file_types=[*EXTENSIONS, PDF], label=f"Design {letter}", height=140, elem_id=f"file_{letter}"
                    )
                )
                pictures.append(_picture(f"{letter}: click two opposite corners of an area", f"view_{letter}"))
    status = gr.Markdown("", elem_id="status_AB")
    summary = gr.HTML("", elem_id="summary_AB")
    table = _table(DIFFERENCE_HEADINGS, "Share of the attention in each design", "differences")
    gr.Markdown(_INTERVAL)
    legend, moved = gr.HTML("", elem_id="legend_AB"), _picture("Where attention moved", "moved_AB")
    make = gr.Button("Make a report to download", size="sm", variant="primary", elem_id="make_AB")
    made = gr.File(label="Report as HTML and PDF", visible=False, elem_id="made_AB")
    with gr.Row():
        boxes = []
        for letter in "AB":
            with gr.Column():
                boxes.append(_box_table(f"Areas of {letter} in pixels: edit, rename, add", f"areas_{letter}"))
    clear = gr.Button("Remove all areas", size="sm", elem_id="clear_AB")
    controls = [model, mode, same, opacity]
    inputs, outputs = [state, *controls], [state, *pictures, *boxes, table, status, summary, moved, legend]

    def predicted(designs: Designs, model: str, mode: str) -> list[Prediction | None]:
        return [studio.predict(side.path, model, mode) if side.path else None for side in designs.sides]

    def reported(designs: Designs, predictions: list[Prediction | None], model: str) -> Report | None:
        areas = [designs.areas(side, found.shape) if found else [] for side, found in enumerate(predictions)]
        return comparison_report(predictions, areas, model)

    def drawn(designs: Designs, model: str, mode: str, same: bool, opacity: float) -> list[Any]:
        designs = designs.sharing(same)
        views, rows, shares = [], [], []
        predictions = predicted(designs, model, mode)
        for side, prediction in enumerate(predictions):
            areas = designs.areas(side, prediction.shape) if prediction else []
            rows.append(rows_of_areas(areas))
            shares.append(shares_on(prediction, areas) if prediction else [])
            display, corner = Display(opacity=opacity), designs.corner(side)
            views.append(view(prediction, shares[side], display, corner=corner) if prediction else None)
        report = reported(designs, predictions, model)
        summary, moved, legend = comparison_view(report)
        notes = [
            f"Design {letter}{_noted(found)}." for letter, found in zip("AB", predictions, strict=True) if _noted(found)
        ]
        differences = difference_rows(report.differences) if report else []
        picture = gr.Image(moved, visible=moved is not None)
        return [designs, *views, *rows, differences, "\n\n".join(notes), summary, picture, legend]

    def on_make(designs: Designs, model: str, mode: str, same: bool, _: float) -> Any:
        report = reported(designs.sharing(same), predicted(designs, model, mode), model)
        if report is None:
            raise InputError("drop both designs first")
        return gr.File([str(path) for path in write_reports(studio.new_folder(), report)], visible=True)

    def on_file(side: int) -> Callable[..., list[Any]]:
        def handle(path: str | None, designs: Designs, *settings: Any) -> list[Any]:
            designs, complaints = designs.with_file(side, path, limits)
            _warn(complaints)
            return drawn(designs, *settings)

        return handle

    def on_click(side: int) -> Callable[..., list[Any]]:
        def handle(event: gr.SelectData, designs: Designs, model: str, mode: str, *settings: Any) -> list[Any]:
            if prediction := predicted(designs, model, mode)[side]:
                designs = designs.click(side, *prediction.point(*event.index), limits)
            return drawn(designs, model, mode, *settings)

        return handle

    def on_edit(side: int) -> Callable[..., list[Any]]:
        def handle(rows: list[list[Any]], designs: Designs, model: str, mode: str, *settings: Any) -> list[Any]:
            shapes = [found.shape if found else (0, 0) for found in predicted(designs, model, mode)]
            if designs.sides[side].path:
                designs = designs.with_rows(side, rows, shapes, limits)
            results = drawn(designs, model, mode, *settings)
            if not is_to_replace(rows, results[3 + side]):
                results[3 + side] = gr.skip()
            return results

        return handle

    for side in range(2):
        _listen(files[side].change, on_file(side), [files[side], *inputs], outputs)
        _listen(pictures[side].select, on_click(side), inputs, outputs, trigger_mode="multiple")
        _listen(boxes[side].input, on_edit(side), [boxes[side], *inputs], outputs, trigger_mode="multiple")
    _listen(clear.click, lambda designs, *rest: drawn(designs.cleared(), *rest), inputs, outputs)
    _listen(make.click, on_make, inputs, made)
    for control in controls:
        _listen(control.change, drawn, inputs, outputs, trigger_mode="always_last")


def _listen(
    event: Callable[..., Any], handle: Callable[..., Any], inputs: list[Any], outputs: Any, **options: Any
) -> None:
    """Call ``handle`` on an event; the page shows the message of an error that the user can correct.

    Handlers run one after the other, since each changes the state that the one before it left. With the trigger mode
    ``"multiple"``, an event waits for its turn; without it, an event is dropped while an earlier one is being handled.
    """

    @wraps(handle)
    def with_messages(*values: Any) -> Any:
        try:
            return handle(*values)
        except MrsalError as error:
            raise gr.Error(_plain(str(error)), duration=None, print_exception=False) from error

    event(
        with_messages,
        inputs,
        outputs,
        show_progress="minimal",
        api_visibility="private",
        concurrency_id="page",
        concurrency_limit=1,
        **options,
    )


def _noted(prediction: Prediction | None) -> str:
    """What the visitor should know about a map, to be put after the name of the image."""
    return "".join(f", {note}" for note in prediction.notes) if prediction else ""


def _warn(complaints: list[str]) -> None:
    for complaint in complaints:
        gr.Warning(_plain(complaint), duration=None)


def _plain(text: str) -> str:
    """Escape HTML and Markdown, which Gradio would interpret: names of files are shown as they are."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("*", "\\*").replace("_", "\\_")


def _display(show: str, opacity: float, levels: list[float], spots: float) -> Display:
    return Display(show=show, opacity=opacity, levels=tuple(levels), spots=int(spots))


def _picture(label: str, name: str) -> Any:
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
