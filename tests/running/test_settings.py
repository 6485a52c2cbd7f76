"""How a run is asked for, with which settings."""

from __future__ import annotations

import pytest
from small_modules import Above, numbers

from eventbraid import ConfigurationError, Job


def test_an_unknown_mode_is_a_fault_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="there is no mode 'blokcing': did you mean 'blocking'"):
        Job("t", source=numbers(3), modules={}).run("blokcing")  # type: ignore[arg-type]


async def test_run_inside_a_running_loop_says_what_to_await() -> None:
    with pytest.raises(ConfigurationError, match=r"use `await job\.run_async\(\)`"):
        Job("t", source=numbers(3), modules={}).run()


def test_settings_of_one_module_can_be_changed_by_label() -> None:
    job = Job("t", source=numbers(10), modules={"above": Above()}, paths={"p": ["above"]})
    assert job.replace(settings={"above.cut": 5}).run().events.passed == 4
    assert job.run().events.passed == 9


def test_wrong_settings_are_all_named() -> None:
    job = Job("t", source=numbers(1), modules={"above": Above()})
    with pytest.raises(ConfigurationError) as raised:
        job.replace(settings={"abvoe.cut": 5, "cut": 3})
    assert "there is no module 'abvoe' (did you mean 'above'?)" in str(raised.value)
    assert "--set cut: must be label.parameter=value" in str(raised.value)
