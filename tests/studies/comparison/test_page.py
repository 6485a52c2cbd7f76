"""The report is one HTML page: whole, valid, escaped, without a word to the network; a browser shows it in ends/."""

from __future__ import annotations

import base64
import io
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from measured import asked, comparison_of, run_of

from eventbraid.studies import Difference, Point
from eventbraid.studies.comparison.measurement import Measurement, Step, Window
from eventbraid.studies.comparison.views.page import page

WINDOW = Window(0, 4, 0, 8)
VOID = {"meta", "img"}


def run(point: Point, seconds: float, step: float) -> Measurement:
    made = run_of(point, seconds=seconds, models=[asked(compute=0.019, queue=0.03)])
    steps = tuple(Step(event, "jets", "produce", event * step, event * step + 0.01, 0.01) for event in range(8))
    return Measurement(point, 1, made.report, made.latencies, steps, (), {})


BLOCKING, BRAIDED = Point("blocking", 1, 0.012), Point("async", 4, 0.012)
COMPARISON = comparison_of(
    run(BLOCKING, 8, 0.08),
    run(Point("local"), 4, 0.04),
    run(BRAIDED, 2, 0.01),
    differences=(Difference("<b>.parquet", "jets", "1:1:1", "1", "2", "async", "blocking"),),
    setting={"Python": "3.11.7"},
)


class Parsed(HTMLParser):
    """The elements of a page, each closed by its own tag; the texts; what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.references: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag == "img":
            assert dict(attrs)["alt"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def text() -> str:
    return page(COMPARISON, WINDOW)


def test_every_element_is_closed_and_every_section_is_there(text: str) -> None:
    parsed = Parsed(text)
    assert parsed.seen.count("img") == 4
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings == [
        "Throughput and latency",
        "Against events in flight",
        "Where the time of an event goes",
        "By module",
        "The servers",
        "Differences",
        "The same stretch of time",
    ]
    for words in (
        "speed-up 4.00",
        "is saturated at",
        "takes 2 events in flight",
        "blocking, 12 ms away",
        "Python 3.11.7",
    ):
        assert words in parsed.words


def test_nothing_is_fetched_and_nothing_is_run(text: str) -> None:
    parsed = Parsed(text)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {*parsed.seen}
    assert all(reference.startswith("data:image/") for reference in parsed.references)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"" in text


def pictures(text: str) -> Iterator[tuple[str, bytes]]:
    for kind, content in re.findall(r'src="data:image/([a-z+]+);base64,([^"]+)"', text):
        yield kind, base64.b64decode(content, validate=True)


def test_the_pictures_are_whole_and_refer_to_nothing_outside(text: str) -> None:
    found = list(pictures(text))
    assert [kind for kind, _ in found] == ["svg+xml", "svg+xml", "svg+xml", "png"]
    for kind, content in found:
        if kind == "png":
            with Image.open(io.BytesIO(content)) as image:
                assert image.width > 1000
            continue
        root = ET.fromstring(content)
        links = [each.get("{http://www.w3.org/1999/xlink}href", "#") for each in root.iter()]
        assert all(link.startswith("#") for link in links)


def test_names_of_users_are_no_markup() -> None:
    text = page(COMPARISON, WINDOW)
    assert "<b>" not in text
    assert "&lt;b&gt;.parquet" in text


def test_a_comparison_of_one_run_is_a_page_without_a_timeline() -> None:
    parsed = Parsed(page(comparison_of(run_of(Point("async", 4))), WINDOW))
    assert parsed.seen.count("img") == 3
    assert "The same stretch of time" not in parsed.words
