"""How good the tracks are: efficiency, fakes and duplicates against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eventbraid import Analyzer, Event, Figure, Input
from eventbraid_modules.statistics import efficiency
from eventbraid_modules.tracks.finders import Tracks
from eventbraid_modules.tracks.hits import HitTruth
from eventbraid_modules.tracks.matching import PT_MIN, Match, match

__all__ = ["Score", "TrackPerformance"]


@dataclass(frozen=True, slots=True)
class Score:
    """Some events' tracks in numbers; NaN where there is nothing to count."""

    particles: int
    """Those to be found: 5 hits and more, pt above 0.5 GeV, |eta| < 2."""
    tracks: int
    efficiency: float
    """Share of the particles to be found that are."""
    fakes: float
    """Share of the tracks that are of no particle."""
    duplicates: float
    """Share of the tracks that are of a particle which another track is of too."""

    @classmethod
    def of(cls, matches: Sequence[Match]) -> Score:
        """The events' together."""
        wanted = [each.found[each.pt > PT_MIN] for each in matches]
        particles, tracks = sum(map(len, wanted)), sum(len(each.fake) for each in matches)
        found = sum(int(np.count_nonzero(each)) for each in wanted)
        fakes, duplicates = (sum(int(getattr(each, of).sum()) for each in matches) for of in ("fake", "duplicate"))
        return cls(particles, tracks, _share(found, particles), _share(fakes, tracks), _share(duplicates, tracks))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


class TrackPerformance(Analyzer):
    """Efficiency, fake rate and duplicate rate of a job's tracks."""

    kind = "shared"
    tracks = Input[Tracks]("tracks")
    truth = Input[HitTruth]("tracker.truth")

    def begin_job(self) -> None:
        self._matches: dict[tuple[int, int, int], Match] = {}

    def analyze(self, event: Event) -> None:
        self._matches[event.id] = match(event[self.tracks].label, event[self.truth])

    def figures(self) -> Mapping[str, Figure]:
        matches = [self._matches[each] for each in sorted(self._matches)]
        score = Score.of(matches)
        pt, found = (np.concatenate([getattr(each, name) for each in matches] or [[]]) for name in ("pt", "found"))
        shares, _ = efficiency(pt, found > 0, (0.5, 1.0, 2.0, np.inf))
        return {
            "efficiency, %": 100 * score.efficiency,
            "efficiency 0.5 to 1 GeV, %": 100 * float(shares[0]),
            "efficiency 1 to 2 GeV, %": 100 * float(shares[1]),
            "efficiency above 2 GeV, %": 100 * float(shares[2]),
            "fake rate, %": 100 * score.fakes,
            "duplicate rate, %": 100 * score.duplicates,
            "particles to be found": score.particles,
            "tracks": score.tracks,
        }
