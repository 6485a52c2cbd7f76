"""A model repository for Triton's Python back end: each ONNX model with a `model.py` that calls onnxruntime."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import need_extra
from eventbraid.serving.emulation import DeviceSpec, clock
from eventbraid.serving.emulation.device import copies_of, model_bytes, need_memory
from eventbraid.serving.emulation.spec import check_models
from eventbraid.serving.repository import Repository

__all__ = ["wrap"]

FILES: Final = {"model.py": Path(__file__).with_name("wrapped.py"), "emulated_clock.py": Path(clock.__file__)}
"""What each version of a model gets, and where it comes from."""


def wrap(repository: Repository, folder: Path, device: DeviceSpec | None = None) -> None:
    """Write the models into `folder`; their networks are linked, not copied.

    On an emulated device each takes the time of its GPUs, whose clocks are files beside `folder`. Raises
    `ConfigurationError` where the models do not fit into the memory of a GPU.
    """
    text_format = need_extra("google.protobuf.text_format", "inference", "writing a model's config.pbtxt")
    if device is not None:
        _check(repository, device)
    clocks = folder.with_name("clocks")
    clocks.mkdir(parents=True)
    for model in repository.models:
        version = folder / model.name / model.version
        version.mkdir(parents=True)
        for file in model.file.resolve().parent.iterdir():  # large networks keep their weights beside them
            if file.name not in FILES:
                (version / file.name).symlink_to(file)
        for name, source in FILES.items():
            shutil.copyfile(source, version / name)
        config = _python(model.config)
        if device is not None:
            _emulate(config, device, clocks)
        (folder / model.name / "config.pbtxt").write_text(text_format.MessageToString(config))


def _python(config: Any) -> Any:
    changed = type(config)()
    changed.CopyFrom(config)
    changed.platform, changed.backend = "", "python"
    return changed


def _check(repository: Repository, device: DeviceSpec) -> None:
    check_models(device, [model.name for model in repository.models])
    used = 0
    for model in repository.models:
        size = model_bytes(model.file)
        need_memory(model.name, size, used, device.limit)
        used += size


def _emulate(config: Any, device: DeviceSpec, clocks: Path) -> None:
    """Give a model its instances on each GPU, and what its `model.py` needs to know of them."""
    count = copies_of(config, device.gpus)
    del config.instance_group[:]
    config.instance_group.add(count=count, kind="KIND_CPU")
    time = device.service(config.name)
    config.parameters["emulated"].string_value = json.dumps(
        {
            "gpus": device.gpus,
            "t0": time.t0,
            "per_row": time.per_row,
            "most": time.most,
            "answers": device.answers,
            "clocks": str(clocks),
        }
    )
