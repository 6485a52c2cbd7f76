"""What a module's failure does, and what is said of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from small_modules import MODES, Copy, Fails, numbers

from eventbraid import Event, ExternalProducer, Filter, Input, Job, ModuleError, Output, Producer
from eventbraid.testing import ListOutput


@MODES
def test_the_default_policy_ends_the_job_and_shows_event_path_module_and_step(mode: Any) -> None:
    job = Job("t", source=numbers(5), modules={"fails": Fails()}, paths={"p": ["fails"]})
    with pytest.raises(ModuleError) as raised:
        job.run(mode)
    assert str(raised.value) == "module 'fails', step produce, path 'p', event 1:1:3: ValueError: a bad hit"
    assert isinstance(raised.value.__cause__, ValueError)
    assert raised.value.report is not None
    assert raised.value.report.events.failed == 1


@MODES
def test_the_policy_skip_gives_up_the_event_and_reports_it(mode: Any) -> None:
    report = Job("t", source=numbers(5), modules={"fails": Fails()}, paths={"p": ["fails"]}, on_error="skip").run(mode)
    assert report.events.passed == 4
    assert [str(failure.event) for failure in report.failures] == ["1:1:3"]


@MODES
def test_the_policy_continue_fails_only_what_depends_on_the_module(mode: Any) -> None:
    output = ListOutput(keep=["other"], select=["q"])
    modules = {"fails": Fails(), "user": Copy(x="fails"), "other": Copy()}
    job = Job(
        "t",
        source=numbers(4),
        modules=modules,
        paths={"p": ["user"], "q": ["other"]},
        outputs=[output],
        on_error="continue",
    )
    report = job.run(mode)
    assert [row.products["other"] for row in output.rows] == [0, 1, 2, 3]
    assert report.paths["p"]["exception"] == 1
    assert report.events.failed == 0
    assert report.errors == 1


@MODES
def test_a_module_that_raised_is_not_run_again_for_a_second_reader(mode: Any) -> None:
    modules = {"fails": Fails(), "one": Copy(x="fails"), "two": Copy(x="fails")}
    paths = {"p": ["one"], "q": ["two"]}
    report = Job("t", source=numbers(3), modules=modules, paths=paths, on_error="continue").run(mode)
    assert report.modules["fails"].calls == 3
    assert report.errors == 1
    assert report.paths["p"]["exception"] == report.paths["q"]["exception"] == 1


@MODES
@pytest.mark.parametrize("step", ["acquire", "external work", "produce"])
def test_an_error_names_the_step_of_external_work_that_raised(mode: Any, step: str) -> None:
    class Away(ExternalProducer[int, int]):
        x = Input[int]("x")
        value = Output[int]()

        def acquire(self, event: Event) -> int:
            assert step != "acquire"
            return event[self.x]

        async def external_work(self, acquired: int) -> int:
            await asyncio.sleep(0)
            assert step != "external work"
            return acquired

        def produce(self, event: Event, result: int) -> None:
            assert step != "produce"
            event[self.value] = result

    with pytest.raises(ModuleError) as raised:
        Job("t", source=numbers(1), modules={"away": Away()}, paths={"p": ["away"]}).run(mode)
    assert (raised.value.label, raised.value.step) == ("away", step)


@MODES
def test_external_work_that_cancels_itself_is_the_modules_error(mode: Any) -> None:
    class Cancels(ExternalProducer[int, int]):
        x = Input[int]("x")
        value = Output[int]()

        async def acquire(self, event: Event) -> int:
            return event[self.x]

        async def external_work(self, acquired: int) -> int:
            raise asyncio.CancelledError("given up")

        async def produce(self, event: Event, result: int) -> None:
            event[self.value] = result

    modules = {"cancels": Cancels()}
    report = Job("t", source=numbers(3), modules=modules, paths={"p": ["cancels"]}, on_error="skip").run(mode)
    assert report.events.failed == 3


@MODES
@pytest.mark.parametrize("answer", [None, "yes"])
def test_a_filter_that_answers_neither_true_nor_false_is_an_error(mode: Any, answer: Any) -> None:
    class Odd(Filter):
        def filter(self, event: Event) -> bool:
            return answer  # type: ignore[no-any-return]

    with pytest.raises(ModuleError, match=r"filter\(\) returned .*; a filter returns True or False"):
        Job("t", source=numbers(1), modules={"odd": Odd()}, paths={"p": ["odd"]}).run(mode)


@MODES
@pytest.mark.parametrize("plain", [True, False])
def test_a_producer_that_returns_its_product_is_told_to_put_it(mode: Any, plain: bool) -> None:
    class Returns(Producer):
        def produce(self, event: Event) -> None:
            return 5  # type: ignore[return-value]

    class ReturnsLater(Producer):
        async def produce(self, event: Event) -> None:
            return 5  # type: ignore[return-value]

    modules = {"returns": Returns() if plain else ReturnsLater()}
    with pytest.raises(ModuleError, match=r"produce\(\) returned int; put products with event\[self\.name\]"):
        Job("t", source=numbers(1), modules=modules, paths={"p": ["returns"]}).run(mode)
