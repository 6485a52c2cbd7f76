"""Requests that are joined: which, when, and what each of them sees of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import ServerError
from eventbraid.errors import AnswerError, RequestError, ServerTimeout
from eventbraid.inference.coalescing import Coalesce, Coalescer, Waiting, how_many
from eventbraid.kserve import Tensors
from eventbraid.whereabouts import server_of, waiting_on


def tensors(count: int, value: float = 1.0, width: int = 2) -> Tensors:
    return {"x": np.full((count, width), value, np.float32)}


class Server:
    """Answers with the sum of each row, when it is told to."""

    def __init__(self) -> None:
        self.calls: list[Tensors] = []
        self.deadlines: list[float] = []
        self.cancelled = 0
        self.called = asyncio.Event()
        self.let_go = asyncio.Event()
        self.has_room = True
        self.fault: Callable[[Tensors], Exception | None] = lambda inputs: None

    async def send(self, inputs: Tensors, deadline: float) -> Tensors:
        self.calls.append(inputs)
        self.deadlines.append(deadline)
        self.called.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if error := self.fault(inputs):
            raise error
        answer = {"y": inputs["x"].sum(axis=1, keepdims=True)}
        answer["y"].flags.writeable = False
        return answer

    async def called_again(self, times: int) -> None:
        """Wait until it was asked so many times."""
        while len(self.calls) < times:
            self.called.clear()
            await self.called.wait()

    def coalescer(self, **how: Any) -> Coalescer:
        return Coalescer(Coalesce(**how), self.send, lambda: self.has_room)

    @property
    def sizes(self) -> list[int]:
        return [len(call["x"]) for call in self.calls]


async def turns(count: int = 5) -> None:
    """Let the loop run."""
    for _ in range(count):
        await asyncio.sleep(0)


def soon() -> float:
    return monotonic() + 30


async def test_requests_that_wait_for_room_are_sent_as_one() -> None:
    server = Server()
    server.let_go.set()
    server.has_room = False
    joined = server.coalescer(max_rows=10)
    asked = [asyncio.create_task(joined.ask(tensors(2, n), soon())) for n in range(3)]
    await turns()
    assert server.calls == []
    server.has_room = True
    joined.notify()
    answers = await asyncio.gather(*asked)
    assert server.sizes == [6]
    assert [answer["y"].tolist() for answer in answers] == [[[0], [0]], [[2], [2]], [[4], [4]]]
    assert (joined.asked, joined.sent) == (3, 1)


async def test_a_request_alone_is_sent_at_once_where_there_is_room() -> None:
    server = Server()
    server.let_go.set()
    assert (await server.coalescer(max_rows=10).ask(tensors(1), soon()))["y"].tolist() == [[2]]


async def test_no_more_rows_are_joined_than_allowed() -> None:
    server = Server()
    server.let_go.set()
    server.has_room = False
    joined = server.coalescer(max_rows=4)
    asked = [asyncio.create_task(joined.ask(tensors(3), soon())) for _ in range(2)]
    await turns()
    server.has_room = True
    joined.notify()
    await asyncio.gather(*asked)
    assert server.sizes == [3, 3]


async def test_requests_of_other_shapes_are_not_joined() -> None:
    server = Server()
    server.let_go.set()
    server.has_room = False
    joined = server.coalescer(max_rows=10)
    asked = [asyncio.create_task(joined.ask(tensors(1, width=width), soon())) for width in (2, 3, 3)]
    await turns()
    server.has_room = True
    joined.notify()
    await asyncio.gather(*asked)
    assert server.sizes == [1, 2]


async def test_the_first_waits_for_others_no_longer_than_the_delay() -> None:
    server = Server()
    server.let_go.set()
    joined = server.coalescer(max_rows=10, max_delay=0.05)
    began = monotonic()
    answers = await asyncio.gather(*(joined.ask(tensors(1, n), soon()) for n in range(4)))
    assert monotonic() - began >= 0.049
    assert server.sizes == [4]
    assert [float(answer["y"][0, 0]) for answer in answers] == [0, 2, 4, 6]


async def test_enough_rows_are_sent_without_delay() -> None:
    server = Server()
    server.let_go.set()
    joined = server.coalescer(max_rows=4, max_delay=60)
    await asyncio.gather(*(joined.ask(tensors(2), soon()) for _ in range(2)))
    assert server.sizes == [4]


async def test_one_that_is_cancelled_while_it_waits_is_not_sent() -> None:
    server = Server()
    server.let_go.set()
    server.has_room = False
    joined = server.coalescer(max_rows=10)
    first, second = (asyncio.create_task(joined.ask(tensors(n), soon())) for n in (1, 2))
    await turns()
    first.cancel()
    await turns()
    server.has_room = True
    joined.notify()
    await second
    assert server.sizes == [2]


async def test_one_that_is_cancelled_after_sending_does_not_disturb_the_others() -> None:
    server = Server()
    joined = server.coalescer(max_rows=2, max_delay=60)
    first, second = (asyncio.create_task(joined.ask(tensors(1, n), soon())) for n in (1, 2))
    await server.called.wait()
    first.cancel()
    await turns()
    server.let_go.set()
    assert (await second)["y"].tolist() == [[4]]
    assert server.cancelled == 0


async def test_a_call_that_nobody_waits_for_is_cancelled() -> None:
    server = Server()
    joined = server.coalescer(max_rows=2, max_delay=60)
    asked = [asyncio.create_task(joined.ask(tensors(1), soon())) for _ in range(2)]
    await server.called.wait()
    for each in asked:
        each.cancel()
    await turns()
    assert server.cancelled == 1


async def test_one_that_is_late_leaves_and_the_others_get_their_answer() -> None:
    server = Server()
    joined = server.coalescer(max_rows=2, max_delay=60)
    late = asyncio.create_task(joined.ask(tensors(1, 1), monotonic() + 0.02))
    other = asyncio.create_task(joined.ask(tensors(1, 2), soon()))
    with pytest.raises(ServerTimeout, match="no answer before the deadline"):
        await late
    server.let_go.set()
    assert (await other)["y"].tolist() == [[4]]
    assert server.deadlines[0] > monotonic() + 20


async def test_a_wrong_request_does_not_fail_those_it_was_joined_with() -> None:
    server = Server()
    server.let_go.set()
    server.fault = lambda inputs: RequestError("negative") if (inputs["x"] < 0).any() else None
    joined = server.coalescer(max_rows=3, max_delay=60)
    good, bad, too = await asyncio.gather(
        *(joined.ask(tensors(1, n), soon()) for n in (1, -1, 2)), return_exceptions=True
    )
    assert isinstance(bad, RequestError)
    assert not isinstance(good, BaseException)
    assert not isinstance(too, BaseException)
    assert (good["y"].tolist(), too["y"].tolist()) == ([[2]], [[4]])
    assert server.sizes == [3, 1, 1, 1]


async def test_a_servers_failure_reaches_all_each_with_an_error_of_its_own() -> None:
    server = Server()
    server.let_go.set()
    server.fault = lambda inputs: ServerError("no memory", server="gpu:1", model="m")
    joined = server.coalescer(max_rows=2, max_delay=60)
    errors = await asyncio.gather(*(joined.ask(tensors(1), soon()) for _ in range(2)), return_exceptions=True)
    assert [str(error) for error in errors] == ["gpu:1, model 'm': no memory"] * 2
    assert errors[0] is not errors[1]


async def test_a_model_that_mixes_rows_is_told() -> None:
    async def mixes(inputs: Tensors, deadline: float) -> Tensors:
        return {"y": inputs["x"].sum(axis=0)}

    joined = Coalescer(Coalesce(3, 60), mixes, lambda: True)
    with pytest.raises(AnswerError, match="its requests cannot be joined"):
        await asyncio.gather(*(joined.ask(tensors(1), soon()) for _ in range(3)))


@pytest.mark.parametrize(
    ("how", "text"), [({"max_rows": 1}, "at least 2"), ({"max_rows": 4, "max_delay": -1}, "from 0 on")]
)
def test_a_wrong_way_of_joining_is_an_error(how: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Coalesce(**how)


@given(st.lists(st.integers(1, 8), max_size=8), st.integers(2, 12), st.floats(0, 1), st.floats(0, 2))
def test_what_is_joined_fits_and_is_never_kept_too_long(
    sizes: list[int], most: int, delay: float, waited: float
) -> None:
    loop = asyncio.new_event_loop()
    waiting = [Waiting(tensors(size), size, 0.0, 9.0, loop.create_future()) for size in sizes]
    loop.close()
    count = how_many(waiting, Coalesce(most, delay), waited)
    assert count <= len(sizes)
    assert count <= 1 or sum(sizes[:count]) <= most
    if sizes and waited >= delay:
        assert count >= 1


async def test_while_there_is_no_room_nobody_looks_for_it() -> None:
    server = Server()
    looked = 0

    def room() -> bool:
        nonlocal looked
        looked += 1
        return False

    joined = Coalescer(Coalesce(10, 0.001), server.send, room)
    with pytest.raises(ServerTimeout):
        await joined.ask(tensors(1), monotonic() + 0.05)
    assert looked == 1


async def test_those_joined_with_a_wrong_request_are_asked_for_at_the_same_time() -> None:
    server = Server()
    server.let_go.set()
    server.fault = lambda inputs: RequestError("too many") if len(inputs["x"]) > 1 else None
    joined = server.coalescer(max_rows=3, max_delay=60)
    asked = [asyncio.create_task(joined.ask(tensors(1), soon())) for _ in range(3)]
    await server.called.wait()
    server.let_go.clear()
    await server.called_again(4)
    server.let_go.set()
    await asyncio.gather(*asked)
    assert server.sizes == [3, 1, 1, 1]


async def test_a_fault_of_our_own_reaches_those_who_ask() -> None:
    server = Server()
    server.let_go.set()
    server.fault = lambda inputs: TypeError("a bug")
    with pytest.raises(TypeError, match="a bug"):
        await server.coalescer(max_rows=10).ask(tensors(1), soon())


async def test_closing_ends_what_waits_and_what_is_on_its_way() -> None:
    server = Server()
    joined = server.coalescer(max_rows=10)
    sent = asyncio.create_task(joined.ask(tensors(1), soon()))
    await turns()
    server.has_room = False
    waits = asyncio.create_task(joined.ask(tensors(1), soon()))
    await turns()
    await joined.aclose()
    for each in (sent, waits):
        with pytest.raises(ServerError, match="this client is closed"):
            await each
    assert server.cancelled == 1


async def test_where_an_event_waits_is_known_through_the_joined_request() -> None:
    async def send(inputs: Tensors, deadline: float) -> Tensors:
        with waiting_on("gpu:1"):
            await asyncio.Event().wait()
        return {}

    joined = Coalescer(Coalesce(10), send, lambda: True)
    task = asyncio.create_task(joined.ask(tensors(1), soon()))
    await turns()
    assert server_of(task) == "gpu:1"
    task.cancel()
    await turns()


async def test_it_knows_how_long_requests_waited() -> None:
    server = Server()
    server.let_go.set()
    joined = server.coalescer(max_rows=10, max_delay=0.05)
    await asyncio.gather(*(joined.ask(tensors(1), soon()) for _ in range(4)))
    assert joined.waited.count == 4
    assert joined.waited.mean >= 0.049
