"""What was obtained beside what is claimed, and whether it is near enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from benchmarks.figures.claims import Claim

__all__ = ["HEADS", "Row", "missed", "number"]

HEADS: Final = ("figure", "what", "published", "obtained", "ratio", "wanted", "")


@dataclass(frozen=True, slots=True)
class Row:
    """A claim, and the number that came out here."""

    claim: Claim
    obtained: float

    @property
    def ratio(self) -> float:
        """Obtained over published."""
        return self.obtained / self.claim.published

    @property
    def held(self) -> bool | None:
        """True where it is as near as is wanted; None where nothing is wanted."""
        published, within = self.claim.published, self.claim.within
        return None if within is None else abs(self.obtained - published) <= within * published

    @property
    def verdict(self) -> str:
        """That in a word."""
        return {True: "held", False: "MISSED", None: ""}[self.held]

    def cells(self) -> tuple[str, ...]:
        """As text, one for each of `HEADS`."""
        claim = self.claim
        published = claim.said or _with_unit(number(claim.published, 6), claim.unit)
        wanted = "" if claim.within is None else f"within {claim.within:.0%}".replace("%", " %")
        obtained = _with_unit(number(self.obtained, 3), claim.unit)
        return (claim.source, claim.what, published, obtained, f"{self.ratio:.2f}", wanted, self.verdict)


def missed(rows: Iterable[Row]) -> list[Row]:
    """Those that are not as near as is wanted."""
    return [row for row in rows if row.held is False]


def number(value: float, digits: int) -> str:
    """Whole from 100 on, else with so many significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.{digits}g}"


def _with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}" if unit else number
