"""Networks as folders that people can share, on a disk or on the Hugging Face Hub.

A folder holds the weights in ``model.safetensors``, the configuration in ``config.json``, and a model card in ``README.md``.
The header of the weights has the configuration too, and that is the one which is used; ``config.json`` is for people and for
the Hub. Only the Hub needs ``pip install 'mrsal[hub]'``.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mrsal._extras import optional
from mrsal._version import __version__
from mrsal.errors import DataError, FileError, InputError, MrsalError, first_line
from mrsal.files import decoding, make_folder, write_text
from mrsal.model.architecture import Network
from mrsal.model.checkpoint import load_checkpoint, save_checkpoint
from mrsal.model.improved import ImprovedNetwork
from mrsal.model.network import ModelConfig

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
CARD_FILE = "README.md"
FILES = (WEIGHTS_FILE, CONFIG_FILE, CARD_FILE)
SCHEME = "hf://"

_LOG_IN = "log in with: hf auth login"

_CARD = """---
library_name: mrsal
{licence}tags:
- saliency
- eye-tracking
- fixation-prediction
---

# {name}

Predicts where people look in images: {architecture}, {parameters:.1f} million parameters,
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
_IMPROVED = """the improved network of mrsal (EfficientNet-Lite0 on {count} resolutions of the image, joined late;
its map is a probability density, divided by its maximum)"""
_UNDESCRIBED = """**No description yet.** Describe here on which images and fixations the network was trained, its scores and
the protocol, and what it should not be used for."""


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
        The folder, which is created if it does not exist. Files with the same names are replaced, except for a model card.
    name, description : str
        The title and the text of the model card, in Markdown: training data, scores, limits. The default
        title is that of the architecture.
    licence : str
        The licence of the weights, as the Hub spells it, such as ``"mit"``. If empty, the card names none.
    about : dict, optional
        Plain values to save with the weights.
    address : str
        The name for ``mrsal.load_model`` in the example of the card; by default the name of the folder.

    Returns
    -------
    Path
        The folder.
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
    """Read a network from a folder, or from a repository of the Hub.

    Parameters
    ----------
    repo_or_folder : str or Path
        A folder, or else the ``owner/name`` of a repository, with or without ``hf://`` in front. Its files are stored in the
        cache of huggingface_hub, and read from there if the Hub cannot be reached.
    revision : str, optional
        A branch, tag or commit of the repository. Give a commit if the result has to stay the same.
    token : str, optional
        A token that can read the repository; by default the one of ``hf auth login``.

    Returns
    -------
    network : MrCNN or ImprovedNetwork
        The network on the CPU, in evaluation mode.
    about : dict
        The values that were saved with the weights.

    Raises
    ------
    FileError
        If there is no such folder or repository, the token may not read it, or the Hub cannot be reached.
    DataError
        If the files are damaged, or ``config.json`` contradicts the weights.
    InputError
        If huggingface_hub is not installed, or this cannot be the name of a repository.
    """
    folder = find_pretrained(repo_or_folder, revision=revision, token=token)
    if not (folder / WEIGHTS_FILE).is_file():
        raise FileError(
            f"{repo_or_folder} has no {WEIGHTS_FILE}; give a folder or a repository that save_pretrained or push_to_hub wrote"
        )
    network, about = load_checkpoint(folder / WEIGHTS_FILE)
    _check_config(folder / CONFIG_FILE, network)
    return network, about


