"""The keeper of a server's process: what it says, and what it leaves behind, which is nothing."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventbraid.serving.triton import keeper

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/shm, and only there is a Triton")

SERVES = "print('warming up'); print('now it serves', flush=True); "
WAITS = f"import signal; {SERVES} signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}\nwhile True: signal.pause()"


class Kept:
    """A keeper with a program of a test for its server, and a region of shared memory of that server."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.log = folder, folder / "log"
        prefix = f"eventbraid-kept-{uuid.uuid4()}"
        self.region = keeper.REGIONS / f"{prefix}-1"
        self.region.touch()
        command = [sys.executable, "-I", keeper.__file__, f"--folder={folder}", f"--log={self.log}"]
        command += [f"--regions={prefix}", "--ready=serves", "--", sys.executable, "-c", program]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.server: int = self.said()["pid"]
        self.watch = os.pidfd_open(self.server)

    def said(self) -> dict[str, Any]:
        """The next thing it says; nothing at its end."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return dict(json.loads(line)) if line else {}

    def lose_parent(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def server_ends(self) -> bool:
        return bool(select.select([self.watch], [], [], 20)[0])

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self.watch)
        self.region.unlink(missing_ok=True)


@pytest.fixture
def kept(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Kept]:
    """A keeper of a server that waits, or that is another program."""
    (tmp_path / "work").mkdir()
    made = Kept(tmp_path / "work", getattr(request, "param", WAITS))
    yield made
    made.close()


def test_it_says_when_the_server_serves_and_keeps_its_log(kept: Kept) -> None:
    assert kept.said() == {"ready": True}
    assert kept.log.read_text().startswith("warming up\nnow it serves")


@pytest.mark.parametrize("kept", ["print('no room left')"], indirect=True)
def test_of_a_server_that_does_not_start_it_keeps_the_last_words(kept: Kept) -> None:
    assert kept.said() == {"ended": 0}
    assert kept.log.read_text() == "no room left\n"


def test_shared_memory_is_gone_after_a_server_that_was_killed_and_its_folder_stays(kept: Kept) -> None:
    kept.said()
    os.kill(kept.server, signal.SIGKILL)
    assert kept.process.wait(20) == 0
    assert not kept.region.exists()
    assert kept.folder.exists()


@pytest.mark.parametrize(
    "kept", [f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAITS!r}]).wait()"], indirect=True
)
def test_what_the_server_started_ends_with_it(kept: Kept) -> None:
    kept.said()
    (child,) = (int(each) for each in Path(f"/proc/{kept.server}/task/{kept.server}/children").read_text().split())
    watch = os.pidfd_open(child)
    os.kill(kept.server, signal.SIGKILL)
    assert select.select([watch], [], [], 20)[0]
    os.close(watch)


def test_the_server_ends_with_the_parent_and_its_folder_is_removed(kept: Kept) -> None:
    kept.said()
    kept.lose_parent()
    assert kept.server_ends()
    assert kept.process.wait(20) == 0
    assert not kept.folder.exists()


def test_a_frozen_server_ends_with_the_parent_too(kept: Kept) -> None:
    kept.said()
    os.killpg(kept.server, signal.SIGSTOP)
    kept.lose_parent()
    assert kept.server_ends()


def test_a_server_whose_keeper_is_killed_ends(kept: Kept) -> None:
    kept.said()
    kept.process.kill()
    assert kept.server_ends()


@pytest.mark.slow
@pytest.mark.parametrize("kept", [STUBBORN], indirect=True)
def test_a_server_that_does_not_listen_is_killed(kept: Kept) -> None:
    kept.said()
    kept.process.send_signal(signal.SIGTERM)
    assert kept.server_ends()
