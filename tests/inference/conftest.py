"""Every client behind one contract: the embedded server through gRPC, and onnxruntime in this process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from networks import make_repository

from eventbraid.inference import InferenceClient, LocalClient, TritonClient
from eventbraid.serving import EmbeddedServer


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    return make_repository(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def server(repository: Path) -> AsyncIterator[EmbeddedServer]:
    """An embedded server of those models."""
    async with EmbeddedServer([repository]) as running:
        yield running


@pytest.fixture(params=["embedded", "local"])
async def client(request: pytest.FixtureRequest, repository: Path) -> AsyncIterator[InferenceClient]:
    """Each client in turn."""
    if request.param == "local":
        made: InferenceClient = LocalClient([repository])
        yield made
        await made.aclose()
        return
    async with EmbeddedServer([repository]) as running:
        made = TritonClient([running.address])
        yield made
        await made.aclose()
