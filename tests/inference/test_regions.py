"""Regions: what becomes of their names, whoever dies, and of the arrays on them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from eventbraid.inference.memory import Region, sweep
from eventbraid.kserve.shared import FOLDER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory is used on Linux only")


@contextmanager
def other_process(code: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that runs the code and then waits for its standard input; with the line that it prints first."""
    start = "from eventbraid.inference.memory import Region\nimport sys, os\n"
    command = [sys.executable, "-c", f"{start}{code}\nsys.stdin.read()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.communicate()


ONE = "region = Region(4096)\nprint(region.name, flush=True)"


def test_a_region_is_an_object_of_its_size_that_only_its_user_may_open() -> None:
    region = Region(8192)
    found = (FOLDER / region.name).stat()
    assert (found.st_size, found.st_mode & 0o777) == (8192, 0o600)
    assert found.st_blocks * 512 >= 8192
    region.unlink()


def test_what_is_written_to_a_region_is_in_the_object() -> None:
    region = Region(4096)
    region.array(100, 3)[:] = [1, 2, 3]
    assert (FOLDER / region.name).read_bytes()[99:104] == bytes([0, 1, 2, 3, 0])
    region.unlink()


def test_a_region_that_is_garbage_leaves_no_object_and_its_arrays_stay() -> None:
    region = Region(4096)
    name, array = region.name, region.array(0, 4096)
    del region
    assert not (FOLDER / name).exists()
    array[:] = 7
    assert array.sum() == 7 * 4096


def test_a_region_larger_than_the_memory_is_an_error_and_leaves_no_object() -> None:
    before = set(FOLDER.iterdir())
    with pytest.raises(OSError, match="space") as raised:
        Region(1 << 50)
    assert raised.value.errno == errno.ENOSPC
    assert {path.name for path in set(FOLDER.iterdir()) - before if f"-{os.getpid()}-" in path.name} == set()


@pytest.mark.parametrize(
    "end",
    [
        lambda process: process.communicate(),
        lambda process: (process.send_signal(signal.SIGINT), process.wait()),
    ],
    ids=["end of the program", "KeyboardInterrupt"],
)
def test_a_process_that_ends_takes_its_regions_along(end: Callable[[subprocess.Popen[str]], object]) -> None:
    quiet = "sys.excepthook = lambda *error: None\n"
    with other_process(quiet + ONE) as (process, name):
        assert (FOLDER / name).exists()
        end(process)
        assert not (FOLDER / name).exists()


def test_the_sweep_removes_what_a_killed_process_left() -> None:
    with other_process(ONE) as (process, name):
        process.kill()
        process.wait()
        assert (FOLDER / name).exists()
        assert name in sweep()
        assert not (FOLDER / name).exists()


def test_the_sweep_leaves_what_living_processes_use() -> None:
    ours = Region(4096)
    with other_process(ONE) as (_, theirs):
        swept = sweep()
        assert not {ours.name, theirs} & set(swept)
        assert (FOLDER / ours.name).exists()
        assert (FOLDER / theirs).exists()
    ours.unlink()


def test_the_sweep_is_not_misled_by_a_process_number_that_was_given_again() -> None:
    with other_process(ONE) as (process, name):
        process.kill()
        process.wait()
    _, _, *rest = name.split("-")
    again = f"eventbraid-{os.getpid()}-{'-'.join(rest)}"  # as if we had its number now
    (FOLDER / name).rename(FOLDER / again)
    assert again in sweep()


def test_the_sweep_leaves_objects_of_others() -> None:
    names = [f"eventbraid-test-{os.getpid()}-1", f"eventbraid-{os.getpid()}-x", f"other-{os.getpid()}"]
    for name in names:
        (FOLDER / name).write_bytes(b"1")
    try:
        assert not set(names) & set(sweep())
        assert all((FOLDER / name).exists() for name in names)
    finally:
        for name in names:
            (FOLDER / name).unlink()


def test_a_forked_child_leaves_the_regions_of_its_parent() -> None:
    code = f"""{ONE}
if not (child := os.fork()):
    region.unlink()
    os._exit(0)
os.waitpid(child, 0)
print(os.path.exists("/dev/shm/" + region.name), flush=True)"""
    with other_process(code) as (process, _):
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"


def test_processes_that_make_and_sweep_at_the_same_time_lose_no_region() -> None:
    code = """
from eventbraid.inference.memory import sweep
lost = 0
for _ in range(200):
    region = Region(4096)
    sweep()
    lost += not os.path.exists("/dev/shm/" + region.name)
    region.unlink()
print(lost, flush=True)"""
    with other_process(code) as (_, first), other_process(code) as (_, second):
        assert (first, second) == ("0", "0")
