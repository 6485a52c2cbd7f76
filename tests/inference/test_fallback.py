"""Another client where no server helps: when it is asked, for what reason, and what is said where it does not help."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scripted import Held, Scripted, client_of, rows

from eventbraid import ConfigurationError, Event, Input, Job, Output, ServerError
from eventbraid.errors import MissingExtra, RequestError, ServerTimeout, ServerUnavailable
from eventbraid.inference import InferenceProducer
from eventbraid.inference.client import RequestOptions
from eventbraid.inference.fallback import WithFallback
from eventbraid.kserve import ModelMetadata, Tensors, TensorSpec
from eventbraid.testing import ListOutput, ListSource
from eventbraid.testing.virtual_time import in_virtual_time

FIRST = [[2.0]]
SECOND = [[-1.0]]
"""What servers answer, and what the other client does."""


class Sum(InferenceProducer):
    rows = Input[NDArray[np.float32]]("rows")
    total = Output[NDArray[np.float32]]()

    async def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.rows]}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.total] = response["total"][:, 0]


class Second:
    """Has the model "m", and answers or fails at once."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[RequestOptions] = []
        self.closed = 0

    def __repr__(self) -> str:
        return "Second()"

    async def metadata(self, model: str, version: str = "", *, timeout: float = 5.0) -> ModelMetadata:  # noqa: ASYNC109
        if model != "m":
            raise RequestError(f"there is no model {model!r} either", server="second")
        return ModelMetadata("m", ("1",), (TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))

    async def infer(self, model: str, inputs: Tensors, **options: Any) -> Tensors:
        self.asked.append(options)  # type: ignore[arg-type]
        if self.error is not None:
            raise self.error
        return {"y": np.array(SECOND)}

    async def report(self) -> dict[str, Any]:
        return {}

    async def aclose(self) -> None:
        self.closed += 1


class Scene:
    """A client of servers with a fallback, and what it said."""

    def __init__(self, *servers: Scripted, second: Second | None = None, opens: Callable[[], None] = int) -> None:
        self.second = second if second is not None else Second()
        self.said: list[str] = []
        self.opened = 0
        self.opening = asyncio.Event()

        async def fall_back() -> Second:
            self.opened += 1
            self.opening.set()
            await asyncio.sleep(0.5)
            opens()
            return self.second

        self.client = WithFallback(client_of(*servers, patient=False), fall_back, self.said.append)

    async def ask(self, **options: Any) -> Any:
        return (await self.client.infer("m", rows(), **options))["y"].tolist()

    async def reasons(self) -> dict[str, int]:
        """Requests that fell back, by reason."""
        await self.client.aclose()
        return {each["reason"]: each["requests"] for each in (await self.client.report())["fallback"]}


@in_virtual_time
async def test_nothing_is_opened_where_a_server_answers() -> None:
    one = Scripted("one")
    one.at_once = Held.succeed
    scene = Scene(one)
    assert await scene.ask() == FIRST
    assert await scene.reasons() == {}
    assert (scene.opened, scene.second.closed) == (0, 0)


@in_virtual_time
async def test_a_model_that_no_server_has_is_the_others() -> None:
    one = Scripted("one", "n")
    scene = Scene(one)
    assert (await scene.client.metadata("m")).name == "m"
    assert await scene.ask() == SECOND
    assert scene.said == ["warning: one, model 'm': there is no model 'm' (there is 'n'); m falls back to Second()"]
    assert await scene.reasons() == {"no server has the model": 1}


@in_virtual_time
async def test_a_model_that_neither_has_is_the_servers_error_with_a_note() -> None:
    scene = Scene(Scripted("one", "n"))
    with pytest.raises(RequestError, match="one, model 'x': there is no model 'x'") as raised:
        await scene.client.metadata("x")
    assert raised.value.__notes__ == ["nor does the fallback help: second: there is no model 'x' either"]
    assert await scene.reasons() == {}


@in_virtual_time
async def test_a_server_that_dies_in_the_middle_of_a_request_is_fallen_back_from() -> None:
    one = Scripted("one")
    scene = Scene(one)
    asked = asyncio.create_task(scene.ask())
    await one.holds()
    one.die()
    assert await asked == SECOND
    assert await scene.ask() == SECOND
    assert await scene.reasons() == {"connection lost": 1, "refused": 1}


@in_virtual_time
async def test_a_server_that_is_back_is_asked_again() -> None:
    one = Scripted("one")
    one.at_once = Held.succeed
    one.up = False
    scene = Scene(one)
    await scene.client.metadata("m")
    assert await scene.ask() == SECOND
    one.up = True
    await asyncio.sleep(1)
    assert await scene.ask() == FIRST
    assert await scene.reasons() == {"refused": 1}


@in_virtual_time
async def test_a_server_that_stays_busy_is_fallen_back_from_at_the_deadline() -> None:
    one = Scripted("one")
    one.at_once = lambda held: held.fail("RESOURCE_EXHAUSTED", "too many")
    scene = Scene(one)
    assert await scene.ask(tries=2) == SECOND
    assert await scene.reasons() == {"busy": 1}


@in_virtual_time
async def test_a_server_that_does_not_answer_is_fallen_back_from_with_the_whole_time_again() -> None:
    scene = Scene(Scripted("one"))
    assert await scene.ask(timeout=3.0) == SECOND
    assert scene.second.asked == [{"timeout": 3.0}]
    assert await scene.reasons() == {"timed out": 1}


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "INTERNAL", "UNAUTHENTICATED"])
def test_what_is_wrong_everywhere_is_not_asked_elsewhere(code: str) -> None:
    @in_virtual_time
    async def test() -> None:
        one = Scripted("one")
        one.at_once = lambda held: held.fail(code, "it is wrong")
        scene = Scene(one)
        with pytest.raises(ServerError, match="it is wrong"):
            await scene.ask()
        assert await scene.reasons() == {}
        assert scene.opened == 0

    test()


