"""Keeps a server's process: writes its log, says when it serves, and clears up behind it, however it ends.

It runs in a bare interpreter, by its path, and so it starts at once and needs the standard library alone. Its
standard input is its parent: at its end the server is ended too. It says on its standard output, in lines of
JSON, which process the server is, then that it serves, and how it ended. Any other program is kept as well.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread, Timer
from typing import IO, Final

__all__ = ["main"]

PR_SET_PDEATHSIG: Final = 1
GRACE_SECONDS: Final = 10.0
"""For a server without a parent, from SIGTERM to SIGKILL."""
REGIONS: Final = Path("/dev/shm")


def main() -> None:
    """`keeper.py --folder DIR --log FILE [--regions PREFIX] [--ready TEXT] [--echo] -- COMMAND...`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="to be removed where the parent has ended")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--regions", help="how the names of the server's shared memory begin")
    parser.add_argument("--ready", help="what a line of the log contains once the server serves")
    parser.add_argument("--echo", action="store_true", help="write the log to standard error too")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()

    server = subprocess.Popen(
        given.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=_die_with_keeper,  # noqa: PLW1509  # no thread runs yet
    )
    assert server.stdout is not None
    _say(pid=server.pid)
    alone = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: _end(server.pid))
    writing = Thread(target=_write_log, args=(server.stdout, given.log, given.ready, given.echo), daemon=True)
    writing.start()
    Thread(target=_watch_parent, args=(server.pid, alone), daemon=True).start()

    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)  # not reaped: its number is still its group's
    _signal(server.pid, signal.SIGKILL)  # its own processes, which may outlive it
    server.wait()
    writing.join(1.0)
    for region in REGIONS.glob(f"{given.regions}*") if given.regions else ():
        region.unlink(missing_ok=True)
    _say(ended=server.returncode)
    if alone.is_set():
        shutil.rmtree(given.folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        sys.stdout.close()
    os._exit(0)  # a thread may be in a read that nobody ends


def _write_log(output: IO[bytes], log: Path, ready: str | None, echo: bool) -> None:
    with log.open("wb", buffering=0) as file:
        for line in output:
            file.write(line)
            if echo:
                with contextlib.suppress(OSError):  # the terminal is gone
                    os.write(2, line)
            if ready and ready.encode() in line:
                ready = None
                _say(ready=True)


def _watch_parent(group: int, alone: Event) -> None:
    while os.read(0, 1024):
        pass
    alone.set()
    _end(group)


def _end(group: int) -> None:
    _signal(group, signal.SIGCONT)
    with contextlib.suppress(ProcessLookupError):
        os.kill(group, signal.SIGTERM)
    timer = Timer(GRACE_SECONDS, _signal, (group, signal.SIGKILL))
    timer.daemon = True
    timer.start()


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _say(**what: object) -> None:
    with contextlib.suppress(OSError):  # the parent has ended
        print(json.dumps(what), flush=True)  # noqa: T201


def _die_with_keeper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
