"""load_job finds the job of a file, and says in which line of the file what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventbraid import ConfigurationError
from eventbraid.loading import load_job

HEAD = "from eventbraid import Job\nfrom eventbraid.sources import EmptySource\n"


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("_eventbraid_job_", "beside")):
            del sys.modules[name]


def file_of(folder: Path, text: str, name: str = "job.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def fault_of(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_job(path)
    return str(caught.value)


def test_the_variable_job_is_the_job(tmp_path: Path) -> None:
    text = HEAD + "other = Job('b', source=EmptySource(), modules={})\njob = Job('a', source=EmptySource(), modules={})"
    assert load_job(file_of(tmp_path, text)).name == "a"


def test_the_only_job_is_the_job_under_any_name(tmp_path: Path) -> None:
    text = HEAD + "reco = again = Job('reco', source=EmptySource(), modules={})"
    assert load_job(str(file_of(tmp_path, text))).name == "reco"


def test_a_file_imports_what_lies_beside_it(tmp_path: Path) -> None:
    file_of(tmp_path, "NAME = 'near'", "beside_job.py")
    text = HEAD + "from beside_job import NAME\njob = Job(NAME, source=EmptySource(), modules={})"
    assert load_job(file_of(tmp_path, text)).name == "near"


def test_classes_of_the_file_keep_working_annotations_and_a_module(tmp_path: Path) -> None:
    text = HEAD + (
        "from dataclasses import dataclass\n"
        "@dataclass\nclass Hit:\n    x: int\n"
        "assert Hit.__annotations__ == {'x': int}\n"
        "job = Job(Hit.__module__, source=EmptySource(), modules={})"
    )
    assert load_job(file_of(tmp_path, text)).name in sys.modules


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    for name in "ab":
        file = file_of(tmp_path, f"{HEAD}job = Job('{name}', source=EmptySource(), modules={{}})")
        assert load_job(file).name == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ndef f(:\n", "job.py:2: does not compile: invalid syntax"),
        ("\n\n1 / 0\n", "job.py:3: raises ZeroDivisionError: division by zero"),
        ("import beside_nothing\n", "job.py:1: raises ModuleNotFoundError: No module named 'beside_nothing' (install it"),
        ("import sys\nsys.exit(0)\n", "job.py:2: ends the program"),
        ("x = 1\n", "job.py: holds no job (write job = Job(...))"),
        ("x = 1\njob = 3\n", "job.py:2: job is int, not a Job"),
        ("from eventbraid.sources import EmptySource\nEmptySource(events=-1).check()\n", "job.py:2: EmptySource: parameter"),
        (
            HEAD + "a = Job('a', source=EmptySource(), modules={})\nb = Job('b', source=EmptySource(), modules={})\n",
            "job.py:4: holds 2 jobs: 'a' in line 3, 'b' in line 4 (call the one to run 'job')",
        ),
    ],
)  # fmt: skip
def test_a_fault_of_the_file_names_file_and_line(tmp_path: Path, text: str, says: str) -> None:
    fault = fault_of(file_of(tmp_path, text))
    assert fault.startswith(str(tmp_path))
    assert says in fault


def test_a_fault_in_a_file_beside_it_names_that_file(tmp_path: Path) -> None:
    file_of(tmp_path, "\nraise OSError('no beam')\n", "beside_bad.py")
    assert "beside_bad.py:2: raises OSError: no beam" in fault_of(file_of(tmp_path, "import beside_bad\n"))


def test_a_missing_file_is_a_fault_that_names_the_files_beside_it(tmp_path: Path) -> None:
    file_of(tmp_path, "", "jab.py")
    assert "job.py: does not exist (there is jab.py)" in fault_of(tmp_path / "job.py")


def test_a_folder_and_a_file_of_another_kind_are_faults(tmp_path: Path) -> None:
    assert "is a folder" in fault_of(tmp_path)
    assert "is not a Python file" in fault_of(file_of(tmp_path, "", "job.txt"))
