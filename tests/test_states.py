"""The table of states, and the bounds, driven by Hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventbraid import Event, Input, Job, Output, Producer
from eventbraid.bounds import Bounds
from eventbraid.order import closure, find_cycle, topological
from eventbraid.plan import make_plan
from eventbraid.states import ALLOWED, SETTLED, CheckedStates, State
from eventbraid.testing import ListSource


@given(st.sampled_from(State), st.sampled_from(State))
def test_an_illegal_change_raises_and_changes_nothing(before: State, after: State) -> None:
    states = CheckedStates([before])
    if after in ALLOWED[before]:
        states[0] = after
        assert states == [after]
    else:
        with pytest.raises(RuntimeError, match=f"cannot change from {before.name} to {after.name}"):
            states[0] = after
        assert states == [before]


def test_settled_states_have_no_way_out_and_all_others_lead_to_one() -> None:
    for state in State:
        assert (not ALLOWED[state]) == (state in SETTLED)
    edges = [[int(to) for to in ALLOWED[state]] for state in State]
    for state in State:
        assert closure([int(state)], edges) & {int(each) for each in SETTLED}


GRAPHS = st.integers(1, 9).flatmap(
    lambda size: st.lists(st.sets(st.integers(0, size - 1)), min_size=size, max_size=size)
)


@given(GRAPHS, st.data())
def test_a_graph_has_either_an_order_or_a_cycle(before: list[set[int]], data: st.DataObject) -> None:
    priority = data.draw(st.lists(st.integers(0, 3), min_size=len(before), max_size=len(before)))
    order, cycle = topological(before, priority), find_cycle(before)
    assert (len(order) == len(before)) == (not cycle)
    place = {node: number for number, node in enumerate(order)}
    assert all(place[each] < place[node] for node in order for each in before[node])
    for node, waits_for in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True):
        assert waits_for in before[node]


def _bounded(label: str, kind_: str, limit_: int | None, resources_: tuple[str, ...]) -> Producer:
    class Bounded(Producer):
        kind = kind_  # type: ignore[assignment]
        limit = limit_
        resources = resources_
        x = Input[int]("x")
        y = Output[int]()

        def produce(self, event: Event) -> None: ...

    return Bounded()


class BoundsMachine(RuleBasedStateMachine):
    """Calls that come and go never exceed a bound, and nobody waits whose bounds are free."""

    def __init__(self) -> None:
        super().__init__()
        modules = {
            "serial": _bounded("serial", "serial", None, ()),
            "two": _bounded("two", "shared", 2, ()),
            "geant": _bounded("geant", "shared", None, ("geant",)),
            "both": _bounded("both", "serial", None, ("geant", "file")),
            "file": _bounded("file", "stream", 3, ("file",)),
        }
        job = Job("t", source=ListSource([], products=["x"]), modules=modules, paths={"p": list(modules)})
        plan = make_plan(job)
        assert list(plan.labels) == list(modules)
        self.bounds: Bounds[int] = Bounds(plan)
        self.running: list[tuple[int, int]] = []
        self.waiting: list[tuple[int, int]] = []
        self.number = 0

    @rule(node=st.integers(0, 4))
    def call(self, node: int) -> None:
        self.number += 1
        taken = self.bounds.take(node, self.number, self.number)
        (self.running if taken else self.waiting).append((node, self.number))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        over = data.draw(st.sampled_from(self.running))
        self.running.remove(over)
        for granted in self.bounds.release(over[0]):
            self.waiting.remove(granted)
            self.running.append(granted)

    def _count(self, *nodes: int) -> int:
        return sum(node in nodes for node, _ in self.running)

    @invariant()
    def within_bounds(self) -> None:
        assert self._count(0) <= 1
        assert self._count(1) <= 2
        assert self._count(2, 3) <= 1
        assert self._count(3, 4) <= 1

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        waiting = {node for node, _ in self.waiting}
        assert not (0 in waiting and self._count(0) == 0)
        assert not (1 in waiting and self._count(1) < 2)
        if self.waiting:  # of those that share bounds the oldest waits only for what is taken
            chained = sorted((number, node) for node, number in self.waiting if node in (2, 3, 4))
            if chained:
                _, oldest = chained[0]
                assert self._count(*{2: (2, 3), 3: (2, 3, 4), 4: (3, 4)}[oldest]) > 0


TestBounds = BoundsMachine.TestCase
