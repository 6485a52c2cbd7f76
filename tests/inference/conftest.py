"""Every client behind one contract: the embedded server and the real Triton through gRPC, and onnxruntime here."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from networks import make_repository
from real_triton import triton

from eventbraid.inference import InferenceClient, LocalClient, TritonClient
from eventbraid.inference.pool.endpoint import Connect
from eventbraid.inference.transport.base import GrpcTransport
from eventbraid.inference.transport.http2 import Http2Transport
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


TRANSPORTS: dict[str, Connect] = {"grpc": GrpcTransport, "http2": Http2Transport}


@pytest.fixture(params=TRANSPORTS)
def connect(request: pytest.FixtureRequest) -> Connect:
    """Each transport in turn."""
    return TRANSPORTS[request.param]


@pytest.fixture(
    params=[
        "local",
        *(f"embedded-{name}" for name in TRANSPORTS),
        *(pytest.param(f"triton-{name}", marks=pytest.mark.triton) for name in TRANSPORTS),
    ]
)
async def client(request: pytest.FixtureRequest, repository: Path) -> AsyncIterator[InferenceClient]:
    """Each client in turn."""
    kind, _, transport = request.param.partition("-")
    async with AsyncExitStack() as stack:
        if kind == "local":
            made: InferenceClient = LocalClient([repository])
        elif kind == "triton":
            made = TritonClient([request.getfixturevalue("triton_address")], connect=TRANSPORTS[transport])
        else:
            server = await stack.enter_async_context(EmbeddedServer([repository]))
            made = TritonClient([server.address], connect=TRANSPORTS[transport])
        yield made
        await made.aclose()
