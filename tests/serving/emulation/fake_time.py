"""A time that passes only when somebody sleeps."""

from __future__ import annotations


class FakeTime:
    """Starts at 0; `sleep` wakes `late` seconds after it should."""

    def __init__(self, late: float = 0.0) -> None:
        self.time = 0.0
        self.late = late
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds + self.late
