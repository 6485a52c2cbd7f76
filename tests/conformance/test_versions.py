"""Models of several versions: which are served, and which answers."""

from __future__ import annotations

from typing import Any

import pytest
from asking import ones, refusal

SERVED = {"newest": ["10"], "every": ["1", "2", "10"], "latest": ["2", "10"], "chosen": ["1", "2"]}


@pytest.mark.parametrize("model", SERVED)
async def test_the_versions_of_the_policy_are_served(client: Any, model: str) -> None:
    assert list((await client.get_model_metadata(model)).versions) == SERVED[model]


@pytest.mark.parametrize("model", SERVED)
async def test_a_request_without_a_version_goes_to_the_newest(client: Any, model: str) -> None:
    answer = await client.infer(model, [ones(1)])
    assert answer.as_numpy("version").tolist() == [int(SERVED[model][-1])]
    assert answer.get_response().model_version == SERVED[model][-1]


@pytest.mark.parametrize("model", SERVED)
async def test_a_request_goes_to_the_version_that_it_names(client: Any, model: str) -> None:
    for version in SERVED[model]:
        answer = await client.infer(model, [ones(1)], model_version=version)
        assert answer.as_numpy("version").tolist() == [int(version)]
        assert answer.get_response().model_version == version


@pytest.mark.parametrize("model", SERVED)
async def test_a_version_that_is_not_served_is_not_found(client: Any, model: str) -> None:
    for version in {"1", "2", "3", "10"} - {*SERVED[model]}:
        expected = ("NOT_FOUND", f"Request for unknown model: '{model}' version {version} is not found")
        assert (await refusal(client.infer(model, [ones(1)], model_version=version))).says(*expected)


@pytest.mark.parametrize("model", SERVED)
async def test_a_model_is_ready_in_the_versions_that_are_served(client: Any, model: str) -> None:
    ready = [version for version in ("1", "2", "3", "10") if await client.is_model_ready(model, version)]
    assert ready == SERVED[model]


async def test_each_version_has_statistics_of_its_own(client: Any) -> None:
    found = (await client.get_inference_statistics("every")).model_stats
    assert sorted(each.version for each in found) == ["1", "10", "2"]


async def test_the_index_has_a_line_for_each_version(client: Any) -> None:
    index = (await client.get_model_repository_index()).models
    assert sorted(each.version for each in index if each.name == "every") == ["1", "10", "2"]
