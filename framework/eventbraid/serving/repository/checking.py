"""What is wrong with a model's configuration, by itself and beside its network: each fault with its line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import Fault, nearest, need_extra
from eventbraid.kserve import TensorSpec
from eventbraid.kserve.places import Place
from eventbraid.serving.repository.folders import MODEL_FILES

__all__ = ["Configuration", "load_fault", "type_name", "type_number"]

PLATFORMS: Final = {"onnxruntime_onnx": "onnxruntime"}
OTHERS: Final = "the servers here have onnxruntime and python: export the network as ONNX, or call it in a model.py"
EXPORT: Final = "export the network with a variable first dimension, or set max_batch_size: 0"
LFS: Final = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A model's ModelConfig message with the file that it came from, and where in it each field stands."""

    config: Any
    file: Path
    places: Mapping[str, Place]

    def faults(self, name: str, versions: Collection[int]) -> list[Fault]:
        """What is wrong with it whatever the network is; `name` is that of the folder."""
        return [
            *self._identity(name),
            *self._back_end(),
            *self._batching(),
            *self._tensors(),
            *self._instances(versions),
        ]

    def back_end(self, folder: Path) -> str:
        """ "onnxruntime" or "python": the one that it names, else the one whose file is in a version's folder."""
        said = self.config.backend or PLATFORMS.get(self.config.platform, "")
        there = [name for name, file in MODEL_FILES.items() if (folder / file).exists()]
        return said or (there[0] if there else "onnxruntime")

    def served(self, versions: Sequence[int]) -> list[int]:
        """Those of the versions that its policy chooses, the newest first: the newest alone where it says nothing."""
        policy = self.config.version_policy
        if policy.HasField("all"):
            return list(versions)
        if policy.HasField("specific"):
            return [each for each in versions if each in policy.specific.versions]
        return list(versions[: policy.latest.num_versions or 1])

    def contradictions(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> list[Fault]:
        """Where it is not what the network takes and gives; shapes with the batch, -1 where any size goes."""
        return [
            *self._contradictions("input", self.config.input, inputs),
            *self._contradictions("output", self.config.output, outputs),
            *self._unbatched(inputs, outputs),
        ]

    def signature(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """The inputs and outputs that it names, with the batch."""
        batch = (-1,) if self.config.max_batch_size > 0 else ()
        inputs, outputs = (
            tuple(TensorSpec(each.name, _protocol_name(each.data_type), (*batch, *each.dims)) for each in tensors)
            for tensors in (self.config.input, self.config.output)
        )
        return inputs, outputs

    def unsigned(self) -> list[Fault]:
        """Where it does not say what a model takes and gives."""
        hint = "a Python model has them there, or in a static method auto_complete_config"
        return [
            Fault(str(self.file), f"names no {sort}", hint)
            for sort, tensors in (("input", self.config.input), ("output", self.config.output))
            if not tensors
        ]

    def _fault(self, field: str, what: str, hint: str = "") -> Fault:
        """At the line of a field, or at that of the nearest one around it that is in the text."""
        while field and field not in self.places:
            field = field.rpartition(".")[0]
        return Fault(f"{self.file}:{self.places[field].line}" if field else str(self.file), what, hint)

    def _identity(self, name: str) -> Iterator[Fault]:
        said = self.config.name
        if said and said != name:
            what = f"names the model {said!r}, but its folder is {name!r}"
            yield self._fault("name[0]", what, f'write name: "{name}", or leave it out')

    def _back_end(self) -> Iterator[Fault]:
        backend, platform = self.config.backend, self.config.platform
        if backend and backend not in MODEL_FILES:
            yield self._fault("backend[0]", f"back end {backend!r} is not served here", _either(backend, MODEL_FILES))
        if platform and platform not in PLATFORMS:
            yield self._fault("platform[0]", f"platform {platform!r} is not served here", _either(platform, PLATFORMS))
        if backend and backend != PLATFORMS.get(platform, backend):
            yield self._fault(
                "platform[0]", f"platform {platform!r} is not that of back end {backend!r}", "leave it out"
            )
        wanted = MODEL_FILES.get(backend or PLATFORMS.get(platform, ""), "")
        file = self.config.default_model_filename
        if file and file not in (wanted or MODEL_FILES.values()):
            what = f"default_model_filename {file!r} is not served here"
            yield self._fault("default_model_filename[0]", what, f"call the file {wanted or 'model.onnx'}")

    def _batching(self) -> Iterator[Fault]:
        most = self.config.max_batch_size
        if most < 0:
            yield self._fault("max_batch_size[0]", f"max_batch_size is {most}", "expected 0 or more")
        if not self.config.HasField("dynamic_batching"):
            return
        if most == 0:
            what = "dynamic_batching, but max_batch_size is 0: nothing can be put together"
            yield self._fault("dynamic_batching[0]", what, "set max_batch_size, or leave dynamic_batching out")
            return
        for index, size in enumerate(self.config.dynamic_batching.preferred_batch_size):
            field = f"dynamic_batching[0].preferred_batch_size[{index}]"
            if size > most:
                yield self._fault(field, f"preferred_batch_size {size} is above max_batch_size, which is {most}")
            elif size < 1:
                yield self._fault(field, f"preferred_batch_size is {size}", f"expected 1 to {most}")

    def _tensors(self) -> Iterator[Fault]:
        for sort, tensors in (("input", self.config.input), ("output", self.config.output)):
            seen: Counter[str] = Counter()
            for index, tensor in enumerate(tensors):
                what, field = f"{sort} {tensor.name!r}", f"{sort}[{index}]"
                seen[tensor.name] += 1
                if not tensor.name:
                    yield self._fault(field, f"{sort} number {index + 1} has no name")
                elif seen[tensor.name] == 2:
                    yield self._fault(f"{field}.name[0]", f"{what} is there twice")
                if not tensor.data_type:
                    yield self._fault(f"{field}.data_type[0]", f"{what} has no data_type", "TYPE_FP32, for example")
                for axis, size in enumerate(tensor.dims):
                    if size == 0 or size < -1:
                        hint = "expected a size of 1 or more, or -1 where any goes"
                        yield self._fault(f"{field}.dims[{axis}]", f"{what} has a dims with {size}", hint)

    def _instances(self, versions: Collection[int]) -> Iterator[Fault]:
        for index, group in enumerate(self.config.instance_group):
            field = f"instance_group[{index}].count[0]"
            if field in self.places and group.count < 1:  # protobuf does not tell a 0 from one left out
                yield self._fault(field, f"instance_group has count {group.count}", "expected 1 or more")
        for index, version in enumerate(self.config.version_policy.specific.versions):
            if version not in versions:
                hint = nearest(str(version), map(str, versions))
                what = f"version_policy asks for version {version}, which is not there"
                yield self._fault(f"version_policy[0].specific[0].versions[{index}]", what, hint)

    def _contradictions(self, sort: str, given: Sequence[Any], specs: Sequence[TensorSpec]) -> Iterator[Fault]:
        batched = self.config.max_batch_size > 0
        have = {spec.name: spec for spec in specs}
        for index, tensor in enumerate(given):
            what, field = f"{sort} {tensor.name!r}", f"{sort}[{index}]"
            spec = have.pop(tensor.name, None)
            if spec is None:
                there = f"{what} is not in the model, which has {', '.join(map(str, specs))}"
                hint = nearest(tensor.name, [each.name for each in specs])
                yield self._fault(f"{field}.name[0]", there, hint if hint.startswith("did") else "")
                continue
            if tensor.data_type and tensor.data_type != type_number(spec.dtype):
                has = f"{what} is {type_name(tensor.data_type)}, but the model has {spec}"
                yield self._fault(f"{field}.data_type[0]", has, f"write {type_name(type_number(spec.dtype))}")
            own = tensor.reshape.shape if tensor.HasField("reshape") else tensor.dims
            dims = (-1, *own) if batched else tuple(own)
            if not _agree(dims, spec.shape):
                shape = f"[{','.join(map(str, dims))}]" + (" with its batch" if batched else "")
                right = spec.shape[1:] if batched else spec.shape
                hint = f"write dims: [{', '.join(map(str, right))}]"
                yield self._fault(f"{field}.dims[0]", f"{what} has dims {shape}, but the model has {spec}", hint)
        if given:
            for name, spec in have.items():
                yield self._fault(f"{sort}[0]", f"{sort} {name!r} of the model is missing", f"the model has {spec}")

    def _unbatched(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Iterator[Fault]:
        most = self.config.max_batch_size
        if most <= 0:
            return
        for sort, spec in (*(("input", each) for each in inputs), *(("output", each) for each in outputs)):
            if not spec.shape or spec.shape[0] != -1:
                what = f"max_batch_size is {most}, but {sort} {spec} of the model has no batch dimension"
                yield self._fault("max_batch_size[0]", what, EXPORT)


def load_fault(file: Path, error: str) -> Fault:
    """What is wrong with a network that onnxruntime did not load; `error` is what it said."""
    with file.open("rb") as opened:
        head = opened.read(len(LFS))
    if not head:
        return Fault(str(file), "cannot be loaded: it is empty")
    if head == LFS:
        return Fault(str(file), "cannot be loaded: it stands for a file of Git LFS", "git lfs pull")
    for path in map(Path, re.findall(r'(/[^":]+?)(?=["\s:]|$)', error)):
        if path != file and path.parent.is_dir() and not path.exists():
            hint = nearest(path.name, [each.name for each in path.parent.iterdir() if each.name != file.name])
            return Fault(str(file), f"its weights are in {path}, which is missing", hint or "copy it there too")
    return Fault(str(file), f"cannot be loaded: {(error.splitlines() or ['no reason was given'])[0]}")


def type_name(number: int) -> str:
    """TYPE_FP32, for example."""
    return str(_data_types().Name(number))


def type_number(dtype: str) -> int:
    """That of TYPE_FP32, for example, where `dtype` is FP32."""
    return int(_data_types().Value(f"TYPE_{dtype.replace('BYTES', 'STRING')}"))


def _protocol_name(number: int) -> str:
    """FP32, for example, where `number` is that of TYPE_FP32."""
    return type_name(number).removeprefix("TYPE_").replace("STRING", "BYTES")


def _data_types() -> Any:
    why = "reading a model's config.pbtxt"
    return need_extra("tritonclient.grpc.model_config_pb2", "inference", why).DataType


def _agree(dims: Sequence[int], shape: Sequence[int]) -> bool:
    return len(dims) == len(shape) and all(-1 in pair or pair[0] == pair[1] for pair in zip(dims, shape, strict=True))


def _either(name: str, names: Collection[str]) -> str:
    hint = nearest(name, names)
    return hint if hint.startswith("did") else OTHERS
