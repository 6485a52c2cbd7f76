"""What docs/jobs.md shows works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from eventbraid import Job, Producer
from eventbraid.plan import make_plan
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.hlt import FacileEnergies, TemplateEnergies

PAGE = Path(__file__).parents[1] / "docs/jobs.md"


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the snippets of the page define, one after the other."""
    found: dict[str, Any] = {"__name__": "page"}
    for snippet in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(snippet, found)
    return found


@pytest.mark.parametrize(
    ("servers", "cls"), [(("a:1",), FacileEnergies), ((), TemplateEnergies)], ids=["server", "no server"]
)
def test_the_switch_of_the_page_takes_the_network_where_servers_are_named(
    names: dict[str, Any], servers: tuple[str, ...], cls: type
) -> None:
    plan = make_plan(names["job"].replace(servers=servers))
    assert plan.warnings == ()
    assert isinstance(plan.nodes[plan.labels.index("energies")].module, cls)


def test_the_alias_of_the_page_makes_its_module_run(names: dict[str, Any]) -> None:
    assert make_plan(names["aliased"]).warnings == ()


def test_the_module_of_the_page_smears(names: dict[str, Any]) -> None:
    smear: Producer = names["Smear"]()
    output = ListOutput(keep=["smear"])
    Job("t", source=ListSource([{"energy": 100.0}] * 200), modules={"smear": smear}, outputs=[output]).run()
    smeared = [row.products["smear"] for row in output.rows]
    assert 99.5 < sum(smeared) / len(smeared) < 100.5
    assert len(set(smeared)) == len(smeared)
