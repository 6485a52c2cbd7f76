"""An alias is another name for the products of a module or a switch, wherever products are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from eventbraid import Alias, ConfigurationError, Event, Filter, Input, Job, Output, Producer, Switch
from eventbraid.plan import make_plan
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking"])


class Copy(Producer):
    x = Input[int]("x")
    value = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.value] = event[self.x]


class Ends(Producer):
    x = Input[int]("x")
    low = Output[int]()
    high = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.low], event[self.high] = event[self.x] - 1, event[self.x] + 1


class Even(Filter):
    x = Input[int]("x")

    def filter(self, event: Event) -> bool:
        return event[self.x] % 2 == 0


def job_of(modules: Mapping[str, Any], **more: Any) -> Job:
    return Job("test", source=ListSource([{"x": n} for n in range(3)]), modules=modules, **more)


def faults(modules: Mapping[str, Any], **more: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        make_plan(job_of(modules, **more))
    return [str(fault) for fault in raised.value.faults]


def kept(modules: Mapping[str, Any], mode: Any, *keep: str, **more: Any) -> list[dict[str, Any]]:
    """What is kept of each event."""
    output = ListOutput(keep=keep)
    job_of(modules, outputs=[output], **more).run(mode)
    return [dict(row.products) for row in output.rows]


@MODES
def test_edge_18_a_module_that_is_read_only_by_an_alias_runs(mode: Any) -> None:
    modules = {"facile": Copy(), "energies": Alias("facile"), "reader": Copy(x="energies"), "even": Even(x="reader")}
    report = job_of(modules, paths={"p": ["even"]}).run(mode)
    assert report.modules["facile"].calls == 3
    assert report.warnings == ()


@MODES
def test_edge_18_a_module_that_is_kept_only_by_an_alias_runs_and_the_product_keeps_that_name(mode: Any) -> None:
    modules = {"facile": Copy(), "energies": Alias("facile"), "unread": Copy()}
    assert kept(modules, mode, "energies") == [{"energies": n} for n in range(3)]
    assert len(make_plan(job_of(modules, outputs=[ListOutput(keep=["energies"])])).warnings) == 1


@MODES
def test_one_product_is_kept_under_both_its_names(mode: Any) -> None:
    modules = {"facile": Copy(), "energies": Alias("facile")}
    assert kept(modules, mode, "energies", "facile.value")[2] == {"energies": 2, "facile.value": 2}


@MODES
def test_an_alias_of_several_outputs_is_read_by_output(mode: Any) -> None:
    modules = {"ends": Ends(), "range": Alias("ends"), "top": Copy(x="range.high")}
    assert kept(modules, mode, "top", "range.low") == [{"top": n + 1, "range.low": n - 1} for n in range(3)]


@MODES
def test_an_alias_of_a_switch_is_that_of_its_case(mode: Any) -> None:
    modules = {
        "n": Copy(x="late"),
        "late": Alias("switch"),
        "switch": Switch(fpga=Copy(x="range.high"), cpu=Copy(x="low")),
    }
    modules |= {"range": Alias("ends"), "ends": Ends(), "low": Copy()}
    assert kept(modules, mode, "n", "late") == [{"n": n, "late": n} for n in range(3)]


@MODES
def test_chains_of_aliases_are_followed(mode: Any) -> None:
    modules = {"a": Alias("b"), "b": Alias("c"), "c": Ends()}
    assert kept(modules, mode, "a.low", "b.high")[0] == {"a.low": -1, "b.high": 1}
    assert make_plan(job_of(modules)).aliases == {"a": "c", "b": "c"}


def test_aliases_that_go_round_are_faults() -> None:
    found = faults({"a": Alias("b"), "b": Alias("a"), "into": Alias("a"), "self": Alias("self")})
    assert found == [
        "module 'a': is an alias of itself: a -> b -> a (name a module)",
        "module 'b': is an alias of itself: b -> a -> b (name a module)",
        "module 'self': is an alias of itself: self -> self (name a module)",
    ]


def test_an_unknown_target_is_a_fault_with_the_nearest_label() -> None:
    found = faults({"facile": Copy(), "energies": Alias("facil"), "again": Alias("energies"), "n": Alias(3)})  # type: ignore[arg-type]
    assert found[0] == "module 'energies': is an alias of 'facil', which is no module (did you mean 'facile'?)"
    assert found[1].startswith("module 'n': is an alias of 3, which is no module")
    assert len(found) == 2


def test_an_alias_that_hides_a_product_of_the_source_is_a_fault() -> None:
    assert faults({"copy": Copy(), "x": Alias("copy")}) == [
        "module 'x': has the name of a product of the source (choose another label)"
    ]


def test_an_alias_on_a_path_is_a_fault() -> None:
    modules = {"even": Even(), "parity": Alias("even")}
    assert faults(modules, paths={"p": ["parity"]}) == ["path 'p': names the alias 'parity' (name the module: 'even')"]


def test_reading_by_an_alias_is_checked_as_reading_its_module() -> None:
    class Words(Producer):
        words = Output[str]()

        def produce(self, event: Event) -> None: ...

    found = faults(
        {"words": Words(), "text": Alias("words"), "range": Alias("ends"), "ends": Ends(), "silent": Alias("even")}
        | {"even": Even(x="text"), "one": Copy(x="range"), "two": Copy(x="range.hgih"), "three": Copy(x="silent")}
    )
    assert found == [
        "module 'even': input 'x' expects int, but 'text' is str",
        "module 'one': input 'x' reads 'range', which has several outputs (choose one of range.low, range.high)",
        "module 'two': input 'x' reads 'range.hgih', but 'range' has no such output (did you mean 'range.high'?)",
        "module 'three': input 'x' reads 'silent', which puts no product",
    ]


def test_a_cycle_through_an_alias_is_found() -> None:
    found = faults({"a": Copy(x="again"), "again": Alias("a")}, paths={"p": ["a"]})
    assert found == ["job 'test': modules wait for each other: a -> a"]


def test_a_wrong_order_through_an_alias_is_found() -> None:
    modules = {"first": Copy(x="again.low"), "again": Alias("ends"), "ends": Ends()}
    assert faults(modules, paths={"p": ["first", "ends"]}) == [
        "path 'p': 'first' reads 'ends', which comes after it (put 'ends' first)"
    ]


def test_settings_of_an_alias_are_a_fault() -> None:
    with pytest.raises(ConfigurationError) as raised:
        job_of({"facile": Copy(), "energies": Alias("facile")}).replace(settings={"energies.x": "y"})
    assert str(raised.value) == "--set energies.x: 'energies' is an alias (set facile.x)"


def test_the_label_of_an_alias_is_a_name() -> None:
    assert faults({"facile": Copy(), "my energies": Alias("facile")})[0].startswith(
        "module 'my energies': a label must be a name"
    )


def test_an_alias_of_what_is_no_label_is_a_fault() -> None:
    with pytest.raises(ConfigurationError, match=r"is an alias of \['x'\], which is no module"):
        make_plan(Job("t", source=ListSource([]), modules={"a": Alias(["x"])}))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
