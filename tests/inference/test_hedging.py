"""A second request elsewhere where the first takes long: the first answer counts, and nothing is left of the other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from scripted import Held, Scripted, client_of, rows

from eventbraid.errors import ServerError, ServerTimeout
from eventbraid.inference import TritonClient
from eventbraid.kserve import Tensors
from eventbraid.testing.virtual_time import in_virtual_time


def ask(client: TritonClient, **options: Any) -> asyncio.Task[Tensors]:
    """A request that goes to server "one" and, after a second, elsewhere."""
    return asyncio.create_task(
        client.infer("m", rows(), **{"preferred_server": "one", "hedge_after": 1.0, "tries": 1} | options)
    )


def requests(*servers: Scripted) -> list[int]:
    return [each.asked("ModelInfer") for each in servers]


async def nothing_is_left(client: TritonClient, *servers: Scripted) -> None:
    """No place is taken and no server has a request, by the time that the answer is there."""
    for endpoint in client._pool.endpoints:
        assert (endpoint.outstanding, endpoint.slots.requests, endpoint.slots.bytes) == (0, 0, 0)
    assert not any(each.held for each in servers)
    await client.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_virtual_time
async def test_a_request_that_is_answered_in_time_has_no_second_one() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.at_once = Held.succeed
    client = client_of(one, two)
    await ask(client)
    await asyncio.sleep(3)
    assert requests(one, two) == [1, 0]
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_a_request_that_takes_long_is_answered_by_the_other_server() -> None:
    one, two = Scripted("one"), Scripted("two")
    two.at_once = Held.succeed
    client = client_of(one, two)
    assert (await ask(client))["y"].tolist() == [[2]]
    assert asyncio.get_running_loop().time() == pytest.approx(1.0, abs=0.1)
    assert requests(one, two) == [1, 1]
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_the_first_request_counts_where_it_is_answered_first() -> None:
    one, two = Scripted("one"), Scripted("two")
    client = client_of(one, two)
    asked = ask(client)
    await two.holds()
    one.succeed()
    assert (await asked)["y"].tolist() == [[2]]
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_a_second_request_goes_to_no_server_that_has_the_first() -> None:
    one = Scripted("one")
    client = client_of(one)
    asked = ask(client)
    await asyncio.sleep(3)
    assert requests(one) == [1]
    one.succeed()
    await asked
    await nothing_is_left(client, one)


@in_virtual_time
async def test_a_second_request_waits_for_room_elsewhere_and_takes_none_here() -> None:
    one, two = Scripted("one"), Scripted("two", max_requests=1)
    client = client_of(one, two)
    ahead = ask(client, preferred_server="two", hedge_after=None)
    await two.holds()
    asked = ask(client)
    await asyncio.sleep(3)
    assert requests(one, two) == [1, 1]
    two.succeed()
    await ahead
    await two.holds()
    two.succeed()
    await asked
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_a_request_that_still_waits_for_room_has_no_second_one() -> None:
    one = Scripted("one", max_requests=1)
    client = client_of(one)
    ahead = ask(client, hedge_after=None)
    await one.holds()
    asked = ask(client)
    await asyncio.sleep(3)
    assert [len(serving.waiting) for serving in client._pool.models.values()] == [1]
    one.at_once = Held.succeed
    one.succeed()
    await asyncio.gather(ahead, asked)
    assert requests(one) == [2]
    await nothing_is_left(client, one)


@in_virtual_time
async def test_a_second_request_that_fails_leaves_the_first_alone() -> None:
    one, two = Scripted("one"), Scripted("two")
    two.at_once = Held.fail
    client = client_of(one, two)
    asked = ask(client)
    await two.was_asked("ModelInfer")
    await asyncio.sleep(1)
    one.succeed()
    assert (await asked)["y"].tolist() == [[2]]
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_a_first_request_that_fails_later_leaves_the_second_alone() -> None:
    one, two = Scripted("one"), Scripted("two")
    client = client_of(one, two)
    asked = ask(client)
    await two.holds()
    one.held[0].fail()
    await asyncio.sleep(1)
    two.succeed()
    assert (await asked)["y"].tolist() == [[2]]
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_where_both_fail_the_error_is_that_of_the_first() -> None:
    one, two = Scripted("one"), Scripted("two")
    client = client_of(one, two)
    asked = ask(client)
    await two.holds()
    two.held[0].fail("INTERNAL", "the second")
    await asyncio.sleep(1)
    one.held[0].fail("INTERNAL", "the first")
    with pytest.raises(ServerError, match="one, model 'm': INTERNAL: the first"):
        await asked
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_a_request_that_fails_at_once_fails_at_once() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.at_once = Held.fail
    client = client_of(one, two)
    with pytest.raises(ServerError, match="it failed"):
        await ask(client)
    assert asyncio.get_running_loop().time() < 0.5
    assert requests(one, two) == [1, 0]
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_both_have_one_deadline() -> None:
    one, two = Scripted("one"), Scripted("two")
    client = client_of(one, two)
    asked = ask(client, timeout=4.0)
    with pytest.raises(ServerTimeout):
        await asked
    assert asyncio.get_running_loop().time() == pytest.approx(4.0, abs=0.1)
    await nothing_is_left(client, one, two)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 2.0])
def test_a_request_that_is_cancelled_ends_both(seconds: float) -> None:
    @in_virtual_time
    async def test() -> None:
        one, two = Scripted("one"), Scripted("two")
        client = client_of(one, two)
        await client.metadata("m")
        asked = ask(client)
        await asyncio.sleep(seconds)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await nothing_is_left(client, one, two)

    test()


@in_virtual_time
async def test_only_second_requests_are_counted_as_such() -> None:
    one, two = Scripted("one"), Scripted("two")
    two.at_once = Held.succeed
    client = client_of(one, two)
    await ask(client)
    one.at_once = Held.fail
    await ask(client, tries=0)  # tried again elsewhere, in time
    hedged = {each["server"]: each["hedged"] for each in (await client.report())["models"]}
    assert requests(one, two) == [2, 2]
    assert hedged == {"one": 0, "two": 1}
    await nothing_is_left(client, one, two)


@in_virtual_time
async def test_each_piece_of_a_request_has_a_second_one_of_its_own() -> None:
    one, two = Scripted("one"), Scripted("two")
    two.at_once = Held.succeed
    client = client_of(one, two)
    asked = asyncio.create_task(client.infer("m", rows(3, 5.0), preferred_server="one", hedge_after=1.0, batch_size=1))
    await one.holds(3)
    one.held[1].succeed()
    assert (await asked)["y"].tolist() == [[10]] * 3
    assert requests(one, two) == [3, 2]
    await nothing_is_left(client, one, two)
