"""When an emulated GPU is busy, whatever the threads that serve it are told late."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from fake_time import FakeTime

from eventbraid.serving.emulation.clock import (
    Clock,
    FileClock,
    Pace,
    ServiceTime,
    SharedGpu,
    end_of,
    ready_after,
    shared_gpu,
)

SECONDS = st.floats(1e-4, 10)
BATCHES = st.lists(st.tuples(st.floats(0, 100), SECONDS), min_size=1, max_size=30)


@given(BATCHES)
def test_a_gpu_executes_one_batch_at_a_time(batches: list[tuple[float, float]]) -> None:
    clock, before = Clock(), 0.0
    for ready, seconds in batches:
        end = clock.take(ready, seconds)
        assert end - seconds >= before - 1e-9
        before = end


@given(BATCHES)
def test_no_batch_begins_before_it_is_ready_nor_later_than_it_must(batches: list[tuple[float, float]]) -> None:
    clock, free_at = Clock(), 0.0
    for ready, seconds in batches:
        end = clock.take(ready, seconds)
        assert end == max(free_at, ready) + seconds
        free_at = end


@given(SECONDS, st.floats(0, 1))
def test_an_idle_gpu_begins_at_once(seconds: float, idle: float) -> None:
    assert end_of(5.0, 5.0 + idle, seconds) == 5.0 + idle + seconds


@given(st.floats(1e-3, 1), st.floats(0, 0.2), st.integers(2, 50))
def test_a_loaded_gpu_loses_nothing_although_its_thread_wakes_late(seconds: float, late: float, count: int) -> None:
    time = FakeTime(late)
    clock = Clock(time.now, time.sleep)
    for _ in range(count):
        clock.wait(clock.take(0.0, seconds))
    assert time.now() >= count * seconds * (1 - 1e-9)
    assert time.now() <= count * seconds * (1 + 1e-9) + late


def test_who_waits_for_what_is_over_does_not_sleep() -> None:
    time = FakeTime()
    Clock(time.now, time.sleep).wait(0.0)
    assert time.slept == []


@given(st.integers(0, 100_000), st.integers(1, 1000))
def test_a_batch_beyond_one_pass_takes_as_long_as_its_passes(rows: int, most: int) -> None:
    alone, whole = ServiceTime(2.0, 0.5), ServiceTime(2.0, 0.5, most)
    passes = [most] * (rows // most) + ([rows % most] if rows % most or not rows else [])
    assert whole.seconds(rows) == pytest.approx(sum(alone.seconds(each) for each in passes))


def test_a_batch_that_follows_at_once_was_ready_when_the_one_before_ended() -> None:
    assert ready_after(now=10.5, answered=10.499, end=10.4, seconds=0.1, size=0) == 10.4


def test_a_batch_that_comes_later_was_ready_when_it_came() -> None:
    assert ready_after(now=10.5, answered=10.45, end=10.4, seconds=1.0, size=0) == 10.5


def test_a_large_batch_may_follow_later_since_it_is_copied() -> None:
    assert ready_after(now=10.5, answered=10.45, end=10.4, seconds=1.0, size=100_000_000) == 10.4


def test_no_batch_is_taken_to_have_waited_for_half_of_its_time_without_being_executed() -> None:
    assert ready_after(now=10.5, answered=10.499, end=10.4, seconds=0.001, size=0) == 10.5


def test_clocks_of_one_file_are_one(tmp_path: Path) -> None:
    one, other = FileClock(tmp_path / "gpu"), FileClock(tmp_path / "gpu")
    assert one.take(1.0, 2.0) == 3.0
    assert other.take(1.0, 2.0) == 5.0
    assert one.take(7.0, 2.0) == 9.0
    one.close()
    other.close()


def test_processes_that_share_a_clock_take_every_second_once(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from emulated_clock import FileClock\n"
        "clock = FileClock(pathlib.Path(sys.argv[1]))\n"
        "sys.stdin.readline()\n"
        "print(*(clock.take(0.0, 1.0) for _ in range(1000)))\n"
    )
    source = Path(sys.modules[FileClock.__module__].__file__ or "")
    (tmp_path / "emulated_clock.py").write_text(source.read_text())  # as in Triton: without eventbraid
    command = [sys.executable, "-c", program, str(tmp_path / "gpu")]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [float(word) for process in processes for word in process.communicate(timeout=60)[0].split()]
    assert sorted(ends) == [float(n) for n in range(1, 2001)]


def test_a_gpu_in_triton_loses_nothing_between_batches_that_follow_at_once() -> None:
    time = FakeTime(late=0.01)
    gpu = SharedGpu(ServiceTime(1.0, 0.0), Clock(time.now, time.sleep), lambda _: None)
    for _ in range(100):
        gpu.begin(1, 4)
        gpu.end()
        time.time += 0.002  # until it is called again
    assert time.now() == pytest.approx(100.0, abs=0.02)


def test_a_gpu_in_triton_begins_with_what_comes_later_when_it_comes() -> None:
    time = FakeTime()
    gpu = SharedGpu(ServiceTime(1.0, 0.0), Clock(time.now, time.sleep), lambda _: None)
    for _ in range(2):
        gpu.begin(1, 4)
        gpu.end()
        time.time += 0.1
    assert time.now() == pytest.approx(2.2)


def test_a_network_in_triton_that_is_too_slow_is_said() -> None:
    said: list[str] = []
    time = FakeTime()
    gpu = SharedGpu(ServiceTime(1.0, 0.5), Clock(time.now, time.sleep), said.append)
    gpu.begin(2, 4)
    time.time += 30.0
    gpu.end()
    assert said == ["2 rows take 3e+04 ms to compute, longer than the 2e+03 ms that are emulated"]


def test_a_network_that_falls_behind_is_said_once() -> None:
    said: list[str] = []
    pace = Pace(said.append)
    for _ in range(9):
        pace.computed(1, took=2.1, seconds=1.0)
    assert said == []
    for _ in range(50):
        pace.computed(1, took=2.1, seconds=1.0)
    assert said == ["1 rows take 2.1e+03 ms to compute, longer than the 1e+03 ms that are emulated"]


def test_a_network_that_is_slow_now_and_then_is_not_said() -> None:
    said: list[str] = []
    pace = Pace(said.append)
    for _ in range(100):
        pace.computed(1, took=6.0, seconds=1.0)
        for _ in range(10):
            pace.computed(1, took=0.4, seconds=1.0)
    assert said == []


def test_an_instance_in_triton_is_on_the_gpu_of_its_number_or_on_the_cpu(tmp_path: Path) -> None:
    device = {"t0": 1.0, "per_row": 0.0, "most": 0, "clocks": [None, str(tmp_path / "gpu0")]}
    assert shared_gpu(device, 0, print) is None
    assert shared_gpu(device, 1, print) is not None
    assert (tmp_path / "gpu0").exists()
