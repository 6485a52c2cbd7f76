"""A model repository in Triton's layout: `name/config.pbtxt` and `name/1/model.onnx` or `name/1/model.py`."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from eventbraid.cache import cache_folder
from eventbraid.errors import ConfigurationError, Fault
from eventbraid.kserve import ModelMetadata, TensorSpec
from eventbraid.kserve.config import model_config, parse_config
from eventbraid.kserve.places import places_of
from eventbraid.serving.backends.session import Session
from eventbraid.serving.repository.checking import Configuration, type_number
from eventbraid.serving.repository.folders import (
    MODEL_FILES,
    contents,
    file_faults,
    has_own_signature,
    model_faults,
    python_faults,
    versions_of,
)

__all__ = ["ModelEntry", "Repository", "built_folder", "installed_folders", "known_repositories", "read_model"]

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
_CONFIGURATION = re.compile(r"config\w*\.(pbtxt?|prototxt|txt)(\.txt)?", re.IGNORECASE)
"""A file that was probably meant to be config.pbtxt."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model: the files of the versions that are served, its configuration, and what it takes and gives."""

    name: str
    files: Mapping[str, Path]
    """By version, the newest first."""
    config: Any
    """tritonclient's ModelConfig message, completed from the model."""
    metadata: ModelMetadata

    @property
    def version(self) -> str:
        """The newest version."""
        return next(iter(self.files))

    @property
    def file(self) -> Path:
        """That of the newest version."""
        return self.files[self.version]

    @property
    def backend(self) -> str:
        """Who executes it: "onnxruntime" or "python"."""
        return str(self.config.backend)

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
    folders: tuple[Path, ...] = ()

    @classmethod
    def open(cls, folders: Sequence[str | Path]) -> Repository:
        """Read all models, without keeping any network in memory."""
        repository, faults = cls.survey(folders)
        if faults:
            raise ConfigurationError(faults, "the model repository")
        return repository

    @classmethod
    def survey(cls, folders: Sequence[str | Path]) -> tuple[Repository, list[Fault]]:
        """The models that are right, and every fault of the others."""
        faults: list[Fault] = []
        models: dict[str, ModelEntry] = {}
        unique = {Path(each).resolve(): Path(each) for each in folders}  # one given twice is one
        for folder in unique.values():
            try:
                entries, found = contents(folder)
            except OSError as error:
                entries, found = [], [_unread(error, folder)]
            faults += found
            for entry in entries:
                try:
                    model = read_model(entry)
                except ConfigurationError as error:
                    faults += error.faults
                    continue
                if model.name in models:
                    faults.append(
                        Fault(str(entry), f"is a second model {model.name!r}, after {models[model.name].file}")
                    )
                models.setdefault(model.name, model)
        return cls(tuple(models.values()), tuple(unique)), faults

    def find(self, name: str) -> Path | None:
        """The folder of a model as it is there now; None where there is none."""
        return next((each for folder in self.folders for each in contents(folder)[0] if each.name == name), None)

    def names(self) -> list[str]:
        """The models that are there now, good or not."""
        return sorted({each.name for folder in self.folders for each in contents(folder)[0]})


def known_repositories(extra: Iterable[str | Path] = ()) -> list[Path]:
    """The given folders, those of installed packages, and that of the models that were built here."""
    built = built_folder()
    return [*map(Path, extra), *installed_folders(), *([built] if _holds_models(built) else ())]


def installed_folders() -> list[Path]:
    """The folders of installed packages (entry points of the group "eventbraid.models")."""
    found: list[Path] = []
    for point in entry_points(group="eventbraid.models"):
        spec = importlib.util.find_spec(point.value)
        folders = map(Path, (spec.submodule_search_locations or ()) if spec is not None else ())
        found += filter(_holds_models, folders)
    return found


def built_folder() -> Path:
    """Where `eventbraid models build` puts models, in the cache folder."""
    return cache_folder() / "models"


def _holds_models(folder: Path) -> bool:
    return folder.is_dir() and any((each / "1").is_dir() for each in folder.iterdir())


