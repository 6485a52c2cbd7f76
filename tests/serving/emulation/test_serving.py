"""An emulated device in the embedded server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
from networks import make_repository

from eventbraid import ConfigurationError, ServerError
from eventbraid.inference import TritonClient
from eventbraid.serving import EmbeddedServer

ONE = {"x": np.ones(3, np.float32)}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    return make_repository(tmp_path_factory.mktemp("models"))


async def test_batches_take_turns_on_the_gpus_and_are_answered_by_the_network(repository: Path) -> None:
    async with EmbeddedServer([repository], device="emulated:gpus=2,t0=100ms,per_row=0") as server:
        client = TritonClient([server.address])
        await client.metadata("one")
        start = perf_counter()
        answers = await asyncio.gather(*(client.infer("one", ONE) for _ in range(6)))
        assert perf_counter() - start >= 0.3
        assert [answer["y"].tolist() for answer in answers] == [[3.0]] * 6
        await client.aclose()


async def test_a_loaded_device_answers_at_the_rate_of_all_its_gpus_and_no_faster(repository: Path) -> None:
    device, clients, rounds = "emulated:gpus=4,t0=20ms,per_row=0,answers=zeros", 16, 15
    async with EmbeddedServer([repository], device=device) as server:
        client = TritonClient([server.address])
        await client.infer("one", ONE)

        async def ask() -> None:
            for _ in range(rounds):
                await client.infer("one", ONE)

        start = perf_counter()
        await asyncio.gather(*(ask() for _ in range(clients)))
        took = perf_counter() - start
        least = clients * rounds / 4 * 0.020
        assert least - 0.020 <= took <= 2 * least  # one GPU would take 4 times as long
        await client.aclose()


async def test_a_network_that_is_slower_than_its_gpu_is_said_in_the_log(repository: Path) -> None:
    async with EmbeddedServer([repository], device="emulated:t0=1us,per_row=0") as server:
        client = TritonClient([server.address])
        for _ in range(5):
            await client.infer("one", ONE)
        await client.aclose()
    assert server.log.count("warning: model 'one': 1 rows take") == 1


async def test_models_that_do_not_fit_are_the_servers_last_words(repository: Path) -> None:
    with pytest.raises(ServerError, match="does not fit: it has"):
        await EmbeddedServer([repository], device="emulated:memory=100B").start()


async def test_a_device_that_speaks_of_an_unknown_model_is_the_servers_last_word(repository: Path) -> None:
    with pytest.raises(ServerError, match="there is no model 'on'"):
        await EmbeddedServer([repository], device="emulated:on.t0=1ms").start()


def test_a_wrong_device_is_said_before_anything_is_started(repository: Path) -> None:
    with pytest.raises(ConfigurationError, match="'gpu' is no key"):
        EmbeddedServer([repository], device="emulated:gpu=4")
