"""Copies of a model on emulated GPUs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_time import FakeTime

from eventbraid.kserve import ModelMetadata, TensorSpec
from eventbraid.serving.backends.base import Reply, Request
from eventbraid.serving.emulation.clock import Clock, ServiceTime
from eventbraid.serving.emulation.instance import Emulated, Zeros, ready


class Doubling:
    """Doubles its input, in `takes` seconds; raises where that is infinite."""

    def __init__(self, time: FakeTime, takes: float = 0.0) -> None:
        self.time, self.takes = time, takes
        self.closed = False

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        if self.takes == np.inf:
            raise RuntimeError("broken")
        self.time.time += self.takes
        return [Reply({"y": 2 * request.inputs["x"]}) for request in requests]

    def close(self) -> None:
        self.closed = True


def asked(rows: int, since: float = 0.0) -> Request:
    return Request({"x": np.ones((rows, 1), np.float32)}, rows, since=since)


def emulated(time: FakeTime, takes: float = 0.0, **more: object) -> Emulated:
    service = ServiceTime(1.0, 0.1)
    return Emulated(Doubling(time, takes), service, Clock(time.now, time.sleep), **more)  # type: ignore[arg-type]


def test_an_answer_is_the_networks_and_there_after_its_emulated_time() -> None:
    time = FakeTime()
    replies = emulated(time).execute([asked(2), asked(3)])
    assert time.now() == pytest.approx(1.5)
    assert [reply.outputs["y"].tolist() for reply in replies] == [[[2.0]] * 2, [[2.0]] * 3]


def test_the_networks_own_time_counts_within_the_emulated_time() -> None:
    time = FakeTime()
    emulated(time, takes=0.9).execute([asked(1)])
    assert time.now() == pytest.approx(1.1)


def test_what_waited_begins_when_the_batch_before_ended() -> None:
    time = FakeTime(late=0.3)
    instance = emulated(time)
    instance.execute([asked(0, since=0.0)])
    instance.execute([asked(0, since=0.5)])
    assert time.now() == pytest.approx(2.0 + 0.3)


def test_what_came_later_begins_when_it_came() -> None:
    time = FakeTime()
    instance = emulated(time)
    instance.execute([asked(0)])
    time.time = 5.0
    instance.execute([asked(0, since=4.9)])
    assert time.now() == pytest.approx(5.9)


def test_a_network_that_is_too_slow_is_said() -> None:
    said: list[str] = []
    time = FakeTime()
    emulated(time, takes=20.0, say=said.append).execute([asked(1)])
    assert said == ["1 rows take 2e+04 ms to compute, longer than the 1.1e+03 ms that are emulated"]


def test_an_error_of_the_network_takes_its_time_on_the_gpu_too() -> None:
    time = FakeTime()
    with pytest.raises(RuntimeError, match="broken"):
        emulated(time, takes=np.inf).execute([asked(0)])
    assert time.now() == 1.0


def test_the_network_is_closed_with_the_instance() -> None:
    network = Doubling(FakeTime())
    Emulated(network, ServiceTime(0, 0), Clock()).close()
    assert network.closed


@pytest.mark.parametrize(
    ("came", "since"),
    [
        ([1.0, 1.5], 2.0),  # the first one waited for others
        ([1.0, 2.5], 2.5),
        ([2.8, 2.9], 3.0),  # it was executed before its delay was over
    ],
)
def test_a_batch_that_is_not_full_is_ready_once_its_delay_is_over(came: list[float], since: float) -> None:
    assert ready([asked(1, each) for each in came], now=3.0, delay=1.0, full={4, 8}) == since


def test_a_full_batch_is_ready_when_its_newest_request_came() -> None:
    assert ready([asked(2, 1.0), asked(2, 1.2)], now=3.0, delay=1.0, full={4, 8}) == 1.2


ZEROS = ModelMetadata(
    "any",
    ("1",),
    (TensorSpec("x", "FP32", (-1, 1)),),
    (TensorSpec("y", "FP16", (-1, 3, -1)), TensorSpec("words", "BYTES", (-1, 2)), TensorSpec("n", "INT64", (-1,))),
)


def test_zeros_have_the_rows_of_the_request_and_the_metadatas_shapes() -> None:
    (reply,) = Zeros(ZEROS, batches=True).execute([asked(4)])
    assert {name: (array.shape, array.dtype) for name, array in reply.outputs.items()} == {
        "y": ((4, 3, 1), np.float16),
        "words": ((4, 2), np.dtype(object)),
        "n": ((4,), np.int64),
    }
    assert not reply.outputs["y"].any()
    assert set(reply.outputs["words"].ravel()) == {b""}


def test_zeros_of_a_model_without_a_batch_have_one_for_every_unknown_size() -> None:
    (reply,) = Zeros(ZEROS, batches=False).execute([asked(4)])
    assert reply.outputs["y"].shape == (1, 3, 1)


def test_zeros_are_answered_for_what_is_wanted() -> None:
    request = asked(1)
    request.wanted = ("n",)
    (reply,) = Zeros(ZEROS, batches=True).execute([request])
    assert list(reply.outputs) == ["n"]
