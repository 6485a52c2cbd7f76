"""Header fields: ours are read by hpack, its are read by us."""

from __future__ import annotations

import math

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.http2.blocks import MOST_KNOWN, NO_TABLE, Decoder, literal
from eventbraid.http2.frames import FrameError
from eventbraid.inference.transport.http2.fields import request_fields, status_of, timeout_field

names = st.from_regex(r"[a-z0-9._-]{1,200}", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300)


@given(st.lists(st.tuples(names, values, st.booleans())))
def test_our_fields_are_read_back(fields: list[tuple[str, str, bool]]) -> None:
    block = b"".join(literal(name.encode(), value.encode(), secret=secret) for name, value, secret in fields)
    decoded = hpack.Decoder().decode(NO_TABLE + block)
    assert list(decoded) == [(name, value) for name, value, _ in fields]
    assert [each.indexable for each in decoded] == [not secret for _, _, secret in fields]


def test_fields_of_a_request_leave_the_memory_of_the_server_empty() -> None:
    decoder = hpack.Decoder()
    block = request_fields("host:1", "/a/b", secure=False, encoding="", headers={"token": "x"})
    decoder.decode(NO_TABLE + block)
    assert decoder.header_table_size == 0
    decoder.max_allowed_table_size = 0
    assert dict(decoder.decode(block))[":path"] == "/a/b"


@given(st.dictionaries(names, values), st.booleans(), st.sampled_from(("", "gzip", "deflate")))
def test_a_request_says_where_it_goes_and_what_it_carries(headers: dict[str, str], secure: bool, encoding: str) -> None:
    block = request_fields("host:1", "/a/b", secure=secure, encoding=encoding, headers=headers)
    fields = list(hpack.Decoder(1 << 24).decode(block))
    assert fields[:4] == [
        (":method", "POST"),
        (":scheme", "https" if secure else "http"),
        (":path", "/a/b"),
        (":authority", "host:1"),
    ]
    assert [each[0] for each in fields].count("grpc-encoding") == bool(encoding) + ("grpc-encoding" in headers)
    assert fields[len(fields) - len(headers) :] == list(headers.items())


UNITS = {"u": 1e-6, "m": 1e-3, "S": 1.0}


@given(st.floats(min_value=-1, max_value=2e8) | st.just(math.inf))
def test_the_deadline_is_told_closely_and_never_too_early(seconds: float) -> None:
    ((name, text),) = hpack.Decoder().decode(timeout_field(seconds))
    assert name == "grpc-timeout"
    assert 1 <= len(text[:-1]) <= 8
    told = int(text[:-1]) * UNITS[text[-1]]
    assert told > 0
    if seconds < 1e8 - 1:
        assert seconds * (1 - 1e-9) <= told <= max(seconds * (1 + 2e-5), 1e-6) + 1e-6


said = st.sampled_from(((":status", "200"), ("grpc-status", "0"), ("grpc-status", "5"), ("x", "y" * 50)))
fields_of_answers = st.lists(
    st.tuples(
        said | said | st.tuples(st.just("grpc-message"), st.text("ab%20é", max_size=30)),
        st.sampled_from((False, False, False, True)),
    ),
    max_size=2,
)
Blocks = list[tuple[list[tuple[tuple[str, str], bool]], tuple[int, ...], bool]]
sizes = st.sampled_from(((), (), (), (), (), (), (4096,), (0, 4096), (64,), (160,)))
"""To which the memory of both is changed before a block."""


@given(st.lists(st.tuples(fields_of_answers, sizes, st.booleans()), min_size=10, max_size=60))
def test_blocks_mean_what_they_mean_now(blocks: Blocks) -> None:
    """Whatever each changes of what both sides remember."""
    encoder, ours, theirs = hpack.Encoder(), Decoder(), hpack.Decoder()
    for fields, changes, huffman in blocks:
        for size in changes:
            if size != encoder.header_table_size:  # else hpack forgets to say it
                encoder.header_table_size = size
        made = [hpack.NeverIndexedHeaderTuple(*field) if secret else field for field, secret in fields]
        block = encoder.encode(made, huffman=huffman)
        assert ours.decode(block) == {str(name): str(value) for name, value in theirs.decode(block)}


def test_what_is_known_is_bounded() -> None:
    decoder = Decoder()
    for first in range(0x82, 0x8F):
        for second in range(0x82, 0x8F):
            decoder.decode(bytes((first, second)))
    assert 0 < len(decoder._known) <= MOST_KNOWN


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_garbage_is_a_frame_error_or_fields(blocks: list[bytes]) -> None:
    decoder = Decoder()
    try:
        for block in blocks:
            assert all(isinstance(value, str) for value in decoder.decode(block).values())
    except FrameError:
        return


def test_fields_that_are_no_text_are_read_as_well_as_may_be() -> None:
    assert Decoder().decode(literal(b"grpc-message", b"caf\xe9")) == {"grpc-message": "caf\ufffd"}


@given(st.dictionaries(st.sampled_from((":status", "grpc-status", "grpc-message", "content-type")), st.text()))
def test_every_answer_has_a_status_and_only_a_zero_is_well(fields: dict[str, str]) -> None:
    name, text = status_of(fields)
    assert name.isupper()
    assert (name == "OK") == (fields.get("grpc-status") == "0")
    assert isinstance(text, str)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("plain", "plain"),
        ("a%20b+c", "a b+c"),
        ("gr%C3%B6%C3%9Fer", "größer"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("%ff%fe", "\ufffd\ufffd"),
    ],
)
def test_a_text_is_decoded_as_far_as_it_is_encoded(message: str, text: str) -> None:
    assert status_of({"grpc-status": "2", "grpc-message": message}) == ("UNKNOWN", text)
