"""Models in Python: their signature, and faults of their file."""

from __future__ import annotations

from pathlib import Path

import pytest
from surveys import configure, found, only

from eventbraid.errors import Fault
from eventbraid.serving import Repository

PYTHON = "class TritonPythonModel:\n    def execute(self, requests):\n        return []\n"
SIGNED = """
backend: "python"
input { name: "x" data_type: TYPE_FP32 dims: [3] }
output { name: "y" data_type: TYPE_STRING dims: [-1] }
"""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A repository with one model in Python, `m`."""
    (tmp_path / "m/1").mkdir(parents=True)
    (tmp_path / "m/1/model.py").write_text(PYTHON)
    configure(tmp_path, SIGNED)
    return tmp_path


def test_a_model_in_python_has_the_signature_of_its_configuration(python: Path) -> None:
    (model,) = Repository.open([python]).models
    assert model.config.backend == "python"
    assert str(model.metadata) == "m: x FP32[3] -> y BYTES[-1]"


def test_a_model_in_python_with_batches_has_them_in_its_signature(python: Path) -> None:
    configure(python, f"{SIGNED} max_batch_size: 8")
    (model,) = Repository.open([python]).models
    assert str(model.metadata) == "m: x FP32[-1,3] -> y BYTES[-1,-1]"


def test_a_model_in_python_is_known_by_its_file(python: Path) -> None:
    configure(python, SIGNED.replace('backend: "python"', ""))
    (model,) = Repository.open([python]).models
    assert model.config.backend == "python"


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("class Model:\n    pass", "", "has no class TritonPythonModel", "expected class TritonPythonModel"),
        ("class TritonPythonModle: pass", "", "has no class TritonPythonModel", "did you mean 'TritonPythonModle'?"),
        ("import a\n\ndef f(:", ":3", "is no Python: invalid syntax", ""),
        (
            "import a\nclass TritonPythonModel:\n    pass",
            ":2",
            "TritonPythonModel has no method execute",
            "expected def execute(self, requests)",
        ),
    ],
)
def test_a_wrong_model_in_python_says_line_fault_and_remedy(
    python: Path, text: str, line: str, what: str, hint: str
) -> None:
    (python / "m/1/model.py").write_text(text)
    assert only(python) == Fault(f"{python}/m/1/model.py{line}", what, hint)


@pytest.mark.parametrize(
    "text",
    [
        "from models import TritonPythonModel",
        "import models\nTritonPythonModel = models.Jets",
        "from models import Base\nclass TritonPythonModel(Base):\n    pass",
        "try:\n    from models import TritonPythonModel\nexcept ImportError:\n    raise",
    ],
)
def test_a_class_from_elsewhere_is_a_model_too(python: Path, text: str) -> None:
    (python / "m/1/model.py").write_text(text)
    assert found(python) == []


def test_a_model_in_python_is_not_run(python: Path) -> None:
    (python / "m/1/model.py").write_text(f"raise SystemExit('run')\n{PYTHON}")
    assert found(python) == []


def test_a_model_in_python_without_a_signature_is_a_fault(python: Path) -> None:
    file = configure(python, 'backend: "python"')
    hint = "a Python model has them there, or in a static method auto_complete_config"
    assert found(python) == [Fault(str(file), "names no input", hint), Fault(str(file), "names no output", hint)]


def test_a_model_in_python_may_say_its_signature_itself(python: Path) -> None:
    (python / "m/config.pbtxt").unlink()
    (python / "m/1/model.py").write_text(f"{PYTHON}\n    @staticmethod\n    def auto_complete_config(c): return c\n")
    assert found(python) == []


def test_a_back_end_without_its_file_says_which_is_missing(python: Path) -> None:
    configure(python, 'backend: "onnxruntime"')
    assert found(python)[0] == Fault(f"{python}/m/1/model.onnx", "is missing", "there is 'model.py'")
