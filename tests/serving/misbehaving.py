"""Models and messages for tests of what goes wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

CONFIG = """backend: "python"
max_batch_size: 0
input { name: "x" data_type: TYPE_FP32 dims: [-1] }
output { name: "y" data_type: TYPE_FP32 dims: [-1] }
"""
DECOUPLED = CONFIG + "model_transaction_policy { decoupled: true }\n"
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def python_model(folder: Path, name: str, execute: str, more: str = "", config: str = CONFIG) -> Path:
    """A model whose `execute(self, requests)` has that body, in a repository, which is given back."""
    file = folder / name / "1" / "model.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    (folder / name / "config.pbtxt").write_text(config)
    lines = ["import os, sys, threading", "import numpy as np", "import triton_python_backend_utils as pb_utils"]
    lines += ["class TritonPythonModel:", *(f"    {line}" for line in more.splitlines())]
    lines += ["    def execute(self, requests):", *(f"        {line}" for line in execute.splitlines())]
    file.write_text("\n".join(lines) + "\n")
    return folder


ECHO = """return [
    pb_utils.InferenceResponse([pb_utils.Tensor("y", pb_utils.get_input_tensor_by_name(each, "x").as_numpy())])
    for each in requests
]"""


def request(
    model: str = "one",
    shape: tuple[int, ...] = (1,),
    data: bytes = bytes(4),
    datatype: str = "FP32",
    name: str = "x",
    **fields: Any,
) -> Any:
    """A ModelInferRequest of one input."""
    made = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=[data], **fields)
    made.inputs.add(name=name, datatype=datatype, shape=shape)
    return made


def zeros(count: int) -> Any:
    """A request of so many numbers, the sum of which is asked for."""
    return request(shape=(count,), data=bytes(4 * count))


def channel(address: str) -> Any:
    return grpc.aio.insecure_channel(address, options=[*UNLIMITED, ("grpc.use_local_subchannel_pool", 1)])


def stub(channel: Any) -> Any:
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


async def refusal(call: Any) -> tuple[str, str]:
    """The status and the text of a call that has to fail."""
    try:
        async with asyncio.timeout(60):
            answer = await call
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    raise AssertionError(f"there is an answer: {answer}")


def resident(pid: int | None, which: str = "VmRSS") -> int:
    """Bytes of a process in memory; VmHWM: the most that there were."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{which}:"))) << 10
