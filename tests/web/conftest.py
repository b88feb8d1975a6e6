"""A running page for the tests of this folder, and images for it."""

import os
import re

import numpy as np
import pytest
from PIL import Image
from web_page import HEIGHT, WAIT, WIDTH

from mrsal.web.app import serve
from mrsal.web.options import UploadLimits
from mrsal.web.studio import Studio


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
            assert list(studio.folder.rglob("*.jpg"))  # pictures, which are removed at the end
        assert not studio.folder.exists()
        assert settings() == before


@pytest.fixture
def visit(browser, address):
    """A function that opens the page for a new visitor; afterwards, nothing may have been asked of any other machine."""
    contexts, asked, errors = [], [], []

    def visit_(width=1400, height=1200, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(address)
        page.wait_for_selector("#files input[type=file]", state="attached")
        return page

    yield visit_
    for context in contexts:
        context.close()
    assert [url for url in asked if not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", url)] == []
    assert [error for error in errors if "Failed to load resource" not in str(error)] == []


@pytest.fixture
def page(visit):
    """A fresh visit on a large screen."""
    return visit()
