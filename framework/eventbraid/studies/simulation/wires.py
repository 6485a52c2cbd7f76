"""A link of so many bits a second in each direction."""

from __future__ import annotations

from eventbraid.serving.embedded.calls.link import Wire

__all__ = ["wires"]


def wires(bandwidth: float | None) -> tuple[Wire | None, Wire | None]:
    """There and back; None where nothing limits it."""
    return (Wire(bandwidth), Wire(bandwidth)) if bandwidth else (None, None)
