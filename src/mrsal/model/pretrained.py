"""The networks that ship with mrsal, and loading of a network by its name, or from a file, a folder or the Hugging Face Hub."""

from pathlib import Path
from typing import Any

from mrsal.errors import FileError
from mrsal.model.architecture import Network
from mrsal.model.checkpoint import load_checkpoint
from mrsal.model.hub import SCHEME, load_pretrained
from mrsal.model.options import DEFAULT_MODEL

WEIGHTS = Path(__file__).parents[1] / "weights"
BUNDLED = {"mrsal": "mrsal.safetensors", "mrcnn": "mrcnn.safetensors"}  # the improved network, and the paper's
FORMER_NAMES = {"mrcnn-osie": "mrcnn"}  # names in older command lines and scripts


def shipped_name(name_or_path: str | Path | None = None) -> str | None:
    """The key of a network in :data:`BUNDLED`, or None if it does not ship with mrsal. None stands for the default network."""
    name = DEFAULT_MODEL if name_or_path is None else str(name_or_path)
    name = FORMER_NAMES.get(name, name)
    return name if name in BUNDLED else None


def everywhere(model: str) -> str:
    """The name of a model, or its absolute path, so that a process in another folder finds it."""
    return str(Path(model).absolute()) if shipped_name(model) is None and Path(model).exists() else model


def checkpoint_path(name_or_path: str | Path | None = None) -> Path:
    """The file of a network that ships with mrsal, or the given path. None stands for the default network."""
    name = shipped_name(name_or_path)
    return WEIGHTS / BUNDLED[name] if name else Path(str(name_or_path))


def load_network(name_or_path: str | Path | None = None) -> tuple[Network, dict[str, Any]]:
    """Load a network, and the values that were saved with its weights; ``name_or_path`` is as for :func:`mrsal.load_model`."""
    # a name that ships comes before a folder of that name, such as a checkout of mrsal
    is_folder = shipped_name(name_or_path) is None and Path(str(name_or_path)).is_dir()
    if name_or_path is not None and (is_folder or str(name_or_path).startswith(SCHEME)):
        return load_pretrained(name_or_path)
    path = checkpoint_path(name_or_path)
    if not path.is_file():
        raise FileError(
            f"there is no checkpoint at {path}; give the path of a .pth or .safetensors file, or the name of a network that "
            f"ships with mrsal: {', '.join(BUNDLED)}"
        )
    return load_checkpoint(path)
