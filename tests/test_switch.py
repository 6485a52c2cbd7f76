"""A switch is the first of its cases that is available; the others are not there, but their faults are told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from eventbraid import (
    Analyzer,
    ConfigurationError,
    Event,
    ExternalProducer,
    Filter,
    Input,
    Job,
    Output,
    Parameter,
    PathResult,
    PathState,
    Producer,
    Switch,
)
from eventbraid.accelerators import find_accelerators
from eventbraid.plan import make_plan
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking"])


class Scale(Producer):
    """Multiplies; keeps book of what was begun."""

    x = Input[int]("x")
    value = Output[int]()
    factor = Parameter(1, ge=0, doc="what x is multiplied with")
    begun: ClassVar[list[int]] = []

    def begin_job(self) -> None:
        self.begun.append(self.factor)

    def produce(self, event: Event) -> None:
        event[self.value] = event[self.x] * self.factor


class ScaleAway(ExternalProducer[int, int]):
    """The same, elsewhere."""

    x = Input[int]("x")
    value = Output[int]()
    factor = Parameter(1)

    def acquire(self, event: Event) -> int:
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        return acquired * self.factor

    def produce(self, event: Event, result: int) -> None:
        event[self.value] = result


class Words(Producer):
    value = Output[str]()

    def produce(self, event: Event) -> None:
        event[self.value] = "some"


class Above(Filter):
    x = Input[int]("x")
    cut = Parameter(0, doc="passes above")

    def filter(self, event: Event) -> bool:
        return event[self.x] > self.cut


class Look(Analyzer):
    x = Input[int]("x")

    def analyze(self, event: Event) -> None: ...


def job_of(modules: Mapping[str, Any], accelerators: Any = ("cpu",), **more: Any) -> Job:
    source = ListSource([{"x": n} for n in range(4)], products=["x"])
    return Job("test", source=source, modules=modules, accelerators=accelerators, **more)


def faults(modules: Mapping[str, Any], accelerators: Any = ("cpu",), **more: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        make_plan(job_of(modules, accelerators, **more))
    return str(raised.value)


def values(job: Job, mode: Any) -> list[Any]:
    """What the job's only output keeps of its only product."""
    job.run(mode)
    (output,) = job.outputs
    assert isinstance(output, ListOutput)
    return [value for row in output.rows for value in row.products.values()]


def twice_or_thrice() -> Switch:
    return Switch(gpu=ScaleAway(factor=3), cpu=Scale(factor=2))


@MODES
@pytest.mark.parametrize(("accelerators", "factor"), [(("cpu",), 2), (("cpu", "gpu"), 3), (("gpu",), 3)])
def test_edge_11_a_switch_on_a_path_is_its_first_available_case(mode: Any, accelerators: Any, factor: int) -> None:
    modules = {"scaled": twice_or_thrice()}
    more: Any = {"paths": {"p": ["scaled"]}, "outputs": [ListOutput(keep=["scaled"])]}
    assert values(job_of(modules, accelerators, **more), mode) == [0, factor, 2 * factor, 3 * factor]


@MODES
def test_edge_11_a_switch_in_a_chain_on_demand_runs_because_it_is_read(mode: Any) -> None:
    modules = {"last": Scale(x="middle", factor=10), "middle": twice_or_thrice(), "unread": twice_or_thrice()}
    job = job_of(modules, ("gpu", "cpu"), outputs=[ListOutput(keep=["last.value"])])
    assert values(job, mode) == [0, 30, 60, 90]
    assert make_plan(job).warnings == ("module 'unread' will not run: no path names it, nothing that runs reads it",)


@MODES
def test_edge_11_a_switch_reads_what_its_case_reads_by_a_chain_on_demand(mode: Any) -> None:
    modules = {
        "forGpu": Scale(factor=7),
        "forCpu": Scale(factor=5),
        "s": Switch(gpu=ScaleAway(x="forGpu"), cpu=Scale(x="forCpu")),
    }
    job = job_of(modules, ("cpu",), paths={"p": ["s"]}, outputs=[ListOutput(keep=["s"])])
    assert values(job, mode) == [0, 5, 10, 15]
    assert make_plan(job).warnings == ("module 'forGpu' will not run: no path names it, nothing that runs reads it",)


