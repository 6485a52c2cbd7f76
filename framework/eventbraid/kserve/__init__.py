"""The KServe v2 inference protocol, as both sides see it: tensors, models' metadata, bytes on the wire."""

from eventbraid.kserve.metadata import ModelMetadata, TensorSpec, check_inputs, check_names, check_response
from eventbraid.kserve.tensors import Tensors

__all__ = ["ModelMetadata", "TensorSpec", "Tensors", "check_inputs", "check_names", "check_response"]
