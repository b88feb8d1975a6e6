"""The page of ``mrsal serve``, made with Gradio; :mod:`mrsal.web.studio` computes what it shows.

The page needs no internet connection: it uses the fonts of the system and the scripts of Gradio, and it sends nothing anywhere.
"""

import warnings
import webbrowser
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache, wraps
from importlib.resources import files as files_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrsal._extras import optional
from mrsal.aoi import AreaShare, Report, read_areas
from mrsal.errors import FileError, InputError, MrsalError
from mrsal.images import EXTENSIONS, PDF
from mrsal.web.address import addresses, bare, free_port
from mrsal.web.edits import read_edit, shapes_of
from mrsal.web.options import ServeOptions, UploadLimits
from mrsal.web.session import LETTERS, Designs, Workspace
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
    write_files,
)
from mrsal.web.two_designs import comparison_report, comparison_view, write_reports

if TYPE_CHECKING:
    import gradio as gr
else:
    gr = optional("gradio", extra="web", purpose="the pages of mrsal serve")

_FIRST_PORT = 7860  # the default of Gradio
_SCRIPTS = ("geometry.js", "list.js", "board.js", "input.js")  # in the order in which they are put together
_EMPTY = "Drop an image into the box. It stays on the machine that runs this page."
_INTERVAL = (
    "*95 %: the interval in which a study with 15 observers and 6 fixations each would measure the share. It covers the "
    "error of the model and the chance in such a sample. A dash means that the model is not calibrated.*"
)
_CSS = (
    "footer {display: none !important} .gradio-container {max-width: 1500px !important; overflow: clip !important} "
    ".drawing-board .html-container {padding: 0 !important}"
)


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
            board = _board("images", "view")
            table = _table(SHARE_HEADINGS, "Attention of each area", "shares")
            gr.Markdown(_INTERVAL)
            with gr.Row():
                load = gr.UploadButton(
                    "Load areas (.json, .csv, .xml, .png)",
                    file_types=[".json", ".csv", ".xml", ".png"],
                    size="sm",
                    elem_id="load",
                )
                make = gr.Button("Make files to download", size="sm", variant="primary", elem_id="make")
            made = gr.File(label="Map, picture, spots, areas", visible=False, elem_id="made")
    controls = [model, mode, show, opacity, levels, spots]
    inputs, outputs = [state, *controls], [state, board, table, status]

    def drawn(workspace: Workspace, model: str, mode: str, *settings: Any, message: str = "") -> list[Any]:
        if workspace.path is None:
            return [workspace, None, [], _EMPTY]
        prediction = studio.predict(workspace.path, model, mode)
        shares, name = shares_on(prediction, workspace.current), workspace.chosen
        height, width = prediction.shape
        scene = {
            **_scene(prediction, shares, studio.picture(workspace.path, model, mode, _display(*settings)), limits),
            "key": name,
            "name": name,
            "areas": shapes_of(workspace.current, workspace.fixed),
            "number": workspace.number,
            "revision": workspace.revision(name),
            "message": message,
        }
        return [
            workspace,
            scene,
            share_rows(shares),
            f"**{_plain(name)}**, {width}x{height} pixels{_noted(prediction)}.",
        ]

    def on_files(paths: list[str] | None, workspace: Workspace, *settings: Any) -> list[Any]:
        workspace, complaints = workspace.with_files(paths or [], limits)
        _warn(complaints)
        choice = gr.Dropdown(choices=list(workspace.paths), value=workspace.chosen or None)
        return [choice, *drawn(workspace, *settings)]

    def on_edit(event: gr.EventData, workspace: Workspace, model: str, mode: str, *settings: Any) -> list[Any]:
        edit = read_edit(event._data)
        try:
            shape = studio.predict(workspace.file(edit.key), model, mode).shape
            return drawn(workspace.edited(edit, shape, limits), model, mode, *settings)
        except MrsalError as error:  # the page shows the areas as they were
            return drawn(replace(workspace, number=edit.number), model, mode, *settings, message=str(error))

    def on_load(path: str, workspace: Workspace, model: str, mode: str, *settings: Any) -> list[Any]:
        if workspace.path is None:
            raise InputError("drop the image first, and then load its areas")
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
    _listen(board.edit, on_edit, inputs, outputs, trigger_mode="multiple", show_progress="hidden")
    _listen(chosen.input, lambda name, space, *rest: drawn(space.choose(name), *rest), [chosen, *inputs], outputs)
    _listen(load.upload, on_load, [load, *inputs], outputs)
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
        files, boards = [], []
        for letter in LETTERS:
            with gr.Column():
                files.append(
                    gr.File(
                        file_types=[*EXTENSIONS, PDF], label=f"Design {letter}", height=140, elem_id=f"file_{letter}"
                    )
                )
                boards.append(_board("designs", f"view_{letter}"))
    status = gr.Markdown("", elem_id="status_AB")
    summary = gr.HTML("", elem_id="summary_AB")
    table = _table(DIFFERENCE_HEADINGS, "Share of the attention in each design", "differences")
    gr.Markdown(_INTERVAL)
    legend = gr.HTML("", elem_id="legend_AB")
    moved = gr.Image(
        label="Where attention moved",
        show_label=False,
        interactive=False,
        format="jpeg",
        buttons=["fullscreen"],
        visible=False,
        elem_id="moved_AB",
    )
    make = gr.Button("Make a report to download", size="sm", variant="primary", elem_id="make_AB")
    made = gr.File(label="Report as HTML and PDF", visible=False, elem_id="made_AB")
    controls = [model, mode, same, opacity]
    inputs, outputs = [state, *controls], [state, *boards, table, status, summary, moved, legend]

    def predicted(designs: Designs, model: str, mode: str) -> list[Prediction | None]:
        return [studio.predict(side.path, model, mode) if side.path else None for side in designs.sides]

    def reported(designs: Designs, predictions: list[Prediction | None], model: str) -> Report | None:
        areas = [designs.areas(side, found.shape) if found else [] for side, found in enumerate(predictions)]
        return comparison_report(predictions, areas, model)

    def drawn(designs: Designs, model: str, mode: str, *settings: Any, message: str = "") -> list[Any]:
        same, opacity = settings
        designs = designs.sharing(same)
        scenes: list[dict[str, Any] | None] = []
        shares: list[list[AreaShare]] = []
        predictions = predicted(designs, model, mode)
        for side, (workspace, prediction) in enumerate(zip(designs.sides, predictions, strict=True)):
            shares.append(shares_on(prediction, designs.areas(side, prediction.shape)) if prediction else [])
            if prediction is None or workspace.path is None:
                scenes.append(None)
                continue
            picture = studio.picture(workspace.path, model, mode, Display(opacity=opacity))
            scenes.append(
                {
                    **_scene(prediction, shares[side], picture, limits),
                    "key": designs.key(side),
                    "name": f"Design {LETTERS[side]}",
                    "areas": shapes_of(designs.all_areas(side), ()),
                    "number": designs.number,
                    "revision": designs.revision,
                    "message": message,
                }
            )
        report = reported(designs, predictions, model)
        summary, moved, legend = comparison_view(report)
        notes = [
            f"Design {letter}{_noted(found)}."
            for letter, found in zip(LETTERS, predictions, strict=True)
            if _noted(found)
        ]
        differences = difference_rows(report.differences) if report else []
        picture = gr.Image(moved, visible=moved is not None)
        return [designs, *scenes, differences, "\n\n".join(notes), summary, picture, legend]

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

    def on_edit(event: gr.EventData, designs: Designs, model: str, mode: str, *settings: Any) -> list[Any]:
        edit = read_edit(event._data)
        try:
            shapes = [found.shape if found else (0, 0) for found in predicted(designs, model, mode)]
            return drawn(designs.edited(edit, shapes, limits), model, mode, *settings)
        except MrsalError as error:  # the page shows the areas as they were
            return drawn(replace(designs, number=edit.number), model, mode, *settings, message=str(error))

    for side in range(2):
        _listen(files[side].change, on_file(side), [files[side], *inputs], outputs)
        _listen(boards[side].edit, on_edit, inputs, outputs, trigger_mode="multiple", show_progress="hidden")
    _listen(make.click, on_make, inputs, made)
    for control in controls:
        _listen(control.change, drawn, inputs, outputs, trigger_mode="always_last")


