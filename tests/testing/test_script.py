"""Which request gets which fault: a matter of its count and a seed, and of no other fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import ConfigurationError
from eventbraid.testing import Fault, Script
from eventbraid.testing.fault import KINDS
from eventbraid.testing.script import script_of

COUNTS = st.integers(1, 20)
RULES = st.builds(
    Fault,
    kind=st.sampled_from([kind for kind in KINDS if kind not in ("delay", "slow_start")]),
    model=st.sampled_from([(), "a", ["a", "b"]]),
    after=st.integers(0, 20),
    first=st.none() | COUNTS,
    every=st.integers(1, 5),
    numbers=st.lists(COUNTS, max_size=5),
    probability=st.sampled_from([0.0, 0.3, 1.0]),
)
REQUESTS = st.lists(st.sampled_from("abc"), max_size=60)


def struck(requests: str | list[str], *faults: Fault, seed: int = 1) -> list[list[Fault]]:
    """The faults of each of some requests, named by their models."""
    script = Script(faults, seed)
    return [[strike.fault for strike in script.take("ModelInfer", model)] for model in requests]


def numbers(fault: Fault, requests: int = 60) -> list[int]:
    """Which of so many requests it strikes."""
    return [number for number, found in enumerate(struck("a" * requests, fault), start=1) if found]


@given(COUNTS)
def test_every_nth_is_every_nth(every: int) -> None:
    assert numbers(Fault(kind="cut", every=every)) == list(range(every, 61, every))


@given(COUNTS, COUNTS)
def test_the_first_are_the_first_after_those_that_are_left_alone(first: int, after: int) -> None:
    assert numbers(Fault(kind="cut", first=first, after=after)) == list(range(after + 1, after + first + 1))


@given(st.sets(COUNTS, min_size=1), st.integers(0, 20))
def test_a_list_strikes_those_in_it(chosen: set[int], after: int) -> None:
    found = numbers(Fault(kind="cut", numbers=sorted(chosen), after=after))
    assert found == sorted(number + after for number in chosen)


@given(COUNTS, COUNTS, st.sets(COUNTS, min_size=1))
def test_several_conditions_strike_where_all_are_true(every: int, first: int, chosen: set[int]) -> None:
    each = Fault(kind="cut", every=every), Fault(kind="cut", first=first), Fault(kind="cut", numbers=sorted(chosen))
    all_of_them = Fault(kind="cut", every=every, first=first, numbers=sorted(chosen))
    assert set(numbers(all_of_them)) == set.intersection(*(set(numbers(fault)) for fault in each))


@given(RULES, RULES, RULES, REQUESTS, st.integers())
def test_a_fault_strikes_the_same_whatever_stands_before_and_behind_it(
    fault: Fault, before: Fault, behind: Fault, requests: list[str], seed: int
) -> None:
    alone = [bool(found) for found in struck(requests, fault, seed=seed)]
    for others in ((before, fault), (fault, behind), (before, fault, behind)):
        among = [[each is fault for each in found] for found in struck(requests, *others, seed=seed)]
        assert [any(each) for each in among] == alone


@given(RULES, REQUESTS)
def test_requests_for_other_models_are_not_counted(fault: Fault, requests: list[str]) -> None:
    counted = [model for model in requests if not fault.model or model in fault.models]
    found = struck(requests, fault)
    assert [each for model, each in zip(requests, found, strict=True) if model in counted] == struck(counted, fault)
    assert not any(each for model, each in zip(requests, found, strict=True) if model not in counted)


@given(st.lists(RULES, max_size=4), REQUESTS, st.integers())
def test_the_same_seed_strikes_the_same_and_draws_the_same(faults: list[Fault], requests: list[str], seed: int) -> None:
    def drawn() -> list[list[tuple[Fault, float]]]:
        script = Script(faults, seed)
        taken = [script.take("ModelInfer", model) for model in requests]
        return [[(fault, random.random()) for fault, random in strikes] for strikes in taken]

    assert drawn() == drawn()


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_a_probability_is_the_share_that_is_struck(probability: float) -> None:
    found = numbers(Fault(kind="cut", probability=probability), 4000)
    assert len(found) == pytest.approx(4000 * probability, abs=130)  # four standard deviations


def test_another_seed_strikes_others() -> None:
    fault = Fault(kind="cut", probability=0.5)
    assert struck("a" * 60, fault, seed=1) != struck("a" * 60, fault, seed=2)


@given(st.lists(RULES, max_size=4), REQUESTS)
def test_what_was_struck_is_counted_by_kind(faults: list[Fault], requests: list[str]) -> None:
    script = Script(faults)
    kinds = [strike.fault.kind for model in requests for strike in script.take("ModelInfer", model)]
    assert {kind: kinds.count(kind) for kind in kinds} == dict(script.struck)


def test_a_request_gets_all_its_faults_in_the_order_of_the_script() -> None:
    faults = Fault(kind="delay", seconds=1), Fault(kind="garble"), Fault(kind="cut", every=2)
    assert struck("aa", *faults) == [list(faults[:2]), list(faults)]


def test_only_requests_that_infer_are_counted_unless_other_calls_are_named() -> None:
    script = Script([Fault(kind="cut"), Fault(kind="refuse", calls=["ServerReady"])])
    asked = [("ServerReady", ""), ("ModelMetadata", "a"), ("ModelInfer", "a"), ("ModelStreamInfer", "a")]
    kinds = [[strike.fault.kind for strike in script.take(*each)] for each in asked]
    assert kinds == [["refuse"], [], ["cut"], ["cut"]]


def test_a_slow_start_is_that_of_every_call() -> None:
    script = Script([Fault(kind="slow_start", seconds=5)])
    assert script.take("ServerReady", "")
    assert script.take("ModelInfer", "a")


@given(st.lists(RULES, max_size=4), st.integers())
def test_a_script_goes_through_json(faults: list[Fault], seed: int) -> None:
    again = Script.from_json(Script(faults, seed).to_json())
    assert [fault.model_dump(mode="json") for fault in again.faults] == [
        fault.model_dump(mode="json") for fault in faults
    ]
    assert again.seed == seed


FILE = """
seed = 7

