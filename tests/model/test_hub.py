"""Networks as folders and on the Hub: what is saved is loaded again. No test connects to the real Hub."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from messages import naming
from tiny_network import WIDTHS, tiny

from mrsal import load_model
from mrsal.errors import DataError, FileError, InputError
from mrsal.inference.predictor import Predictor
from mrsal.model import hub
from mrsal.model.network import MrCNN


@pytest.fixture(scope="module")
def network():
    return MrCNN(tiny(variant="blur", mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.3))).eval()


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """A folder with the network. Tests must not change it."""
    return hub.save_pretrained(network, tmp_path_factory.mktemp("hub") / "mine", licence="mit", about={"epoch": 3})


def same(first, second):
    assert first.config == second.config
    theirs = second.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in first.state_dict().items())


def test_a_folder_holds_weights_configuration_and_card(network, folder):
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    config = json.loads((folder / "config.json").read_text())
    assert (config["variant"], config["mean"]) == ("blur", [0.5, 0.4, 0.3])
    assert (config["channels"], config["hidden"]) == ([4, 6, 8], 16)
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: mrsal\nlicense: mit\ntags:\n")
    assert 'mrsal.load_model("mine")' in card


@pytest.mark.parametrize("load", [Predictor.from_pretrained, load_model])
def test_what_was_saved_is_loaded_from_a_folder(network, folder, load):
    assert same(network, load(folder, device="cpu", precision="fp32").network)
    assert hub.load_pretrained(folder)[1] == {"epoch": 3}


def test_a_card_that_somebody_wrote_is_kept(network, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    Predictor(network, device="cpu").save_pretrained(tmp_path, description="other")
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_configuration_that_contradicts_the_weights_is_refused(network, tmp_path):
    hub.save_pretrained(network, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "variant": "base"}))
    with pytest.raises(DataError, match=naming("config.json", "model.safetensors", "variant")):
        hub.load_pretrained(tmp_path)
    for name in WIDTHS:
        (tmp_path / "config.json").write_text(json.dumps({key: config[key] for key in config if key != name}))
        with pytest.raises(DataError, match=name):  # without it, the configuration has the width of the paper
            hub.load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=naming("config.json")):
        hub.load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match=naming("config.json", "variant", without="safetensors")):
        hub.load_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    assert same(network, hub.load_pretrained(tmp_path)[0])


def test_a_folder_of_the_network_of_the_paper_has_no_widths(tmp_path):
    """It is like the folders that were written before the widths could be changed."""
    network = MrCNN().eval()
    hub.save_pretrained(network, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert not config.keys() & WIDTHS.keys()
    assert same(network, hub.load_pretrained(tmp_path)[0])
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden": 16}))
    with pytest.raises(DataError, match="hidden"):
        hub.load_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["gone", "./gone/deep", "a/b/c", "/gone/deep"])
def test_a_name_of_neither_a_folder_nor_a_repository_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=naming(name, "owner/name")):
        hub.load_pretrained(name)


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(FileError, match=naming(tmp_path, "model.safetensors")):
        hub.load_pretrained(tmp_path)


def test_a_repository_is_downloaded_by_its_name(network, folder, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    asked = []

    def download(repo, **options):
        asked.append((repo, options["revision"], set(options["allow_patterns"])))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert same(network, load_model("hf://someone/mrcnn", device="cpu").network)
    assert same(network, Predictor.from_pretrained("someone/mrcnn", revision="v1", device="cpu").network)
    assert asked == [("someone/mrcnn", revision, set(hub.FILES)) for revision in (None, "v1")]


def test_without_a_connection_the_error_says_what_to_do(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FileError, match=naming("someone/not-there")):
        hub.load_pretrained("someone/not-there")
    with pytest.raises(InputError, match=naming("some one/na me")):
        hub.load_pretrained("hf://some one/na me")


class Refusals(BaseHTTPRequestHandler):
    """A Hub on this machine that answers all requests with one status, and the code that the Hub sends with it."""

    status, code = 404, ""

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.send_header("X-Error-Code", self.code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_HEAD = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def refusals(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub.constants")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusals)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield Refusals
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "named"),
    [
        (404, "RepoNotFound", ("private", "hf auth login")),
        (401, "RepoNotFound", ("private", "hf auth login")),
        (403, "GatedRepo", ("access", "hf auth login")),
        (404, "RevisionNotFound", ("branch, tag or commit", "'v2'")),
        (401, "", ("token", "hf auth login")),
        (500, "", ("connection", "cache", 500)),
    ],
)
def test_each_refusal_of_a_download_says_what_to_do(status, code, named, refusals, monkeypatch):
    monkeypatch.setattr(refusals, "status", status)
    monkeypatch.setattr(refusals, "code", code)
    with pytest.raises(FileError, match=naming("someone/mrcnn", *named)) as caught:
        hub.load_pretrained("someone/mrcnn", revision="v2", token="hf_secret")
    assert "hf_secret" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_an_upload_with_a_token_that_may_not_write_is_refused(status, network, refusals, monkeypatch):
    monkeypatch.setattr(refusals, "status", status)
    with pytest.raises(FileError, match=naming("someone/mrcnn", "token", "hf auth login")):
        hub.push_to_hub(network, "someone/mrcnn", token="hf_secret")


class Recorder:
    """A replacement for ``HfApi`` that remembers what would have been sent."""

    has_card = False
    sent: list

    def __init__(self, token=None):
        Recorder.token = token

    def create_repo(self, repo, *, private, exist_ok):
        Recorder.sent = [("create", repo, private, exist_ok)]

    def file_exists(self, repo, name):
        return Recorder.has_card

    def upload_folder(self, *, repo_id, folder_path, commit_message, allow_patterns):
        files = {path.name: path.read_bytes() for path in Path(folder_path).iterdir() if path.name in allow_patterns}
        Recorder.sent.append(("upload", repo_id, files, commit_message))
        return "https://huggingface.co/someone/mrcnn/commit/1"


@pytest.fixture
def recorder(monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", Recorder)
    monkeypatch.setattr(Recorder, "has_card", False)
    return Recorder


def test_pushing_uploads_a_folder_that_can_be_loaded(network, recorder, tmp_path):
    address = Predictor(network, device="cpu").push_to_hub("someone/mrcnn", token="secret", description="Mine.")
    assert address.endswith("/commit/1")
    assert recorder.token == "secret"
    created, (_, repo, files, _) = recorder.sent
    assert created == ("create", "someone/mrcnn", True, True)  # private by default
    assert repo == "someone/mrcnn" and set(files) == set(hub.FILES)
    assert b'load_model("hf://someone/mrcnn")' in files["README.md"] and b"Mine." in files["README.md"]
    assert not any(b"secret" in content for content in files.values())
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert same(network, hub.load_pretrained(tmp_path)[0])


def test_pushing_keeps_a_card_unless_there_is_a_new_description(network, recorder):
    recorder.has_card = True
    hub.push_to_hub(network, "hf://someone/mrcnn", private=False)
    assert recorder.sent[0] == ("create", "someone/mrcnn", False, True)
    assert set(recorder.sent[1][2]) == {"model.safetensors", "config.json"}
    hub.push_to_hub(network, "someone/mrcnn", description="New.")
    assert set(recorder.sent[1][2]) == set(hub.FILES)


def test_what_goes_wrong_on_the_way_is_a_file_error(network, recorder, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(recorder, "create_repo", refuse)
    with pytest.raises(FileError, match=naming("someone/mrcnn", "no route to host", "hf auth login")):
        hub.push_to_hub(network, "someone/mrcnn")


def test_without_the_package_the_error_says_how_to_install_it(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[hub\]'"):
        hub.push_to_hub(network, "someone/mrcnn")