def _listen(
    event: Callable[..., Any],
    handle: Callable[..., Any],
    inputs: list[Any],
    outputs: Any,
    *,
    show_progress: str = "minimal",
    **options: Any,
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
        show_progress=show_progress,
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


def _board(group: str, name: str) -> Any:
    """A picture on which areas are drawn. Boards of a group count their edits together."""
    return gr.HTML(
        html_template=_board_file("board.html"),
        css_template=_board_file("board.css"),
        js_on_load="\n".join(map(_board_file, _SCRIPTS)),
        apply_default_css=False,
        group=group,
        elem_id=name,
        elem_classes="drawing-board",
    )


@cache
def _board_file(name: str) -> str:
    return (files_of("mrsal.web") / "board" / name).read_text(encoding="utf-8")


def _scene(prediction: Prediction, shares: list[AreaShare], picture: Path, limits: UploadLimits) -> dict[str, Any]:
    """What a board shows, but for the areas: the picture, the size of the image, the shares, and what the page accepts."""
    height, width = prediction.shape
    return {
        "picture": gr.FileData(path=str(picture)).model_dump(),
        "width": width,
        "height": height,
        "shares": {share.area.name: share.attention for share in shares},
        "limits": asdict(limits),
    }


def _table(headings: tuple[str, ...], label: str, name: str) -> Any:
    return gr.Dataframe(
        headers=list(headings),
        column_count=len(headings),
        label=label,
        interactive=False,
        elem_id=name,
        buttons=["copy"],
    )
