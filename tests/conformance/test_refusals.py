"""Requests that are wrong, each with the status and the words with which it is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from asking import given, ones, raw, refusal
from test_tensors import typed
from tritonclient.grpc import InferRequestedOutput

X = {"x": ("FP32", [2, 3])}
WORD = {"in_BYTES": ("BYTES", [1, 1])}
REFUSED = {
    "unknown model": (
        raw("nope", X, [bytes(24)]),
        ("NOT_FOUND", "Request for unknown model: 'nope' is not found"),
    ),
    "no model": (raw("", X, [bytes(24)]), ("NOT_FOUND", "Request for unknown model: '' is not found")),
    "unknown version": (
        raw("sum", X, [bytes(24)], model_version="7"),
        ("NOT_FOUND", "Request for unknown model: 'sum' version 7 is not found"),
    ),
    "a version that is no number": (
        raw("sum", X, [bytes(24)], model_version="new"),
        ("INVALID_ARGUMENT", "failed to get model version from specified version string 'new'"),
    ),
    "missing input": (
        raw("sum", {}, []),
        ("INVALID_ARGUMENT", "expected 1 inputs but got 0 inputs for model 'sum'"),
    ),
    "unknown input": (
        raw("sum", {"z": ("FP32", [2, 3])}, [bytes(24)]),
        ("INVALID_ARGUMENT", "unexpected inference input 'z' for model 'sum'"),
    ),
    "one input more": (
        raw("sum", {**X, "z": ("FP32", [2, 3])}, [bytes(24)] * 2),
        ("INVALID_ARGUMENT", "expected 1 inputs but got 2 inputs for model 'sum'"),
    ),
    "another type": (
        raw("sum", {"x": ("FP64", [2, 3])}, [bytes(48)]),
        ("INVALID_ARGUMENT", "inference input 'x' data-type is 'FP64', but model 'sum' expects 'FP32'"),
    ),
    "no type": (
        raw("sum", {"x": ("FLOAT", [2, 3])}, [bytes(24)]),
        ("INVALID_ARGUMENT", "inference input 'x' data-type is '<invalid>', but model 'sum' expects 'FP32'"),
    ),
    "another shape": (
        raw("sum", {"x": ("FP32", [2, 4])}, [bytes(32)]),
        ("INVALID_ARGUMENT", "unexpected shape for input 'x' for model 'sum'. Expected [-1,3], got [2,4]"),
    ),
    "fewer dimensions": (
        raw("sum", {"x": ("FP32", [3])}, [bytes(12)]),
        ("INVALID_ARGUMENT", "unexpected shape for input 'x' for model 'sum'. Expected [-1,3], got [3]"),
    ),
    "another shape without a batch": (
        raw("fixed", {"x": ("FP32", [3])}, [bytes(12)]),
        ("INVALID_ARGUMENT", "unexpected shape for input 'x' for model 'fixed'. Expected [2], got [3]"),
    ),
    "no shape": (
        raw("sum", {"x": ("FP32", [])}, [bytes(4)]),
        ("INVALID_ARGUMENT", "input 'x' has no shape but model requires batch dimension for 'sum'"),
    ),
    "negative sizes": (
        raw("sum", {"x": ("FP32", [-2, -3])}, [bytes(24)]),
        ("INVALID_ARGUMENT", "unexpected shape for input 'x' for model 'sum'. Expected [-1,3], got [-2,-3]"),
    ),
    "sizes beyond all memory": (
        raw("optional", {"in_FP32": ("FP32", [2**62, 2**62])}, [bytes(24)]),
        ("INVALID_ARGUMENT", "input byte size mismatch for input 'in_FP32' for model 'optional'."),
    ),
    "a batch too large": (
        raw("sum", {"x": ("FP32", [9, 3])}, [bytes(108)]),
        ("INVALID_ARGUMENT", "inference request batch-size must be <= 8 for 'sum'"),
    ),
    "a batch of no rows": (
        raw("sum", {"x": ("FP32", [0, 3])}, [b""]),
        ("INVALID_ARGUMENT", "input byte size mismatch for input 'x' for model 'sum'. Expected 12, got 0"),
    ),
    "too few bytes": (
        raw("sum", X, [b"123"]),
        ("INVALID_ARGUMENT", "input byte size mismatch for input 'x' for model 'sum'. Expected 24, got 3"),
    ),
    "too many bytes": (
        raw("sum", X, [bytes(28)]),
        ("INVALID_ARGUMENT", "input byte size mismatch for input 'x' for model 'sum'. Expected 24, got 28"),
    ),
    "no contents": (
        raw("sum", X, []),
        ("INVALID_ARGUMENT", "unable to find data for input tensor 'x' for model 'sum' in request"),
    ),
    "a word that ends early": (
        raw("optional", WORD, [b"\x05\x00\x00\x00abc"]),
        ("INVALID_ARGUMENT", "incomplete string data for inference input 'in_BYTES'"),
    ),
    "a length that ends early": (
        raw("optional", WORD, [b"\x03\x00"]),
        ("INVALID_ARGUMENT", "incomplete string length indicator for inference input 'in_BYTES'"),
    ),
    "too few words": (
        raw("optional", {"in_BYTES": ("BYTES", [1, 2])}, [b"\x03\x00\x00\x00abc"]),
        ("INVALID_ARGUMENT", "expected 2 string elements for inference input 'in_BYTES' for model 'optional', got 1"),
    ),
    "too many words": (
        raw("optional", WORD, [b"\x03\x00\x00\x00abc" * 2]),
        ("INVALID_ARGUMENT", "unexpected number of string elements 2 for inference input 'in_BYTES'"),
    ),
    "contents of another field": (
        typed("INT64", "int_contents", [1, 2], 1, 2),
        ("INVALID_ARGUMENT", "of type 'INT32', expected datatype 'INT64'"),
    ),
    "typed contents of 16 bits": (
        typed("FP16", "fp32_contents", [1, 2], 1, 2),
        ("INVALID_ARGUMENT", "of type 'FP32', expected datatype 'FP16'"),
    ),
    "too few numbers": (
        typed("FP32", "fp32_contents", [1], 1, 2),
        ("INVALID_ARGUMENT", "input byte size mismatch for input 'in_FP32' for model 'optional'. Expected 8, got 4"),
    ),
    "too many numbers": (
        typed("FP32", "fp32_contents", [1, 2, 3], 1, 2),
        ("INVALID_ARGUMENT", "input byte size mismatch for input 'in_FP32' for model 'optional'. Expected 8, got 12"),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_wrong_request_is_refused_with_the_same_status(stub: Any, what: str) -> None:
    request, (expected, _) = REFUSED[what]
    status, _ = await refusal(stub.ModelInfer(request))
    assert status == expected


@pytest.mark.parametrize("what", REFUSED)
async def test_a_wrong_request_is_refused_in_the_same_words(stub: Any, what: str) -> None:
    request, (_, expected) = REFUSED[what]
    _, words = await refusal(stub.ModelInfer(request))
    assert expected in words


async def test_contents_both_typed_and_raw_are_refused(stub: Any) -> None:
    request = typed("FP32", "fp32_contents", [1, 2], 1, 2)
    request.raw_input_contents.append(bytes(8))
    refused = await refusal(stub.ModelInfer(request))
    assert refused.says(
        "INVALID_ARGUMENT", "contents field must not be specified when using raw_input_contents for 'in_FP32'"
    )


async def test_an_input_given_twice_is_refused(client: Any) -> None:
    refused = await refusal(client.infer("sum", [ones(1, 3), ones(1, 3)]))
    assert refused.says("INVALID_ARGUMENT", "input 'x' already exists in request")


async def test_an_output_that_the_model_has_not_is_refused(client: Any) -> None:
    refused = await refusal(client.infer("sum", [ones(1, 3)], outputs=[InferRequestedOutput("mean")]))
    assert refused.says("INVALID_ARGUMENT", "unexpected inference output 'mean' for model 'sum'")


async def test_parameters_that_begin_with_triton_are_refused(stub: Any) -> None:
    request = raw("sum", X, [bytes(24)])
    request.parameters["triton_mine"].int64_param = 1
    refused = await refusal(stub.ModelInfer(request))
    assert refused.says("INVALID_ARGUMENT", "parameter keys starting with 'triton_' are reserved for Triton usage")


async def test_a_refusal_names_the_request_that_has_an_id(client: Any) -> None:
    wide = given("x", np.ones((2, 4), np.float32))
    _, text = await refusal(client.infer("sum", [wide], request_id="abc"))
    assert text.startswith("[request id: abc] ")


async def test_a_server_is_ready_after_all_that_is_wrong(stub: Any, client: Any) -> None:
    asked = [stub.ModelInfer(request) for request, _ in REFUSED.values()]
    await asyncio.gather(*asked, return_exceptions=True)
    assert await client.is_server_ready()
    assert (await client.infer("sum", [ones(1, 3)])).as_numpy("total").tolist() == [[3]]
