"""What pip is doing, from what it writes."""

from __future__ import annotations

from eventbraid.serving.triton.installing import Step, steps

PIP = """
Collecting nvidia-pytriton==0.7.0
  Downloading nvidia_pytriton-0.7.0-py3-none-manylinux_2_35_x86_64.whl.metadata (11 kB)
  Downloading https://files.pythonhosted.org/a/nvidia_pytriton-0.7.0-py3-none-manylinux_2_35_x86_64.whl (55.0 MB)
Progress 0 of 55012345
Progress 262144 of 55012345
Collecting protobuf (from onnxruntime==1.31.1)
Requirement already satisfied: packaging in ./lib
Installing collected packages: nvidia-pytriton, protobuf
WARNING: Location 'nowhere' is ignored
Successfully installed nvidia-pytriton-0.7.0
"""


def test_what_pip_writes_is_told_step_by_step() -> None:
    assert list(steps(iter(PIP.splitlines(keepends=True)))) == [
        Step("finding nvidia-pytriton==0.7.0"),
        Step("downloading nvidia-pytriton 0.7.0"),
        Step("downloading nvidia-pytriton 0.7.0", 0, 55012345),
        Step("downloading nvidia-pytriton 0.7.0", 262144, 55012345),
        Step("finding protobuf"),
        Step("installing nvidia-pytriton, protobuf"),
    ]
