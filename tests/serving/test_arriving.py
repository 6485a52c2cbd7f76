"""What is being received: which messages are refused where they are too many."""

from __future__ import annotations

import asyncio

import pytest

from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.arriving import Arriving, to_refuse
from eventbraid.serving.embedded.calls.budget import Budget


@pytest.mark.parametrize(("slow", "refused"), [("", ""), ("a", ""), ("ab", "b"), ("abc", "c"), ("abcd", "cd")])
def test_the_younger_half_is_refused_and_never_the_first(slow: str, refused: str) -> None:
    assert to_refuse(slow) == refused


async def test_messages_that_take_long_are_refused_once_the_process_has_grown_too_much() -> None:
    size = 1000
    arriving = Arriving(Budget(100), lambda: size)
    ends = [asyncio.get_running_loop().create_future() for _ in range(2)]
    received = [asyncio.create_task(arriving.receive(each)) for each in ends]
    await asyncio.sleep(0)
    arriving.look()
    size = 1101
    arriving.look()
    with pytest.raises(ModelFailure, match="take 101 bytes of 100") as raised:
        await received[1]
    assert raised.value.code == "RESOURCE_EXHAUSTED"
    ends[0].set_result(b"whole")
    assert await received[0] == b"whole"


async def test_a_message_is_not_refused_for_what_had_grown_before_it_came() -> None:
    size = 1000
    arriving = Arriving(Budget(100), lambda: size)
    size = 5000
    arriving.look()
    end = [asyncio.get_running_loop().create_future() for _ in range(2)]
    received = [asyncio.create_task(arriving.receive(each)) for each in end]
    await asyncio.sleep(0)
    arriving.look()
    arriving.look()
    for each in end:
        each.set_result(b"whole")
    assert await asyncio.gather(*received) == [b"whole", b"whole"]


async def test_a_client_that_gives_up_is_cancelled_and_not_refused() -> None:
    arriving = Arriving(Budget(100), lambda: 0)
    received = asyncio.create_task(arriving.receive(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    received.cancel()
    with pytest.raises(asyncio.CancelledError):
        await received
