"""The table of differences names tests that there are, and the documentation has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from differences import TESTS, difference

HERE = Path(__file__).parent
NAMES = sorted({test.partition("[")[0] for tests in TESTS.values() for test in tests})


@pytest.mark.parametrize("name", NAMES)
def test_a_difference_is_that_of_a_test(name: str) -> None:
    assert any(f"def {name}(" in file.read_text() for file in HERE.glob("test_*.py"))


def test_the_page_of_the_servers_has_every_difference() -> None:
    page = " ".join((HERE.parents[1] / "docs/servers.md").read_text().split())
    assert [what for what in TESTS if f"- {what}" not in page] == []


def test_a_difference_is_found_by_the_function_or_by_the_case() -> None:
    assert difference("test_a_model_may_see_its_rows_in_another_shape", "embedded") == "`reshape` is not applied."
    wrong = "test_a_wrong_request_is_refused_with_the_same_status"
    assert difference(wrong, "embedded-a batch of no rows") == "A batch of no rows is answered."
    assert difference(wrong, "embedded-unknown model") is None
