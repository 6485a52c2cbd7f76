"""The types of the public contract hold under mypy and pyright strict, in a project that only installs the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the package installed from a wheel, its dependencies beside it."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    interpreter: Path = folder / "venv/bin/python"
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(wheel, check=True)
    (built,) = folder.glob("eventbraid-*.whl")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "venv/lib" / version / "site-packages"
    shutil.unpack_archive(built, site, "zip")
    dependencies = Path(sysconfig.get_paths()["purelib"])
    for each in dependencies.iterdir():
        if "eventbraid" not in each.name and not (site / each.name).exists():
            (site / each.name).symlink_to(each)
    return interpreter


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own with the user's files."""
    for name in ("analysis.py", "wrong.py"):
        shutil.copy(HERE / name, tmp_path)
    return tmp_path


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MYPYPATH"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def marked(file: Path) -> set[int]:
    return {number for number, line in enumerate(file.read_text().splitlines(), 1) if "# error" in line}


def test_mypy_strict_accepts_a_right_project_and_finds_every_mistake_of_a_wrong_one(
    project: Path, python: Path
) -> None:
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", project / "cache")
    right = run(*mypy, "analysis.py", cwd=project)
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = run(*mypy, "wrong.py", cwd=project)
    assert {int(line.split(":")[1]) for line in wrong.stdout.splitlines() if ": error:" in line} == marked(
        HERE / "wrong.py"
    )


def test_pyright_strict_accepts_a_right_project_and_finds_every_mistake_of_a_wrong_one(
    project: Path, python: Path
) -> None:
    (project / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))
    pyright = (sys.executable, "-m", "pyright", "--pythonpath", python, "--outputjson")
    found = json.loads(run(*pyright, "analysis.py", "wrong.py", cwd=project).stdout)["generalDiagnostics"]
    errors = {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in found if each["severity"] == "error"
    }
    assert errors == {("wrong.py", line) for line in marked(HERE / "wrong.py")}, found


def test_importing_eventbraid_is_quick_and_takes_no_extra_along() -> None:
    code = (
        "import sys, time; start = time.process_time(); import eventbraid; print(time.process_time() - start);"
        "print([name for name in ('grpc', 'pyarrow', 'rich', 'matplotlib', 'onnxruntime') if name in sys.modules])"
    )
    seconds = []
    for _ in range(3):
        time, extras = run(sys.executable, "-c", code, cwd=HERE).stdout.splitlines()
        assert extras == "[]"
        seconds.append(float(time))
    assert min(seconds) < 0.25
