"""What mkdocs has to be told so that the same Markdown files read well in the repository and on the site.

Pages that lie beside ``docs/`` come in under names of their own, links between the two follow, and the mark of code blocks that
no test runs (``sh no-run``) is taken off, since mkdocs knows languages only.
"""

import re
from pathlib import PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.structure.files import File

BESIDE = {
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/osie.md": "benchmarks/osie.md",
    "benchmarks/inference.md": "benchmarks/inference.md",
    "benchmarks/training.md": "benchmarks/training.md",
    "benchmarks/metrics.md": "benchmarks/metrics.md",
}
_HOME = {site: repository for repository, site in BESIDE.items()}
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages from beside ``docs/``."""
    root = PurePosixPath(config.config_file_path).parent
    for source, page in BESIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(root / source)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Make links right for the site, and fences plain."""
    here = page.file.src_uri
    markdown = _LINK.sub(lambda link: link[1] + site_link(link[2], here) + link[3], markdown)
    return re.sub(r"^(\s*```\w+) no-run$", r"\1", markdown, flags=re.MULTILINE)


def site_link(target: str, page: str) -> str:
    """A link as it stands in the repository, as the site needs it.

    >>> site_link("../benchmarks/osie.md", "reproduce.md")
    'benchmarks/osie.md'
    >>> site_link("../docs/agreement-score.md", "benchmarks/osie.md")
    '../agreement-score.md'
    >>> site_link("design.md#files", "method.md")
    'design.md#files'
    """
    source = _HOME.get(page, f"docs/{page}")
    wanted = normpath(str(PurePosixPath(source).parent / target))
    there = BESIDE.get(wanted, wanted.removeprefix("docs/"))
    return relpath(there, PurePosixPath(page).parent.as_posix() or ".")
