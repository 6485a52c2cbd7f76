"""Frames: put together and taken apart, however the bytes are cut."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.http2.frames import (
    FRAME_BYTES,
    LARGEST_FRAME,
    Code,
    Flag,
    FrameError,
    Kind,
    Reader,
    Setting,
    code_of,
    frame,
    goodbye,
    head,
    headers,
    settings,
    settings_of,
    unpadded,
    window_update,
    word,
)

Frame = tuple[int, int, int, bytes]
GREETING = settings({})

streams = st.integers(0, (1 << 31) - 1)
payloads = st.binary(max_size=60)
pads = st.none() | st.integers(0, 255)


def written(kind: int, flags: int, stream: int, payload: bytes, pad: int | None) -> bytes:
    """A frame, padded where it is DATA or HEADERS."""
    if pad is None:
        return frame(kind, flags, stream, payload)
    return frame(kind, flags | Flag.PADDED, stream, bytes((pad,)) + payload + bytes(pad))


@st.composite
def frames(draw: st.DrawFn) -> tuple[bytes, Frame]:
    """A frame as it comes, and as it should be read."""
    kind, stream, payload = draw(st.integers(0, 12)), draw(streams), draw(payloads)
    if kind == Kind.DATA:
        flags, pad = draw(st.sampled_from((0, Flag.END_STREAM))), draw(pads)
        padded = flags | (0 if pad is None else Flag.PADDED)
        return written(kind, flags, stream, payload, pad), (kind, padded, stream, payload)
    flags = draw(st.integers(0, 255))
    return frame(kind, flags, stream, payload), (kind, flags, stream, payload)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The same bytes in pieces."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def read(pieces: list[bytes]) -> tuple[list[Frame], int]:
    """What a reader makes of pieces, with each DATA frame put together; and the bytes that count for flow control."""
    reader, found, data = Reader(), list[Frame](), b""
    for piece in pieces:
        for kind, flags, stream, payload in reader.feed(piece):
            data += payload
            if kind != Kind.DATA or not reader._data:
                found.append((kind, flags, stream, data))
                data = b""
    return found, reader.consumed


@given(st.lists(frames(), max_size=12), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_cutting_gives_the_same_frames(made: list[tuple[bytes, Frame]], places: list[int]) -> None:
    whole = GREETING + b"".join(each for each, _ in made)
    found, _ = read(cut(whole, places))
    assert found == [(Kind.SETTINGS, 0, 0, b""), *(each for _, each in made)]


@given(st.lists(st.tuples(payloads, pads), max_size=12), st.lists(st.integers(0, 10_000), max_size=30))
def test_padding_counts_for_flow_control(bodies: list[tuple[bytes, int | None]], places: list[int]) -> None:
    made = [written(Kind.DATA, 0, 1, body, pad) for body, pad in bodies]
    found, consumed = read(cut(GREETING + b"".join(made), places))
    assert b"".join(payload for _, _, _, payload in found) == b"".join(body for body, _ in bodies)
    assert consumed == sum(len(each) - 9 for each in made)


@given(st.binary(max_size=300), st.lists(st.integers(0, 10_000), max_size=5), st.booleans())
def test_garbage_is_a_frame_error_or_frames(data: bytes, places: list[int], greeted: bool) -> None:
    try:
        found, _ = read(cut(GREETING * greeted + data, places))
    except FrameError:
        return
    assert sum(9 + len(payload) for _, _, _, payload in found) <= len(data) + 9


@given(st.binary(min_size=9, max_size=100).filter(lambda data: data[3] != Kind.SETTINGS))
def test_who_does_not_begin_with_settings_speaks_no_http2(data: bytes) -> None:
    with pytest.raises(FrameError):
        read([data])


@pytest.mark.parametrize("kind", Kind)
def test_a_frame_longer_than_we_allow_is_an_error_before_it_is_there(kind: Kind) -> None:
    assert read([GREETING + frame(kind, 0, 1, bytes(LARGEST_FRAME))])[0][-1][0] == kind
    with pytest.raises(FrameError, match=f"a frame of {LARGEST_FRAME + 1} bytes, where {LARGEST_FRAME} are allowed"):
        read([GREETING + head(kind, 0, 1, LARGEST_FRAME + 1)])


@given(st.integers(1, 300), st.integers(0, 400), streams)
def test_a_header_block_of_any_length_is_in_frames_of_that_length(most: int, size: int, stream: int) -> None:
    block = bytes(number % 251 for number in range(size))
    found, _ = read([GREETING + headers(stream, block, most)])
    kinds, flags, numbers, parts = zip(*found[1:], strict=True)
    assert b"".join(parts) == block
    assert max(map(len, parts)) <= most
    assert set(numbers) == {stream}
    assert kinds == (Kind.HEADERS, *[Kind.CONTINUATION] * (len(parts) - 1))
    assert flags == (*[0] * (len(parts) - 1), Flag.END_HEADERS)


@given(payloads, pads, st.none() | st.binary(min_size=5, max_size=5))
def test_fields_are_read_without_padding_and_priority(block: bytes, pad: int | None, priority: bytes | None) -> None:
    flags = 0 if priority is None else Flag.PRIORITY
    whole = written(Kind.HEADERS, flags, 1, (priority or b"") + block, pad)
    assert unpadded(whole[4], whole[9:]) == block


@given(st.integers(0, 255), st.binary(max_size=20))
def test_of_fields_with_wrong_padding_only_a_frame_error_comes(flags: int, payload: bytes) -> None:
    try:
        assert unpadded(flags, payload) in payload
    except FrameError:
        assert flags & (Flag.PADDED | Flag.PRIORITY)


settable = st.dictionaries(st.integers(7, 0xFFFF) | st.just(Setting.MAX_CONCURRENT_STREAMS), st.integers(0, 0xFFFFFFFF))


@given(settable)
def test_settings_are_read_as_they_are_written(values: dict[int, int]) -> None:
    assert settings_of(settings(values)[9:]) == values


@given(st.binary(max_size=40))
def test_settings_that_are_read_are_allowed(payload: bytes) -> None:
    try:
        values = settings_of(payload)
    except FrameError:
        return
    assert values.get(Setting.INITIAL_WINDOW_SIZE, 0) < 1 << 31
    assert FRAME_BYTES <= values.get(Setting.MAX_FRAME_SIZE, FRAME_BYTES) < 1 << 24


@pytest.mark.parametrize(
    ("setting", "value"),
    [(Setting.INITIAL_WINDOW_SIZE, 1 << 31), (Setting.MAX_FRAME_SIZE, 16383), (Setting.MAX_FRAME_SIZE, 1 << 24)],
)
def test_settings_that_are_not_allowed_are_an_error(setting: Setting, value: int) -> None:
    with pytest.raises(FrameError, match=f"it sets .* {value} bytes"):
        settings_of(struct.pack(">HI", setting, value))


@given(streams, st.integers(1, (1 << 31) - 1))
def test_room_is_read_as_it_is_given(stream: int, more: int) -> None:
    found, _ = read([GREETING + window_update(stream, more)])
    kind, _, number, payload = found[1]
    assert (kind, number, word(payload)) == (Kind.WINDOW_UPDATE, stream, more)


@given(st.binary(max_size=30))
def test_of_a_goodbye_comes_a_stream_and_a_text_or_a_frame_error(payload: bytes) -> None:
    if len(payload) < 8:
        with pytest.raises(FrameError):
            goodbye(payload)
    else:
        last, why = goodbye(payload)
        assert 0 <= last < 1 << 31
        assert why


def test_a_goodbye_is_read() -> None:
    code = Code.ENHANCE_YOUR_CALM.to_bytes(4, "big")
    assert goodbye(b"\x80\0\0\7" + code + b"too_many_pings") == (7, "ENHANCE_YOUR_CALM: too_many_pings")
    assert goodbye(b"\0\0\0\0" + bytes(4)) == (0, "NO_ERROR")


@given(st.integers(0, 0xFFFFFFFF))
def test_every_code_has_a_name_or_a_number(number: int) -> None:
    assert code_of(number) == (Code(number).name if number in set(Code) else str(number))
