"""The page in a headless Chromium: what visitors do, and what must not happen."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from messages import naming
from PIL import Image

from mrsal.cli import main
from mrsal.cli.serving import set_gradio_environment
from mrsal.errors import FileError, InputError
from mrsal.web import app
from mrsal.web.app import serve
from mrsal.web.options import UploadLimits
from mrsal.web.studio import Studio

WIDTH, HEIGHT = 240, 120
WAIT = 30_000  # milliseconds, for a machine that is busy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two designs, a model whose shares are known (brightness), and hostile files."""
    folder = tmp_path_factory.mktemp("web")
    pixels = np.full((HEIGHT, WIDTH, 3), 50, np.uint8)
    pixels[:60, :120] = 150  # half of all brightness
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels[:, ::-1]).save(folder / "b.png")
    (folder / "own_light.py").write_text("def light(image):\n    return image.mean(axis=2)\n")
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "large.png")
    (folder / "cut.png").write_bytes((folder / "large.png").read_bytes()[:20_000])
    (folder / "page.jpg").write_text("<script>document.title = 'taken over'</script>")
    Image.new("1", (3000, 3000)).save(folder / "bomb.png")
    return folder


def settings():
    """The environment variables that change how a process makes requests or what Gradio does."""
    return {name: value for name, value in os.environ.items() if re.match(r"(?i)gradio_|(no|https?|all)_proxy", name)}


@pytest.fixture(scope="module")
def address(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where the model lies
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        before = settings()
        with Studio("own_light:light", limits=UploadLimits(megabytes=0.1, megapixels=1)) as studio:
            page = serve(studio)
            yield page.local_url
            page.close()
            assert list(studio.folder.rglob("*.npy"))  # results, which are removed at the end
        assert not studio.folder.exists()
        assert settings() == before


@pytest.fixture
def page(browser, address):
    """A fresh visit; afterwards, nothing may have been asked of any other machine."""
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    context.set_default_timeout(WAIT)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector("#files input[type=file]", state="attached")
    yield page
    context.close()
    assert [url for url in asked if not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", url)] == []


def give(page, where, *paths):
    page.set_input_files(f"{where} input[type=file]", [str(path) for path in paths])


def click(page, where, x, y):
    """Click a pixel of the picture, once it no longer moves on the page."""
    image = page.locator(f"{where} img")
    image.scroll_into_view_if_needed()
    until(lambda: image.evaluate("image => image.complete && image.naturalWidth > 0"), "the picture")
    box = None
    while box != (box := image.bounding_box()):
        page.wait_for_timeout(300)
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    left = box["x"] + (box["width"] - scale * WIDTH) / 2
    top = box["y"] + (box["height"] - scale * HEIGHT) / 2
    page.mouse.click(left + (x + 0.5) * scale, top + (y + 0.5) * scale)


def edit(page, where, old, new):
    """Replace what a cell of a table says; a click is in vain while the table is being drawn anew."""
    cell, editor = page.locator(where).get_by_text(old, exact=True).last, page.locator(where).get_by_label("Edit cell")

    def opened():
        if not editor.count():
            cell.dblclick(timeout=1000)
        return editor.count()

    until(opened, "the editor of the cell")
    editor.fill(new)
    editor.press("Enter")


def numbers(page, where, name):
    """The numbers that follow a name in the text of a table, whatever elements Gradio makes it of."""
    text = page.inner_text(where)
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text[text.rindex(name) + len(name) :])]


def until(condition, what):
    """Wait until the page shows what the server did."""
    end = time.monotonic() + WAIT / 1000
    while time.monotonic() < end:
        try:
            if condition():
                return
        except Exception as error:  # the element is being replaced
            what = f"{what} ({error})"
        time.sleep(0.1)
    pytest.fail(f"waited in vain for {what}")


def says(page, where, text):
    page.locator(where).get_by_text(text).first.wait_for()


def draw(page, where, x0, y0, x1, y1):
    image = page.locator(f"{where} img")
    before = image.get_attribute("src")
    click(page, where, x0, y0)
    until(lambda: image.get_attribute("src") != before, "the first corner")
    click(page, where, x1, y1)


def test_areas_are_drawn_by_clicks_and_edited_in_the_table(page, folder):
    give(page, "#files", folder / "a.png", folder / "b.png")
    says(page, "#status", "240x120 pixels")
    click(page, "#view", 0, 0)
    says(page, "#status", "now click the opposite corner")
    click(page, "#view", 119, 59)
    until(lambda: "area 1" in page.inner_text("#shares"), "the share of the area")
    assert numbers(page, "#areas", "area 1")[:4] == pytest.approx([0, 0, 120, 60], abs=2)
    assert numbers(page, "#shares", "area 1")[1] == pytest.approx(50, abs=1)

    edit(page, "#areas", "area 1", "headline")
    until(lambda: "headline" in page.inner_text("#shares"), "the new name among the shares")

    page.locator("#chosen input").click()
    page.get_by_role("option", name="b.png").click()
    says(page, "#status", "b.png")
    until(lambda: "headline" not in page.inner_text("#shares"), "the other image, which has no areas")


