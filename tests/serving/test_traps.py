"""What would make the real Triton hang or fail at its start is told before, with what to do."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from real_triton import require_triton

from eventbraid import ConfigurationError
from eventbraid.serving.ports import free_port
from eventbraid.serving.triton.environment import triton_environment
from eventbraid.serving.triton.traps import (
    check_start,
    find_libraries,
    missing_libraries,
    platform_fault,
    port_faults,
    room_fault,
    shared_bytes,
)

LISTING = """
	linux-vdso.so.1 (0x00007fff)
	libcudart.so.12 => /somewhere/libcudart.so.12 (0x00007f)
	libpython3.11.so.1.0 => not found
	libexpat.so.1 => not found
	/lib64/ld-linux-x86-64.so.2 (0x00007f)
"""


@pytest.mark.parametrize(
    ("system", "machine", "libc", "fault"),
    [
        ("linux", "x86_64", ("glibc", "2.35"), ""),
        ("linux", "x86_64", ("glibc", "2.41"), ""),
        ("linux", "x86_64", ("glibc", "3.0"), ""),
        ("linux", "x86_64", ("glibc", "2.31"), "needs glibc 2.35 or newer, and this system has glibc 2.31"),
        ("linux", "x86_64", ("", ""), "needs glibc 2.35 or newer, and this system has another C library"),
        ("linux", "aarch64", ("glibc", "2.41"), "no wheel of the Triton server for this platform"),
        ("darwin", "x86_64", ("", ""), "no wheel of the Triton server for this platform"),
    ],
)
def test_platforms_without_a_triton_say_so(system: str, machine: str, libc: tuple[str, str], fault: str) -> None:
    found = platform_fault(system, machine, libc)
    assert fault in found
    assert bool(fault) == bool(found)


def test_a_missing_libpython_is_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"apt-get install libpython3"):
        find_libraries([tmp_path])


def test_the_folder_with_libpython_is_found(tmp_path: Path) -> None:
    (tmp_path / f"libpython3.{sys.version_info.minor}.so.1.0").touch()
    assert find_libraries(["/nowhere", tmp_path]) == tmp_path


def test_libraries_that_are_not_found_are_named() -> None:
    assert missing_libraries(LISTING) == ["libpython3.11.so.1.0", "libexpat.so.1"]


def test_a_port_in_use_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (fault,) = port_faults({"grpc": free_port(), "http": port})
    assert str(fault) == f"http port {port}: cannot be used: is another server running there? (0 chooses a free one)"


def test_one_port_for_two_is_a_fault() -> None:
    port = free_port()
    (fault,) = port_faults({"grpc": port, "metrics": port})
    assert str(fault) == f"metrics port {port}: is that of grpc already (give each its own)"


def test_free_ports_are_no_fault() -> None:
    first = free_port()
    assert port_faults({"grpc": first, "http": free_port([first])}) == []


def test_little_shared_memory_is_a_fault() -> None:
    fault = room_fault(3 * 2**20, 4)
    assert fault is not None
    assert fault.what == "has room for 3 MiB, and the models need 4: 1 for each instance"
    assert "--shm-size" in fault.hint


def test_enough_shared_memory_is_no_fault() -> None:
    assert room_fault(64 * 2**20, 4) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only there is a Triton")
def test_a_program_that_cannot_be_executed_is_a_fault(tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.touch()
    with pytest.raises(ConfigurationError, match=r"stub: cannot be executed \(is it on a file system .* noexec"):
        check_start(Path(sys.executable), stub, os.environ, {}, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only there is a Triton")
def test_programs_with_all_they_need_are_no_fault() -> None:
    check_start(Path("/bin/sh"), Path("/bin/sh"), os.environ, {"grpc": free_port()}, 1)


@pytest.mark.triton
def test_a_stub_without_its_libraries_is_a_fault_that_names_them() -> None:
    require_triton()
    found = triton_environment()
    other = "3.9" if sys.version_info.minor != 9 else "3.10"
    stub = found.stub.parents[1] / other / found.stub.name
    with pytest.raises(ConfigurationError, match=rf"needs libpython{other}.so.1.0 .*Triton would hang"):
        check_start(found.binary, stub, found.variables(), {}, 1)


@pytest.mark.parametrize(
    ("free", "instances", "each"),
    [
        (24 * 2**30, 3, 16 * 2**20),
        (64 * 2**20, 4, 4 * 2**20),
        (10 * 2**20, 4, 2**20),
        (0, 4, 2**20),
        (24 * 2**30, 0, 16 * 2**20),
        (50 * 2**20, 3, 4 * 2**20),
    ],
)
def test_an_instance_starts_with_ample_shared_memory_where_there_is_room(free: int, instances: int, each: int) -> None:
    assert shared_bytes(free, instances) == each
