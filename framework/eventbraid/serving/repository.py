"""A model repository in Triton's layout: `name/config.pbtxt` (may be left out) and `name/1/model.onnx`."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from eventbraid.errors import ConfigurationError, Fault, need_extra
from eventbraid.kserve import ModelMetadata, TensorSpec
from eventbraid.kserve.config import model_config, parse_config
from eventbraid.serving.session import Session

__all__ = ["ModelEntry", "Repository", "known_repositories"]

_ONNX_TYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model: its newest version's file, its configuration, and what it takes and gives."""

    name: str
    version: str
    file: Path
    config: Any
    """tritonclient's ModelConfig message, completed from the model."""
    metadata: ModelMetadata

    @property
    def max_batch_size(self) -> int:
        """The most rows of one execution; 0: the model has no batch dimension of its own."""
        return int(self.config.max_batch_size)

    @property
    def batches(self) -> bool:
        """True when requests may be put together."""
        return self.max_batch_size > 0 and bool(self.config.HasField("dynamic_batching"))


@dataclass(frozen=True, slots=True)
class Repository:
    """The models of one or more folders; `open` raises `ConfigurationError` with every fault of them."""

    models: tuple[ModelEntry, ...]

    @classmethod
    def open(cls, folders: Sequence[str | Path]) -> Repository:
        """Read all models, without keeping any network in memory."""
        faults: list[Fault] = []
        models: dict[str, ModelEntry] = {}
        for folder in {Path(each).resolve(): Path(each) for each in folders}.values():  # one given twice is one
            if not folder.is_dir():
                faults.append(Fault(str(folder), "is no folder with models"))
                continue
            entries = [
                each for each in sorted(folder.iterdir()) if each.is_dir() and not each.name.startswith(("_", "."))
            ]
            if not entries:
                faults.append(Fault(str(folder), "holds no model", "expected NAME/1/model.onnx"))
            for entry in entries:
                try:
                    model = _read(entry)
                except ConfigurationError as error:
                    faults += error.faults
                    continue
                if model.name in models:
                    faults.append(
                        Fault(str(entry), f"is a second model {model.name!r}, after {models[model.name].file}")
                    )
                models.setdefault(model.name, model)
        if faults:
            raise ConfigurationError(faults, "the model repository")
        return cls(tuple(models.values()))


def known_repositories(extra: Iterable[str | Path] = ()) -> list[Path]:
    """The given folders, and those of installed packages (entry points of the group "eventbraid.models")."""
    found = [Path(folder) for folder in extra]
    for point in entry_points(group="eventbraid.models"):
        spec = importlib.util.find_spec(point.value)
        folders = map(Path, (spec.submodule_search_locations or ()) if spec is not None else ())
        found += [folder for folder in folders if any((each / "1").is_dir() for each in folder.iterdir())]
    return found


def _read(folder: Path) -> ModelEntry:
    versions = sorted((int(each.name) for each in folder.iterdir() if re.fullmatch("[0-9]+", each.name)), reverse=True)
    if not versions:
        raise ConfigurationError("has no version", str(folder))
    file = folder / str(versions[0]) / "model.onnx"
    if not file.is_file():
        raise ConfigurationError("is missing", str(file))
    config = _config(folder / "config.pbtxt")
    if config.name and config.name != folder.name:
        raise ConfigurationError(
            f"names the model {config.name!r}, but its folder is {folder.name!r}", str(folder / "config.pbtxt")
        )
    config.name = folder.name
    inputs, outputs = _signature(file)
    _complete(config, inputs, outputs, folder)
    version = str(versions[0])
    return ModelEntry(
        folder.name,
        version,
        file,
        config,
        ModelMetadata(folder.name, (version,), inputs, outputs, int(config.max_batch_size), config),
    )


def _config(file: Path) -> Any:
    if not file.exists():
        return model_config()
    try:
        return parse_config(file.read_text(), str(file))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"cannot be read: {error}", str(file)) from error


def _signature(file: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    session = Session(file)
    return _specs(session.inputs), _specs(session.outputs)


def _specs(tensors: Iterable[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            each.name,
            _ONNX_TYPES.get(str(each.type)) or str(each.type),
            tuple(n if isinstance(n, int) else -1 for n in each.shape),
        )
        for each in tensors
    )


def _complete(config: Any, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], folder: Path) -> None:
    """Fill in what the configuration leaves out; raise where it contradicts the model."""
    where = str(folder / "config.pbtxt")
    batched = config.max_batch_size > 0
    faults = [
        Fault(where, f"{sort} {what}")
        for sort, given, specs in (("input", config.input, inputs), ("output", config.output, outputs))
        for what in _contradictions(given, specs, batched)
    ]
    if batched and any(not spec.shape or spec.shape[0] != -1 for spec in (*inputs, *outputs)):
        faults.append(Fault(where, "max_batch_size needs a model whose first dimension is variable"))
    if faults:
        raise ConfigurationError(faults, where)
    config.backend = config.backend or "onnxruntime"
    config.platform = config.platform or "onnxruntime_onnx"
    for given, specs in ((config.input, inputs), (config.output, outputs)):
        for spec in () if given else specs:
            dims = spec.shape[1:] if batched else spec.shape
            given.add(name=spec.name, data_type=_type_number(spec.dtype), dims=dims)


def _contradictions(given: Sequence[Any], specs: Sequence[TensorSpec], batched: bool) -> Iterator[str]:
    """Where the tensors of a configuration are not those of the model."""
    have = {spec.name: spec for spec in specs}
    for tensor in given:
        spec = have.pop(tensor.name, None)
        if spec is None:
            yield f"{tensor.name!r} is not in the model, which has {', '.join(map(str, specs))}"
            continue
        if tensor.data_type != _type_number(spec.dtype):
            yield f"{tensor.name!r} is {_type_name(tensor.data_type)}, but the model has {spec}"
        dims = (-1, *tensor.dims) if batched else tuple(tensor.dims)
        if len(dims) != len(spec.shape) or any(
            -1 not in pair and pair[0] != pair[1] for pair in zip(dims, spec.shape, strict=True)
        ):
            shape = f"[{','.join(map(str, dims))}]" + (" with its batch" if batched else "")
            yield f"{tensor.name!r} has dims {shape}, but the model has {spec}"
    if given:
        yield from (f"{name!r} of the model is missing" for name in have)


def _type_name(number: int) -> str:
    messages = need_extra("tritonclient.grpc.model_config_pb2", "inference", "reading a model's config.pbtxt")
    return str(messages.DataType.Name(number))


def _type_number(dtype: str) -> int:
    messages = need_extra("tritonclient.grpc.model_config_pb2", "inference", "reading a model's config.pbtxt")
    return int(messages.DataType.Value(f"TYPE_{dtype.replace('BYTES', 'STRING')}"))
