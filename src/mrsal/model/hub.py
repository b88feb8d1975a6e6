"""Networks as folders that people share: weights, configuration and a model card, on a disk or on the Hugging Face Hub.

A network flows into a folder with ``model.safetensors``, ``config.json`` and ``README.md``, and back out of one. The weights'
own header has the configuration, too, and it is the one that counts; ``config.json`` is for people and for the Hub. The Hub
needs ``pip install 'mrsal[hub]'``; folders need nothing.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mrsal._extras import optional
from mrsal._version import __version__
from mrsal.errors import DataError, FileError, InputError, MrsalError, first_line
from mrsal.files import make_folder, write_text
from mrsal.model.architecture import Network
from mrsal.model.checkpoint import load_checkpoint, save_checkpoint
from mrsal.model.improved import ImprovedNetwork
from mrsal.model.network import ModelConfig

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
CARD_FILE = "README.md"
FILES = (WEIGHTS_FILE, CONFIG_FILE, CARD_FILE)
SCHEME = "hf://"

_CARD = """---
library_name: mrsal
{licence}tags:
- saliency
- eye-tracking
- fixation-prediction
---

# {name}

Predicts where people look in a picture: {architecture}, {parameters:.1f} million parameters,
in the implementation of mrsal {version}.

```python
import mrsal

saliency = mrsal.load_model("{address}").predict("photo.jpg")
saliency.values  # (H, W) float32 in [0, 1]
```

