"""The server's counts for Prometheus, under Triton's own names."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from eventbraid.errors import ConfigurationError, need_extra
from eventbraid.serving.embedded.models.loaded import Models
from eventbraid.serving.embedded.models.model import Model
from eventbraid.serving.embedded.models.statistics import Statistics

__all__ = ["Collector", "metrics"]

Count = Callable[[Statistics], float]
COUNTS: Final[dict[str, tuple[str, Count]]] = {
    "nv_inference_request_success": ("Number of successful inference requests", lambda each: each.success.count),
    "nv_inference_count": ("Number of inferences performed (rows of a batch)", lambda each: each.inferences),
    "nv_inference_exec_count": ("Number of model executions performed", lambda each: each.executions),
    "nv_inference_request_duration_us": (
        "Cumulative inference request duration in microseconds",
        lambda each: 1e6 * each.success.seconds,
    ),
    "nv_inference_queue_duration_us": (
        "Cumulative inference queuing duration in microseconds",
        lambda each: 1e6 * each.queue.seconds,
    ),
    "nv_inference_compute_input_duration_us": (
        "Cumulative compute input duration in microseconds",
        lambda each: 1e6 * each.compute.input.seconds,
    ),
    "nv_inference_compute_infer_duration_us": (
        "Cumulative compute inference duration in microseconds",
        lambda each: 1e6 * each.compute.infer.seconds,
    ),
    "nv_inference_compute_output_duration_us": (
        "Cumulative compute output duration in microseconds",
        lambda each: 1e6 * each.compute.output.seconds,
    ),
}


class Collector:
    """What a registry of prometheus-client asks at each look."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._core = need_extra("prometheus_client.core", "serving", "showing metrics")

    def collect(self) -> Iterator[Any]:
        """One family for each name, with a sample for each version of each model."""
        models = list(self._models)
        for name, (text, count) in COUNTS.items():
            yield self._count(name, text, [(_labels(each), count(each.statistics)) for each in models])
        failures = [({**_labels(each), "reason": why}, float(n)) for each in models for why, n in _failures(each)]
        yield self._count("nv_inference_request_failure", "Number of failed inference requests", failures)
        waiting = self._core.GaugeMetricFamily(
            "nv_inference_pending_request_count", "Number of requests that wait", labels=("model", "version")
        )
        for each in models:
            waiting.add_metric((each.entry.name, each.version), each.waiting)
        yield waiting

    def _count(self, name: str, text: str, samples: Iterable[tuple[dict[str, str], float]]) -> Any:
        """A family of counts; not said to be counters, whose names would end in "_total", as Triton's do not."""
        family = self._core.Metric(name, text, "unknown")
        for labels, value in samples:
            family.add_sample(name, labels, value)
        return family


def _labels(model: Model) -> dict[str, str]:
    return {"model": model.entry.name, "version": model.version}


def _failures(model: Model) -> Iterator[tuple[str, int]]:
    """Triton's reasons, as far as they are told apart."""
    statistics = model.statistics
    yield "REJECTED", statistics.rejected
    yield "OTHER", statistics.fail.count - statistics.rejected


@contextmanager
def metrics(models: Models, port: int | None) -> Generator[int]:
    """Show them at http://127.0.0.1:PORT/metrics and give the port; 0 chooses a free one, None shows nothing."""
    if port is None:
        yield 0
        return
    prometheus = need_extra("prometheus_client", "serving", "showing metrics")
    registry = prometheus.CollectorRegistry()
    registry.register(Collector(models))
    try:
        server, thread = prometheus.start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        raise ConfigurationError(f"port {port} cannot be used for metrics: {error.strerror}", "serve") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
