"""Quantities with their units, for people."""

from __future__ import annotations

__all__ = ["milliseconds", "number", "shown_bandwidth", "shown_seconds"]


def number(value: float) -> str:
    """A rate: 1,234 or 12.3."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def milliseconds(seconds: float) -> str:
    """A duration that was measured: 12.0 ms, 34.5 s."""
    return f"{1000 * seconds:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"


def shown_seconds(seconds: float) -> str:
    """A duration that was chosen: 0 ms, 12 ms, 1.5 s."""
    return f"{1e3 * seconds:.4g} ms" if seconds < 1 else f"{seconds:.4g} s"


def shown_bandwidth(bits: float) -> str:
    """Bits a second: 1 Gbps, 100 Mbps."""
    unit, scale = next((unit for unit in (("Gbps", 1e9), ("Mbps", 1e6), ("kbps", 1e3)) if bits >= unit[1]), ("bps", 1))
    return f"{bits / scale:g} {unit}"
