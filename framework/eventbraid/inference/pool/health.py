"""Whether a server may be asked, and when the next look at it is due. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["FROZEN_AFTER", "Health", "probe_pause"]

FIRST_PROBE, LAST_PROBE = 0.05, 0.25
"""Seconds between looks at a server that is away: growing, but never so long that its return goes unnoticed."""
FROZEN_AFTER: Final = 1.0
"""Seconds of silence with requests outstanding after which a server is asked whether it lives, and to answer that."""


def probe_pause(looks: int, draw: float) -> float:
    """Seconds before the next look after so many in vain; `draw` is a random number from 0 to 1."""
    return min(FIRST_PROBE * 2.0 ** min(looks, 16), LAST_PROBE) * (1 + draw) / 2


@dataclass(slots=True)
class Health:
    """What is known of one server; times are those of one monotonic clock, in seconds."""

    ready: bool = True
    reason: str = ""
    """Why it is set aside."""
    since: float = 0.0
    times_away: int = 0
    heard: float = 0.0
    """When it last answered anything, or was first asked after a silence."""

    def lost(self, reason: str, now: float) -> bool:
        """Set it aside; True where it was ready until now."""
        was = self.ready
        self.reason = reason
        if was:
            self.ready, self.since = False, now
            self.times_away += 1
        return was

    def found(self, now: float) -> None:
        """It is ready."""
        self.ready, self.reason, self.heard = True, "", now

    def silent(self, now: float, outstanding: int) -> bool:
        """True where it owes an answer for so long that it may be frozen."""
        return self.ready and outstanding > 0 and now - self.heard > FROZEN_AFTER
