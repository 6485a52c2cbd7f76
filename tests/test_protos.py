"""The generated code that is checked in is what the .proto files say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

GENERATE = runpy.run_path(str(Path(__file__).parents[1] / "protos/generate.py"))


@pytest.mark.parametrize("proto", GENERATE["TARGETS"])
def test_the_generated_code_is_that_of_its_proto_file(proto: str) -> None:
    package, folder = GENERATE["TARGETS"][proto]
    for name, text in GENERATE["compiled"](proto, package).items():
        assert (folder / name).read_text() == text, f"{folder / name}: run make generate"
