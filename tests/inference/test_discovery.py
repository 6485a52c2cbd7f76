"""Who serves a model: what servers are asked, and what is said where none has it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.metadata import EntryPoint

import pytest
from scripted import Held, Scripted, client_of, rows

from eventbraid.errors import AccessError, AnswerError, RequestError, ServerBusy, ServerTimeout, ServerUnavailable
from eventbraid.inference.pool.discovery import has, unknown
from eventbraid.inference.transport.base import TransportError
from eventbraid.kserve import Tensors
from eventbraid.serving.repository import building
from eventbraid.serving.repository.building import GROUP, builder_hint
from eventbraid.testing.virtual_time import in_virtual_time

BUSY = TransportError("RESOURCE_EXHAUSTED", "too many requests")


def now() -> float:
    return asyncio.get_running_loop().time()


@in_virtual_time
async def test_a_server_that_is_away_at_the_start_is_a_warning_with_its_reason() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.up = False
    said: list[str] = []
    client = client_of(one, two, say=said.append)
    await client.metadata("m")
    assert said == ["warning: server one is away: failed to connect: Connection refused"]
    await client.aclose()


@in_virtual_time
async def test_where_all_servers_are_away_the_error_names_each_with_its_reason() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.up, two.silent = False, True
    client = client_of(one, two)
    with pytest.raises(ServerUnavailable) as raised:
        await client.metadata("m")
    assert "no server answers: one: failed to connect: Connection refused; two: " in str(raised.value)
    assert now() == pytest.approx(5.0, abs=0.1)
    await client.aclose()


@in_virtual_time
async def test_where_the_only_server_is_away_the_error_is_its_own() -> None:
    one = Scripted("one")
    one.up = False
    client = client_of(one)
    with pytest.raises(ServerUnavailable, match=r"^one, model 'm': failed to connect: Connection refused$"):
        await client.metadata("m")
    await client.aclose()


@in_virtual_time
async def test_one_who_is_not_patient_does_not_wait_for_servers_that_are_away() -> None:
    one = Scripted("one")
    one.up = False
    client = client_of(one, patient=False)
    with pytest.raises(ServerUnavailable, match="Connection refused"):
        await client.metadata("m")
    assert now() < 0.1
    await client.aclose()


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INTERNAL"])
def test_a_server_that_does_not_say_what_it_has_is_asked_for_the_model(code: str) -> None:
    @in_virtual_time
    async def test() -> None:
        one = Scripted("one")
        one.faults["RepositoryIndex"] = TransportError(code, "no index here")
        said: list[str] = []
        client = client_of(one, say=said.append)
        assert (await client.metadata("m")).name == "m"
        assert not said
        await client.aclose()

    test()


@in_virtual_time
async def test_a_model_that_a_server_without_an_index_has_not_is_an_error_that_claims_no_more() -> None:
    one = Scripted("one")
    one.faults["RepositoryIndex"] = BUSY
    client = client_of(one)
    with pytest.raises(RequestError, match=r"^one, model 'x': there is no model 'x'$"):
        await client.metadata("x")
    await client.aclose()


@pytest.mark.parametrize("method", ["RepositoryIndex", "ModelMetadata"])
def test_bad_credentials_are_an_error_at_once(method: str) -> None:
    @in_virtual_time
    async def test() -> None:
        one = Scripted("one")
        one.faults[method] = TransportError("UNAUTHENTICATED", "no token")
        client = client_of(one)
        with pytest.raises(AccessError, match=r"one.*: no token"):
            await client.infer("m", rows())
        assert now() < 0.1
        await client.aclose()

    test()


@in_virtual_time
async def test_a_model_that_nobody_has_lists_what_each_server_has_and_who_is_away() -> None:
    one, two, three = Scripted("one", "jets", "muons"), Scripted("two", "taus"), Scripted("three")
    three.up = False
    client = client_of(one, two, three)
    with pytest.raises(RequestError) as raised:
        await client.metadata("jet")
    assert str(raised.value) == (
        "model 'jet': there is no model 'jet' (did you mean 'jets'?); one has jets, muons; two has taus; "
        "three is away: failed to connect: Connection refused"
    )
    await client.aclose()


@in_virtual_time
async def test_a_wrong_name_leaves_nothing_behind() -> None:
    one = Scripted("one")
    client = client_of(one)
    await client.metadata("m")
    with pytest.raises(RequestError):
        await client.metadata("x")
    assert list(client._pool.models) == [("m", "")]
    calls = len(one.calls)
    await asyncio.sleep(10)
    assert len(one.calls) == calls
    await client.aclose()


@in_virtual_time
async def test_a_server_that_has_not_the_model_is_not_asked_for_it() -> None:
    one, two = Scripted("one", "m"), Scripted("two", "n")
    client = client_of(one, two)
    await client.metadata("m")
    assert two.calls == ["RepositoryIndex"]
    await client.aclose()


@in_virtual_time
async def test_two_who_look_for_the_same_model_ask_the_servers_once() -> None:
    one = Scripted("one")
    client = client_of(one)
    await asyncio.gather(client.metadata("m"), client.metadata("m"), client.metadata("m"))
    assert [one.asked(method) for method in ("RepositoryIndex", "ModelMetadata", "ModelConfig")] == [1, 1, 1]
    await client.aclose()


@in_virtual_time
async def test_one_who_gives_up_looking_does_not_end_it_for_the_others() -> None:
    one = Scripted("one")
    client = client_of(one)
    looking = [asyncio.create_task(client.metadata("m")) for _ in range(3)]
    await one.was_asked("ModelMetadata")
    looking[0].cancel()
    assert [(await each).name for each in looking[1:]] == ["m", "m"]
    await client.aclose()


@in_virtual_time
async def test_a_model_on_a_server_that_is_away_does_not_keep_another_model_waiting() -> None:
    one, two = Scripted("one", "m"), Scripted("two", "n")
    one.up = False
    client = client_of(one, two)
    looking = asyncio.create_task(client.metadata("m", timeout=30))
    assert (await client.metadata("n", timeout=1)).name == "n"
    one.up = True
    assert (await looking).name == "m"
    assert now() < 2
    await client.aclose()


@in_virtual_time
async def test_one_whose_time_is_short_does_not_wait_for_anothers_long_search() -> None:
    one = Scripted("one")
    one.silent = True
    client = client_of(one)
    long = asyncio.create_task(client.metadata("m", timeout=60))
    await one.was_asked("RepositoryIndex")
    with pytest.raises((ServerTimeout, ServerUnavailable), match="one"):
        await client.metadata("m", timeout=0.5)
    assert now() == pytest.approx(0.5, abs=0.1)
    one.silent = False
    await long
    await client.aclose()


@in_virtual_time
async def test_a_server_that_starts_late_is_found() -> None:
    one = Scripted("one")
    one.up = False
    one.at_once = Held.succeed
    client = client_of(one)
    asking = asyncio.create_task(client.infer("m", rows()))
    await asyncio.sleep(3)
    one.up = True
    started = now()
    await asking
    assert now() - started < 0.5
    await client.aclose()


@in_virtual_time
async def test_a_server_that_starts_late_is_used_beside_the_others() -> None:
    one, two = Scripted("one"), Scripted("two")
    two.up = False
    two.at_once = Held.succeed
    client = client_of(one, two)
    await client.metadata("m")
    two.up = True
    await asyncio.sleep(1)
    await client.infer("m", rows(), preferred_server="two", timeout=1)
    await client.aclose()


@in_virtual_time
async def test_a_frozen_server_keeps_the_others_waiting_for_two_seconds_at_most() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.silent = True
    client = client_of(one, two)
    await client.metadata("m")
    assert now() < 2.1
    await client.aclose()


@in_virtual_time
async def test_a_server_that_is_too_busy_to_describe_a_model_is_asked_until_the_deadline() -> None:
    one = Scripted("one")
    one.faults["ModelMetadata"] = BUSY
    client = client_of(one)
    looking = asyncio.create_task(client.metadata("m"))
    await asyncio.sleep(2)
    one.faults.clear()
    assert (await looking).name == "m"
    await client.aclose()


@in_virtual_time
async def test_a_server_that_stays_too_busy_to_describe_a_model_is_busy() -> None:
    one = Scripted("one")
    one.faults["ModelMetadata"] = BUSY
    client = client_of(one)
    with pytest.raises(ServerBusy, match="one, model 'm': too many requests"):
        await client.metadata("m")
    assert now() == pytest.approx(5.0, abs=0.1)
    await client.aclose()


@in_virtual_time
async def test_a_server_that_was_too_busy_to_describe_a_model_is_used_later() -> None:
    one, two = Scripted("one"), Scripted("two")
    two.faults["ModelMetadata"] = BUSY
    two.at_once = Held.succeed
    client = client_of(one, two)
    await client.metadata("m")
    two.faults.clear()
    await asyncio.sleep(1)
    await client.infer("m", rows(), preferred_server="two", timeout=1)
    await client.aclose()


@pytest.mark.parametrize(
    "method", ["RepositoryIndex", "ModelMetadata", "ModelConfig", "ModelStatistics", "ServerReady"]
)
def test_an_answer_that_is_no_message_ends_no_search(method: str) -> None:
    @in_virtual_time
    async def test() -> None:
        one, two = Scripted("one"), Scripted("two")
        one.faults[method] = b"\xff"
        one.at_once = two.at_once = Held.succeed
        client = client_of(one, two)
        await client.infer("m", rows())
        one.die()
        await client.infer("m", rows(), preferred_server="one")
        one.up = True
        await asyncio.sleep(1)
        one.faults.clear()
        await asyncio.sleep(1)
        await client.infer("m", rows(), preferred_server="one")
        assert one.asked("ModelInfer")
        await client.aclose()

    test()


@in_virtual_time
async def test_a_description_that_is_no_message_is_a_bad_answer() -> None:
    one = Scripted("one")
    one.faults["ModelMetadata"] = b"\xff"
    client = client_of(one)
    with pytest.raises(AnswerError, match="one, model 'm': the answer to ModelMetadata cannot be read: DecodeError"):
        await client.metadata("m")
    await client.aclose()


@in_virtual_time
async def test_a_server_that_comes_back_with_other_models_has_those() -> None:
    one = Scripted("one", "m")
    client = client_of(one)
    await client.metadata("m")
    one.die()
    asking = asyncio.create_task(client.infer("m", rows(), timeout=1))
    await asyncio.wait([asking])
    one.up, one.models = True, {"m", "n"}
    await asyncio.sleep(1)
    assert (await client.metadata("n")).name == "n"
    with pytest.raises(ServerUnavailable):
        await asking
    await client.aclose()


@in_virtual_time
async def test_a_server_that_comes_back_without_the_model_is_not_asked_for_it() -> None:
    one, two = Scripted("one", "m", "n"), Scripted("two", "m")
    one.at_once = two.at_once = Held.succeed
    client = client_of(one, two)
    await client.metadata("n")
    await client.metadata("m")
    one.die()
    await client.infer("m", rows(), preferred_server="one")
    one.up, one.models = True, {"n"}
    await asyncio.sleep(1)
    asked = two.asked("ModelInfer")
    await client.infer("m", rows(), preferred_server="one")
    await client.infer("n", rows())
    assert two.asked("ModelInfer") == asked + 1
    await client.aclose()


@in_virtual_time
async def test_a_model_that_is_wanted_while_its_server_comes_back_is_found_there() -> None:
    one, two = Scripted("one", "m", "n"), Scripted("two", "m")
    one.at_once = two.at_once = Held.succeed
    client = client_of(one, two)
    await client.metadata("m")
    one.die()
    await client.infer("m", rows(), preferred_server="one")
    described = one.asked("ModelMetadata")
    one.up = True
    await one.was_asked("ModelMetadata", described + 1)
    assert (await client.metadata("n")).name == "n"
    await client.aclose()


@in_virtual_time
async def test_a_new_shape_of_the_model_on_the_server_that_is_left_is_what_counts() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.at_once = two.at_once = Held.succeed
    two.most_rows = 2
    client = client_of(one, two)
    await client.metadata("m")
    one.die()
    await client.infer("m", rows(), preferred_server="one")
    await client.infer("m", rows(4))
    assert (await client.metadata("m")).max_batch == 2
    await client.aclose()


@in_virtual_time
async def test_what_waits_for_a_server_ends_when_the_client_is_closed() -> None:
    one = Scripted("one")
    one.up = False
    client = client_of(one)
    asking = asyncio.create_task(client.infer("m", rows()))
    await one.was_asked("ServerReady")
    await client.aclose()
    with pytest.raises(ServerUnavailable, match="one, model 'm': this client is closed"):
        await asking
    assert now() < 1


def test_only_listed_versions_are_there() -> None:
    offers = [("m", "1"), ("m", "3"), ("n", "2")]
    asked: Sequence[tuple[str, str]] = [("m", ""), ("m", "1"), ("m", "2"), ("n", ""), ("x", "")]
    assert [has(offers, *each) for each in asked] == [True, True, False, True, False]


def test_a_server_of_which_nothing_is_known_may_have_everything() -> None:
    assert has(None, "m", "7")


@pytest.mark.parametrize(
    ("offers", "text"),
    [
        ({"one": [("m", "1")]}, "one, model 'm': there is no version 4 (there is version 1)"),
        ({"one": [("m", "1")], "two": [("m", "2")]}, "there is no version 4 (there is version 1, 2); one has m; two has m"),
        ({"one": []}, "one, model 'm': there is no model 'm' (it serves no model)"),
        ({"one": [], "two": None}, "there is no model 'm'; one has none; two does not say what it has"),
    ],
)  # fmt: skip
def test_what_is_there_instead_is_said(offers: dict[str, Sequence[tuple[str, str]] | None], text: str) -> None:
    assert str(unknown("m", "4", offers, {})).endswith(text)


def answered(tensors: Tensors) -> list[float]:
    return [float(value) for value in tensors["y"][:, 0]]


@in_virtual_time
async def test_a_request_is_answered_by_each_server_with_the_model() -> None:
    servers = [Scripted(name) for name in ("one", "two", "three")]
    for each in servers:
        each.at_once = Held.succeed
    client = client_of(*servers)
    for each in servers:
        assert answered(await client.infer("m", rows(2, 3.0), preferred_server=each.server.name)) == [6, 6]
        assert each.asked("ModelInfer") == 1
    await client.aclose()


def test_a_model_that_could_be_built_is_told_with_the_command_instead_of_a_similar_name() -> None:
    error = unknown("tagger", "", {"one": [("tigger", "1")]}, {}, "`build tagger` builds it")
    assert str(error).endswith("there is no model 'tagger' (`build tagger` builds it)")


def test_the_command_is_told_for_models_that_are_built_and_not_for_installed_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = [EntryPoint(name, "package:build", GROUP) for name in ("tagger", "facile")]
    monkeypatch.setattr(building, "entry_points", lambda group: points if group == GROUP else [])
    assert builder_hint("tagger") == "`eventbraid models build tagger` builds it"
    assert builder_hint("facile") == builder_hint("nobody") == ""
