"""What a comparison says, in sentences and numbers for people."""

from __future__ import annotations

from collections.abc import Iterator

from eventbraid.studies.comparison.bounds import Bounds
from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.point import Point
from eventbraid.studies.units import milliseconds, number, shown_bandwidth, shown_seconds

__all__ = ["bounds", "gains", "heading", "incompleteness", "sameness", "warnings"]


def heading(comparison: Comparison) -> str:
    """What was run, in a line."""
    runs = "1 run" if comparison.repeats == 1 else f"{comparison.repeats} runs"
    through = f", {shown_bandwidth(comparison.bandwidth)} each way" if comparison.bandwidth else ""
    return f"{comparison.job}: {comparison.first.events} events, {runs} a point{through}"


def gains(comparison: Comparison) -> Iterator[str]:
    """The speed-up of the fastest point at each distance, each in a sentence."""
    for distance in comparison.distances:
        best = comparison.best(distance)
        if best is not None and (line := _gain(comparison, best)):
            yield line


def _gain(comparison: Comparison, point: Point) -> str:
    """By how much a point is faster than its reference; empty for the reference."""
    gain = comparison.speed_up(point)
    if gain is None:
        return ""
    reference = comparison.reference(point)
    rounds = min(len(comparison.runs[each]) for each in (point, reference))
    spread = "one pair" if rounds == 1 else f"{gain.least:.2f} to {gain.most:.2f} in {rounds} pairs"
    return f"speed-up {gain.median:.2f} ({spread}): {point.name}, against {reference.name}"


def bounds(comparison: Comparison) -> Iterator[str]:
    """How far the fastest point at each distance is from what binds it, each in a sentence."""
    for each in comparison.bounds():
        if each.lowest:
            yield _bound(each)


def warnings(comparison: Comparison) -> Iterator[str]:
    """What makes the figures other than they would be on an idle server and a quiet machine."""
    yield from comparison.saturated
    if comparison.crowded:
        yield comparison.crowded


def _bound(bounds: Bounds) -> str:
    """What binds, how near the job is to it, and how many events in flight that takes."""
    where = "" if bounds.distance is None else f", server {shown_seconds(bounds.distance)} away"
    cpu = f"{number(bounds.cpu)} events/s by the modules' CPU work on one core" if bounds.cpu else ""
    server = f"{number(bounds.server)} by the server" if bounds.server else ""
    streams = "1 event" if bounds.needed == 1 else f"{bounds.needed} events"
    return (
        f"bound{where}: {', '.join(part for part in (cpu, server) if part)}; the lower one takes {streams} in flight "
        f"({number(bounds.lowest)}/s x {milliseconds(bounds.latency)}); with {bounds.best_streams} "
        f"it is reached to {bounds.reached:.0%}"
    )


def sameness(comparison: Comparison) -> tuple[bool | None, str]:
    """Whether all runs gave the same (None: there was nothing to compare), and a sentence about it."""
    if comparison.unrepeated:
        return False, (
            "not repeatable: two runs in the same mode differ, so the job does not depend on its seed and its events "
            "alone; event.random(self) gives random numbers that do"
        )
    if not comparison.identical:
        return False, f"not identical: {len(comparison.differences)} differences"
    first = comparison.first
    runs = sum(len(each) for each in comparison.runs.values())
    what = ["failures"] if first.report["errors"] else []
    what += ["path results"] if first.decisions else []
    what += [f"products of {', '.join(first.files)}"] if first.files else []
    if not what:
        return None, "nothing to compare: the job has no output and no path"
    if runs == 1:
        return None, "nothing to compare: one run has ended"
    return True, f"identical in all {runs} runs, bit for bit: {', '.join(reversed(what))}"


def incompleteness(comparison: Comparison) -> str:
    """What an interrupted study lacks; empty where it is complete."""
    if comparison.complete:
        return ""
    ended = sum(len(runs) for runs in comparison.runs.values())
    return f"not complete: {ended} of {comparison.repeats * len(comparison.points)} runs had ended"
