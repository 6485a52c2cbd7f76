"""How Triton's environment is made: what is shown of it, and that nothing half made is left."""

from __future__ import annotations

import os
import platform
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from processes import Command, ends

from eventbraid import ConfigurationError
from eventbraid.cli.installing import Installing
from eventbraid.serving.triton.installing import Step
from eventbraid.serving.triton.traps import find_libraries, platform_fault

STEPS = [Step("finding jets"), Step("downloading jets 1.0"), Step("downloading jets 1.0", 2_000_000, 4_000_000)]
MODEL = "class TritonPythonModel:\n    def execute(self, requests):\n        return []\n"
SIGNATURE = 'input { name: "x" data_type: TYPE_FP32 dims: 3 }\noutput { name: "y" data_type: TYPE_FP32 dims: 3 }\n'


def test_a_step_is_a_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Installing() as installing:
        for step in STEPS:
            installing.tell(step)
    said = capsys.readouterr().err
    assert said == "Triton's environment: finding jets\nTriton's environment: downloading jets 1.0\n"


def test_a_download_is_a_bar_in_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with Installing() as installing:
        for step in STEPS:
            installing.tell(step)
    said = capsys.readouterr().err
    assert "downloading jets 1.0" in said
    assert "2.0/4.0 MB" in said


def test_nothing_is_shown_where_nothing_is_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Installing():
        pass
    assert capsys.readouterr().err == ""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and a pip that knows no package but those of the test's index."""
    if fault := platform_fault(sys.platform, platform.machine(), platform.libc_ver()):
        pytest.skip(fault)
    try:
        find_libraries()
    except ConfigurationError as error:
        pytest.skip(str(error))
    (tmp_path / "models/m/1").mkdir(parents=True)
    (tmp_path / "models/m/1/model.py").write_text(MODEL)
    (tmp_path / "models/m/config.pbtxt").write_text(SIGNATURE)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("EVENTBRAID_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def installs(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """`eventbraid serve --triton` while pip waits for an index that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(60)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{index.getsockname()[1]}/simple")
        command = Command("serve", "--triton", "--port=0", f"--models={cache.parent / 'models'}")
        asked, _ = index.accept()
        with asked:
            yield command
            command.close()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_installation_that_is_interrupted_leaves_nothing(
    installs: Command, cache: Path, number: signal.Signals, code: int
) -> None:
    below = installs.below()
    assert len(below) >= 2
    folder = installs.folder
    assert folder.exists()
    installs.signal(number)
    assert installs.end() == code, installs.said
    assert [ends(watch) for watch in below] == [True] * len(below)
    assert [each.suffix for each in cache.iterdir()] == [".lock"]
    assert not any("Traceback" in line for line in installs.said)


def test_a_second_process_waits_for_the_first(installs: Command, cache: Path) -> None:
    second = Command("serve", "--triton", "--port=0", f"--models={cache.parent / 'models'}")
    second.says("waiting for another process, which makes Triton's environment")
    second.signal(signal.SIGINT)
    assert second.end() == 130
    second.close()
    assert installs.process.poll() is None


def test_an_installation_that_fails_says_what_pip_said(cache: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    called = call("serve", "--triton", "--port", "0", "--models", str(cache.parent / "models"))
    assert called.code == 1
    assert "Triton's environment: making a Python environment\n" in called.err
    assert "error: Triton's environment could not be made: " in called.err
    assert "No matching distribution found for " in called.err
    assert [each.suffix for each in cache.iterdir()] == [".lock"]
