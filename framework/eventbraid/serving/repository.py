"""A model repository in Triton's layout: `name/config.pbtxt` (may be left out) and `name/1/model.onnx` or `model.py`."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.kserve import ModelMetadata
from eventbraid.kserve.config import model_config, parse_config
from eventbraid.serving.signature import complete, described, signature_of
from eventbraid.serving.versions import chosen, versions_in

__all__ = ["ModelEntry", "Repository", "known_repositories"]

FILES: Final = {"onnxruntime": "model.onnx", "python": "model.py"}
"""The back ends, and what each wants in the folder of a version."""
PLATFORMS: Final = {"onnxruntime": "onnxruntime_onnx", "python": ""}


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model: the files of the versions that are served, its configuration, and what it takes and gives."""

    name: str
    files: Mapping[str, Path]
    """By version, the newest last."""
    config: Any
    """tritonclient's ModelConfig message, completed from the model."""
    metadata: ModelMetadata

    @property
    def version(self) -> str:
        """The newest version."""
        return next(reversed(self.files))

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
        faults: list[Fault] = []
        models: dict[str, ModelEntry] = {}
        unique = {Path(each).resolve(): Path(each) for each in folders}  # one given twice is one
        for folder in unique.values():
            if not folder.is_dir():
                faults.append(Fault(str(folder), "is no folder with models"))
                continue
            entries = model_folders(folder)
            if not entries:
                faults.append(Fault(str(folder), "holds no model", "expected NAME/1/model.onnx or NAME/1/model.py"))
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
        if faults:
            raise ConfigurationError(faults, "the model repository")
        return cls(tuple(models.values()), tuple(unique))

    def find(self, name: str) -> Path | None:
        """The folder of a model as it is there now; None where there is none."""
        return next((each for folder in self.folders for each in model_folders(folder) if each.name == name), None)

    def names(self) -> list[str]:
        """The models that are there now, good or not."""
        return sorted({each.name for folder in self.folders for each in model_folders(folder)})


def known_repositories(extra: Iterable[str | Path] = ()) -> list[Path]:
    """The given folders, and those of installed packages (entry points of the group "eventbraid.models")."""
    found = [Path(folder) for folder in extra]
    for point in entry_points(group="eventbraid.models"):
        spec = importlib.util.find_spec(point.value)
        folders = map(Path, (spec.submodule_search_locations or ()) if spec is not None else ())
        found += [folder for folder in folders if any((each / "1").is_dir() for each in folder.iterdir())]
    return found


def model_folders(folder: Path) -> list[Path]:
    """The folders that may be models."""
    if not folder.is_dir():
        return []
    return [each for each in sorted(folder.iterdir()) if each.is_dir() and not each.name.startswith(("_", "."))]


def read_model(folder: Path) -> ModelEntry:
    """The model of a folder; raises `ConfigurationError` with what is wrong with it."""
    where = str(folder / "config.pbtxt")
    versions = versions_in(folder)
    config = _config(folder / "config.pbtxt")
    if config.name and config.name != folder.name:
        raise ConfigurationError(f"names the model {config.name!r}, but its folder is {folder.name!r}", where)
    config.name = folder.name
    versions = chosen(versions, config.version_policy, where)
    backend = _backend(config, versions, where)
    files = {str(number): each / FILES[backend] for number, each in versions.items()}
    for file in files.values():
        if not file.is_file():
            raise ConfigurationError("is missing", str(file))
    config.backend, config.platform = backend, config.platform or PLATFORMS[backend]
    if backend == "onnxruntime":
        for file in files.values():
            found = signature_of(file)
            complete(config, found, where)
    else:
        found = described(config)
    metadata = ModelMetadata(
        folder.name, tuple(files), found.inputs, found.outputs, int(config.max_batch_size), config
    )
    return ModelEntry(folder.name, files, config, metadata)


def _config(file: Path) -> Any:
    if not file.exists():
        return model_config()
    try:
        return parse_config(file.read_text(), str(file))
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"cannot be read: {error}", str(file)) from error


def _backend(config: Any, versions: Mapping[int, Path], where: str) -> str:
    """Who executes the model: as its configuration says, else by the file that is there."""
    said = config.backend or config.platform.removesuffix("_onnx")
    if said and said not in FILES:
        hint = nearest(said, FILES)
        raise ConfigurationError(f"backend {said!r} is none of {', '.join(FILES)}; {hint}", where)
    newest = list(versions.values())[-1]
    return said or next((name for name, file in FILES.items() if (newest / file).exists()), "onnxruntime")
