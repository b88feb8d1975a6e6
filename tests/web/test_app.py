"""The page in a headless Chromium: what visitors do, and what must not happen."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from messages import naming
from web_page import HEIGHT, WAIT, WIDTH, Board, give, numbers, says, until

from mrsal.cli import main
from mrsal.cli.serving import set_gradio_environment
from mrsal.errors import FileError, InputError
from mrsal.web.app import serve
from mrsal.web.studio import Studio


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
    a, b = (page.locator(f"#file_{letter}").bounding_box() for letter in "AB")
    assert min(a["width"], b["width"]) > 300
    assert a["y"] < b["y"]


def test_two_designs_are_compared(page, folder):
    page.get_by_role("tab", name="Compare two designs").click()
    give(page, "#file_A", folder / "a.png")
    a = Board(page, "#view_A")
    give(page, "#file_B", folder / "b.png")
    b = Board(page, "#view_B")
    a.draw("Rectangle", (0, 0), (120, 60))
    until(lambda: "area 1" in page.inner_text("#differences"), "the difference")
    assert numbers(page, "#differences", "area 1")[:3] == pytest.approx([50, 16.7, -33.3], abs=0.1)
    assert (a.label("area 1"), b.label("area 1")) == ("area 1 50.0%", "area 1 16.7%")
    b.draw("Rectangle", (120, 60), (240, 120))
    b.call("footer")
    until(lambda: "footer" in page.inner_text("#differences"), "an area drawn on B")
    assert a.names() == b.names() == ["area 1", "footer"]
    page.get_by_label("B has the same areas as A").uncheck()
    b.click(150, 90)
    page.keyboard.press("Delete")
    until(lambda: "footer" not in page.inner_text("#differences"), "the area that B alone lost")
    assert (a.names(), b.names()) == (["area 1", "footer"], ["area 1"])


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
    Board(page, "#view_A").draw("Rectangle", (0, 0), (119, 59))
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
    Board(page, "#view_B").draw("Rectangle", (0, 0), (120, 60))
    give(page, "#file_A", folder / "a.png")
    until(lambda: "area 1" in page.inner_text("#differences"), "the area on A")
    assert numbers(page, "#differences", "area 1")[:3] == pytest.approx([50, 50, 0], abs=0.1)
    page.locator("#file_A").get_by_label("Clear").click()
    page.locator("#view_A .board").wait_for(state="hidden")
    assert Board(page, "#view_B").names() == ["area 1"]
    give(page, "#file_A", folder / "b.png")
    until(lambda: "area 1" in page.inner_text("#differences"), "the area on the new A")
    assert numbers(page, "#differences", "area 1")[:3] == pytest.approx([16.7, 50, 33.3], abs=0.1)
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
