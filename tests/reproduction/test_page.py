"""Tables within a page, and the page itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.figures import claims
from benchmarks.figures.__main__ import FIGURES
from benchmarks.figures.claims import Claim
from benchmarks.figures.page import fill, markdown
from benchmarks.figures.rows import HEADS
from eventbraid.errors import DataError

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reproduction.md").read_text()
EMPTY = "before\n\n<!-- numbers -->\n\nold\n\n<!-- end of numbers -->\n\nafter\n"


def published() -> list[Claim]:
    """All claims, those that are of several numbers of GPUs too."""
    values = [*vars(claims).values()]
    return [
        each
        for value in values
        for each in (value.values() if isinstance(value, dict) else [value])
        if isinstance(each, Claim)
    ]


def test_a_table_is_markdown() -> None:
    assert markdown(("a", "b"), [("1", ""), ("2", "3")]) == "| a | b |\n| --- | --- |\n| 1 | |\n| 2 | 3 |"


def test_a_table_takes_the_place_of_what_was_between_the_comments_and_of_nothing_else() -> None:
    filled = fill(EMPTY, "numbers", "new")
    assert filled == EMPTY.replace("old", "new")
    assert fill(filled, "numbers", "old") == EMPTY


@pytest.mark.parametrize("page", ["no comments", EMPTY * 2, EMPTY.replace("end of ", "")])
def test_a_page_without_its_place_or_with_two_is_refused(page: str) -> None:
    with pytest.raises(DataError, match="must have them once"):
        fill(page, "numbers", "new")


def test_the_page_judges_every_claim_as_the_benchmark_states_it() -> None:
    table = re.findall(r"<!-- published -->\n\n(.*?)\n\n<!-- end", PAGE, re.DOTALL)[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert all(len(row) == len(HEADS) for row in cells)
    shown = {(row[0], row[1]): row for row in cells}
    assert len(shown) == len(cells)
    assert shown.keys() == {(each.source, each.what) for each in published()}
    for each in published():
        row = shown[each.source, each.what]
        assert bool(row[6]) == (each.within is not None), row
        assert not each.said or row[2] == each.said


def test_every_figure_of_the_page_is_there_and_is_small() -> None:
    for figure in FIGURES:
        assert f"(reproduction/{figure.name}.png)" in PAGE
        assert (DOCS / f"reproduction/{figure.name}.png").stat().st_size < 150_000
