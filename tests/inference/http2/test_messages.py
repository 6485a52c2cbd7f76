"""Messages of gRPC: however they are cut."""

from __future__ import annotations

import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2.messages import compressed, message_of, prefix

encodings = st.sampled_from(("gzip", "deflate"))


def cut(data: bytes, places: list[int], views: bool) -> list[bytes | memoryview]:
    """The same bytes in pieces, as they come from the wire."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    pieces = (data[start:end] for start, end in pairwise(edges))
    return [memoryview(piece) if views else piece for piece in pieces]


places = st.lists(st.integers(0, 1000), max_size=12)


@given(st.binary(), places, st.booleans())
def test_a_message_is_read_however_it_is_cut(data: bytes, where: list[int], views: bool) -> None:
    assert message_of(cut(prefix(len(data)) + data, where, views), "") == data


@given(st.lists(st.binary()), encodings, places, st.booleans())
def test_a_message_in_parts_is_compressed_and_read_back(
    parts: list[bytes], encoding: str, where: list[int], views: bool
) -> None:
    squeezed = compressed(parts, encoding)
    whole = prefix(len(squeezed), compressed=True) + squeezed
    assert message_of(cut(whole, where, views), encoding) == b"".join(parts)
    assert zlib.decompress(squeezed, 31 if encoding == "gzip" else 15) == b"".join(parts)


@given(st.binary(max_size=30), st.sampled_from(("", "gzip", "deflate", "identity", "br")), places)
def test_garbage_is_a_transport_error_or_a_message(data: bytes, encoding: str, where: list[int]) -> None:
    try:
        got = message_of(cut(data, where, views=True), encoding)
    except TransportError as error:
        assert error.code == "INTERNAL"
    else:
        assert data[0] or got == data[5:]


@given(st.binary(), st.integers(1, 100), places)
def test_a_message_that_is_cut_short_says_so(data: bytes, short: int, where: list[int]) -> None:
    whole = prefix(len(data)) + data
    kept = whole[: max(len(whole) - short, 0)]
    with pytest.raises(TransportError, match=f"the answer of {len(kept)} bytes is not one message"):
        message_of(cut(kept, where, views=True), "")


def test_an_answer_of_nothing_is_no_message() -> None:
    with pytest.raises(TransportError, match="the answer of 0 bytes is not one message"):
        message_of([], "")


def test_a_request_of_4_gib_is_refused_here() -> None:
    assert prefix((1 << 32) - 1) == b"\0\xff\xff\xff\xff"
    with pytest.raises(TransportError) as raised:
        prefix(1 << 32)
    assert raised.value.code == "INVALID_ARGUMENT"
    assert raised.value.details == "the request has 4294967296 bytes, and gRPC takes less than 4 GiB"
