"""What the summary of a job says of its inference."""

from __future__ import annotations

from collections import Counter

import pytest

from eventbraid.cli.showing import show_inference
from eventbraid.inference.account import Account, Statistics


def model(account: Account, server: Statistics | None = None) -> dict[str, object]:
    return {"model": "facile", "version": "", "server": "gpu:8001"} | account.to_dict(2.0, server)


def shown(capsys: pytest.CaptureFixture[str], **inference: object) -> str:
    show_inference(inference)
    return capsys.readouterr().err


def test_the_table_splits_the_time_of_each_model(capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(requests=4, tries=4, bytes_sent=8_000_000)
    for _ in range(4):
        account.latency.add(0.03)
        account.waited.add(0.002)
    text = shown(capsys, models=[model(account, Statistics(requests=4, executions=2, queue=0.02, compute=0.08))])
    (line,) = [line for line in text.splitlines() if "facile" in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells[:3] == ["facile", "gpu:8001", "4"]
    assert cells[5:] == ["2.000", "5.000", "5.000", "20.000", "4.0"]
    assert max(map(len, text.splitlines())) <= 120


def test_failures_sharing_and_fallback_are_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(requests=4, tries=7, failures=Counter({"busy": 1, "connection lost": 2}))
    fallback = [{"model": "facile", "requests": 12, "reason": "no server is ready"}]
    text = shown(capsys, models=[model(account, Statistics(requests=9))], fallback=fallback)
    assert "gpu:8001, model 'facile': once busy" in text
    assert "gpu:8001, model 'facile': 2 times connection lost" in text
    assert "others used it too, so its times are not ours alone" in text
    assert "model 'facile': 12 requests fell back: no server is ready" in text


def test_without_inference_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys) == ""