def find_pretrained(repo_or_folder: str | Path, *, revision: str | None = None, token: str | None = None) -> Path:
    """The folder with the files of a network, which are downloaded if necessary; see :func:`load_pretrained`."""
    name = str(repo_or_folder)
    repo = name.removeprefix(SCHEME)
    if not name.startswith(SCHEME) and Path(name).is_dir():
        return Path(name)
    if repo.count("/") != 1 or not all(repo.split("/")) or repo[0] in "./~":
        raise FileError(
            f"there is no folder {name}; give a folder that save_pretrained wrote, or owner/name on the Hugging Face Hub"
        )
    hub = _import_hub()
    try:
        return Path(hub.snapshot_download(repo, revision=revision, token=token, allow_patterns=list(FILES)))
    except Exception as error:  # what a failing connection raises depends on the version of huggingface_hub
        raise _explained(error, f"cannot download {repo}", repo, revision) from error


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
        The ``owner/name`` of the repository, which is created if it does not exist.
    private : bool
        Whether only the owner can see a new repository.
    token : str, optional
        A token that can write; by default the one of ``hf auth login``.
    message : str
        The message of the commit.
    **card
        ``description``, ``licence`` and ``about`` as for :func:`save_pretrained`. If the repository has a model card, it is
        only replaced by a new description.

    Returns
    -------
    str
        The address of the commit.

    Raises
    ------
    FileError
        If the Hub cannot be reached, or refuses the upload.
    InputError
        If huggingface_hub is not installed, or this cannot be the name of a repository.
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
            files = [name for name in FILES if name != CARD_FILE or not keep_card]
            commit = api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message, allow_patterns=files)
    except MrsalError:
        raise
    except Exception as error:  # as for a download
        raise _explained(error, f"cannot upload to {repo}", repo) from error
    return str(commit)


def _described(network: Network) -> str:
    """The architecture, for the first sentence of the model card."""
    if isinstance(network, ImprovedNetwork):
        return _IMPROVED.format(count=len(network.config.resolutions))
    return _MRCNN.format(variant=network.config.variant)


def _explained(error: Exception, failure: str, repo: str, revision: str | None = None) -> MrsalError:
    """An error of mrsal that says what went wrong with a repository and what to do, by the type of the original error."""
    types = optional("huggingface_hub.errors", extra="hub", purpose="networks on the Hugging Face Hub")
    reason = first_line(error)
    if isinstance(error, types.HFValidationError):
        return InputError(f"{repo!r} cannot be the name of a repository ({reason}); give owner/name")
    if isinstance(error, types.GatedRepoError):  # a kind of RepositoryNotFoundError
        return FileError(
            f"{failure}: its owner has to grant access; ask for it on the page of the repository, then {_LOG_IN}"
        )
    if isinstance(error, types.RevisionNotFoundError):
        return FileError(f"{failure}: it has no branch, tag or commit {revision!r}; check the revision")
    if isinstance(error, types.RepositoryNotFoundError):
        return FileError(f"{failure}: it does not exist or is private; check the name, and if it is private, {_LOG_IN}")
    if isinstance(error, types.HfHubHTTPError) and getattr(error.response, "status_code", 0) in (401, 403):
        return FileError(
            f"{failure}: the Hub refuses the token ({reason}); {_LOG_IN}, or give a token with the right to do this"
        )
    if isinstance(error, types.LocalEntryNotFoundError):
        reason = first_line(error.__cause__ or error)
        return FileError(
            f"{failure}: the Hugging Face Hub cannot be used ({reason}), and the repository is not in the cache; check the "
            "connection, or copy the repository to this machine and give its folder"
        )
    return FileError(f"{failure}: {reason}; check the connection, and {_LOG_IN}")


def _check_config(path: Path, network: Network) -> None:
    """Refuse a configuration that differs from the one of the weights, since only the latter is used."""
    if not path.is_file():
        return
    with decoding(path, "the configuration of a network", remedy="save the network again"):
        paper = {"channels": list(ModelConfig.channels), "hidden": ModelConfig.hidden}  # to_dict leaves these out
        stored = {**paper, **json.loads(path.read_text(encoding="utf-8"))}
        expected = json.loads(json.dumps(asdict(network.config)))
        wrong = [key for key, value in expected.items() if stored[key] != value]
    if wrong:
        raise DataError(
            f"{path} contradicts the header of {WEIGHTS_FILE} in {', '.join(wrong)}; save the network again"
        )


def _import_hub() -> Any:
    return optional("huggingface_hub", extra="hub", purpose="networks on the Hugging Face Hub")