def test_nothing_is_lost_when_a_visitor_is_faster_than_the_server(page, folder, monkeypatch):
    drawn = app.view
    monkeypatch.setattr(app, "view", lambda *values, **options: time.sleep(1) or drawn(*values, **options))
    give(page, "#files", folder / "a.png")
    says(page, "#status", "240x120 pixels")
    click(page, "#view", 0, 0)
    click(page, "#view", 119, 59)  # before the answer to the first click
    until(lambda: "area 1" in page.inner_text("#areas"), "the area")
    edit(page, "#areas", "area 1", "headline")
    edit(page, "#areas", "60", "30")  # before the answer to the first edit
    until(lambda: numbers(page, "#shares", "headline")[1] == pytest.approx(25, abs=1), "both edits among the shares")
    assert numbers(page, "#areas", "headline")[:4] == pytest.approx([0, 0, 120, 30], abs=2)


def test_the_picture_changes_and_files_can_be_downloaded(page, folder, tmp_path):
    give(page, "#files", folder / "a.png")
    says(page, "#status", "a.png")
    source = lambda: page.locator("#view img").get_attribute("src")  # noqa: E731
    for change in (
        lambda: page.locator("#opacity input[type=number]").fill("0.1"),
        lambda: page.get_by_label("50 %").check(),
        lambda: page.get_by_label("heatmap", exact=True).check(),
    ):
        before = source()
        change()
        page.keyboard.press("Tab")
        until(lambda before=before: source() != before, "a new picture")
    page.locator("#make").click()
    says(page, "#made", ".npy")
    with page.expect_download() as loading:
        page.locator("#made a").first.click()
    loading.value.save_as(tmp_path / "a.npy")
    values = np.load(tmp_path / "a.npy")
    assert values.shape == (HEIGHT, WIDTH)
    assert (values[0, 0], values[-1, -1]) == pytest.approx((1, 1 / 3), abs=1e-6)


def test_hostile_files_give_messages_and_the_good_one_is_shown(page, folder):
    give(page, "#files", *(folder / name for name in ("cut.png", "page.jpg", "bomb.png", "a.png")))
    says(page, "#status", "a.png")
    says(page, "body", "cut.png: ")
    text = page.inner_text("body")
    assert re.search(r"page\.jpg: .*JPEG", text)
    assert re.search(r"bomb\.png: .*3000x3000", text)
    assert "Traceback" not in text and "mrsal-" not in text
    assert page.title() == "mrsal"


def test_a_file_over_the_limit_is_refused(page, folder):
    assert (folder / "large.png").stat().st_size > 100_000
    give(page, "#files", folder / "large.png")
    says(page, "body", "maximum allowed size")


def test_on_a_telephone_everything_is_in_one_column(page):
    page.set_viewport_size({"width": 400, "height": 900})
    until(lambda: page.locator("#title").bounding_box()["width"] > 200, "a title that can be read")
    assert page.locator("#files").bounding_box()["y"] < 500
    page.get_by_role("tab", name="Compare two designs").click()
    a, b = (page.locator(f"#areas_{letter}").bounding_box() for letter in "AB")
    assert min(a["width"], b["width"]) > 300
    assert a["y"] < b["y"]


def test_two_designs_are_compared(page, folder):
    page.get_by_role("tab", name="Compare two designs").click()
    give(page, "#file_A", folder / "a.png")
    page.locator("#view_A img").wait_for()
    give(page, "#file_B", folder / "b.png")
    page.locator("#view_B img").wait_for()
    draw(page, "#view_A", 0, 0, 119, 59)
    until(lambda: "area 1" in page.inner_text("#differences"), "the difference")
    assert numbers(page, "#differences", "area 1")[:3] == pytest.approx([50, 16.7, -33.3], abs=1)
    draw(page, "#view_B", 120, 60, 239, 119)
    until(lambda: "area 2" in page.inner_text("#differences"), "an area drawn on B")


