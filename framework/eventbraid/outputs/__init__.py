"""Where products leave."""

from typing import TYPE_CHECKING, Any

from eventbraid.outputs.base import OutputModule, Row

if TYPE_CHECKING:
    from eventbraid.outputs.parquet import ParquetOutput

__all__ = ["OutputModule", "ParquetOutput", "Row"]


def __getattr__(name: str) -> Any:
    if name == "ParquetOutput":
        from eventbraid.outputs.parquet import ParquetOutput

        return ParquetOutput
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