def read_model(folder: Path, config: Any = None) -> ModelEntry:
    """A model, with another configuration than its file's where one is given.

    Raises `ConfigurationError` with all that is wrong with it, also where a file cannot be read.
    """
    try:
        return _read(folder, config)
    except OSError as error:
        raise ConfigurationError([_unread(error, folder)], str(folder)) from error


def _read(folder: Path, given: Any) -> ModelEntry:
    if faults := model_faults(folder):
        raise ConfigurationError(faults, str(folder))
    versions = versions_of(folder)
    where = folder / "config.pbtxt"
    files, unread = _configuration(where) if given is None else (Configuration(given, where, {}), [])
    faults = unread + files.faults(folder.name, versions)
    backend = files.back_end(folder / str(versions[0]))
    if backend not in MODEL_FILES:
        raise ConfigurationError(faults, str(folder))
    served = {str(each): folder / str(each) / MODEL_FILES[backend] for each in files.served(versions)}
    missing = [fault for each in versions for fault in file_faults(folder / str(each) / MODEL_FILES[backend])]
    inputs, outputs = files.signature()
    for file in () if missing else served.values():
        try:
            if backend == "python":
                faults += python_faults(file) or ([] if unread or has_own_signature(file) else files.unsigned())
            else:
                inputs, outputs = _signature(file)
                faults += files.contradictions(inputs, outputs)
        except ConfigurationError as error:
            faults += error.faults
    if faults := [*missing, *faults]:
        raise ConfigurationError(faults, str(folder))
    config = files.config
    config.name, config.backend = folder.name, backend
    if backend == "onnxruntime":
        _complete(config, inputs, outputs)
    inputs, outputs = files.signature()
    metadata = ModelMetadata(folder.name, tuple(reversed(served)), inputs, outputs, int(config.max_batch_size), config)
    return ModelEntry(folder.name, served, config, metadata)


def _configuration(file: Path) -> tuple[Configuration, list[Fault]]:
    """A config.pbtxt, an empty one where there is none or it cannot be read, and why not."""
    faults: list[Fault] = []
    if file.is_symlink() or file.exists():
        faults = file_faults(file)
        try:
            text = "" if faults else file.read_text("utf-8")
            return Configuration(parse_config(text, str(file)), file, places_of(text)), faults
        except UnicodeDecodeError as error:
            faults = [Fault(str(file), f"cannot be read: it is no text in UTF-8: {error}")]
        except ConfigurationError as error:
            faults = [*error.faults]
    elif near := [each for each in file.parent.iterdir() if _CONFIGURATION.fullmatch(each.name) and each.is_file()]:
        faults = [Fault(str(near[0]), "is not read", f"call it {file.name}")]
    return Configuration(model_config(), file, {}), faults


def _signature(file: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    session = Session(file)
    inputs, outputs = _specs(session.inputs), _specs(session.outputs)
    if faults := [
        Fault(str(file), f"{spec} has a type that the protocol cannot carry", f"expected {', '.join(_ONNX_TYPES)}")
        for spec in (*inputs, *outputs)
        if spec.dtype not in _ONNX_TYPES.values()
    ]:
        raise ConfigurationError(faults, str(file))
    return inputs, outputs


def _specs(tensors: Iterable[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            each.name,
            _ONNX_TYPES.get(str(each.type)) or str(each.type),
            tuple(n if isinstance(n, int) else -1 for n in each.shape),
        )
        for each in tensors
    )


def _complete(config: Any, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
    """Fill in what the configuration leaves out."""
    config.platform = config.platform or "onnxruntime_onnx"
    for given, specs in ((config.input, inputs), (config.output, outputs)):
        for spec in () if given else specs:
            dims = spec.shape[1:] if config.max_batch_size > 0 else spec.shape
            given.add(name=spec.name, data_type=type_number(spec.dtype), dims=dims)


def _unread(error: OSError, path: Path) -> Fault:
    return Fault(str(error.filename or path), f"cannot be read: {error.strerror}")
