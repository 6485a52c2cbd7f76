"""The commands that ask and steer a running job."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "control"))
from fake_run import FakeRun, place
from jobs import GOOD

from eventbraid.cli import main
from eventbraid.control import controlled

Call = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls a command in a thread, as the loop of this one is the job's: its exit code, output and messages."""
    monkeypatch.delenv("EVENTBRAID_CONTROL_TOKEN", raising=False)

    async def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["eventbraid", *arguments])
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


async def test_drain_and_resume_say_what_the_job_does(call: Call) -> None:
    run = FakeRun()
    run.in_flight = 1
    async with controlled(run, "127.0.0.1:0") as job:
        assert await call("resume", job) == (0, "", "the job was not drained\n")
        code, out, err = await call("drain", job, "--json", "-")
        assert (code, json.loads(out), err) == (0, {"held": True, "state": "draining"}, "the job is draining\n")
        assert await call("drain", job) == (0, "", "was told before: the job is draining\n")
        assert await call("resume", job) == (0, "", "the job goes on\n")


async def test_drain_can_wait_until_nothing_is_in_flight(call: Call) -> None:
    class Draining(FakeRun):
        """Has one event less in flight each time it is asked."""

        def hold(self) -> None:
            super().hold()
            self.in_flight = 3

        @property
        def seconds(self) -> float:
            self.in_flight = max(0, self.in_flight - 1)
            return 0.0

        @seconds.setter
        def seconds(self, seconds: float) -> None:
            pass

    run = Draining()
    async with controlled(run, "127.0.0.1:0") as job:
        assert await call("drain", job, "--wait") == (0, "", "the job is drained\n")
        assert run.in_flight == 0


async def test_stop_takes_a_reason_and_the_way_in_which_to_stop(call: Call) -> None:
    run = FakeRun()
    async with controlled(run, "127.0.0.1:0") as job:
        code, _, err = await call("stop", job, "--after-lumi", "--reason", "beam dump")
        assert (code, err) == (0, "the job reads its luminosity section to the end\n")
        assert (await call("stop", job))[2] == "stopping already: beam dump\n"
        assert (await call("stop", job, "--cancel"))[2] == "the job cancels what is in flight\n"
        code, _, err = await call("stop", job, "--cancel", "--after-lumi")
        assert (code, "it cannot be both" in err) == (1, True)
    assert run.stops == [("beam dump", True, False), ("asked to stop", False, False), ("asked to stop", False, True)]


async def test_streams_shows_and_changes_how_many_events_may_be_in_flight(call: Call) -> None:
    run = FakeRun()
    async with controlled(run, "127.0.0.1:0") as job:
        assert await call("streams", job) == (0, "", "8 events in flight at most\n")
        assert await call("streams", job, "64") == (0, "", "64 events in flight at most\n")
        code, _, err = await call("streams", job, "10001")
        assert (code, "must be from 1 to 10,000, not 10,001" in err) == (2, True)
    assert run.streams == 64


async def test_where_shows_the_oldest_events_and_how_many_more_there_are(call: Call) -> None:
    run = FakeRun()
    async with controlled(run, "127.0.0.1:0") as job:
        assert await call("where", job) == (0, "", "no event waits\n")
        run.places = [place(3, "b"), place(2, "facile", "external work", 1.0, "gpu:8001"), place(1, "a", "acquire")]
        code, out, err = await call("where", job, "--limit", "2", "--json", "-")
    lines = err.splitlines()
    assert code == 0
    assert lines[0].startswith("event 1:2:2 (number 1): a, acquire, for ")
    assert lines[1].startswith("event 1:2:3 (number 2): facile, external work at gpu:8001, for 1.")
    assert lines[2:] == ["and 1 more"]
    assert json.loads(out)["total"] == 3


async def test_the_token_is_an_option_or_a_variable(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    async with controlled(FakeRun(), "127.0.0.1:0", "secret") as job:
        for command in ("status", "where", "drain", "resume", "streams", "top", "stop"):
            code, _, err = await call(command, job)
            assert (code, "none was given; pass with --token, or in EVENTBRAID_CONTROL_TOKEN" in err) == (1, True)
        assert (await call("status", job, "--token", "secret"))[0] == 0
        monkeypatch.setenv("EVENTBRAID_CONTROL_TOKEN", "secret")
        assert (await call("status", job))[0] == 0
        code, _, err = await call("status", job, "--token", "wrong")
        assert (code, "another was given" in err) == (1, True)


async def test_a_job_that_listens_to_other_machines_needs_a_token(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.py").write_text(GOOD)
    listen = ("run", "job.py", "--control", "0.0.0.0:0")
    code, _, err = await call(*listen)
    assert (code, "can be reached from other machines" in err) == (2, True)
    code, _, err = await call(*listen, "--control-token", "")
    assert (code, "--control-token: is empty" in err) == (2, True)
    code, _, err = await call(*listen, "--control-token", "secret")
    assert (code, "job control at 0.0.0.0:" in err) == (0, True)
    monkeypatch.setenv("EVENTBRAID_CONTROL_TOKEN", "secret")
    assert (await call(*listen))[0] == 0


@pytest.mark.parametrize("command", ["status", "where", "drain", "resume", "streams", "top", "stop"])
async def test_where_there_is_no_job_every_command_says_so(call: Call, command: str) -> None:
    code, _, err = await call(command, "127.0.0.1:1")
    assert (code, "no job offers its control here" in err) == (1, True)
