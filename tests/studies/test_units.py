"""Quantities are shown with the unit that suits them."""

from __future__ import annotations

from eventbraid.studies.units import shown_bandwidth


def test_bandwidths_are_shown_as_they_are_written() -> None:
    assert [shown_bandwidth(bits) for bits in (1e9, 2.5e6, 8e3, 5)] == ["1 Gbps", "2.5 Mbps", "8 kbps", "5 bps"]
