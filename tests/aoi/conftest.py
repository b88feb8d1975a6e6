"""A file of areas."""

import json

import pytest


@pytest.fixture
def written(tmp_path):
    """Write JSON, or text as it is, and return the path."""

    def write(content, name="boxes.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write
