"""A model repository for Triton's Python back end: each ONNX model with a `model.py` that calls onnxruntime."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import need_extra
from eventbraid.serving.emulation import DeviceSpec, clock
from eventbraid.serving.emulation.device import gpus_of, model_bytes, need_memory
from eventbraid.serving.emulation.spec import check_models
from eventbraid.serving.repository.layout import Repository
from eventbraid.serving.triton.gpus import place

__all__ = ["wrap"]

WRAPPED: Final = Path(__file__).with_name("wrapped")
CLOCK: Final = Path(clock.__file__)
MODEL: Final = "model.py"


def wrap(repository: Repository, folder: Path, *, gpus: int = 0, device: DeviceSpec | None = None) -> None:
    """Write the models into `folder`, for so many real GPUs; their files are linked, not copied.

    On an emulated device each takes the time of its GPUs, whose clocks are files beside `folder`. Raises
    `ConfigurationError` where the models do not fit into the memory of a GPU.
    """
    text_format = need_extra("google.protobuf.text_format", "inference", "writing a model's config.pbtxt")
    if device is not None:
        _check(repository, device)
    clocks = folder.with_name("clocks")
    clocks.mkdir(parents=True)
    for model in repository.models:
        for version, file in model.files.items():
            _link(file.resolve(), folder / model.name / version, _added(model.backend, file, device))
        for each in model.file.parents[1].resolve().iterdir():  # what the versions share
            if each.is_file() and each.name != "config.pbtxt":
                (folder / model.name / each.name).symlink_to(each)
        config = _python(model.config)
        if device is not None:
            _emulate(config, device, clocks)
        elif model.backend != "python":
            place(config, gpus)
        (folder / model.name / "config.pbtxt").write_text(text_format.MessageToString(config))


def _added(backend: str, file: Path, device: DeviceSpec | None) -> dict[str, Path]:
    """What a version gets beside its own files, by name."""
    emulated = {} if device is None else {"emulated_clock.py": CLOCK}
    if backend != "python" or (device is not None and device.answers == "zeros"):
        return {MODEL: WRAPPED / "network.py", **emulated}
    return {} if device is None else {MODEL: WRAPPED / "timed.py", "emulated_model.py": file, **emulated}


def _link(file: Path, version: Path, added: dict[str, Path]) -> None:
    version.mkdir(parents=True)
    for each in file.parent.iterdir():  # large networks keep their weights beside them
        if each.name not in added:
            (version / each.name).symlink_to(each)
    for name, source in added.items():
        shutil.copyfile(source, version / name)


def _python(config: Any) -> Any:
    changed = type(config)()
    changed.CopyFrom(config)
    changed.platform, changed.backend = "", "python"
    return changed


def _check(repository: Repository, device: DeviceSpec) -> None:
    check_models(device, [model.name for model in repository.models])
    used: Counter[int] = Counter()
    for model in repository.models:
        size = sum(map(model_bytes, model.files.values()))
        for gpu in gpus_of(model.config, device.gpus):
            if gpu is not None:
                need_memory(model.name, size, used[gpu], device.limit)
                used[gpu] += size


def _emulate(config: Any, device: DeviceSpec, clocks: Path) -> None:
    """Give a model its instances on each GPU, and what its `model.py` needs to know of them."""
    gpus = gpus_of(config, device.gpus)
    del config.instance_group[:]
    config.instance_group.add(count=len(gpus), kind="KIND_CPU")
    time = device.service(config.name)
    config.parameters["emulated"].string_value = json.dumps(
        {
            "t0": time.t0,
            "per_row": time.per_row,
            "most": time.most,
            "answers": device.answers,
            "clocks": [None if gpu is None else str(clocks / f"gpu{gpu}") for gpu in gpus],
        }
    )
