"""The job control service: status and stop of a running job."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from eventbraid import Analyzer, ConfigurationError, Event, Input, Job, ModuleError, Output, Producer
from eventbraid.control import controlled, status, stop
from eventbraid.control._pb import job_pb2_grpc
from eventbraid.control.rate import RecentRate
from eventbraid.errors import ServerUnavailable
from eventbraid.running import Run
from eventbraid.sources import EmptySource

ROOT = Path(__file__).parents[2]


class Gate(Producer):
    """Lets events pass when the test says so."""

    kind = "shared"
    n = Output[int]()

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.open = asyncio.Event()
        self.waiting = asyncio.Event()

    async def produce(self, event: Event) -> None:
        if event.id.event == 3:
            self.waiting.set()
        await self.open.wait()
        event[self.n] = 1


class Use(Producer):
    n = Input[int]("gate")
    m = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.m] = event[self.n]


async def test_status_and_stop_of_a_running_job() -> None:
    gate, addresses = Gate(), []

    def service(run: Run) -> AbstractAsyncContextManager[str]:
        class Remembering:
            async def __aenter__(self) -> str:
                self.inner = controlled(run, "127.0.0.1:0")
                addresses.append(await self.inner.__aenter__())
                return addresses[0]

            async def __aexit__(self, *error: Any) -> None:
                await self.inner.__aexit__(*error)

        return Remembering()

    modules = {"gate": gate, "use": Use()}
    job = Job("slow", source=EmptySource(events=1000), modules=modules, paths={"p": ["use"]}, streams=3)
    task = asyncio.create_task(Run(job, services=[service]).run())
    await gate.waiting.wait()
    found = await asyncio.to_thread(status, addresses[0])
    assert found["job"] == "slow"
    assert (found["streams"], found["state"], found["stopping"]) == (3, "running", "")
    assert found["events"] == {
        "read": 3, "in_flight": 3, "passed": 0, "failed": 0, "not_selected": 0,
        "per_second": 0.0, "recent_per_second": 0.0,
    }  # fmt: skip
    assert [module["label"] for module in found["modules"]] == ["gate", "use"]
    assert await asyncio.to_thread(stop, addresses[0], "enough") == {"stopped": True, "reason": "enough"}
    assert await asyncio.to_thread(stop, addresses[0], "again") == {"stopped": False, "reason": "enough"}
    found = await asyncio.to_thread(status, addresses[0])
    assert (found["state"], found["stopping"]) == ("stopping", "enough")
    gate.open.set()
    report = await task
    assert (report.events.read, report.interrupted) == (3, True)
    with pytest.raises(ServerUnavailable, match="no job offers its control here"):
        await asyncio.to_thread(status, addresses[0])


async def test_an_address_in_use_is_an_error_before_the_first_event() -> None:
    job = Job("t", source=EmptySource(events=1), modules={})
    async with controlled(Run(job), "127.0.0.1:0") as address:
        other = Run(job, services=[lambda run: controlled(run, address)], say=lambda line: None)
        with pytest.raises(ConfigurationError, match="cannot be used"):
            await other.run()


async def test_names_of_digits_stay_names() -> None:
    run = Run(Job("2024", source=EmptySource(events=1), modules={}), say=lambda line: None)
    async with controlled(run, "127.0.0.1:0") as address:
        assert (await asyncio.to_thread(status, address))["job"] == "2024"
        assert (await asyncio.to_thread(stop, address, "42"))["reason"] == "42"


async def test_a_job_is_asked_directly_where_a_proxy_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with controlled(Run(Job("t", source=EmptySource(events=1), modules={})), "127.0.0.1:0") as address:
        assert (await asyncio.to_thread(status, address))["job"] == "t"


async def test_the_service_ends_when_the_job_fails() -> None:
    addresses: list[str] = []

    @asynccontextmanager
    async def service(run: Run) -> AsyncGenerator[None]:
        async with controlled(run, "127.0.0.1:0") as address:
            addresses.append(address)
            yield

    class Raises(Analyzer):
        def analyze(self, event: Event) -> None:
            raise ValueError("no")

    job = Job("t", source=EmptySource(events=1), modules={"raises": Raises()})
    with pytest.raises(ModuleError):
        await Run(job, services=[service]).run()
    with pytest.raises(ServerUnavailable):
        await asyncio.to_thread(status, addresses[0])


@pytest.mark.parametrize("address", [":0", "127.0.0.1:-1", "127.0.0.1:70000", "nowhere"])
async def test_a_wrong_address_is_named_as_it_was_given(address: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{address}' is no server address"):
        async with controlled(Run(Job("t", source=EmptySource(events=1), modules={})), address):
            pass


def test_the_recent_rate_is_that_of_the_last_ten_samples() -> None:
    rate = RecentRate()
    assert rate.per_second(0.0, 0) == 0.0
    for second in range(21):
        rate.sample(float(second), 10 * second if second < 10 else 100 + 2 * (second - 10))
    assert rate.per_second(21.0, 122) == pytest.approx(2.0)


def test_the_generated_code_is_current() -> None:
    made_with = job_pb2_grpc.GRPC_GENERATED_VERSION
    if version("grpcio-tools") != made_with:
        pytest.skip(f"the code was generated by grpcio-tools {made_with}, {version('grpcio-tools')} is installed")
    spec = importlib.util.spec_from_file_location("generate", ROOT / "protos/generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for proto, (package, folder) in generate.TARGETS.items():
        for name, text in generate.compiled(proto, package).items():
            assert (folder / name).read_text() == text, f"run `{sys.executable} protos/generate.py`"
