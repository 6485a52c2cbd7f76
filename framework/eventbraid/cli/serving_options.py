"""Which options of `eventbraid serve` go with which server, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventbraid.errors import ConfigurationError, Fault

__all__ = ["check_options"]

NOT_TRITON: Final = {
    "--latency": "Triton answers as soon as it can: a slow network is what the embedded server plays",
    "--bandwidth": "Triton answers as soon as it can: a slow network is what the embedded server plays",
    "--faults": "Triton does what it can: eventbraid.testing.FaultyServer stands before any server and misbehaves",
    "--threads": "in Triton a model's own configuration says so: instance_group { count: N }",
    "--token": "Triton knows no bearer tokens: --tls-client-roots lets in who has a certificate",
}
NOT_EMBEDDED: Final = {
    "--http-port": "the embedded server speaks gRPC alone",
    "--verbose": "the embedded server has no log but its errors",
}
NOT_TLS: Final = "Triton has no TLS for HTTP: with --tls-cert who reaches that port would be let in without"


def check_options(triton: bool, given: Mapping[str, object]) -> None:
    """Raise `ConfigurationError` with every option that its server does not have; False, None and "" are not given."""
    wrong = NOT_TRITON if triton else NOT_EMBEDDED
    way = "does not go with --triton" if triton else "goes with --triton alone"
    faults = [Fault(name, way, why) for name, why in wrong.items() if _is_given(given.get(name))]
    if _is_given(given.get("--http-port")) and _is_given(given.get("--tls-cert")) and triton:
        faults.append(Fault("--http-port", "does not go with --tls-cert", NOT_TLS))
    if faults:
        raise ConfigurationError(faults, "serve")


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ""
