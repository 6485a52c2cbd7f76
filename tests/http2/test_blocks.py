"""Header blocks as a server reads them: like hpack's own decoder, whatever it remembers of them."""

from __future__ import annotations

from collections.abc import Sequence

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.http2.blocks import MOST_KNOWN, NO_TABLE, RequestDecoder, independent, literal
from eventbraid.inference.transport.http2.fields import request_fields, timeout_field

names = st.sampled_from(["a", "grpc-timeout", "x-long-name", "content-type", ":path", "token"])
values = st.sampled_from(["", "1", "10S", "x" * 50, "y" * 130, "application/grpc"])
blocks = st.lists(st.lists(st.tuples(names, values), max_size=4), min_size=1, max_size=12)
"""Of one connection, as gRPC's own client sends them: it remembers what it said before."""


@given(blocks, st.lists(st.booleans(), min_size=12, max_size=12))
def test_blocks_of_all_kinds_on_one_connection_are_read_as_hpack_reads_them(
    sent: Sequence[Sequence[tuple[str, str]]], plain: Sequence[bool]
) -> None:
    encoder, reference, decoder = hpack.Encoder(), hpack.Decoder(), RequestDecoder()
    for fields, ours in zip(sent, plain, strict=False):
        if ours:
            block = b"".join(literal(name.encode(), value.encode()) for name, value in fields) + timeout_field(2)
        else:
            block = encoder.encode(fields)
        assert decoder.decode(block) == dict(reference.decode(block))


def test_our_clients_calls_differ_only_in_their_timeout_and_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = RequestDecoder()
    head = request_fields("host:1", "/a/b", secure=False, encoding="", headers={"token": "x"})
    first = decoder.decode(NO_TABLE + head + timeout_field(3))
    assert decoder.decode(head + timeout_field(3)) == first
    monkeypatch.setattr(decoder, "_decoder", None)
    assert decoder.decode(head + timeout_field(45)) == {**first, "grpc-timeout": "45000000u"}


def test_not_every_head_is_remembered() -> None:
    decoder = RequestDecoder()
    for number in range(2 * MOST_KNOWN):
        head = literal(b"n", b"%d" % number)
        assert decoder.decode(head + timeout_field(1))["n"] == str(number)
    assert len(decoder._heads) == MOST_KNOWN


@pytest.mark.parametrize(
    ("block", "alone"),
    [
        (b"", True),
        (b"\x83\x86", True),
        (literal(b"a", b"b"), True),
        (literal(b"a", b"b", secret=True), True),
        (NO_TABLE, False),
        (b"\xbe", False),
        (b"\x80", False),
        (b"\x41\x01a", False),
        (b"\x0f\x01\x01a", False),
        (literal(b"a", b"b" * 127), False),
        (literal(b"a", b"b")[:-1], False),
        (b"\x00\x01a", False),
    ],
)
def test_a_block_that_depends_on_others_is_known_by_its_bytes(block: bytes, alone: bool) -> None:
    assert independent(block) is alone
