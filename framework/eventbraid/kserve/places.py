"""Where each field of a config.pbtxt stands in its text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from eventbraid.errors import need_extra

__all__ = ["Place", "places_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """A field's line, from 1, and what is written there: a number, a name, "{" for a message."""

    line: int
    value: str


def places_of(text: str) -> dict[str, Place]:
    """{"input[0].dims[1]": Place(4, "-1"), "max_batch_size[0]": Place(2, "8")}: every field has an index.

    The text is one that `parse_config` takes; protobuf's messages know neither lines nor what was left out.
    """
    text_format = need_extra("google.protobuf.text_format", "inference", "reading a model's config.pbtxt")
    found: dict[str, Place] = {}
    _walk(text_format.Tokenizer(text.splitlines()), "", found)
    return found


def _walk(tokens: Any, prefix: str, found: dict[str, Place]) -> None:
    seen: Counter[str] = Counter()
    while not tokens.AtEnd() and tokens.token not in ("}", ">"):
        name = _next(tokens)
        if tokens.token == ":":
            tokens.NextToken()
        listed = tokens.token == "["
        if listed:
            tokens.NextToken()
        while tokens.token != "]":
            path = f"{prefix}{name}[{seen[name]}]"
            seen[name] += 1
            _value(tokens, path, found)
            if not listed:
                break
            if tokens.token == ",":
                tokens.NextToken()
        if listed:
            tokens.NextToken()
        if tokens.token in (",", ";"):
            tokens.NextToken()


def _value(tokens: Any, path: str, found: dict[str, Place]) -> None:
    line = int(tokens.ParseError("").GetLine())
    value = _next(tokens)
    found[path] = Place(line, value)
    if value in ("{", "<"):
        _walk(tokens, f"{path}.", found)
        tokens.NextToken()
    while value[0] in "\"'" and tokens.token[:1] in ('"', "'"):  # parts of one string
        tokens.NextToken()


def _next(tokens: Any) -> str:
    token = str(tokens.token)
    tokens.NextToken()
    return token
