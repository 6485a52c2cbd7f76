"""`eventbraid top`: on a terminal and elsewhere, until the job ends, is gone, or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "control"))
from fake_run import FakeRun, place
from test_progress import read_until

from eventbraid.cli import main
from eventbraid.control import controlled
from eventbraid.whereabouts import Whereabouts

COMMAND = str(Path(sys.executable).with_name("eventbraid"))


class Looked(FakeRun):
    """Knows how often it was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: asyncio.Queue[None] = asyncio.Queue()

    def whereabouts(self) -> list[Whereabouts]:
        self.looks.put_nowait(None)
        self.ledger.read += 1
        return [place(0, "facile", "external work", server="gpu:8001")]


async def test_elsewhere_than_on_a_terminal_there_is_a_picture_at_every_interval(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Looked()
    service = controlled(run, "127.0.0.1:0")
    monkeypatch.setattr(sys, "argv", ["eventbraid", "top", await service.__aenter__(), "--interval", "0.1"])
    top = asyncio.create_task(asyncio.to_thread(pytest.raises, SystemExit, main))
    await run.looks.get()
    await run.looks.get()
    await service.__aexit__(None, None, None)
    ended = await top
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "\x1b" not in said.out
    pictures = said.out.split("fake (async, 8 in flight at most), ")[1:]
    assert [text.split("\n")[0] for text in pictures] == ["running"] * (len(pictures) - 1) + ["ended"]
    assert len(pictures) >= 3
    assert all("facile  external work  gpu:8001" in text for text in pictures)
    assert pictures[-1].endswith(
        f"\nthe job has ended after 0.0 s: {len(pictures) - 1} events read, 0 passed, 0 failed\n"
    )


@asynccontextmanager
async def on_a_terminal(address: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], int]]:
    """`eventbraid top` with a terminal as standard output, killed when it takes half a minute."""
    terminal, its_end = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    command = [COMMAND, "top", address, "--interval", "0.1"]
    streams = {"stdout": its_end, "stderr": subprocess.PIPE}
    with await asyncio.to_thread(subprocess.Popen, command, env=environment, **streams) as process:
        os.close(its_end)
        watchdog = asyncio.get_running_loop().call_later(30, process.kill)
        try:
            yield process, terminal
        finally:
            watchdog.cancel()
            process.kill()
            os.close(terminal)


def cursor_is_back(said: bytes) -> bool:
    """True where the terminal's cursor was hidden and is shown again."""
    return -1 < said.rfind(b"\x1b[?25l") < said.rfind(b"\x1b[?25h")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
async def test_on_a_terminal_the_view_ends_with_the_job() -> None:
    run = Looked()
    service = controlled(run, "127.0.0.1:0")
    async with on_a_terminal(await service.__aenter__()) as (process, terminal):
        said = await asyncio.to_thread(read_until, terminal, b"facile")
        await service.__aexit__(None, None, None)
        said += await asyncio.to_thread(read_until, terminal, b"never said")
        assert await asyncio.to_thread(process.wait) == 0
    assert b"the job has ended after 0.0 s: " in said
    assert cursor_is_back(said)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
async def test_ctrl_c_ends_the_view_and_not_the_job() -> None:
    run = Looked()
    async with controlled(run, "127.0.0.1:0") as address, on_a_terminal(address) as (process, terminal):
        said = await asyncio.to_thread(read_until, terminal, b"facile")
        process.send_signal(signal.SIGINT)
        said += await asyncio.to_thread(read_until, terminal, b"never said")
        assert await asyncio.to_thread(process.wait) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert run.stops == []
    assert f"the job goes on; `eventbraid top {address}` shows it again".encode() in said
    assert cursor_is_back(said)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
async def test_a_job_that_is_killed_ends_the_view_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(
        "import asyncio, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1] / 'control')!r})\n"
        "from fake_run import FakeRun\n"
        "from eventbraid.control import controlled\n"
        "async def main():\n"
        "    async with controlled(FakeRun(), '127.0.0.1:0') as address:\n"
        "        print(address, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    command, settings = [sys.executable, "served.py"], {"cwd": tmp_path, "text": True}
    with await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, **settings) as served:
        assert served.stdout is not None
        address = (await asyncio.to_thread(served.stdout.readline)).strip()
        async with on_a_terminal(address) as (process, terminal):
            said = await asyncio.to_thread(read_until, terminal, b"running")
            served.kill()
            said += await asyncio.to_thread(read_until, terminal, b"never said")
            assert await asyncio.to_thread(process.wait) == 1
            assert process.stderr is not None
            assert b"the job is gone" in process.stderr.read()
    assert cursor_is_back(said)
