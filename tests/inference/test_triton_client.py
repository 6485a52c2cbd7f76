"""What the gRPC client does when servers go away, come back, are several, or say nonsense."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc.aio as tritonclient
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import ConfigurationError, ServerError
from eventbraid.address import check_address
from eventbraid.errors import AccessError, RequestError, ServerBusy, ServerTimeout, ServerUnavailable
from eventbraid.inference import TritonClient
from eventbraid.inference.connect import AnyLoop
from eventbraid.inference.retry import server_error
from eventbraid.inference.transport.base import TransportError
from eventbraid.serving import EmbeddedServer

ROWS = np.ones((2, 3), np.float32)


async def test_a_server_that_is_killed_is_unavailable_at_the_deadline(repository: Path) -> None:
    async with EmbeddedServer([repository]) as server:
        client = TritonClient([server.address])
        await client.infer("sum", {"x": ROWS})
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises((ServerUnavailable, ServerTimeout)) as raised:
            await client.infer("sum", {"x": ROWS}, timeout=0.5)
        assert server.address in str(raised.value)
        await client.aclose()


async def test_a_request_in_flight_is_lost_with_its_server_and_says_so(repository: Path) -> None:
    async with EmbeddedServer([repository], latency=60) as server:
        client = TritonClient([server.address])
        await client.metadata("sum")
        asked = asyncio.create_task(client.infer("sum", {"x": ROWS}, timeout=1.0))
        await executed(server.address)
        os.kill(server.pid or 0, signal.SIGKILL)
        with pytest.raises((ServerUnavailable, ServerTimeout)) as raised:
            await asked
        if isinstance(raised.value, ServerTimeout):  # while it tried to connect again
            assert raised.value.__notes__[0].startswith(f"before that: {server.address}, model 'sum'")
        await client.aclose()


async def executed(address: str) -> None:
    """Return once the server has executed a request of `sum`."""
    async with tritonclient.InferenceServerClient(address) as theirs:
        while not (await theirs.get_inference_statistics("sum")).model_stats[0].execution_count:
            pass


async def test_a_frozen_server_does_not_keep_the_others_from_being_found(repository: Path) -> None:
    async with EmbeddedServer([repository]) as frozen, EmbeddedServer([repository]) as other:
        os.kill(frozen.pid or 0, signal.SIGSTOP)
        client = TritonClient([frozen.address, other.address])
        try:
            assert (await client.metadata("sum", timeout=1.0)).name == "sum"
        finally:
            os.kill(frozen.pid or 0, signal.SIGCONT)
            await client.aclose()


async def test_a_request_in_flight_goes_to_another_server_when_its_own_is_killed(repository: Path) -> None:
    async with EmbeddedServer([repository], latency=0.5) as one, EmbeddedServer([repository]) as two:
        client = TritonClient([one.address, two.address])
        await client.metadata("sum")
        requests = [asyncio.create_task(client.infer("sum", {"x": ROWS})) for _ in range(6)]
        await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)
        for answer in await asyncio.gather(*requests):
            assert answer["total"].tolist() == [[3], [3]]
        await client.aclose()


async def test_a_server_that_starts_late_is_waited_for_within_the_deadline(repository: Path) -> None:
    async with EmbeddedServer([repository]) as first:
        address = first.address
    client = TritonClient([address])
    asking = asyncio.create_task(client.infer("sum", {"x": ROWS}, timeout=20))
    async with EmbeddedServer([repository], port=int(address.rpartition(":")[2])):
        assert (await asking)["total"].tolist() == [[3], [3]]
        await client.aclose()


async def test_a_deadline_that_passes_is_a_timeout(repository: Path) -> None:
    async with EmbeddedServer([repository], latency=30) as server:
        client = TritonClient([server.address])
        await client.metadata("sum")
        with pytest.raises(ServerTimeout, match=r"model 'sum': no answer before the deadline"):
            await client.infer("sum", {"x": ROWS}, timeout=0.1)
        await client.aclose()
        os.kill(server.pid or 0, signal.SIGKILL)  # it would finish the request first


async def test_a_client_that_is_asked_on_another_loop_says_so(repository: Path) -> None:
    async with EmbeddedServer([repository]) as server:
        client = TritonClient([server.address])
        await client.metadata("sum")
        with pytest.raises(ServerError, match="bound to the event loop on which it was first used: make one for each"):
            await asyncio.to_thread(asyncio.run, client.infer("sum", {"x": ROWS}))
        await client.aclose()


async def test_a_client_for_any_loop_answers_in_other_threads(repository: Path) -> None:
    async with EmbeddedServer([repository]) as server:
        client = AnyLoop(TritonClient([server.address]))

        async def sums(value: float) -> float:
            rows = [np.full((1, 3), value, np.float32)] * 20
            answers = await asyncio.gather(*(client.infer("sum", {"x": each}) for each in rows))
            return float(sum(answer["total"][0, 0] for answer in answers))

        here = client.infer("sum", {"x": np.ones((1, 3), np.float32)})
        there = [asyncio.to_thread(asyncio.run, sums(float(n))) for n in range(3)]
        answer, *totals = await asyncio.gather(here, *there)
        assert answer["total"].tolist() == [[3]]
        assert totals == [0, 60, 120]
        await client.aclose()


@pytest.mark.parametrize(
    "address", ["nowhere", "host:", ":8001", "host:0", "host:70000", "ho st:1", "", 8001, "http://a:1"]
)
def test_a_bad_address_says_what_is_expected(address: object) -> None:
    with pytest.raises(ConfigurationError, match='expected "host:port"'):
        check_address(address)


@pytest.mark.parametrize("address", ["localhost:8001", "127.0.0.1:1", "[::1]:8001", "a-b.c_d.example:65535"])
def test_a_good_address_is_left_as_it_is(address: str) -> None:
    assert check_address(address) == address


HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True) | st.ip_addresses().map(
    lambda address: f"[{address}]" if address.version == 6 else str(address)
)


@given(HOSTS, st.integers(1, 65535))
def test_any_host_and_port_is_an_address(host: str, port: int) -> None:
    assert check_address(f"{host}:{port}") == f"{host}:{port}"


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_is_refused_with_a_reason(text: str) -> None:
    try:
        host, _, port = check_address(text).rpartition(":")
    except ConfigurationError as error:
        assert 'expected "host:port"' in str(error)
    else:
        assert host
        assert 1 <= int(port) <= 65535


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        ("UNAVAILABLE", "failed to connect", ServerUnavailable),
        ("NOT_FOUND", "Request for unknown model: 'x' has no available versions", ServerUnavailable),
        ("NOT_FOUND", "Request for unknown model: 'x' is not found", RequestError),
        ("UNAVAILABLE", "Exceeds maximum queue size", ServerBusy),
        ("RESOURCE_EXHAUSTED", "too many requests", ServerBusy),
        ("UNAUTHENTICATED", "no token", AccessError),
        ("CANCELLED", "Received RST_STREAM with error code 8", ServerUnavailable),
        ("INVALID_ARGUMENT", "unexpected shape", RequestError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", ServerTimeout),
        ("INTERNAL", "the model failed", ServerError),
    ],
)
def test_a_grpc_status_says_whose_fault_it_is(code: str, details: str, kind: type[ServerError]) -> None:
    assert type(server_error(TransportError(code, details), "s:1", "x")) is kind
