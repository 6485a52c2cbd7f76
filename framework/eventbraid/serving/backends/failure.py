"""What went wrong in a model, which is the answer to its request."""

from __future__ import annotations

__all__ = ["ModelFailure"]


class ModelFailure(Exception):
    """The model's own words, and the name of the gRPC status for them."""

    def __init__(self, details: str, code: str = "INTERNAL") -> None:
        super().__init__(details)
        self.details, self.code = details, code
