"""Every client behind one contract: the embedded server and the real Triton through gRPC, and onnxruntime here."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from networks import make_repository
from real_triton import triton

from eventbraid.inference import InferenceClient, LocalClient, TritonClient
from eventbraid.serving import EmbeddedServer


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    return make_repository(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def triton_address(repository: Path) -> Iterator[str]:
    """The real Triton with those models, one for all tests."""
    with triton(repository) as address:
        yield address


@pytest.fixture(params=["embedded", "local", pytest.param("triton", marks=pytest.mark.triton)])
async def client(request: pytest.FixtureRequest, repository: Path) -> AsyncIterator[InferenceClient]:
    """Each client in turn."""
    if request.param == "local":
        made: InferenceClient = LocalClient([repository])
        yield made
        await made.aclose()
        return
    if request.param == "triton":
        made = TritonClient([request.getfixturevalue("triton_address")])
        yield made
        await made.aclose()
        return
    async with EmbeddedServer([repository]) as running:
        made = TritonClient([running.address])
        yield made
        await made.aclose()
