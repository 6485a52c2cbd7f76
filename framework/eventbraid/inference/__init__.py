"""Inference as a service, from the client's side. gRPC and onnxruntime are imported when a client is made."""

from typing import TYPE_CHECKING, Any

from eventbraid.inference.client import InferenceClient, RequestOptions
from eventbraid.inference.coalescing import Coalesce
from eventbraid.inference.module import (
    InferenceFilter,
    InferenceProducer,
    RaggedInferenceFilter,
    RaggedInferenceProducer,
)
from eventbraid.inference.servers.server import TLS, Server
from eventbraid.kserve import ModelMetadata, Tensors, TensorSpec

if TYPE_CHECKING:
    from eventbraid.inference.local import LocalClient
    from eventbraid.inference.triton import TritonClient

__all__ = [
    "TLS",
    "Coalesce",
    "InferenceClient",
    "InferenceFilter",
    "InferenceProducer",
    "LocalClient",
    "ModelMetadata",
    "RaggedInferenceFilter",
    "RaggedInferenceProducer",
    "RequestOptions",
    "Server",
    "TensorSpec",
    "Tensors",
    "TritonClient",
]


def __getattr__(name: str) -> Any:
    if name == "TritonClient":
        from eventbraid.inference.triton import TritonClient

        return TritonClient
    if name == "LocalClient":
        from eventbraid.inference.local import LocalClient

        return LocalClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
