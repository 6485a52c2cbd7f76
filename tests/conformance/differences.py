"""Where the embedded server does not do what Triton does: what is different, and the tests that show it.

A name is that of a test function, or with its parameters that of one of its cases. Each of them has to fail on the
embedded server, so that a difference that has gone is taken out here; docs/servers.md has the same list.
"""

from __future__ import annotations

from typing import Final


def _cases(function: str, *cases: str) -> tuple[str, ...]:
    return tuple(f"{function}[{case}]" for case in cases)


TESTS: Final[dict[str, tuple[str, ...]]] = {
    "What is wrong with a request is said in words of its own, without the request's id before them.": (
        "test_contents_both_typed_and_raw_are_refused",
        "test_an_output_that_the_model_has_not_is_refused",
        "test_a_refusal_names_the_request_that_has_an_id",
        "test_an_exception_of_the_model_is_internal_and_told",
        "test_a_stream_says_what_is_wrong_with_a_tensor",
        *_cases("test_a_wrong_place_is_refused", "short input", "long input"),
        *_cases(
            "test_a_wrong_request_is_refused_in_the_same_words",
            *("missing input", "unknown input", "one input more", "another type", "no type", "another shape"),
            *("fewer dimensions", "another shape without a batch", "no shape", "negative sizes"),
            *("sizes beyond all memory", "a batch too large", "a batch of no rows", "too few bytes"),
            *("too many bytes", "no contents", "a word that ends early", "a length that ends early"),
            *("too few words", "too many words", "contents of another field", "typed contents of 16 bits"),
            *("too few numbers", "too many numbers"),
        ),
    ),
    "The server is ready while a model that was asked for cannot be loaded.": (
        "test_a_server_with_a_model_that_cannot_be_loaded_is_live_but_not_ready",
    ),
    "An object in shared memory may be registered under two names.": ("test_an_object_is_registered_under_one_name",),
    "An error that a model answers is counted as a failure.": (
        "test_a_request_that_the_model_answers_with_an_error_counts_as_executed",
    ),
    "A server that ends answers what is in flight and takes no calls: UNAVAILABLE, where Triton says NOT_FOUND to "
    "requests.": (
        "test_requests_in_flight_are_answered_and_new_ones_are_refused",
        "test_a_server_that_ends_does_not_say_that_it_is_ready",
        "test_a_server_that_ends_does_not_tell_of_its_models",
    ),
}

_DIFFERENCES: Final = {test: what for what, tests in TESTS.items() for test in tests}


def difference(function: str, case: str) -> str | None:
    """What is different in a case of a test function; None where nothing is."""
    rest = "-".join(part for part in case.split("-") if part != "embedded")
    return _DIFFERENCES.get(function) or _DIFFERENCES.get(f"{function}[{rest}]")
