"""Messages as a server gets them: whole ones, whatever the parts in which they come."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.http2.messages import SHARED, Messages, prefixed

messages = st.lists(st.binary(max_size=300), max_size=5)


def wire(data: bytes, compressed: int = 0) -> bytes:
    return bytes((compressed,)) + len(data).to_bytes(4, "big") + data


@given(messages, st.lists(st.integers(1, 40), min_size=1))
def test_messages_are_the_same_in_whatever_parts_they_come(sent: list[bytes], sizes: list[int]) -> None:
    data, got = b"".join(map(wire, sent)), Messages(1000, "")
    place = turn = 0
    while place < len(data):
        size = sizes[turn % len(sizes)]
        got.take(memoryview(data)[place : place + size])
        place, turn = place + size, turn + 1
    assert list(got.ready) == sent
    assert got.incomplete == 0


@given(st.binary(max_size=300), st.integers(0, 400))
def test_what_is_incomplete_is_known(data: bytes, cut: int) -> None:
    got, whole = Messages(1000, ""), wire(data)
    got.take(whole[:cut])
    assert got.incomplete == (cut if cut < len(whole) else 0)
    assert len(got.ready) == (cut >= len(whole))


def test_a_large_message_in_large_parts_is_put_together() -> None:
    data = bytes(range(256)) * 2048
    got, whole = Messages(1 << 20, ""), memoryview(wire(data))
    for place in range(0, len(whole), SHARED + 1):
        got.take(whole[place : place + SHARED + 1])
    assert list(got.ready) == [data]


@pytest.mark.parametrize("before", [0, 4])
def test_a_message_that_is_too_long_is_refused_by_its_first_bytes(before: int) -> None:
    got, whole = Messages(1000, ""), wire(bytes(1001))
    got.take(whole[:before])
    with pytest.raises(ModelFailure, match=r"larger than max \(1001 vs. 1000\)") as raised:
        got.take(whole[before:5])
    assert raised.value.code == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_message_is_read(encoding: str, pack: type[bytes]) -> None:
    got = Messages(1000, encoding)
    got.take(wire(pack(bytes(900)), 1) + wire(b"plain"))
    assert list(got.ready) == [bytes(900), b"plain"]


@pytest.mark.parametrize(
    ("encoding", "data", "code", "said"),
    [
        ("gzip", gzip.compress(bytes(1 << 16)), "RESOURCE_EXHAUSTED", "more than 1000"),
        ("gzip", b"no such thing", "INTERNAL", "cannot be decompressed"),
        ("", b"x", "UNIMPLEMENTED", "compressed as nobody says"),
        ("br", b"x", "UNIMPLEMENTED", "compressed as br"),
    ],
)
def test_a_compressed_message_that_cannot_be_read_is_refused(encoding: str, data: bytes, code: str, said: str) -> None:
    got = Messages(1000, encoding)
    with pytest.raises(ModelFailure, match=said) as raised:
        got.take(wire(data, 1))
    assert raised.value.code == code


def test_what_is_sent_can_be_read() -> None:
    got = Messages(1000, "")
    got.take(b"".join(prefixed(b"answer")))
    assert list(got.ready) == [b"answer"]
