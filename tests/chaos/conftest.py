"""Servers to be harmed, the products that a job must have all the same, and the table at the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
sys.path.insert(0, str(Path(__file__).parent))
from scene import SEED, Outcome, Way, undisturbed
from table import table
from work import Products, models

from eventbraid.inference.transport.base import GrpcTransport
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.serving import EmbeddedServer

WAYS = {"grpc": Way(GrpcTransport), "http2": Way(Http2Transport), "memory": Way(Http2Transport, memory=True)}
OUTCOMES = pytest.StashKey[list[Outcome]]()


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    return models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest, repository: Path) -> Products:
    """The products of an undisturbed run of as many events as the module's tests have."""
    with ThreadPoolExecutor(1) as thread:  # a loop may be running here
        return thread.submit(asyncio.run, undisturbed(request.module.EVENTS, repository)).result()


@pytest.fixture(scope="session")
def calm(repository: Path) -> Iterator[tuple[str, str]]:
    """The addresses of two embedded servers that nobody harms: something else stands before them."""
    servers = [EmbeddedServer([repository]) for _ in range(2)]
    with ThreadPoolExecutor(1) as thread, asyncio.Runner() as runner:
        for server in servers:
            thread.submit(runner.run, server.start()).result()
        yield servers[0].address, servers[1].address
        for server in servers:
            thread.submit(runner.run, server.stop()).result()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Each way to a server in turn, or those that a test names."""
    return WAYS[request.param]


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Iterator[list[Outcome]]:
    """Where a test leaves what came of it, for the table."""
    outcomes: list[Outcome] = []
    yield outcomes
    for outcome in outcomes:
        outcome.name += f", {request.node.callspec.params['way']}"
    request.config.stash.setdefault(OUTCOMES, []).extend(outcomes)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    if outcomes := config.stash.get(OUTCOMES, []):
        terminalreporter.section(f"chaos, seed {SEED}")
        for line in table(outcomes):
            terminalreporter.write_line(line)
