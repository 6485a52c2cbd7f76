"""A described model as a server's configuration."""

from __future__ import annotations

from eventbraid.studies.simulation.study import Model

__all__ = ["config_text"]


def config_text(name: str, model: Model, rows: int = 0) -> str:
    """The beginning of a config.pbtxt, with how the model batches; `rows` are a request's most where it joins none."""
    batching = model.batching
    text = f'name: "{name}"\n'
    if not batching.most:
        return text + (f"max_batch_size: {rows}\n" if rows else "")
    preferred = ", ".join(map(str, batching.preferred))
    return text + (
        f"max_batch_size: {batching.most}\n"
        f"dynamic_batching {{ preferred_batch_size: [{preferred}] "
        f"max_queue_delay_microseconds: {round(batching.delay * 1e6)} "
        f"default_queue_policy {{ max_queue_size: {model.most_waiting} }} }}\n"
    )