@pytest.mark.parametrize(
    "error", [RequestError("another shape"), ServerTimeout("no answer"), ServerError("it failed too")], ids=repr
)
def test_where_the_other_fails_too_the_error_says_both(error: ServerError) -> None:
    @in_virtual_time
    async def test() -> None:
        one = Scripted("one")
        one.up = False
        scene = Scene(one, second=Second(error))
        with pytest.raises(ServerUnavailable, match="one, model 'm': failed to connect") as raised:
            await scene.ask()
        assert raised.value.__notes__ == [f"nor does the fallback help: {error}"]
        assert raised.value.__cause__ is error
        assert await scene.reasons() == {}

    test()


@in_virtual_time
async def test_where_only_the_other_has_the_model_its_error_is_the_error() -> None:
    scene = Scene(Scripted("one", "n"), second=Second(RequestError("another shape")))
    await scene.client.metadata("m")
    with pytest.raises(RequestError, match="another shape"):
        await scene.ask()
    assert await scene.reasons() == {}


@in_virtual_time
async def test_one_that_cannot_be_opened_says_so_beside_the_servers_error() -> None:
    def opens() -> None:
        raise ConfigurationError("there is no such folder", "models")

    one = Scripted("one")
    one.up = False
    scene = Scene(one, opens=opens)
    for ask in (scene.ask, lambda: scene.client.metadata("m")):
        with pytest.raises(ServerUnavailable, match="Connection refused") as raised:
            await ask()
        assert "the fallback cannot be opened: models: there is no such folder" in raised.value.__notes__[0]
    assert await scene.reasons() == {}


@in_virtual_time
async def test_a_library_that_it_lacks_is_named() -> None:
    def opens() -> None:
        raise MissingExtra("models in this process needs onnxruntime: pip install 'eventbraid[local]'")

    one = Scripted("one")
    one.up = False
    scene = Scene(one, opens=opens)
    with pytest.raises(MissingExtra, match="needs onnxruntime"):
        await scene.ask()
    assert await scene.reasons() == {}


@in_virtual_time
async def test_many_who_fall_back_at_once_open_one() -> None:
    one = Scripted("one")
    one.up = False
    scene = Scene(one)
    assert await asyncio.gather(*(scene.ask() for _ in range(5))) == [SECOND] * 5
    assert scene.opened == 1
    assert await scene.reasons() == {"refused": 5}


@in_virtual_time
async def test_closing_closes_both() -> None:
    one = Scripted("one", "n")
    scene = Scene(one)
    await scene.client.metadata("m")
    await scene.client.aclose()
    assert one.transports[0].closed.is_set()
    assert scene.second.closed == 1


@in_virtual_time
async def test_one_that_is_just_being_opened_is_closed_too() -> None:
    one = Scripted("one")
    one.up = False
    scene = Scene(one)
    asked = asyncio.create_task(scene.ask())
    await scene.opening.wait()
    await scene.client.aclose()
    assert scene.second.closed == 1
    await asyncio.wait([asked])


@in_virtual_time
async def test_nothing_is_opened_after_closing() -> None:
    one = Scripted("one")
    one.up = False
    scene = Scene(one)
    await scene.client.aclose()
    with pytest.raises(ServerError, match="this client is closed"):
        await scene.ask()
    assert scene.opened == 0


@in_virtual_time
async def test_one_who_is_cancelled_while_it_is_opened_leaves_it_to_the_next() -> None:
    one = Scripted("one")
    one.up = False
    scene = Scene(one)
    asked = asyncio.create_task(scene.ask())
    await scene.opening.wait()
    asked.cancel()
    await asyncio.wait([asked])
    assert asked.cancelled()
    assert await scene.ask() == SECOND
    assert await scene.reasons() == {"refused": 1}


@pytest.mark.parametrize("fallback", ["local", "server"])
def test_a_job_whose_servers_are_away_falls_back_and_its_report_says_so(
    repository: Path, fallback: Literal["local", "server"]
) -> None:
    output = ListOutput(keep=["sum"])
    report = Job(
        "t",
        source=ListSource([{"rows": np.full((2, 3), n, np.float32)} for n in range(4)]),
        modules={"sum": Sum(model="sum")},
        paths={"p": ["sum"]},
        outputs=[output],
        servers=["127.0.0.1:1"],
        models=[repository],
        fallback=fallback,
    ).run()
    assert [row.products["sum"].tolist() for row in output.rows] == [[3 * n, 3 * n] for n in range(4)]
    assert report.inference["fallback"] == [{"model": "sum", "reason": "refused", "requests": 4}]


def test_a_job_without_a_server_runs_its_models_in_its_process_where_its_fallback_is_local(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ListOutput(keep=["sum"])
    report = Job(
        "t",
        source=ListSource([{"rows": np.full((2, 3), n, np.float32)} for n in range(4)]),
        modules={"sum": Sum(model="sum")},
        outputs=[output],
        models=[repository],
        fallback="local",
    ).run()
    assert [row.products["sum"].tolist() for row in output.rows] == [[3 * n, 3 * n] for n in range(4)]
    (asked,) = report.inference["models"]
    assert (asked["server"], asked["requests"]) == ("in this process", 4)
    assert "embedded" not in capsys.readouterr().err
