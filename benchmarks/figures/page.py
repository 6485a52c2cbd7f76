"""Tables as Markdown, and a page whose tables stand between two comments: the rest of it is written by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eventbraid.errors import DataError

__all__ = ["fill", "markdown"]


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = (heads, ["---"] * len(heads), *rows)
    return "\n".join("|" + "|".join(f" {cell} " if cell else " " for cell in line) + "|" for line in lines)


def fill(page: str, name: str, table: str) -> str:
    """The page with the table between `<!-- NAME -->` and `<!-- end of NAME -->`.

    Raises `DataError` where the page has these not once.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    found = re.findall(f"{re.escape(begin)}.*?{re.escape(end)}", page, re.DOTALL)
    if len(found) != 1:
        raise DataError(f"the page has {begin} and {end} {len(found)} times, and must have them once")
    return page.replace(found[0], f"{begin}\n\n{table}\n\n{end}")
