"""What the commands show of switches, and the options that choose: --accelerators, --set of a case, --seed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from jobs import SWITCHED

from eventbraid.cli import main

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls a command in a folder with a job: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("job.py").write_text(SWITCHED)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["eventbraid", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


def passed(call: Call, *options: str) -> int:
    code, out, err = call("run", "job.py", "--json", "-", *options)
    assert code == 0, err
    count = json.loads(out)["events"]["passed"]
    assert isinstance(count, int)
    return count


def test_run_takes_accelerators_and_settings_of_a_case(call: Call) -> None:
    assert passed(call, "--accelerators", "gpu,cpu") == 0
    assert passed(call, "--accelerators", " cpu") > 0
    assert passed(call, "--accelerators", "gpu", "--set", "tracks.gpu.most=9") > 0
    assert passed(call, "--accelerators", "cpu", "--set", "tracks.cpu.most=1") == 0


def test_run_takes_a_seed(call: Call) -> None:
    found = [passed(call, "--accelerators", "cpu", "--set", "tracks.cpu.most=2", "--seed", str(n)) for n in range(9)]
    assert len(set(found)) > 1
    assert passed(call, "--accelerators", "cpu", "--set", "tracks.cpu.most=2", "--seed", "0") == found[0]


def test_no_available_case_is_told_by_check(call: Call) -> None:
    code, _, err = call("check", "job.py", "--accelerators", "fpga")
    assert code == 2
    assert "module 'tracks': no case is available: the cases are 'gpu', 'cpu', there is 'fpga'" in err


def test_a_setting_without_a_case_and_a_wrong_seed_are_faults(call: Call) -> None:
    code, _, err = call("run", "job.py", "--set", "tracks.most=3")
    assert code == 2
    assert "module 'tracks' is a switch: name the case (tracks.gpu.most or tracks.cpu.most)" in err
    code, _, err = call("run", "job.py", "--seed", "-1")
    assert code == 2
    assert "seed must be a whole number from 0 to 2**64 - 1, not -1" in err


def test_graph_shows_the_chosen_case_and_the_aliases(call: Call) -> None:
    text = "tracks<br/>TracksOnGpu<br/>case gpu<br/>also particles<br/>on demand"
    drawn = call("graph", "job.py", "--accelerators", "gpu")[1]
    assert text in drawn
    assert 'tracks -->|"tracks"| any' in drawn
    assert text.replace("<br/>", "\\n") in call("graph", "job.py", "--accelerators", "gpu", "--format", "dot")[1]
    found = json.loads(call("graph", "job.py", "--accelerators", "cpu", "--json", "-")[1])
    assert {node["label"]: (node["class"], node["case"]) for node in found["nodes"]} == {
        "tracks": ("Tracks", "cpu"),
        "any": ("Any", None),
    }
    assert found["aliases"] == {"particles": "tracks"}


@pytest.mark.parametrize("label", ["tracks", "particles"])
def test_describe_shows_the_case_of_a_label_and_what_it_was_given(call: Call, label: str) -> None:
    code, out, err = call("describe", f"job.py:{label}", "--accelerators", "gpu")
    assert code == 0, err
    assert "tracks: case gpu: TracksOnGpu: Tracks by the card." in out
    found = json.loads(call("describe", f"job.py:{label}", "--accelerators", "gpu", "--json", "-")[1])
    assert (found["label"], found["case"]) == ("tracks", "gpu")
    assert (found["parameters"][0]["default"], found["parameters"][0]["value"]) == ("9", "1")


def test_describe_shows_what_a_module_of_a_job_reads(call: Call) -> None:
    found = json.loads(call("describe", "job.py:any", "--accelerators", "cpu", "--json", "-")[1])
    assert found["inputs"] == [{"name": "n", "type": "int", "label": "particles"}]
    assert found["case"] is None


def test_describe_names_the_nearest_label(call: Call) -> None:
    code, _, err = call("describe", "job.py:tracsk")
    assert code == 2
    assert "job.py: has no module, source or output 'tracsk' (did you mean 'tracks'?)" in err