{about}
"""
_MRCNN = """Mr-CNN (Liu, Han, Zhang, Wen and Liu, "Predicting Eye Fixations using Convolutional
Neural Networks", CVPR 2015), {variant} variant"""
_IMPROVED = """the improved network of mrsal (EfficientNet-Lite0 on {count} resolutions of the picture, joined late;
its map is a probability density, divided by its maximum)"""
_UNDESCRIBED = """**Not described yet.** Say here on which images and whose fixations it was trained, how it scores and by which
protocol, and what it should not be used for."""


def save_pretrained(
    network: Network,
    folder: str | Path,
    *,
    name: str = "",
    description: str = "",
    licence: str = "",
    about: dict[str, Any] | None = None,
    address: str = "",
) -> Path:
    """Write a network as a folder that :func:`load_pretrained` and ``mrsal.load_model`` read.

    Parameters
    ----------
    network : MrCNN or ImprovedNetwork
    folder : str or Path
        Made where it is missing; of what it holds, only files of the same names are replaced, and a model card never is.
    name, description : str
        The model card's title, by default that of the architecture, and what it says, as Markdown: training data, scores, limits.
    licence : str
        Of the weights, as the Hub spells it, such as ``"mit"``; empty: the card says none.
    about : dict, optional
        Plain values to keep with the weights.
    address : str
        What the card tells people to load; by default the folder's name.

    Returns
    -------
    Path
        ``folder``.
    """
    folder = make_folder(folder)
    save_checkpoint(network, folder / WEIGHTS_FILE, about=about)
    config = {
        "library": "mrsal",
        "library_version": __version__,
        "architecture": type(network).__name__,
        **network.config.to_dict(),
    }
    write_text(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")
    if not (folder / CARD_FILE).exists():  # somebody may have written more into it
        card = _CARD.format(
            name=name or ("mrsal" if isinstance(network, ImprovedNetwork) else "Mr-CNN"),
            licence=f"license: {licence}\n" if licence else "",
            architecture=_described(network),
            parameters=sum(value.numel() for value in network.parameters()) / 1e6,
            version=__version__,
            address=address or folder.resolve().name,
            about=description or _UNDESCRIBED,
        )
        write_text(folder / CARD_FILE, card.rstrip() + "\n")
    return folder


def load_pretrained(
    repo_or_folder: str | Path, *, revision: str | None = None, token: str | None = None
) -> tuple[Network, dict[str, Any]]:
    """Read a network from a folder, or from the Hub by its ``owner/name``, with or without ``hf://`` in front.

    Parameters
    ----------
    repo_or_folder : str or Path
        A folder that is there is taken; otherwise the repository, whose files are kept in huggingface_hub's cache and read from
        there when the Hub cannot be reached.
    revision : str, optional
        A branch, tag or commit of the repository. Name a commit where a result has to be the same in a year.
    token : str, optional
        For a private repository; by default the one that ``hf auth login`` has kept.

    Returns
    -------
    network : MrCNN or ImprovedNetwork
        On the CPU, in evaluation mode.
    about : dict
        What was kept with the weights.

    Raises
    ------
    FileError
        If there is neither a folder nor a repository of that name, or the Hub cannot be reached.
    DataError
        If the files are damaged, or ``config.json`` contradicts the weights.
    InputError
        If huggingface_hub is missing, or the name is none.
    """
    folder = find_pretrained(repo_or_folder, revision=revision, token=token)
    if not (folder / WEIGHTS_FILE).is_file():
        raise FileError(f"{repo_or_folder} holds no {WEIGHTS_FILE}; expected what save_pretrained writes")
    network, about = load_checkpoint(folder / WEIGHTS_FILE)
    _check_config(folder / CONFIG_FILE, network)
    return network, about


def find_pretrained(repo_or_folder: str | Path, *, revision: str | None = None, token: str | None = None) -> Path:
    """The folder with a network's files, after downloading them if need be; see :func:`load_pretrained`."""
    name = str(repo_or_folder)
    repo = name.removeprefix(SCHEME)
    if not name.startswith(SCHEME) and Path(name).is_dir():
        return Path(name)
    if repo.count("/") != 1 or not all(repo.split("/")) or repo[0] in "./~":
        raise FileError(
            f"no folder at {name}; give one that save_pretrained wrote, or owner/name on the Hugging Face Hub"
        )
    hub = _import_hub()
    try:
        return Path(hub.snapshot_download(repo, revision=revision, token=token, allow_patterns=list(FILES)))
    except Exception as error:  # of a kind that depends on the version, and on how the Hub cannot be reached
        _refuse_name(repo, error)
        raise FileError(
            f"cannot get {repo} from the Hugging Face Hub, and it is not in the cache ({first_line(error)}); check the name "
            "and the connection, or copy the repository to this machine and give its folder"
        ) from error


def push_to_hub(
    network: Network,
    repo: str,
    *,
    private: bool = True,
    token: str | None = None,
    message: str = "Upload a network with mrsal",
    **card: Any,
) -> str:
    """Upload a network to the Hugging Face Hub.

    Parameters
    ----------
    repo : str
        ``owner/name``; made if it is not there.
    private : bool
        Whether a new repository is to be seen by its owner only; nothing is published unless asked.
    token : str, optional
        With the right to write; by default the one that ``hf auth login`` has kept.
    message : str
        Of the commit.
    **card
        ``description``, ``licence`` and ``about`` as for :func:`save_pretrained`. A card that the repository already has is
        left alone unless a description is given.

    Returns
    -------
    str
        The commit's address.

    Raises
    ------
    FileError
        If the Hub cannot be reached or refuses.
    """
    hub = _import_hub()
    api = hub.HfApi(token=token)
    repo = repo.removeprefix(SCHEME)
    options = {"name": repo.rpartition("/")[2], "address": f"{SCHEME}{repo}", **card}
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        keep_card = not options.get("description") and api.file_exists(repo, CARD_FILE)
        with tempfile.TemporaryDirectory() as folder:
            save_pretrained(network, folder, **options)
            kept = [name for name in FILES if name != CARD_FILE or not keep_card]
            commit = api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message, allow_patterns=kept)
    except MrsalError:
        raise
    except Exception as error:
        _refuse_name(repo, error)
        raise FileError(
            f"cannot upload to {repo}: {first_line(error)}; check the connection and log in with: hf auth login"
        ) from error
    return str(commit)


def _described(network: Network) -> str:
    if isinstance(network, ImprovedNetwork):
        return _IMPROVED.format(count=len(network.config.resolutions))
    return _MRCNN.format(variant=network.config.variant)


def _refuse_name(repo: str, error: Exception) -> None:
    if type(error).__name__ == "HFValidationError":
        raise InputError(f"{repo!r} is no name of a repository: {first_line(error)}") from error


def _check_config(path: Path, network: Network) -> None:
    """A configuration that somebody edited by hand would otherwise go unnoticed, since the weights' own is taken."""
    if not path.is_file():
        return
    try:
        paper = {
            "channels": list(ModelConfig.channels),
            "hidden": ModelConfig.hidden,
        }  # which MrCNN's to_dict leaves out
        stored = {**paper, **json.loads(path.read_text(encoding="utf-8"))}
        expected = json.loads(json.dumps(asdict(network.config)))
        wrong = [key for key, value in expected.items() if stored[key] != value]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is not the configuration of a network ({error}); write the folder anew") from error
    if wrong:
        raise DataError(f"{path} contradicts the header of {WEIGHTS_FILE} in {', '.join(wrong)}; write the folder anew")


def _import_hub() -> Any:
    return optional("huggingface_hub", extra="hub", purpose="networks on the Hugging Face Hub")