[[fault]]
kind = "delay"
model = "facile"
seconds = 0.2
every = 10

[[fault]]
kind = "refuse"
status = "RESOURCE_EXHAUSTED"
message = "no more"
first = 5
"""


def test_a_file_says_what_a_list_says(tmp_path: Path) -> None:
    (tmp_path / "faults.toml").write_text(FILE)
    script = script_of(tmp_path / "faults.toml")
    assert script.seed == 7
    assert script.faults == (
        Fault(kind="delay", model="facile", seconds=0.2, every=10),
        Fault(kind="refuse", status="RESOURCE_EXHAUSTED", message="no more", first=5),
    )
    assert script_of([{"kind": "cut"}, Fault(kind="drop")]).faults == (Fault(kind="cut"), Fault(kind="drop"))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "kind is missing (there is 'cut', 'delay'"),
        ({"kind": "dealy"}, "there is no kind 'dealy' (did you mean 'delay'?)"),
        ({"kind": "delay"}, "a fault of kind 'delay' needs seconds"),
        ({"kind": "delay", "seconds": 0}, "seconds should be greater than 0, not 0"),
        ({"kind": "delay", "seconds": float("inf")}, "seconds should be a finite number, not inf"),
        ({"kind": "delay", "seconds": "1s"}, "seconds should be a valid number, not '1s'"),
        ({"kind": "cut", "seconds": 1}, "a fault of kind 'cut' has no seconds: that is of delay and slow_start"),
        ({"kind": "cut", "evry": 2}, "there is no setting 'evry' (did you mean 'every'?)"),
        ({"kind": "cut", "every": 0}, "every should be greater than or equal to 1, not 0"),
        ({"kind": "cut", "every": True}, "every should be a valid integer, not True"),
        ({"kind": "cut", "first": -1}, "first should be greater than or equal to 1, not -1"),
        ({"kind": "cut", "after": 1.5}, "after should be a valid integer, not 1.5"),
        ({"kind": "cut", "numbers": [0]}, "numbers should be greater than or equal to 1, not 0"),
        ({"kind": "cut", "probability": 2}, "probability should be less than or equal to 1, not 2"),
        ({"kind": "cut", "model": 3}, "model should be a valid string, not 3"),
        ({"kind": "refuse", "status": "AWAY"}, "there is no status 'AWAY' (there is 'ABORTED'"),
        ({"kind": "cut", "calls": ["ModelInfr"]}, "there is no call 'ModelInfr' (did you mean 'ModelInfer'?)"),
        ({"kind": "empty", "calls": ["ServerLive"]}, "a fault of kind 'empty' needs tensors, and ServerLive has none"),
        ({"kind": "drop", "calls": ["ServerLive"], "model": "a"}, "the call ServerLive is for no model"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Fault(**settings)
    assert text in str(raised.value)


def test_every_fault_of_a_file_is_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text('sede = 1\nseed = "x"\n[[fault]]\nkind = "cutt"\nevery = 0\n[[fault]]\nkind = "drop"\nmodels = "a"')
    with pytest.raises(ConfigurationError) as raised:
        Script.read(file)
    assert [str(fault) for fault in raised.value.faults] == [
        f"{file}: there is no key sede (did you mean 'seed'?)",
        f"{file}: seed should be a whole number, not 'x'",
        f"{file}, fault 1: there is no kind 'cutt' (did you mean 'cut'?)",
        f"{file}, fault 1: every should be greater than or equal to 1, not 0",
        f"{file}, fault 2: there is no setting 'models' (did you mean 'model'?)",
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "cannot be read: No such file"),
        ("[[fault", "is no TOML"),
        ("[fault]\nkind = 'cut'", "must describe each fault in a table [[fault]]"),
        ("fault = [1]", "fault 1: must be a table, not int"),
    ],
)
def test_a_file_that_is_no_script_is_the_users_fault(tmp_path: Path, content: str | None, text: str) -> None:
    file = tmp_path / "faults.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError) as raised:
        Script.read(file)
    assert text in str(raised.value)


def test_a_fault_for_a_model_that_is_not_there_is_named() -> None:
    script = Script([Fault(kind="cut"), Fault(kind="cut", model=["facile", "facil"])])
    with pytest.raises(ConfigurationError, match=r"fault 2: there is no model 'facil' \(did you mean 'facile'\?\)"):
        script.check(["facile", "deepcalo"])
