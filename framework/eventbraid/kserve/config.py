"""A model's configuration as a text: Triton's config.pbtxt."""

from __future__ import annotations

from typing import Any

from eventbraid.errors import ConfigurationError, need_extra

__all__ = ["model_config", "parse_config"]

WHY = "reading a model's config.pbtxt"


def model_config() -> Any:
    """An empty ModelConfig: tritonclient's message, since a process can register it only once."""
    return need_extra("tritonclient.grpc.model_config_pb2", "inference", WHY).ModelConfig()


def parse_config(text: str, where: str) -> Any:
    """The ModelConfig of a text; raises `ConfigurationError` with line and column where it is none."""
    text_format = need_extra("google.protobuf.text_format", "inference", WHY)
    try:
        return text_format.Parse(text, model_config())
    except text_format.ParseError as error:
        raise ConfigurationError(f"cannot be read: {error}", where) from error
