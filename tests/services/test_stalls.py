"""The heartbeat that sees a loop stand still, on a loop and a clock of the test's own, and on real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

import pytest
import uvloop

from eventbraid.services.stalls import Stalls


class Beat:
    """What is to be called, unless it is cancelled."""

    def __init__(self, at: float, callback: Callable[[], None]) -> None:
        self.at, self.callback, self.cancelled = at, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """A loop whose time goes as the test says: what is due is called after it was held up."""

    def __init__(self) -> None:
        self.now = 100.0
        self.cpu = 0.0
        self.beats: list[Beat] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Beat:
        self.beats.append(Beat(self.now + delay, callback))
        return self.beats[-1]

    def run(self, seconds: float) -> None:
        """Be free for so long."""
        until = self.now + seconds
        while due := [beat for beat in self.waiting() if beat.at <= until]:
            self.now = max(self.now, due[0].at)
            self.beats.remove(due[0])
            due[0].callback()
        self.now = until

    def hold(self, seconds: float, computing: float = 0.0) -> None:
        """Run nothing for so long, from the moment after a beat."""
        self.now += seconds
        self.cpu += computing

    def waiting(self) -> list[Beat]:
        return [beat for beat in self.beats if not beat.cancelled]


@pytest.fixture
def loop() -> Loop:
    """A loop that stands still on command."""
    return Loop()


@pytest.fixture
def stalls(loop: Loop) -> Stalls:
    """A heartbeat on it, every 5 ms."""
    made = Stalls(clock=lambda: loop.now, cpu_clock=lambda: loop.cpu)
    made.start(loop)
    return made


def test_a_loop_that_is_free_has_no_stalls(loop: Loop, stalls: Stalls) -> None:
    loop.run(1.0)
    assert (stalls.count, stalls.longest) == (0, pytest.approx(0.0, abs=1e-9))


def test_the_longest_stall_is_kept_with_when_it_ended_and_what_it_computed(loop: Loop, stalls: Stalls) -> None:
    for held, computing in ((0.020, 0.020), (0.205, 0.150), (0.105, 0.105)):
        loop.run(0.5)
        loop.hold(held, computing)
        loop.run(0.0)
    assert stalls.longest == pytest.approx(0.2)
    assert stalls.longest_at == pytest.approx(0.5 + 0.020 + 0.5 + 0.205)
    assert stalls.longest_cpu == pytest.approx(0.15)


def test_stalls_of_more_than_50_ms_are_counted(loop: Loop, stalls: Stalls) -> None:
    for held in (0.010, 0.050, 0.060, 0.300):
        loop.hold(held)
        loop.run(0.1)
    assert stalls.count == 2


def test_a_stall_that_lasts_until_the_end_is_seen(loop: Loop, stalls: Stalls) -> None:
    loop.hold(0.105)
    stalls.stop()
    assert (stalls.count, stalls.longest) == (1, pytest.approx(0.1))


def test_nothing_waits_on_the_loop_after_the_stop(loop: Loop, stalls: Stalls) -> None:
    loop.run(0.1)
    stalls.stop()
    stalls.stop()
    assert loop.waiting() == []


def test_the_time_between_stop_and_start_is_no_stall(loop: Loop, stalls: Stalls) -> None:
    stalls.stop()
    loop.hold(10.0)
    stalls.start(loop)
    loop.run(0.1)
    assert stalls.longest == pytest.approx(0.0, abs=1e-9)


def test_a_second_start_adds_no_second_heartbeat(loop: Loop, stalls: Stalls) -> None:
    stalls.start(loop)
    assert len(loop.waiting()) == 1


def hold(seconds: float) -> None:
    """Compute for so long, whoever waits."""
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_on_a_real_loop_what_computes_is_seen(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def computes() -> Stalls:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        with Stalls(beat=0.001) as stalls:
            loop.call_soon(hold, 0.06)
            loop.call_later(0.07, over.set)
            await over.wait()
        return stalls

    with asyncio.Runner(loop_factory=new_loop) as runner:
        stalls = runner.run(computes())
    assert stalls.count >= 1
    assert stalls.longest > 0.05
    assert 0 < stalls.longest_cpu <= stalls.longest
