"""Watching a job: the status again and again, until it has ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_run import FakeCounts, FakeRun, place

from eventbraid import ConfigurationError
from eventbraid.control import Client, controlled
from eventbraid.control._pb import job_pb2, job_pb2_grpc
from eventbraid.control.service import Calls
from eventbraid.errors import ServerUnavailable
from eventbraid.event import PathState


class Watching:
    """A watch from a thread, one status at a time."""

    def __init__(self, watch: Iterator[dict[str, Any]]) -> None:
        self._watch = watch

    async def next(self) -> dict[str, Any] | None:
        return await asyncio.to_thread(next, self._watch, None)


async def test_a_watch_tells_at_once_then_again_and_last_that_the_job_has_ended() -> None:
    run = FakeRun()
    run.places = [place(1, "b"), place(0, "a")]
    service = controlled(run, "127.0.0.1:0")
    with Client(await service.__aenter__()) as job:
        watch = Watching(job.watch(0.1, where=1))
        first = await watch.next()
        assert first is not None
        assert first["state"] == "running"
        assert [each["label"] for each in first["where"]] == ["a"]
        run.reason, run.ledger.read = "enough", 7
        second = await watch.next()
        assert second is not None
        assert (second["state"], second["events"]["read"]) == ("stopping", 7)
        run.ledger.read = 9
        ended = asyncio.create_task(service.__aexit__(None, None, None))
        *_, last = [found async for found in rest(watch)]
        await ended
    assert (last["state"], last["stopping"], last["events"]["read"]) == ("ended", "enough", 9)


async def rest(watch: Watching) -> Any:
    """What is still told."""
    while (found := await watch.next()) is not None:
        yield found


async def test_the_end_of_the_job_is_told_long_before_the_interval_is_over() -> None:
    service = controlled(FakeRun(), "127.0.0.1:0")
    with Client(await service.__aenter__()) as job:
        watch = Watching(job.watch(60.0))
        await watch.next()
        ended = asyncio.create_task(service.__aexit__(None, None, None))
        states = [found["state"] async for found in rest(watch)]
        await ended
    assert states == ["ended"]


@pytest.mark.parametrize("interval", [0.0, 0.09, 60.1, float("nan")])
async def test_an_interval_that_cannot_be_is_never_sent(interval: float) -> None:
    with Client("127.0.0.1:1") as job, pytest.raises(ConfigurationError, match=r"from 0\.1 to 60 seconds"):
        next(job.watch(interval))


async def test_a_status_is_made_only_once_the_one_before_was_taken() -> None:
    run = FakeRun()
    calls = Calls(run)
    watch = calls.watch(job_pb2.WatchRequest(interval=0.1), None)
    assert (await anext(watch)).events.read == 0
    run.ledger.read = 5
    assert (await anext(watch)).events.read == 5
    await calls.end()
    assert [reply.state async for reply in watch] == ["ended"]


class Long(FakeCounts):
    """Has so many paths that a few statuses fill every buffer on the way."""

    @property
    def paths(self) -> Mapping[str, Mapping[PathState, int]]:  # type: ignore[override]
        return {f"{number:0200}": dict.fromkeys(PathState, 0) for number in range(10_000)}

    @paths.setter
    def paths(self, paths: object) -> None:
        pass


async def test_a_client_that_does_not_read_keeps_no_job_from_ending() -> None:
    run = FakeRun()
    run.ledger = Long()
    service = controlled(run, "127.0.0.1:0")
    async with grpc.aio.insecure_channel(await service.__aenter__()) as channel:
        call = job_pb2_grpc.JobControlStub(channel).Watch(job_pb2.WatchRequest(interval=0.1))
        await call.read()
        await asyncio.wait_for(service.__aexit__(None, None, None), 30)


async def test_a_job_that_is_gone_without_a_word_ends_the_watch_with_an_error() -> None:
    server = grpc.aio.server()

    async def watch(request: Any, context: Any) -> Any:
        yield job_pb2.StatusReply(job="t", state="running")
        await server.stop(grace=None)

    servicer: Any = job_pb2_grpc.JobControlServicer()
    servicer.Watch = watch
    job_pb2_grpc.add_JobControlServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    with Client(f"127.0.0.1:{port}") as job:
        watching = Watching(job.watch(0.1))
        assert await watching.next() is not None
        with pytest.raises(ServerUnavailable, match="the job is gone"):
            await watching.next()
