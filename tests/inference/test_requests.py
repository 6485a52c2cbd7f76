"""The way of a request: tried again, elsewhere, or given up; what is said of it; closing in the middle."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import uvloop
from scripted import Held, Scripted, client_of, rows

from eventbraid.errors import (
    AnswerError,
    RequestError,
    ServerBusy,
    ServerError,
    ServerTimeout,
    ServerUnavailable,
)
from eventbraid.inference import TritonClient
from eventbraid.inference.transport.base import Transport, TransportError
from eventbraid.kserve import Tensors
from eventbraid.testing.virtual_time import in_virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


def ask(client: TritonClient, **options: Any) -> asyncio.Task[Tensors]:
    return asyncio.create_task(client.infer("m", options.pop("inputs", rows()), **options))


def failing(code: str, details: str = "") -> Callable[[Held], None]:
    return lambda held: held.fail(code, details)


def nonsense(held: Held) -> None:
    held.say(b"\xff")


async def nothing_is_taken(client: TritonClient, *asked: asyncio.Task[Tensors]) -> None:
    """Close, which ends what was asked; every place was given back, and nobody waits."""
    await client.aclose()
    if asked:
        await asyncio.wait(asked, timeout=1)
        assert all(each.done() for each in asked)
    for endpoint in client._pool.endpoints:
        assert (endpoint.outstanding, endpoint.slots.requests, endpoint.slots.bytes) == (0, 0, 0)
    assert not any(serving.waiting for serving in client._pool.models.values())


@pytest.mark.parametrize("bad", [failing("INTERNAL", "it failed"), nonsense], ids=["error", "nonsense"])
def test_a_bad_answer_goes_elsewhere_once(bad: Callable[[Held], None]) -> None:
    @in_virtual_time
    async def test() -> None:
        one, two = Scripted("one"), Scripted("two")
        one.at_once, two.at_once = bad, Held.succeed
        client = client_of(one, two)
        assert (await client.infer("m", rows(), preferred_server="one"))["y"].tolist() == [[2]]
        assert (one.asked("ModelInfer"), two.asked("ModelInfer")) == (1, 1)
        await nothing_is_taken(client)

    test()


@pytest.mark.parametrize(
    ("bad", "kind"), [(failing("INTERNAL", "it failed"), ServerError), (nonsense, AnswerError)], ids=["error", "nonsense"]
)  # fmt: skip
def test_a_bad_answer_everywhere_is_an_error_after_one_try_each(
    bad: Callable[[Held], None], kind: type[ServerError]
) -> None:
    @in_virtual_time
    async def test() -> None:
        servers = [Scripted("one"), Scripted("two"), Scripted("three")]
        for each in servers:
            each.at_once = bad
        client = client_of(*servers)
        with pytest.raises(kind):
            await client.infer("m", rows())
        assert [each.asked("ModelInfer") for each in servers] == [1, 1, 1]
        await nothing_is_taken(client)

    test()


@in_virtual_time
async def test_a_bad_answer_is_the_error_where_the_other_server_goes_before_it_has_room() -> None:
    one, two = Scripted("one"), Scripted("two", max_requests=1)
    one.at_once = failing("INTERNAL", "it failed")
    client = client_of(one, two)
    ahead = ask(client, preferred_server="two", tries=1)
    await two.holds()
    asked = ask(client, preferred_server="one")
    await one.was_asked("ModelInfer")
    two.die()
    with pytest.raises(ServerError, match="one, model 'm': INTERNAL: it failed"):
        await asked
    with pytest.raises(ServerUnavailable):
        await ahead
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_wrong_request_is_an_error_at_once() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.at_once = two.at_once = failing("INVALID_ARGUMENT", "unexpected shape")
    client = client_of(one, two)
    with pytest.raises(RequestError, match="unexpected shape"):
        await client.infer("m", rows())
    assert one.asked("ModelInfer") + two.asked("ModelInfer") == 1
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_request_that_is_tried_once_is_sent_once() -> None:
    one = Scripted("one")
    one.at_once = failing("RESOURCE_EXHAUSTED", "too many")
    client = client_of(one)
    with pytest.raises(ServerBusy, match="too many"):
        await client.infer("m", rows(), tries=1)
    assert one.asked("ModelInfer") == 1
    await nothing_is_taken(client)


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"])
def test_a_server_that_refuses_at_once_is_asked_with_growing_pauses(code: str) -> None:
    @in_virtual_time
    async def test() -> None:
        one = Scripted("one")
        one.at_once = failing(code, "not now")
        client = client_of(one)
        with pytest.raises((ServerBusy, ServerTimeout)):
            await client.infer("m", rows(), timeout=10)
        assert now() == pytest.approx(10.0, abs=0.1)
        assert 10 < one.asked("ModelInfer") < 40
        await nothing_is_taken(client)

    test()


@in_virtual_time
async def test_a_busy_server_is_not_asked_without_end_where_the_other_is_full() -> None:
    one, two = Scripted("one"), Scripted("two", max_requests=1)
    one.at_once = failing("RESOURCE_EXHAUSTED", "too many")
    client = client_of(one, two)
    ahead = ask(client, preferred_server="two")
    await two.holds()
    asked = ask(client, preferred_server="one")
    await asyncio.sleep(5)
    assert one.asked("ModelInfer") < 25
    one.at_once = Held.succeed
    await asked
    two.succeed()
    await ahead
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_busy_server_is_left_at_once_where_another_is_ready() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.at_once, two.at_once = failing("RESOURCE_EXHAUSTED", "too many"), Held.succeed
    client = client_of(one, two)
    await client.metadata("m")
    began = now()
    await client.infer("m", rows(), preferred_server="one")
    assert now() == began
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_request_is_sent_again_when_its_server_is_back() -> None:
    one = Scripted("one")
    client = client_of(one)
    asked = ask(client)
    await one.holds()
    one.die()
    await asyncio.sleep(3)
    one.up, one.at_once = True, Held.succeed
    assert (await asked)["y"].tolist() == [[2]]
    assert one.asked("ModelInfer") == 2
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_request_that_found_no_server_any_more_says_what_was_before() -> None:
    one = Scripted("one")
    client = client_of(one)
    asked = ask(client, timeout=3)
    await one.holds()
    one.die()
    with pytest.raises(ServerUnavailable, match="Connection refused") as raised:
        await asked
    assert raised.value.__notes__ == ["before that: one, model 'm': Socket closed"]
    assert now() == pytest.approx(3.0, abs=0.1)
    await nothing_is_taken(client)


@in_virtual_time
async def test_the_server_is_told_how_long_it_has() -> None:
    one = Scripted("one")
    client = client_of(one)
    asked = ask(client, timeout=7)
    await one.holds()
    assert one.held[0].seconds == pytest.approx(7.0, abs=0.1)
    one.succeed()
    await asked
    await nothing_is_taken(client)


@in_virtual_time
async def test_the_pieces_of_a_request_give_back_what_they_took() -> None:
    one = Scripted("one", max_bytes=12)
    one.at_once = Held.succeed
    client = client_of(one)
    for _ in range(3):
        assert (await client.infer("m", rows(7, 4.0), batch_size=2))["y"].tolist() == [[8]] * 7
    await nothing_is_taken(client)


@in_virtual_time
async def test_pieces_are_sent_as_many_at_once_as_their_own_bytes_allow() -> None:
    one = Scripted("one", max_bytes=16)
    client = client_of(one)
    asked = ask(client, inputs=rows(8), batch_size=2)
    await one.holds(2)
    one.at_once = Held.succeed
    one.succeed()
    await asked
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_piece_that_fails_ends_the_others() -> None:
    one = Scripted("one")
    client = client_of(one)
    asked = ask(client, inputs=rows(4), batch_size=1, tries=1)
    await one.holds(4)
    one.held[2].fail("INTERNAL", "the third")
    with pytest.raises(ServerError, match="the third"):
        await asked
    assert not one.held
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_frozen_server_is_given_up_and_its_requests_are_answered_by_the_other() -> None:
    one, two = Scripted("one"), Scripted("two")
    two.at_once = Held.succeed
    client = client_of(one, two)
    asked = [ask(client, preferred_server="one") for _ in range(3)]
    await one.holds(3)
    one.silent = True
    began = now()
    assert [(await each)["y"].tolist() for each in asked] == [[[2]]] * 3
    assert now() - began < 4
    assert two.asked("ModelInfer") == 3
    one.silent = False
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_frozen_server_is_used_again_once_it_has_thawed() -> None:
    one, two = Scripted("one"), Scripted("two")
    two.at_once = Held.succeed
    client = client_of(one, two)
    asked = ask(client, preferred_server="one")
    await one.holds()
    one.silent = True
    await asked
    one.silent, one.at_once = False, Held.succeed
    await asyncio.sleep(2)
    await client.infer("m", rows(), preferred_server="one")
    assert one.asked("ModelInfer") == 2
    await nothing_is_taken(client)


@in_virtual_time
async def test_the_only_server_is_not_given_up_however_long_it_is_frozen() -> None:
    one = Scripted("one")
    client = client_of(one)
    asked = ask(client)
    await one.holds()
    one.silent = True
    await asyncio.sleep(20)
    one.silent = False
    one.succeed()
    await asked
    assert (one.asked("ModelInfer"), len(one.transports)) == (1, 1)
    await nothing_is_taken(client)


@in_virtual_time
async def test_a_server_that_computes_for_long_and_lives_is_not_given_up() -> None:
    one, two = Scripted("one"), Scripted("two")
    client = client_of(one, two)
    asked = ask(client, preferred_server="one")
    await asyncio.sleep(20)
    assert one.asked("ServerLive") > 5
    one.succeed()
    await asked
    assert two.asked("ModelInfer") == 0
    await nothing_is_taken(client)


@in_virtual_time
async def test_closing_ends_requests_in_flight_and_those_that_wait() -> None:
    one = Scripted("one", max_requests=1)
    client = client_of(one)
    asked = [ask(client) for _ in range(3)]
    await one.holds()
    await nothing_is_taken(client, *asked)
    assert {str(each.exception()) for each in asked} == {"one, model 'm': this client is closed"}
    assert now() < 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_virtual_time
async def test_closing_ends_what_pauses_before_it_is_sent_again() -> None:
    one = Scripted("one")
    one.at_once = failing("RESOURCE_EXHAUSTED", "too many")
    client = client_of(one)
    asked = ask(client)
    await asyncio.sleep(5)
    await nothing_is_taken(client, asked)
    assert str(asked.exception()) == "one, model 'm': this client is closed"


@in_virtual_time
async def test_closing_while_a_silent_server_is_asked_whether_it_lives_ends_that_too() -> None:
    one, two = Scripted("one"), Scripted("two")
    client = client_of(one, two)
    asked = ask(client, preferred_server="one")
    await one.holds()
    one.silent = True
    await one.was_asked("ServerLive")
    await nothing_is_taken(client, asked)
    assert isinstance(asked.exception(), ServerUnavailable)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert all(each.closed.is_set() for server in (one, two) for each in server.transports)


@in_virtual_time
async def test_closing_twice_is_closing_once() -> None:
    client = client_of(Scripted("one"))
    await client.metadata("m")
    await asyncio.gather(client.aclose(), client.aclose())
    await client.aclose()
    with pytest.raises(ServerError, match="one: this client is closed"):
        await client.metadata("m")


@in_virtual_time
async def test_a_client_that_was_never_used_can_be_closed() -> None:
    await client_of(Scripted("one")).aclose()


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (None, "the inputs are no dictionary of arrays but NoneType"),
        ([np.ones((1, 1), np.float32)], "the inputs are no dictionary of arrays but list"),
        ({}, "input 'x' is missing. The model takes x FP32[-1,1]"),
        ({"x": None}, "input 'x' is no array but NoneType"),
        ({"x": 1.0}, "input 'x' is no array but float"),
        ({"x": np.float32(1)}, "input 'x' is of shape [], not [-1,1]"),
        ({"x": np.array(1, np.float32)}, "input 'x' is of shape [], not [-1,1]"),
        ({"x": np.ones(1, np.float32)}, "input 'x' is of shape [1], not [-1,1]"),
        ({"x": np.array([["a"]], dtype=object)}, "input 'x' is of type object, not FP32 (float32)"),
        ({"x": np.ones((1, 1), [("a", "f4")])}, "input 'x' is of type [('a', '<f4')], not FP32 (float32)"),
        ({"x": np.ones((1, 1), "M8[s]")}, "input 'x' is of type datetime64[s], not FP32 (float32)"),
        ({"x": np.ones((1, 1), np.float32), "y": 1}, "there is no input 'y', there is 'x'"),
        ({"x": np.ones((1, 1), np.float32), 3: 1}, "there is no input 3, there is 'x'"),
    ],
    ids=str,
)
def test_inputs_that_are_none_say_what_they_should_be(inputs: Any, text: str) -> None:
    @in_virtual_time
    async def test() -> None:
        one = Scripted("one")
        client = client_of(one)
        with pytest.raises(RequestError) as raised:
            await client.infer("m", inputs)
        assert text in str(raised.value)
        assert not one.asked("ModelInfer")
        await nothing_is_taken(client)

    test()


def test_an_array_of_another_library_is_no_array() -> None:
    class Tensor:
        dtype, shape = "torch.float32", (1, 1)

    @in_virtual_time
    async def test() -> None:
        client = client_of(Scripted("one"))
        inputs: Any = {"x": Tensor()}
        with pytest.raises(RequestError, match="input 'x' is no array but Tensor"):
            await client.infer("m", inputs)
        await nothing_is_taken(client)

    test()


@in_virtual_time
async def test_no_rows_are_a_request_without_rows() -> None:
    one = Scripted("one")
    one.at_once = Held.succeed
    client = client_of(one)
    assert (await client.infer("m", rows(0)))["y"].shape == (0, 1)
    await nothing_is_taken(client)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_is_a_timeout(seconds: float) -> None:
    @in_virtual_time
    async def test() -> None:
        client = client_of(Scripted("one"))
        for _ in range(2):  # the servers not yet asked what they have, and asked
            with pytest.raises((ServerTimeout, ServerUnavailable, ServerBusy)):
                await client.infer("m", rows(), timeout=seconds)
            await client.metadata("m")
        await nothing_is_taken(client)

    test()


@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_closing_in_the_middle_leaves_nothing_on_either_loop(make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test() -> None:
        one = Scripted("one", max_requests=2)
        client = client_of(one)
        asked = [ask(client) for _ in range(6)]
        while not one.held:  # noqa: ASYNC110
            await asyncio.sleep(0)
        asked[0].cancel()
        asked[-1].cancel()
        await nothing_is_taken(client, *asked)
        assert [each.cancelled() for each in asked] == [True, False, False, False, False, True]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    began = time.monotonic()
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(test())
    assert time.monotonic() - began < 5


class Failing:
    """A transport that fails all requests for inference, and keeps nothing of them."""

    def __init__(self, inner: Transport, code: str) -> None:
        self.inner = inner
        self.code = code

    async def call(self, method: str, parts: Sequence[bytes | memoryview], **more: Any) -> bytes:
        if method == "ModelInfer":
            raise TransportError(self.code, "Socket closed")
        return await self.inner.call(method, parts, **more)

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "INVALID_ARGUMENT"])
def test_the_tensors_of_a_request_that_failed_are_free_with_its_error(code: str) -> None:
    @in_virtual_time
    async def test() -> None:
        one, two = Scripted("one"), Scripted("two")
        servers = {"one": one, "two": two}
        client = TritonClient(
            [one.server, two.server], connect=lambda server: Failing(servers[server.name].connect(), code)
        )
        await client.metadata("m")
        inputs = rows()
        held = weakref.ref(inputs["x"])
        gc.disable()
        try:
            with pytest.raises(ServerError):
                await client.infer("m", inputs, timeout=0.1)
            inputs.clear()
            assert held() is None
        finally:
            gc.enable()
        await nothing_is_taken(client)

    test()