@MODES
def test_edge_11_a_switch_behind_a_failed_filter_does_not_run(mode: Any) -> None:
    modules = {"above": Above(cut=1), "scaled": twice_or_thrice()}
    output = ListOutput(keep=["scaled"])
    report = job_of(modules, ("gpu",), paths={"p": ["above", "scaled"]}, outputs=[output]).run(mode)
    assert [row.products["scaled"] for row in output.rows] == [None, None, 6, 9]
    assert report.modules["scaled"].calls == 2


@MODES
def test_edge_11_a_switch_that_filters_decides_its_path(mode: Any) -> None:
    modules = {"above": Switch(gpu=Above(cut=9), cpu=Above(cut=2))}
    output = ListOutput(keep=["x"])
    job_of(modules, paths={"p": ["above"]}, outputs=[output]).run(mode)
    assert [row.path_results["p"] for row in output.rows] == [
        *[PathResult(PathState.FAIL, "above")] * 3,
        PathResult(PathState.PASS),
    ]


@MODES
def test_edge_11_a_disabled_case_is_neither_copied_nor_begun(mode: Any) -> None:
    Scale.begun.clear()
    job = job_of({"s": Switch(gpu=Scale(factor=7), cpu=Scale(factor=1))}, paths={"p": ["s"]}, streams=2)
    job.run(mode)
    assert set(Scale.begun) == {1}


def test_edge_11_no_available_case_is_a_fault_that_names_cases_and_what_there_is() -> None:
    text = faults({"s": Switch(gpu=Scale(), fpga=Scale()), "other": Scale(x="z")}, paths={"p": ["s"]})
    assert (
        "module 's': no case is available: the cases are 'gpu', 'fpga', there is 'cpu' "
        "(add a case, or say what there is with the job's accelerators)"
    ) in text
    assert "2 faults" in text
    assert "there is nothing" in faults({"s": twice_or_thrice()}, ())


def test_the_order_of_the_cases_decides_not_that_of_the_accelerators() -> None:
    job = job_of({"s": Switch(fpga=Scale(), cpu=Scale())}, ("cpu", "fpga"))
    assert make_plan(job).cases == {"s": "fpga"}


def test_faults_of_every_case_are_told_with_the_case() -> None:
    modules = {
        "s": Switch(gpu=Scale(factor=-1), cpu=Scale(x="y")),
        "t": Switch(gpu=Scale(x="one.two"), cpu=Scale(facter=1)),
        "look": Switch(gpu=Look(select=("q",)), cpu=Look()),
    }
    text = faults(modules, paths={"p": []})
    for expected in (
        "module 's' (case 'gpu'): parameter 'factor' should be greater than or equal to 0, not -1",
        "module 's' (case 'cpu'): input 'x' reads 'y', which nothing puts",
        "module 't' (case 'gpu'): input 'x' reads 'one.two', which nothing puts",
        "module 't' (case 'cpu'): has no parameter 'facter' (did you mean 'factor'?)",
        "module 'look' (case 'gpu'): selects the unknown path 'q'",
    ):
        assert expected in text, text


def test_a_case_that_reads_what_comes_after_it_on_a_path_is_a_fault_wherever_it_is_told() -> None:
    modules = {"s": Switch(gpu=Scale(x="late"), cpu=Scale()), "late": Scale()}
    for accelerators in (("cpu",), ("gpu",)):
        text = faults(modules, accelerators, paths={"p": ["s", "late"]})
        assert text == "path 'p': 's' reads 'late', which comes after it (put 'late' first)"


def test_cases_with_other_outputs_are_a_fault() -> None:
    class Named(Scale):
        values = Output[int]()

    assert "module 's' (case 'cpu'): output 'value' is str, but in case 'gpu' int" in faults(
        {"s": Switch(gpu=Scale(), cpu=Words())}
    )
    text = faults({"s": Switch(gpu=Scale(), cpu=Named(), fpga=Look())})
    assert "module 's' (case 'cpu'): has an output 'values', but case 'gpu' has not (did you mean 'value'?)" in text
    assert "module 's' (case 'fpga'): has no output 'value', but case 'gpu' has" in text


