"""An emulated network before the server: so many bits a second in each direction, and a delay."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from eventbraid.errors import ConfigurationError

__all__ = ["Link", "Wire", "parse_bandwidth"]

UNITS: Final = {"bps": 1.0, "kbps": 1e3, "Mbps": 1e6, "Gbps": 1e9}


def parse_bandwidth(text: str) -> float:
    """Bits a second of "1Gbps", "100Mbps", "8kbps"; raises `ConfigurationError` for anything else."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kMG]?bps)", text.strip())
    if found is None or not float(found[1]):
        raise ConfigurationError(f"{text!r} is no bandwidth: expected 1Gbps, 100Mbps, 8kbps", "--bandwidth")
    return float(found[1]) * UNITS[found[2]]


class Wire:
    """One direction: messages go through it one after the other. Times are in seconds, of one clock."""

    def __init__(self, bits_per_second: float) -> None:
        self._seconds_per_byte = 8 / bits_per_second
        self._free_at = 0.0

    def sent(self, nbytes: int, now: float) -> float:
        """When a message of that size, which comes now, is through."""
        begins = self._free_at if self._free_at > now else now
        self._free_at = through = begins + nbytes * self._seconds_per_byte
        return through


class Link:
    """Both directions, with a delay of `latency` seconds for each request and its answer together."""

    def __init__(self, latency: float = 0.0, bandwidth: float | None = None) -> None:
        self.latency = latency
        self._there = Wire(bandwidth) if bandwidth else None
        self._back = Wire(bandwidth) if bandwidth else None

    @property
    def ideal(self) -> bool:
        """True where it costs no time."""
        return not self.latency and self._there is None

    async def there(self, nbytes: int) -> None:
        """Let a request through."""
        await self._pass(self._there, nbytes, 0.0)

    async def back(self, nbytes: int) -> None:
        """Let an answer through."""
        await self._pass(self._back, nbytes, self.latency)

    async def _pass(self, wire: Wire | None, nbytes: int, latency: float) -> None:
        now = asyncio.get_running_loop().time()
        through = wire.sent(nbytes, now) if wire is not None else now
        if (seconds := through + latency - now) > 0:
            await asyncio.sleep(seconds)
