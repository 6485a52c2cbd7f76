"""The small repositories are beside their tests, the networks in them beside the client's."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
from surveys import network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one model, `m`: "x" (n, 3) to "y" (n, 3), without a configuration."""
    network(tmp_path)
    return tmp_path