def test_cases_of_which_only_some_decide_are_a_fault() -> None:
    class Deciding(Filter):
        value = Output[int]()

        def filter(self, event: Event) -> bool:
            return True

    text = faults({"s": Switch(gpu=Scale(), cpu=Deciding())})
    assert "module 's' (case 'cpu'): is a filter, but case 'gpu' is a producer (the cases are all producers," in text
    assert "is an analyzer, but case 'gpu' is a filter" in faults({"s": Switch(gpu=Above(), cpu=Look())})


@pytest.mark.parametrize(
    ("switch", "text"),
    [
        (Switch(), "module 's': must be a Producer, Filter or Analyzer, not Switch()"),
        (Switch(cpu=3), "module 's' (case 'cpu'): must be a Producer, Filter or Analyzer, not 3"),  # type: ignore[arg-type]
        (Switch(cpu=Scale), "module 's' (case 'cpu'): must be a Producer, Filter or Analyzer, not the class itself"),  # type: ignore[arg-type]
        (Switch(**{"a b": Scale(), "cpu": Scale()}), "module 's' (case 'a b'): a case must be a name"),
    ],
)
def test_a_switch_of_something_else_is_a_fault(switch: Switch, text: str) -> None:
    assert text in faults({"s": switch})


def test_one_module_in_two_cases_is_a_fault() -> None:
    scale = Scale()
    text = faults({"s": Switch(gpu=scale, cpu=scale)}, ("gpu",))
    assert "module 's' (case 'cpu'): is the very object of module 's' (case 'gpu'); make two" in text


def test_settings_reach_the_cases() -> None:
    job = job_of({"s": twice_or_thrice()}, outputs=[ListOutput(keep=["s"])])
    changed = job.replace(settings={"s.cpu.factor": 4, "s.gpu.factor": 5, "s.cpu.x": "x"})
    assert values(changed, "blocking") == [0, 4, 8, 12]
    changed.replace(accelerators=["gpu"]).run()
    assert isinstance(changed.outputs[0], ListOutput)
    assert [row.products["s"] for row in changed.outputs[0].rows[4:]] == [0, 5, 10, 15]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("s.factor", "--set s.factor: module 's' is a switch: name the case (s.gpu.factor or s.cpu.factor)"),
        ("s.gup.factor", "--set s.gup.factor: module 's' has no case 'gup' (did you mean 'gpu'?)"),
        ("s.gpu.", "--set s.gpu.: must be label.case.parameter=value"),
    ],
)
def test_settings_of_a_switch_itself_are_a_fault(key: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        job_of({"s": twice_or_thrice()}).replace(settings={key: 1})
    assert str(raised.value) == text


def test_accelerators_are_names_in_a_list() -> None:
    assert "accelerators must be a list, not 'gpu'" in faults({}, "gpu")
    assert "accelerators must be names, not 3" in faults({}, (3,))


def test_what_there_is_is_found_out(tmp_path: Path) -> None:
    def found(servers: tuple[str, ...] = (), **environment: str) -> tuple[str, ...]:
        return find_accelerators(servers, environment, devices=tmp_path)

    assert found() == ("cpu",)
    assert found(("a:1",)) == found(EVENTBRAID_SERVERS="a:1") == ("cpu", "server")
    (tmp_path / "nvidiactl").touch()
    assert found() == ("cpu",)
    (tmp_path / "nvidia1").touch()
    assert found() == found(CUDA_VISIBLE_DEVICES="0,1") == ("cpu", "gpu")
    assert found(CUDA_VISIBLE_DEVICES="-1") == found(CUDA_VISIBLE_DEVICES="") == ("cpu",)


def test_a_job_that_names_servers_has_the_case_server() -> None:
    job = job_of({"s": Switch(server=Scale(), cpu=Scale())}, None)
    assert make_plan(job).cases == {"s": "cpu"}
    assert make_plan(job.replace(servers=["a:1"])).cases == {"s": "server"}
