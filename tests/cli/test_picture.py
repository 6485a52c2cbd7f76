"""The picture of a job that `eventbraid top` shows, at several sizes."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from eventbraid.cli.picture import picture


def path(name: str, passed: int = 0) -> dict[str, Any]:
    return {"name": name, "pass": passed, "fail": 2, "exception": 1, "not_run": 3}


def module(label: str, cpu: float, external: float = 0.0, waiting: int = 0) -> dict[str, Any]:
    return {"label": label, "calls": 12, "cpu_seconds": cpu, "external_seconds": external, "waiting": waiting}


def a_status(**changes: Any) -> dict[str, Any]:
    events = {"read": 70, "in_flight": 8, "passed": 50, "failed": 5, "not_selected": 7}
    made = {
        "job": "hlt", "mode": "async", "streams": 8, "state": "running", "stopping": "", "seconds": 12.34,
        "events": {**events, "per_second": 5.02, "recent_per_second": 6.04},
        "paths": [path("muons", 50)],
        "modules": [module("tracks", 0.5), module("facile", 1.5, 30.0, 8)],
    }  # fmt: skip
    return made | changes


FACILE = {
    "event": "362760:1234:123456789", "number": 62, "label": "facile", "step": "external work", "seconds": 1.25,
    "server": "gpu:8001",
}  # fmt: skip


def shown(status: dict[str, Any], *where: dict[str, Any], width: int = 120, height: int | None = None) -> list[str]:
    """The lines of the picture, as they are on a terminal of that width."""
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(picture(status, where, width=width, height=height))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_picture_has_all_that_the_job_tells() -> None:
    assert shown(a_status(), FACILE) == [
        "hlt (async, 8 in flight at most), running",
        "70 read, 50 passed, 5 failed, 8 in flight",
        "6.0 events/s of late, 5.0 over all 12.3 s",
        "",
        "path   pass  fail  exception  not run",
        "muons    50     2          1        3",
        "",
        "module  calls  CPU s  share  external s  waiting",
        "facile     12  1.500    75%      30.000        8",
        "tracks     12  0.500    25%",
        "",
        "oldest event           in      step           server    for s",
        "362760:1234:123456789  facile  external work  gpu:8001    1.2",
    ]


def test_at_forty_columns_numbers_and_events_are_whole_and_names_are_cut() -> None:
    long = {"modules": [module("a_module_with_a_very_long_label", 12345.678, waiting=1234)]}
    lines = shown(a_status(**long, state="stopping", stopping="beam dump"), FACILE, width=40)
    assert max(map(len, lines)) <= 40
    text = "\n".join(lines)
    assert "stopping: beam dump" in text.replace("\n", " ")
    for whole in ("12345.678", "100%", "1234", "362760:1234:123456789", "1.2", "muons", "facile"):
        assert whole in text
    assert "a_module_wit…" in text
    assert "step" not in text


@pytest.mark.parametrize("height", [20, 24, 30, 50])
@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("paths", [1, 40])
def test_long_tables_are_cut_so_that_all_have_their_place(height: int, width: int, paths: int) -> None:
    status = a_status(
        paths=[path(f"path{number}") for number in range(paths)],
        modules=[module(f"module{number}", number) for number in range(100)],
    )
    lines = shown(status, FACILE, width=width, height=height)
    assert len(lines) <= height
    assert "module99" in "\n".join(lines)
    assert lines[-1].startswith("362760:1234:123456789")
    (more,) = [line for line in lines if line.startswith("and ") and "more" in line][-1:]
    listed = sum(line.startswith("module") for line in lines) - 1
    assert more == f"and {100 - listed} more"


def test_only_five_of_the_oldest_events_are_shown() -> None:
    assert sum(line.startswith("362760") for line in shown(a_status(), *[FACILE] * 9)) == 5


def test_a_job_that_has_nothing_to_tell_yet_is_its_header() -> None:
    nothing = dict.fromkeys(("read", "in_flight", "passed", "failed", "not_selected"), 0)
    events = {**nothing, "per_second": 0.0, "recent_per_second": 0.0}
    assert len(shown(a_status(events=events, paths=[], modules=[], seconds=0.0))) == 3


def test_modules_that_took_no_time_have_no_share() -> None:
    assert "%" not in "\n".join(shown(a_status(modules=[module("m", 0.0)])))


@pytest.mark.parametrize("width", [1, 5, 20])
def test_there_is_a_picture_however_narrow_the_terminal(width: int) -> None:
    assert shown(a_status(), FACILE, width=width, height=10)


def test_names_with_brackets_are_shown_as_they_are() -> None:
    status = a_status(job="a [/b] {c}", paths=[path("[red]p")], modules=[module("[bold]m", 1.0)])
    text = "\n".join(shown(status, FACILE | {"label": "[x]"}))
    for name in ("a [/b] {c}", "[red]p", "[bold]m", "[x]"):
        assert name in text
