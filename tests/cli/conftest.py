"""How a test calls a command in this process."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from eventbraid.cli import main


class Called:
    """What a command did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls a command in this process."""

    def run(*arguments: str) -> Called:
        monkeypatch.setattr(sys, "argv", ["eventbraid", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Called(code, said.out, said.err)

    return run
