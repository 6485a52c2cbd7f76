"""A comparison as one HTML page that needs nothing else: tables, pictures, no script, no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import need_extra
from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.measurement import Window
from eventbraid.studies.comparison.views.charts import draw_efficiency, draw_throughput, draw_times
from eventbraid.studies.comparison.views.picture import figure_of
from eventbraid.studies.comparison.views.rows import Cell, Rows, module_rows, point_rows, server_rows, time_rows
from eventbraid.studies.comparison.views.sentences import bounds, gains, heading, incompleteness, sameness, warnings

__all__ = ["check", "page"]

POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may fetch for the page: nothing."""
MOST_DIFFERENCES: Final = 100


def check() -> None:
    """Raise now what `page` would raise after minutes."""
    need_extra("matplotlib.figure", "plots", "the report")


def page(comparison: Comparison, window: Window) -> str:
    """The whole page; `window` is which events the timeline shows."""
    css = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    body = "\n".join(
        part
        for section in (_head, _points, _charts, _times, _modules, _servers, _differences)
        for part in section(comparison)
    )
    timeline = "\n".join(_timeline(comparison, window))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(comparison.job)}: comparison</title>\n<style>\n{css}</style>\n</head>\n"
        f"<body>\n{body}\n{timeline}\n</body>\n</html>\n"
    )


def _head(comparison: Comparison) -> Iterator[str]:
    yield f"<h1>{escape(comparison.job)}</h1>"
    setting = "; ".join(f"{name} {value}" for name, value in comparison.setting.items())
    yield _paragraph(
        heading(comparison).removeprefix(f"{comparison.job}: ") + (f"; {setting}" if setting else ""), "soft"
    )
    for line in gains(comparison):
        yield f"<p><strong>{escape(line)}</strong></p>"
    same, sentence = sameness(comparison)
    yield _paragraph(sentence, {True: "good", False: "bad", None: "warn"}[same])
    for line in bounds(comparison):
        yield _paragraph(line)
    for line in (*warnings(comparison), incompleteness(comparison)):
        if line:
            yield _paragraph(line, "warn")


def _points(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Throughput and latency</h2>"
    yield _table(point_rows(comparison))
    yield _paragraph(
        "Medians of the runs with their extremes; latencies over all events. CPU: of the process over wall time; "
        "useful CPU: of the modules alone. The bound is what the modules' CPU work alone would allow on one core.",
        "soft",
    )


def _charts(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Against events in flight</h2>"
    yield _image(_svg(draw_throughput(comparison)), "Events per second against events in flight")
    yield _image(_svg(draw_efficiency(comparison)), "Useful CPU time over wall time against events in flight")


def _times(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Where the time of an event goes</h2>"
    yield _image(_svg(draw_times(comparison)), "Wall time of each event by what it is spent on")
    yield _table(time_rows(comparison))
    yield _paragraph(
        "Wall time over events. Framework: all CPU time of the process that is no module's, requests and outputs "
        "included. Waiting: what is left, in which the process had nothing to do or no core.",
        "soft",
    )


def _modules(comparison: Comparison) -> Iterator[str]:
    yield "<h2>By module</h2>"
    for number, point in enumerate(comparison.runs):
        yield f"<details{'' if number else ' open'}><summary>{escape(point.name)}</summary>"
        yield _table(module_rows(comparison, point))
        yield "</details>"


def _servers(comparison: Comparison) -> Iterator[str]:
    rows = server_rows(comparison)
    if not rows.rows:
        return
    yield "<h2>The servers</h2>"
    yield _table(rows)
    yield _paragraph(
        "Means of a request. At work: executions at once, on average over time. Saturated: always at work, while "
        "requests wait; shared: others asked it too, so that its figures are not this job's alone.",
        "soft",
    )


def _differences(comparison: Comparison) -> Iterator[str]:
    if not comparison.differences:
        return
    yield "<h2>Differences</h2>"
    heads = ("what", "column", "event", "expected", "found", "in", "expected by")
    shown = comparison.differences[:MOST_DIFFERENCES]
    yield _table(
        Rows(
            heads,
            [
                (each.file, each.column, each.event, each.expected, each.found, each.run, each.reference)
                for each in shown
            ],
        )
    )
    if (more := len(comparison.differences) - MOST_DIFFERENCES) > 0:
        yield _paragraph(f"and {more} more", "soft")


def _timeline(comparison: Comparison, window: Window) -> Iterator[str]:
    figure = figure_of(comparison, window)
    if figure is None:
        return
    yield "<h2>The same stretch of time</h2>"
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=130)
    picture = _data("image/png", out.getvalue())
    yield _image(picture, "Timeline of events in two modes, the core below them", "wide timeline")
    yield _paragraph(
        "One row an event. Solid: CPU work, coloured by module; hatched: external work; thin lines: the event waits "
        "for its turn. The last row of each panel is the core with all events.",
        "soft",
    )


def _svg(figure: Any) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return _data("image/svg+xml", out.getvalue())


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _image(source: str, words: str, kind: str = "wide") -> str:
    return f'<figure class="{kind}"><img src="{source}" alt="{escape(words)}"></figure>'


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def _table(rows: Rows) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in rows.heads)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows.rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    above, below = map(escape, cell)
    return f"<td>{above}<small>{below}</small></td>"