def test_two_designs_have_a_summary_a_picture_of_what_moved_and_a_report(page, folder, tmp_path):
    page.get_by_role("tab", name="Compare two designs").click()
    page.locator("#make_AB").click()
    says(page, "body", "drop both designs first")
    give(page, "#file_A", folder / "a.png")
    page.locator("#view_A img").wait_for()
    assert not page.locator("#moved_AB img").is_visible()
    give(page, "#file_B", folder / "b.png")
    page.locator("#moved_AB img").wait_for()
    says(page, "#legend_AB", "percentage points")
    draw(page, "#view_A", 0, 0, 119, 59)
    says(page, "#summary_AB", "of the attention in B instead of")
    page.locator("#make_AB").click()
    for at, begin in ((0, b"<!DOCTYPE html>"), (1, b"%PDF-")):
        with page.expect_download() as loading:
            page.locator("#made_AB a").nth(at).click()
        loading.value.save_as(tmp_path / "report")
        assert (tmp_path / "report").read_bytes().strip().startswith(begin)


def test_a_design_that_is_replaced_keeps_the_areas(page, folder):
    page.get_by_role("tab", name="Compare two designs").click()
    give(page, "#file_B", folder / "a.png")
    page.locator("#view_B img").wait_for()
    draw(page, "#view_B", 0, 0, 119, 59)
    until(lambda: "area 1" in page.inner_text("#areas_B"), "an area drawn on B alone")
    give(page, "#file_A", folder / "a.png")
    until(lambda: "area 1" in page.inner_text("#differences"), "the area on A")
    assert numbers(page, "#differences", "area 1")[:3] == pytest.approx([50, 50, 0], abs=1)
    page.locator("#file_A").get_by_label("Clear").click()
    page.locator("#view_A img").wait_for(state="detached")
    assert "area 1" in page.inner_text("#areas_B")
    give(page, "#file_A", folder / "b.png")
    until(lambda: "area 1" in page.inner_text("#differences"), "the area on the new A")
    assert numbers(page, "#differences", "area 1")[:3] == pytest.approx([16.7, 50, 33.3], abs=1)
    page.get_by_label("B has the same areas as A").uncheck()
    page.get_by_label("B has the same areas as A").check()
    until(lambda: "area 1" in page.inner_text("#differences"), "the area after the box was unchecked and checked")


@pytest.fixture
def environment():
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_a_file_error(host, environment):
    with socket.create_server(("127.0.0.1", 0)) as taken, Studio() as studio:
        port = taken.getsockname()[1]
        with pytest.raises(FileError, match=naming(port)):
            serve(studio, host=host, port=port)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "localhost"), ("::1", "[::1]"), ("[::1]", "[::1]"), ("::", "[::1]")],
)
def test_the_address_can_be_opened_whatever_the_proxy(host, shown, environment, monkeypatch):
    if ":" in host and not has_ipv6():
        pytest.skip("needs IPv6")
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    os.environ.pop("no_proxy", None)
    os.environ.update(http_proxy="http://127.0.0.1:9", NO_PROXY="intranet")  # where nothing listens
    with Studio() as studio:
        set_gradio_environment(studio.folder, host)
        page = serve(studio, host=host, browser=True)
        try:
            assert re.fullmatch(rf"http://{re.escape(shown)}:\d+/", page.local_url)
            assert opened == [page.local_url]
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(page.local_url, timeout=WAIT / 1000) as answer:
                assert b"mrsal" in answer.read()
        finally:
            page.close()
    assert os.environ["no_proxy"] == f"intranet,localhost,{host.strip('[]')}"


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["300.1.1.1", "..", "::g", ""])
def test_a_wrong_host_gives_a_message_of_one_line(host, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mrsal", "serve", "--host", host])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    captured = capsys.readouterr()
    assert re.fullmatch(rf"error: .*'{re.escape(host)}'.*\n", captured.out + captured.err)


def upload(address, name):
    """Send a file as the page does."""
    form = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\nx\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    request = urllib.request.Request(f"{address}gradio_api/upload", form.encode(), headers)
    with urllib.request.urlopen(request, timeout=WAIT / 1000) as answer:
        assert name in answer.read().decode()


@pytest.mark.slow
def test_a_terminated_server_leaves_no_uploads(tmp_path):
    ours = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", "from mrsal.cli import main; main()", "serve", "--device", "cpu"]
    with subprocess.Popen(command, env=ours, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        line = server.stdout.readline()
        assert re.match(r"http://127\.0\.0\.1:\d+/? .*Ctrl-C", line), line
        upload(line.split()[0], "own.png")
        assert list(tmp_path.glob("mrsal-*/**/own.png"))
        server.send_signal(signal.SIGTERM)
        assert "Traceback" not in server.communicate(timeout=WAIT / 1000)[0]
    assert server.returncode == 0
    assert list(tmp_path.glob("mrsal-*")) == list(tmp_path.rglob("own.png")) == []


def test_without_gradio_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "mrsal.web.app")
    with pytest.raises(InputError, match=r"pip install 'mrsal\[web\]'"):
        import mrsal.web.app  # noqa: F401
