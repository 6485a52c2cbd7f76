"""A report of a run, as `eventbraid run --json` writes it, with round numbers."""

from __future__ import annotations

from typing import Any


def model(**changes: Any) -> dict[str, Any]:
    """Of one model on one server: 200 requests of 10 rows, computed in 100 batches of 2 requests, 20 ms each."""
    split = {"client_queue": 0.0, "network": 0.005, "server_queue": 0.010, "server_compute": 0.020}
    return {
        "model": "facile",
        "server": "gpu1:8001",
        "requests": 200,
        "rows": 2000,
        "bytes_sent": 1_000_000,
        "bytes_received": 40_000,
        "executions": 100,
        "shared": False,
        "latency": {"mean": 0.035},
        "split": {**split, **changes.pop("split", {})},
        **changes,
    }


def report(*models: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Of 100 events of 54 ms: 10 ms in other modules, 1 ms in the one that infers, 40 ms away, 3 ms in between.

    The process had 4 ms of CPU beside its modules, of which 3 were in between and 1 for the requests.
    """
    return {
        "job": "hlt",
        "mode": "blocking",
        "streams": 1,
        "events": {"read": 100, "passed": 90, "failed": 0, "not_selected": 10},
        "seconds": 5.4,
        "cpu_seconds": 1.5,
        "modules": {
            "digis": {"calls": 100, "cpu_seconds": 0.7, "external_seconds": 0.0, "waiting_seconds": 0.0},
            "jets": {"calls": 50, "cpu_seconds": 0.3, "external_seconds": 0.0, "waiting_seconds": 0.0},
            "energies": {"calls": 100, "cpu_seconds": 0.1, "external_seconds": 4.0, "waiting_seconds": 0.0},
        },
        "interrupted": False,
        "inference": {"models": list(models) or [model()], "servers": []},
        **changes,
    }
