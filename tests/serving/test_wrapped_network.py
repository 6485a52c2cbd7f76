"""The model that the real Triton is given for a network, called as Triton calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository

from eventbraid.kserve.config import parse_config
from eventbraid.serving import Repository
from eventbraid.serving.backends.base import Reply, Request
from eventbraid.serving.backends.python import PythonInstance
from eventbraid.serving.emulation import parse_device
from eventbraid.serving.triton.wrapping import wrap

Call = Callable[[str, Sequence[Request], str], Sequence[Reply]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls a model with requests, on a device where one is named."""
    repository = Repository.open([make_repository(tmp_path / "given")])

    def execute(name: str, requests: Sequence[Request], device: str) -> Sequence[Reply]:
        models = tmp_path / "out/models"
        wrap(repository, models, device=parse_device(device) if device else None)
        monkeypatch.syspath_prepend(str(models / name / "1"))
        config = parse_config((models / name / "config.pbtxt").read_text(), name)
        instance = PythonInstance(models / name / "1/model.py", config, 0)
        try:
            return instance.execute(requests)
        finally:
            instance.close()

    return execute


def rows(*numbers: float, **more: object) -> Request:
    return Request({"x": np.array([[each] * 3 for each in numbers], np.float32)}, len(numbers), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["", "emulated:t0=1us,per_row=1us"])
def test_each_request_gets_its_own_rows_and_the_outputs_that_it_wants(call: Call, device: str) -> None:
    replies = call("sum", [rows(1, 2, wanted=("total",)), rows(3), rows(4, wanted=("twice",))], device)
    assert [{name: array.ravel().tolist() for name, array in reply.outputs.items()} for reply in replies] == [
        {"total": [3.0, 6.0]},
        {"total": [9.0], "twice": [18.0]},
        {"twice": [24.0]},
    ]


def test_requests_of_different_shapes_are_executed_one_by_one(call: Call) -> None:
    wrong = Request({"x": np.ones((1, 4), np.float32)})
    good, bad = call("sum", [rows(1), wrong], "")
    assert good.outputs["total"].tolist() == [[3.0]]
    assert "the model failed" in str(bad.error)


def test_a_cancelled_request_is_not_executed(call: Call) -> None:
    cancelled, other = call("sum", [rows(1, cancelled=True), rows(2)], "emulated:t0=1us,per_row=1us")
    assert str(cancelled.error) == "cancelled"
    assert other.outputs["total"].tolist() == [[6.0]]


def test_zeros_have_the_rows_of_the_request(call: Call) -> None:
    request = Request({"x": np.ones((4, 1024), np.float32), "words": np.full((4, 1), b"a", object)}, 4)
    (reply,) = call("wide", [request], "emulated:t0=1us,answers=zeros")
    assert reply.outputs["y"].tolist() == np.zeros((4, 1024)).tolist()
    assert reply.outputs["y"].dtype == np.float32
    assert reply.outputs["same"].tolist() == [[b""]] * 4


def test_zeros_of_a_model_without_a_batch_have_one_for_every_unknown_size(call: Call) -> None:
    (reply,) = call("text", [Request({"words": np.full(4, b"a", object)})], "emulated:t0=1us,answers=zeros")
    assert reply.outputs["same"].tolist() == [b""]


def test_bytes_that_are_no_text_are_the_error_of_their_request_alone(call: Call) -> None:
    def wide(word: bytes) -> Request:
        return Request({"x": np.ones((1, 1024), np.float32), "words": np.array([[word]], object)})

    good, bad = call("wide", [wide("ö".encode()), wide(b"\xff")], "")
    assert good.outputs["same"].tolist() == [["ö"]]
    assert "the model failed" in str(bad.error)


def test_threads_do_not_spin_while_no_request_is_there(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[onnxruntime.InferenceSession] = []
    load = onnxruntime.InferenceSession

    def keep(*args: Any, **options: Any) -> onnxruntime.InferenceSession:
        loaded.append(load(*args, **options))
        return loaded[-1]

    monkeypatch.setattr(onnxruntime, "InferenceSession", keep)
    call("sum", [rows(1)], "")
    (session,) = loaded
    assert session.get_session_options().get_session_config_entry("session.intra_op.allow_spinning") == "0"
