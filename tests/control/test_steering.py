"""The calls of the job control service, on a run that only says what it is told to say."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_run import FakeRun, FakeTiming, place

from eventbraid import ConfigurationError
from eventbraid.control import Client, controlled
from eventbraid.control._pb import job_pb2, job_pb2_grpc
from eventbraid.errors import ServerError
from eventbraid.services.timing import ModuleTimes


@asynccontextmanager
async def client_of(run: FakeRun, token: str | None = None) -> AsyncIterator[Client]:
    """A client of a run that is controlled meanwhile."""
    async with controlled(run, "127.0.0.1:0", token) as address:
        with Client(address, token=token) as job:
            yield job


async def ask(call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """A call from a thread, as the loop of this one is the job's."""
    return await asyncio.to_thread(call, *arguments, **more)


async def test_a_job_drains_waits_and_goes_on() -> None:
    run = FakeRun()
    run.in_flight = 2
    async with client_of(run) as job:
        assert await ask(job.drain) == {"held": True, "state": "draining"}
        assert run.held
        run.in_flight = 0
        assert (await ask(job.status))["state"] == "drained"
        assert await ask(job.drain) == {"held": False, "state": "drained"}
        assert await ask(job.resume) == {"resumed": True, "state": "running"}
        assert not run.held
        assert await ask(job.resume) == {"resumed": False, "state": "running"}


async def test_a_stop_has_a_reason_and_may_wait_for_the_section_or_cancel() -> None:
    run = FakeRun()
    async with client_of(run) as job:
        assert await ask(job.stop, "beam dump", after_lumi=True) == {"stopped": True, "reason": "beam dump"}
        assert await ask(job.stop, cancel=True) == {"stopped": False, "reason": "beam dump"}
    assert run.stops == [("beam dump", True, False), ("asked to stop", False, True)]


async def test_what_cannot_be_done_together_is_refused_with_the_way_out() -> None:
    run = FakeRun()
    async with client_of(run) as job:
        with pytest.raises(ServerError, match="it cannot be both"):
            await ask(job.stop, after_lumi=True, cancel=True)
        await ask(job.drain)
        with pytest.raises(ServerError, match="resume it first, or stop it at once"):
            await ask(job.stop, after_lumi=True)
        assert run.stops == []
        await ask(job.stop, "enough")
        with pytest.raises(ServerError, match="the job is stopping: enough; it cannot go on"):
            await ask(job.resume)
        with pytest.raises(ServerError, match="it reads no more events anyway"):
            await ask(job.drain)
        assert run.held


async def test_the_number_of_events_in_flight_can_be_changed() -> None:
    run = FakeRun()
    async with client_of(run) as job:
        assert await ask(job.set_streams, 10_000) == {"streams": 10_000}
        assert run.streams == 10_000
        run.fault = "module 'm' has no more copies"
        with pytest.raises(ServerError, match="module 'm' has no more copies"):
            await ask(job.set_streams, 3)
    run.mode = "blocking"
    async with client_of(run) as job:
        with pytest.raises(ServerError, match="blocking mode has one event in flight; run it with --mode async"):
            await ask(job.set_streams, 3)
    assert run.streams == 10_000


@pytest.mark.parametrize("streams", [-1, 0, 10_001, 10**12])
async def test_a_number_of_events_that_no_job_may_have_is_never_sent(streams: int) -> None:
    async with client_of(FakeRun()) as job:
        with pytest.raises(ConfigurationError, match="must be from 1 to 10,000"):
            await ask(job.set_streams, streams)


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("SetStreams", job_pb2.SetStreamsRequest(streams=0)),
        ("SetStreams", job_pb2.SetStreamsRequest(streams=10_001)),
        ("Watch", job_pb2.WatchRequest()),
        ("Watch", job_pb2.WatchRequest(interval=60.1)),
        ("Watch", job_pb2.WatchRequest(interval=float("nan"))),
        ("Stop", job_pb2.StopRequest(after_lumi=True, cancel=True)),
    ],
)
async def test_a_wrong_request_of_another_client_is_an_invalid_argument(name: str, request_: Any) -> None:
    run = FakeRun()
    async with controlled(run, "127.0.0.1:0") as address, grpc.aio.insecure_channel(address) as channel:
        call = getattr(job_pb2_grpc.JobControlStub(channel), name)(request_)
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (run.streams, run.stops) == (8, [])


class SlowChange(FakeRun):
    """Changes its streams when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go, self.under_way, self.most = asyncio.Event(), asyncio.Event(), 0, 0

    async def set_streams(self, streams: int) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.begun.set()
        await self.go.wait()
        self.under_way -= 1
        self.streams = streams


async def test_a_change_that_has_begun_is_made_though_the_client_is_gone_and_one_at_a_time() -> None:
    run = SlowChange()
    async with controlled(run, "127.0.0.1:0") as address, grpc.aio.insecure_channel(address) as channel:
        stub = job_pb2_grpc.JobControlStub(channel)
        gone = stub.SetStreams(job_pb2.SetStreamsRequest(streams=20))
        await run.begun.wait()
        gone.cancel()
        later = stub.SetStreams(job_pb2.SetStreamsRequest(streams=30))
        await stub.Status(job_pb2.StatusRequest())
        run.go.set()
        assert (await later).streams == 30
        assert (run.most, run.under_way) == (1, 0)


async def test_a_change_under_way_does_not_keep_the_job_from_ending() -> None:
    run = SlowChange()
    service = controlled(run, "127.0.0.1:0")
    async with grpc.aio.insecure_channel(await service.__aenter__()) as channel:
        call = job_pb2_grpc.JobControlStub(channel).SetStreams(job_pb2.SetStreamsRequest(streams=20))
        await run.begun.wait()
        await service.__aexit__(None, None, None)
        assert await call.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert await call.details() == "the job has ended"
    assert run.streams == 8


async def test_where_tells_of_the_oldest_events_first() -> None:
    run = FakeRun()
    run.places = [
        place(9, "b", ago=1.0),
        place(7, "facile", "external work", 3.5, "gpu:8001"),
        place(7, "a", "acquire", 5.0),
    ]
    async with client_of(run) as job:
        found = await ask(job.where)
        first = await ask(job.where, 1)
    assert found["total"] == first["total"] == 3
    assert [(each["number"], each["label"]) for each in found["events"]] == [(7, "a"), (7, "facile"), (9, "b")]
    facile = found["events"][1]
    assert 3.5 <= facile.pop("seconds") < 60
    assert facile == {"event": "1:2:8", "number": 7, "label": "facile", "step": "external work", "server": "gpu:8001"}
    assert [each["label"] for each in first["events"]] == ["a"]


async def test_thousands_of_events_in_flight_are_told_of_in_one_answer() -> None:
    run = FakeRun()
    run.places = [place(number, "m" * 500) for number in range(10_000)]
    async with client_of(run) as job:
        assert len((await ask(job.where))["events"]) == 10_000


async def test_the_status_counts_who_waits_for_each_module() -> None:
    run = FakeRun()
    run.timing = FakeTiming(a=ModuleTimes(calls=3, cpu_seconds=0.5), b=ModuleTimes(external_seconds=2.0))
    run.places = [place(1, "b"), place(2, "b"), place(3, "not timed")]
    async with client_of(run) as job:
        found = await ask(job.status)
    assert found["where"] == []
    assert found["modules"] == [
        {"label": "a", "calls": 3, "cpu_seconds": 0.5, "external_seconds": 0.0, "waiting": 0},
        {"label": "b", "calls": 0, "cpu_seconds": 0.0, "external_seconds": 2.0, "waiting": 2},
    ]
