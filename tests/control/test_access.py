"""Who may control a job, and what callers are told who may not or cannot."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_run import FakeRun

from eventbraid import ConfigurationError
from eventbraid.control import Client, check_control_address, controlled
from eventbraid.control._pb import job_pb2, job_pb2_grpc
from eventbraid.errors import ServerError, ServerUnavailable

CALLS = {
    "Status": job_pb2.StatusRequest(),
    "Watch": job_pb2.WatchRequest(interval=1.0),
    "Where": job_pb2.WhereRequest(),
    "Drain": job_pb2.DrainRequest(),
    "Resume": job_pb2.ResumeRequest(),
    "SetStreams": job_pb2.SetStreamsRequest(streams=3),
    "Stop": job_pb2.StopRequest(),
}


def test_every_call_of_the_service_is_tried() -> None:
    assert set(CALLS) == {method.name for method in job_pb2.DESCRIPTOR.services_by_name["JobControl"].methods}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("authorization", "Bearer wrong")],
        [("authorization", "secret")],
        [("authorization", "bearer secret")],
        [("token", "Bearer secret")],
        [("authorization", "Bearer wrong"), ("authorization", "Bearer secret")],
    ],
)
async def test_no_call_is_answered_without_the_token(name: str, metadata: list[tuple[str, str]]) -> None:
    run = FakeRun()
    async with (
        controlled(run, "127.0.0.1:0", "secret") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        call = getattr(job_pb2_grpc.JobControlStub(channel), name)(CALLS[name], metadata=metadata)
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    assert (run.stops, run.held, run.streams) == ([], False, 8)


@pytest.mark.parametrize("name", CALLS)
async def test_every_call_is_answered_with_the_token(name: str) -> None:
    metadata = [("authorization", "Bearer secret")]
    async with (
        controlled(FakeRun(), "127.0.0.1:0", "secret") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        call = getattr(job_pb2_grpc.JobControlStub(channel), name)(CALLS[name], metadata=metadata)
        if name == "Watch":
            assert (await call.read()).state == "running"
        else:
            await call


@pytest.mark.parametrize(("token", "said"), [(None, "none was given"), ("wrong", "another was given")])
async def test_a_wrong_token_is_an_error_that_says_where_the_right_one_is(token: str | None, said: str) -> None:
    async with controlled(FakeRun(), "127.0.0.1:0", "secret") as address:
        with Client(address, token=token) as job:
            with pytest.raises(ServerError, match=f"{said}; pass with --token, or in EVENTBRAID_CONTROL_TOKEN"):
                await asyncio.to_thread(job.status)
            with pytest.raises(ServerError, match=said):
                await asyncio.to_thread(next, job.watch())


async def test_a_token_for_a_job_that_wants_none_does_no_harm() -> None:
    async with controlled(FakeRun(), "127.0.0.1:0") as address:
        with Client(address, token="secret") as job:
            assert (await asyncio.to_thread(job.status))["job"] == "fake"


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.8.0.1:1", "localhost:9000", "LocalHost:1", "[::1]:9000"])
def test_without_a_token_a_job_may_listen_on_its_own_machine(address: str) -> None:
    assert check_control_address(address) == address


@pytest.mark.parametrize("address", ["0.0.0.0:9000", "[::]:9000", "10.0.0.7:9000", "worker1:9000", "127.evil.org:1"])
def test_where_other_machines_reach_a_job_it_needs_a_token(address: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"can be reached from other machines.* give a token with --control-to"
    ):
        check_control_address(address)
    assert check_control_address(address, "secret") == address


@pytest.mark.parametrize("token", ["", "two words", "line\n", "Schlüssel"])
def test_a_token_that_cannot_be_sent_is_an_error_before_the_first_event(token: str) -> None:
    with pytest.raises(ConfigurationError, match="expected ASCII letters, digits and signs"):
        check_control_address("127.0.0.1:0", token)
    with pytest.raises(ConfigurationError, match=r"the token: (is empty|has characters)"):
        Client("127.0.0.1:1", token=token)


async def test_what_an_older_job_or_another_service_does_not_know_is_named() -> None:
    server = grpc.aio.server()
    servicer: Any = job_pb2_grpc.JobControlServicer()

    async def status(request: Any, context: Any) -> Any:
        return job_pb2.StatusReply(job="old")

    servicer.Status = status
    job_pb2_grpc.add_JobControlServicer_to_server(servicer, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    with Client(address) as job:
        assert (await asyncio.to_thread(job.status))["job"] == "old"
        for call in (job.drain, job.where, lambda: next(job.watch())):
            with pytest.raises(
                ServerError, match="is not known here: this is a job of an older eventbraid, or another"
            ):
                await asyncio.to_thread(call)
    await server.stop(None)


async def test_no_job_there_is_an_error_of_every_call() -> None:
    with Client("127.0.0.1:1") as job:
        for call in (job.status, job.drain, lambda: next(job.watch())):
            with pytest.raises(ServerUnavailable, match="no job offers its control here"):
                await asyncio.to_thread(call)


async def test_what_fails_in_the_job_is_told_with_its_code() -> None:
    class Broken(FakeRun):
        def hold(self) -> None:
            raise RuntimeError("a fault of the framework")

    async with controlled(Broken(), "127.0.0.1:0") as address:
        with (
            Client(address) as job,
            pytest.raises(ServerError, match=r"Drain failed, UNKNOWN.*a fault of the framework"),
        ):
            await asyncio.to_thread(job.drain)
