"""A model's configuration as a text: Triton's config.pbtxt."""

from __future__ import annotations

import re
from typing import Any

from eventbraid.errors import ConfigurationError, Fault, nearest, need_extra

__all__ = ["config_of_json", "model_config", "parse_config", "with_defaults"]

WHY = "reading a model's config.pbtxt"


def model_config() -> Any:
    """An empty ModelConfig: tritonclient's message, since a process can register it only once."""
    return need_extra("tritonclient.grpc.model_config_pb2", "inference", WHY).ModelConfig()


def parse_config(text: str, where: str) -> Any:
    """The ModelConfig of a text; raises `ConfigurationError` with line, column and nearest name where it is none."""
    text_format = need_extra("google.protobuf.text_format", "inference", WHY)
    try:
        return text_format.Parse(text, model_config())
    except text_format.ParseError as error:
        place = f"{where}:{error.GetLine()}:{error.GetColumn()}"
        what = re.sub(r"^\d+:\d+ : ", "", str(error))
        raise ConfigurationError([Fault(place, f"cannot be read: {what}", _meant(what))], where) from error


def config_of_json(text: str) -> Any:
    """The ModelConfig of protobuf's JSON; raises ValueError where it is none."""
    json_format = need_extra("google.protobuf.json_format", "inference", WHY)
    try:
        return json_format.Parse(text, model_config())
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


def with_defaults(config: Any) -> Any:
    """The same with what Triton fills in where nothing is said: the policy, one instance, the preferred batch."""
    made = type(config)()
    made.CopyFrom(config)
    if not made.HasField("version_policy"):
        made.version_policy.latest.num_versions = 1
    if not made.instance_group:
        made.instance_group.add(name=made.name, count=1, kind="KIND_CPU")
    if made.HasField("dynamic_batching") and not made.dynamic_batching.preferred_batch_size:
        made.dynamic_batching.preferred_batch_size.append(made.max_batch_size)
    return made


def _meant(what: str) -> str:
    """The nearest field or value to the one that protobuf does not know."""
    unknown = re.search(r'type "inference\.([\w.]+)" has no (?:field|value) named "?(\w+)', what)
    if unknown is None:
        return ""
    messages = need_extra("tritonclient.grpc.model_config_pb2", "inference", WHY).DESCRIPTOR
    owner, *inner = unknown[1].split(".")
    kind = messages.message_types_by_name.get(owner) or messages.enum_types_by_name.get(owner)
    for name in inner:
        kind = kind.nested_types_by_name.get(name) or kind.enum_types_by_name.get(name)
    names = [*(kind.values_by_name if hasattr(kind, "values_by_name") else kind.fields_by_name)]
    return nearest(unknown[2], names)
