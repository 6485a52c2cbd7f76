from dataclasses import dataclass


@dataclass(frozen=True)
class Coalesce:
    max_rows: int
    max_delay: float = 0.0
