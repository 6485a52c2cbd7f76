"""The embedded server with faults of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository

from eventbraid import ConfigurationError, ServerError
from eventbraid.errors import AnswerError, RequestError, ServerTimeout
from eventbraid.inference import TritonClient
from eventbraid.serving import EmbeddedServer
from eventbraid.testing import Fault, Script

ONES = {"x": np.ones((2, 3), np.float32)}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    return make_repository(tmp_path_factory.mktemp("models"))


async def test_it_misbehaves_by_the_script_it_is_given(repository: Path) -> None:
    faults = [
        Fault(kind="refuse", status="INVALID_ARGUMENT", message="no", numbers=[2], model="sum"),
        Fault(kind="wrong_name", numbers=[3], model="sum"),
    ]
    async with EmbeddedServer([repository], faults=faults) as server:
        client = TritonClient([server.address])
        for expected in (None, RequestError, AnswerError, None):
            if expected is None:
                assert (await client.infer("sum", ONES))["twice"].tolist() == [[6], [6]]
            else:
                with pytest.raises(expected):
                    await client.infer("sum", ONES)
        await client.aclose()


async def test_it_ends_at_once_where_a_request_is_to_have_no_answer(repository: Path) -> None:
    async with EmbeddedServer([repository], faults=Script([Fault(kind="drop")])) as server:
        client = TritonClient([server.address])
        with pytest.raises(ServerTimeout):
            await client.infer("sum", ONES, timeout=0.3)
        await client.aclose()
        async with asyncio.timeout(5):
            await server.stop()


async def test_a_fault_for_a_model_that_it_has_not_is_named_before_it_serves(repository: Path) -> None:
    with pytest.raises(ServerError, match=r"fault 1: there is no model 'summ' \(did you mean 'sum'\?\)"):
        await EmbeddedServer([repository], faults=[{"kind": "cut", "model": "summ"}]).start()


def test_a_script_that_is_wrong_is_told_where_it_is_given(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "faults.toml").write_text('[[fault]]\nkind = "cutt"')
    with pytest.raises(ConfigurationError, match="did you mean 'cut'"):
        EmbeddedServer([repository], faults=tmp_path / "faults.toml")
