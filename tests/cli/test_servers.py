"""Servers that commands name: by address, by file, by the environment; and `eventbraid serve` with TLS and a token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from certificates import Authority
from networks import make_repository

JOB = """
import numpy as np
from eventbraid import Event, Job, Output
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid.sources import EmptySource


class Sum(InferenceProducer):
    total = Output[float]()

    async def acquire(self, event: Event) -> Tensors:
        return {"x": np.ones((1, 3), np.float32)}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.total] = float(response["total"].sum())


job = Job("sums", source=EmptySource(events=3), modules={"sum": Sum(model="sum")}, paths={"p": ["sum"]})
"""
SERVER = """
[[server]]
address = "{address}"
name = "guarded"
tls = {{ roots = "ca/roots.pem" }}
token_env = "TOKEN"
"""
WRONG = """
[[server]]
address = "gpu1:8001"
tls = { roots = "missing.pem" }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models, an authority and a job."""
    made = tmp_path_factory.mktemp("servers")
    make_repository(made / "models")
    (made / "job.py").write_text(JOB)
    return made


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    """That of the server's certificate."""
    return Authority(folder / "ca")


@contextmanager
def serving(*options: str, ready: Path) -> Iterator[dict[str, Any]]:
    """What `eventbraid serve` says when it serves on a free port."""
    program = "from eventbraid.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--port=0", f"--json={ready}", *options],
        env={**os.environ, "EVENTBRAID_SERVER_TOKEN": "sesame"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            assert said.startswith("serving"), said
            yield json.loads(ready.read_text())
        finally:
            process.terminate()
            process.stderr.read()


@pytest.fixture(scope="module")
def address(folder: Path, authority: Authority) -> Iterator[str]:
    """What `eventbraid serve` serves with a certificate and a token."""
    own = authority.issue("127.0.0.1")
    guarded = f"--tls-cert={own.certificate}", f"--tls-key={own.key}"
    with serving(f"--models={folder / 'models'}", *guarded, ready=folder / "ready.json") as said:
        yield said["address"]


@pytest.fixture
def file(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that names that server, with the token in the environment."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TOKEN", "sesame")
    made = folder / "servers.toml"
    made.write_text(SERVER.format(address=address))
    return made


def test_run_takes_a_file_of_servers(call: Any, file: Path) -> None:
    called = call("run", "job.py", "--server", str(file))
    assert called.code == 0, called.err
    assert "3 passed" in called.err


def test_run_asks_the_servers_of_the_environment(call: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTBRAID_SERVERS", str(file))
    called = call("run", "job.py", "--json", "-")
    assert called.code == 0, called.err
    assert "embedded" not in called.err
    assert json.loads(called.out)["events"]["passed"] == 3


def test_a_wrong_token_ends_the_job_with_a_clear_error(call: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "simsim")
    called = call("run", "job.py", "--server", str(file))
    assert called.code == 1
    assert "guarded: this server wants a token (authorization: Bearer TOKEN), and another was given" in called.err
    assert "Traceback" not in called.err


@pytest.mark.parametrize("command", ["check", "run"])
def test_faults_of_servers_are_told_before_anything_runs(
    call: Any, file: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("wrong.toml").write_text(WRONG)
    monkeypatch.setenv("EVENTBRAID_SERVERS", "wrong.toml,nowhere")
    called = call(command, "job.py")
    assert called.code == 2
    assert "server 'gpu1:8001': tls: roots 'missing.pem' cannot be read: No such file or directory" in called.err
    assert "'nowhere' is no server address" in called.err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--tls-cert", "ca/roots.pem"], "a server with TLS needs both --tls-cert and --tls-key"),
        (["--tls-client-roots", "ca/roots.pem"], "a server with TLS needs both --tls-cert and --tls-key"),
        (["--tls-cert", "none", "--tls-key", "none"], "certificate 'none' cannot be read: No such file or directory"),
        (["--token", "a b"], "--token: has characters that cannot be sent"),
    ],
)
def test_a_server_that_cannot_be_guarded_says_why(call: Any, file: Path, options: list[str], text: str) -> None:
    called = call("serve", "--models", "models", "--port", "0", *options)
    assert called.code == 2
    assert text in called.err


def test_a_server_serves_only_the_models_that_are_named(folder: Path, tmp_path: Path) -> None:
    models = f"--models={folder / 'models'}"
    with serving(models, "--only=wide", "--only=sum", "--only=sum", ready=tmp_path / "ready.json") as said:
        assert said["models"] == ["sum", "wide"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("sun", "did you mean 'sum'?"), ("deepcalo", "`eventbraid models build deepcalo` builds it")],
)
def test_a_model_that_is_not_there_cannot_be_the_only_one(call: Any, folder: Path, name: str, hint: str) -> None:
    called = call("serve", "--models", str(folder / "models"), "--port", "0", "--only", name)
    assert called.code == 2
    assert f"{name}: is no model of these folders" in called.err
    assert hint in called.err
