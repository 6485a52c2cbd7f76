"""What follows from an error: whose fault it is, whether the request is sent again, and after which pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.errors import (
    AccessError,
    AnswerError,
    RequestError,
    ServerBusy,
    ServerError,
    ServerTimeout,
    ServerUnavailable,
)
from eventbraid.inference.retry import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    SHORTEST,
    Next,
    failure,
    next_step,
    pause,
    server_error,
)
from eventbraid.inference.transport.base import TransportError

KINDS = [AccessError, AnswerError, RequestError, ServerBusy, ServerError, ServerTimeout, ServerUnavailable]
ERRORS = st.sampled_from(KINDS).map(lambda kind: kind("what"))
COUNTS = st.integers(1, 100)


@pytest.mark.parametrize(
    ("kind", "others", "step"),
    [
        (ServerUnavailable, False, Next.AGAIN),
        (ServerUnavailable, True, Next.AGAIN),
        (ServerBusy, False, Next.LATER),
        (ServerBusy, True, Next.LATER),
        (ServerTimeout, False, Next.LATER),
        (AnswerError, False, Next.FAIL),
        (AnswerError, True, Next.ELSEWHERE),
        (ServerError, False, Next.FAIL),
        (ServerError, True, Next.ELSEWHERE),
        (AccessError, True, Next.FAIL),
        (RequestError, True, Next.FAIL),
    ],
)
def test_each_kind_of_error_has_its_next_step(kind: type[ServerError], others: bool, step: Next) -> None:
    assert next_step(kind("what"), tried=1, tries=0, left=1.0, others=others) is step


@given(
    ERRORS, COUNTS, st.integers(0, 100), st.floats(max_value=SHORTEST, exclude_max=True, allow_nan=False), st.booleans()
)
def test_nothing_is_sent_again_at_or_after_the_deadline(
    error: ServerError, tried: int, tries: int, left: float, others: bool
) -> None:
    assert next_step(error, tried=tried, tries=tries, left=left, others=others) is Next.FAIL


@given(ERRORS, COUNTS, COUNTS, st.floats(0.001, 100), st.booleans())
def test_a_request_is_sent_at_most_as_often_as_is_said(
    error: ServerError, tried: int, tries: int, left: float, others: bool
) -> None:
    if next_step(error, tried=tried, tries=tries, left=left, others=others) is not Next.FAIL:
        assert tried < tries


@given(COUNTS, st.floats(0, 1))
def test_a_pause_is_within_its_bounds(tried: int, draw: float) -> None:
    assert FIRST_PAUSE / 2 <= pause(tried, draw) <= LONGEST_PAUSE


@given(COUNTS, st.floats(0, 1))
def test_a_later_pause_is_not_shorter(tried: int, draw: float) -> None:
    assert pause(tried, draw) <= pause(tried + 1, draw)


def test_pauses_grow_to_the_longest() -> None:
    assert [pause(tried, 1.0) for tried in (1, 2, 3, 7, 1000)] == [0.02, 0.04, 0.08, 1.0, 1.0]


@pytest.mark.parametrize(
    ("code", "details", "kind", "name"),
    [
        ("UNAVAILABLE", "failed to connect: Connection refused", ServerUnavailable, "refused"),
        ("UNAVAILABLE", "Socket closed", ServerUnavailable, "connection lost"),
        ("UNAVAILABLE", "", ServerUnavailable, "connection lost"),
        ("UNAVAILABLE", "Exceeds maximum queue size", ServerBusy, "busy"),
        ("UNAVAILABLE", "Request timeout expired", ServerBusy, "busy"),
        ("UNAVAILABLE", "upstream is Overloaded", ServerBusy, "busy"),
        ("RESOURCE_EXHAUSTED", "", ServerBusy, "busy"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", ServerTimeout, "timed out"),
        ("PERMISSION_DENIED", "not you", AccessError, "no access"),
        ("UNAUTHENTICATED", "who are you?", AccessError, "no access"),
        ("NOT_FOUND", "'m' has no available versions", ServerUnavailable, "connection lost"),
        ("NOT_FOUND", "unknown model", RequestError, "wrong request"),
        ("UNIMPLEMENTED", "", RequestError, "wrong request"),
        ("OUT_OF_RANGE", "", RequestError, "wrong request"),
        ("FAILED_PRECONDITION", "", RequestError, "wrong request"),
        ("CANCELLED", "", ServerUnavailable, "connection lost"),
        ("UNKNOWN", "Stream removed", ServerUnavailable, "connection lost"),
        ("INTERNAL", "Received RST_STREAM with code 2", ServerUnavailable, "connection lost"),
        ("INTERNAL", "the model failed", ServerError, "server error"),
        ("UNKNOWN", "", ServerError, "server error"),
        ("ABORTED", "", ServerError, "server error"),
    ],
)
def test_a_status_is_an_error_with_a_name_in_the_report(
    code: str, details: str, kind: type[ServerError], name: str
) -> None:
    error = server_error(TransportError(code, details), "s", "m")
    assert type(error) is kind
    assert failure(error) == name


@given(st.text(max_size=20), st.text(max_size=40))
def test_any_status_is_an_error_that_names_server_and_model(code: str, details: str) -> None:
    error = server_error(TransportError(code, details), "one", "m")
    assert (error.server, error.model) == ("one", "m")
    assert str(error).startswith("one, model 'm': ")


def test_a_server_that_says_nothing_is_not_reachable() -> None:
    assert str(server_error(TransportError("UNAVAILABLE"), "one", "")) == "one: not reachable"
