"""What every inference client does."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from eventbraid import ServerError
from eventbraid.errors import RequestError
from eventbraid.inference import Coalesce, InferenceClient

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
TYPES: dict[str, Any] = {
    "BOOL": bool,
    "INT8": np.int8,
    "UINT16": np.uint16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}


def every_type(rows: int) -> dict[str, Any]:
    """An array of some rows for each type of the model `types`."""
    return {name: (np.arange(rows * 3).reshape(rows, 3) % 2).astype(dtype) for name, dtype in TYPES.items()}


async def test_a_model_answers_with_all_its_outputs(client: InferenceClient) -> None:
    answer = await client.infer("sum", {"x": ROWS})
    assert answer["total"].tolist() == [[3], [12]]
    assert answer["twice"].tolist() == [[6], [24]]


async def test_only_the_outputs_asked_for_come_back(client: InferenceClient) -> None:
    assert list(await client.infer("sum", {"x": ROWS}, outputs=["twice"])) == ["twice"]


async def test_answers_are_read_only(client: InferenceClient) -> None:
    answer = await client.infer("sum", {"x": ROWS})
    with pytest.raises(ValueError, match="read-only"):
        answer["total"][0] = 1


async def test_the_metadata_say_what_a_model_takes_and_gives(client: InferenceClient) -> None:
    metadata = await client.metadata("sum")
    assert str(metadata) == "sum: x FP32[-1,3] -> total FP32[-1,1], twice FP32[-1,1]"
    assert metadata.versions == ("1",)


async def test_tensors_of_every_type_come_back_as_they_went(client: InferenceClient) -> None:
    answer = await client.infer("types", {f"in_{name}": sent for name, sent in every_type(2).items()})
    for name, sent in every_type(2).items():
        assert answer[f"out_{name}"].dtype == sent.dtype
        assert np.array_equal(answer[f"out_{name}"], sent)


async def test_strings_come_back_as_bytes(client: InferenceClient) -> None:
    answer = await client.infer("text", {"words": np.array(["jet", b"met", "t\u00e4u"], object)})
    assert answer["same"].tolist() == [b"jet", b"met", "t\u00e4u".encode()]


async def test_an_array_that_is_not_contiguous_is_sent_as_it_reads(client: InferenceClient) -> None:
    answer = await client.infer("sum", {"x": np.asfortranarray(ROWS)[::-1]})
    assert answer["total"].tolist() == [[12], [3]]


@pytest.mark.parametrize("order", ["<f4", ">f4"])
async def test_numbers_of_either_byte_order_mean_the_same(client: InferenceClient, order: str) -> None:
    answer = await client.infer("sum", {"x": ROWS.astype(order)})
    assert answer["total"].tolist() == [[3], [12]]


@pytest.mark.parametrize("words", [np.array(["jet", "e"]), np.array([b"jet", b"e"])], ids=["text", "bytes"])
async def test_strings_of_a_fixed_width_are_sent_as_they_read(client: InferenceClient, words: Any) -> None:
    assert (await client.infer("text", {"words": words}))["same"].tolist() == [b"jet", b"e"]


async def test_more_rows_than_the_model_takes_are_sent_as_several_requests(client: InferenceClient) -> None:
    sent = np.arange(450, dtype=np.float32).reshape(150, 3)
    answer = await client.infer("sum", {"x": sent})
    assert answer["total"][:, 0].tolist() == sent.sum(axis=1).tolist()
    assert not answer["total"].flags.writeable


async def test_a_batch_size_sends_so_many_rows_at_once(client: InferenceClient) -> None:
    answer = await client.infer("types", {f"in_{name}": sent for name, sent in every_type(7).items()}, batch_size=3)
    for name, sent in every_type(7).items():
        assert np.array_equal(answer[f"out_{name}"], sent)


async def test_inputs_with_different_numbers_of_rows_are_refused(client: InferenceClient) -> None:
    inputs = {f"in_{name}": sent for name, sent in every_type(3).items()} | {"in_BOOL": np.ones((2, 3), bool)}
    with pytest.raises(RequestError, match="the inputs have different batch sizes"):
        await client.infer("types", inputs, batch_size=2)


async def test_a_piece_that_fails_fails_the_request(client: InferenceClient) -> None:
    with pytest.raises(RequestError, match="of type float64, not FP32"):
        await client.infer("sum", {"x": np.ones((150, 3))})


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
async def test_compressed_requests_have_the_same_answer(client: InferenceClient, compression: Any) -> None:
    answer = await client.infer("sum", {"x": ROWS}, compression=compression)
    assert answer["total"].tolist() == [[3], [12]]


async def test_a_request_with_a_priority_has_the_same_answer(client: InferenceClient) -> None:
    assert (await client.infer("sum", {"x": ROWS}, priority=1))["total"].tolist() == [[3], [12]]


async def test_a_request_that_is_hedged_at_once_has_one_answer(client: InferenceClient) -> None:
    assert (await client.infer("sum", {"x": ROWS}, hedge_after=0.0))["total"].tolist() == [[3], [12]]


async def test_a_client_that_is_closed_says_so(client: InferenceClient) -> None:
    await client.infer("sum", {"x": ROWS})
    await client.aclose()
    with pytest.raises(ServerError, match="this client is closed"):
        await client.infer("sum", {"x": ROWS})


async def test_many_requests_at_once_get_each_its_own_answer(client: InferenceClient) -> None:
    requests = [np.full((1 + n % 3, 3), n, np.float32) for n in range(60)]
    answers = await asyncio.gather(*(client.infer("sum", {"x": each}) for each in requests))
    for sent, answer in zip(requests, answers, strict=True):
        assert answer["total"].tolist() == (sent[:, :1] * 3).tolist()


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"y": ROWS}, "there is no input 'y', there is 'x'; input 'x' is missing. The model takes x FP32[-1,3]"),
        ({"x": ROWS.astype(np.float64)}, "input 'x' is of type float64, not FP32 (float32)"),
        ({"x": ROWS[:, :2]}, "input 'x' is of shape [2,2], not [-1,3]"),
        ({"x": ROWS[0]}, "input 'x' is of shape [3], not [-1,3]"),
        ({"x": [1, 2, 3]}, "input 'x' is no array but list"),
        ({}, "input 'x' is missing"),
    ],
)
async def test_a_tensor_that_does_not_fit_says_what_the_model_wants(
    client: InferenceClient, inputs: Any, text: str
) -> None:
    with pytest.raises(RequestError) as raised:
        await client.infer("sum", inputs)
    assert text in str(raised.value)
    assert "model 'sum'" in str(raised.value)


async def test_an_unknown_output_is_named_with_the_nearest(client: InferenceClient) -> None:
    with pytest.raises(RequestError, match="there is no output 'totl', did you mean 'total'"):
        await client.infer("sum", {"x": ROWS}, outputs=["totl"])


async def test_an_unknown_model_is_an_error_that_names_the_nearest(client: InferenceClient) -> None:
    with pytest.raises(RequestError, match="did you mean 'sum'"):
        await client.infer("summ", {"x": ROWS})


async def test_an_unknown_version_is_an_error(client: InferenceClient) -> None:
    with pytest.raises(RequestError, match="there is version 1"):
        await client.metadata("sum", "7")


async def test_a_model_that_fails_is_an_error_and_the_next_request_works(client: InferenceClient) -> None:
    with pytest.raises(ServerError, match="the model failed"):  # a reshape of 3 numbers to 2 x 2
        await client.infer("fails", {"x": np.zeros(3, np.float32), "shape": np.array([2, 2])})
    answer = await client.infer("fails", {"x": np.zeros(4, np.float32), "shape": np.array([2, 2])})
    assert answer["y"].shape == (2, 2)


async def test_requests_that_are_joined_get_each_its_own_answer(client: InferenceClient) -> None:
    how = Coalesce(max_rows=16, max_delay=0.01)
    requests = [np.full((1 + n % 3, 3), n, np.float32) for n in range(60)]
    answers = await asyncio.gather(*(client.infer("sum", {"x": each}, coalesce=how) for each in requests))
    for sent, answer in zip(requests, answers, strict=True):
        assert answer["total"].tolist() == (sent[:, :1] * 3).tolist()
        assert not answer["total"].flags.writeable
