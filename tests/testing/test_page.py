"""What docs/testing.md shows works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from eventbraid.testing import FaultyNetwork
from eventbraid.testing.fault import KINDS, Fault
from eventbraid.testing.script import Script

PAGE = (Path(__file__).parents[2] / "docs/testing.md").read_text()
TEST, NETWORK = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SCRIPT = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)


async def test_the_test_of_the_page_passes() -> None:
    names: dict[str, Any] = {"__name__": "page"}
    exec(TEST, names)
    (test,) = (each for name, each in names.items() if name.startswith("test_"))
    await test()


def test_the_script_of_the_page_is_read(tmp_path: Path) -> None:
    assert SCRIPT is not None
    (tmp_path / "faults.toml").write_text(SCRIPT[1])
    script = Script.read(tmp_path / "faults.toml")
    assert [fault.kind for fault in script.faults] == ["delay", "refuse", "too_few_rows"]


def test_the_page_names_every_kind_and_every_setting() -> None:
    for name in (*KINDS, *Fault.model_fields):
        assert f"`{name}`" in PAGE or f"\n{name} = " in PAGE or f"`{name} = " in PAGE, name


@pytest.mark.parametrize("name", sorted(set(re.findall(r"network\.(\w+)", NETWORK))))
def test_a_network_has_what_the_page_says(name: str) -> None:
    assert hasattr(FaultyNetwork("gpu1:8001"), name)
