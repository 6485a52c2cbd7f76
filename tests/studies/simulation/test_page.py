"""What docs/simulation.md shows works, and says what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs/simulation.md").read_text()
(SNIPPET,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_of_the_page_says_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    exec(SNIPPET, names)
    *sweep, (lost, p99) = (line.split() for line in capsys.readouterr().out.splitlines())
    rates = [f"{float(each[1]):,.1f}" for each in sweep]
    assert f"It says {', '.join(rates[:-1])} and {rates[-1]} events a second" in PAGE
    assert lost == "0"
    assert f"to {float(p99):.2f} s" in PAGE
