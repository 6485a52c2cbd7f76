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
    shared = "An object in shared memory may be registered under two names."
    assert difference("test_an_object_is_registered_under_one_name", "embedded") == shared
    wrong = "test_a_wrong_request_is_refused_in_the_same_words"
    assert (difference(wrong, "embedded-no shape") or "").startswith("What is wrong with a request")
    assert difference(wrong, "embedded-unknown model") is None
