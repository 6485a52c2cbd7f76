"""Where events enter."""

from typing import TYPE_CHECKING, Any

from eventbraid.sources.base import Entry, Source
from eventbraid.sources.empty import EmptySource

if TYPE_CHECKING:
    from eventbraid.sources.root import Record, RootSource

__all__ = ["EmptySource", "Entry", "Record", "RootSource", "Source"]


def __getattr__(name: str) -> Any:
    if name in ("Record", "RootSource"):
        from eventbraid.sources import root

        return getattr(root, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
