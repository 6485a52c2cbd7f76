"""RootSource: what is wrong with a file is said, with its name, and no event is lost before it."""

from __future__ import annotations

import functools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from root_files import entries_of, jagged, products_of, write_jets, write_tree

from eventbraid import ConfigurationError, DataError, EventbraidError, Job, MissingExtra
from eventbraid.fitting import type_name
from eventbraid.sources import Record, RootSource
from eventbraid.sources.root.layouts import NoProduct, product_type
from eventbraid.testing import ListOutput


@dataclass(frozen=True, slots=True)
class Jets:
    pt: NDArray[np.float32]
    mass: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Doubles:
    pt: NDArray[np.float64]


def faults_of(*args: Any, **settings: Any) -> list[str]:
    return [f"{fault.what} ({fault.hint})" for fault in RootSource(*args, **settings).faults()]


@pytest.fixture
def jets(tmp_path: Path) -> Path:
    return write_jets(tmp_path / "jets.root")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"branches": "x"}, "files must name at least one file, not ()"),
        ({"files": [1], "branches": "x"}, "files must name at least one file, not [1]"),
        ({"files": "a.root"}, "branches must be names of branches, or a dict of products, not ()"),
        ({"files": "a.root", "branches": {}}, "branches names no branch"),
        ({"files": "a.root", "branches": {"a b": "x"}}, "not 'a b'"),
        ({"files": "a.root", "branches": {"a": 1}}, "product 'a' must be a branch, a list of branches or a Record"),
        ({"files": "a.root", "branches": {"a": Record(int)}}, "product 'a': a Record needs a dataclass"),
        ({"files": "a.root", "branches": {"a": Record(Jets, pt="x")}}, "field 'mass' of Jets has no branch"),
        (
            {"files": "a.root", "branches": {"a": Record(Jets, "x", Pt="x")}},
            "Jets has no field 'Pt' (there is 'mass', 'pt')",
        ),
        ({"files": "a.root", "branches": "x", "chunk": 0}, "chunk must be a number of entries above 0"),
        ({"files": "a.root", "branches": "x", "chunk": "many"}, "chunk must be a number of entries above 0"),
        ({"files": "a.root", "branches": "x", "events": -1}, "'events'"),
        ({"files": "a.root", "branches": "x", "tre": "t"}, "has no parameter 'tre' (did you mean 'tree'?)"),
    ],
)
def test_wrong_settings_are_told_before_any_file_is_looked_at(settings: dict[str, Any], says: str) -> None:
    (fault,) = faults_of(**settings)
    assert says in fault


def test_a_file_that_is_missing_empty_no_root_file_a_folder_or_cut_is_told_with_all_others(
    tmp_path: Path, jets: Path
) -> None:
    whole = jets.read_bytes()
    contents = {"empty.root": b"", "text.root": b"hello world", "cut.root": whole[:-100], "short.root": whole[:10]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    names = [jets, *(tmp_path / name for name in contents), tmp_path / "jest.root", tmp_path, f"{tmp_path}/*.rot", jets]
    found = "\n".join(faults_of(names, branches="Jet_pt"))
    for says in (
        "empty.root: is empty, and no ROOT file",
        "text.root: is no ROOT file: it begins with b'hell', not with b'root'",
        f"cut.root: is truncated: it has {len(whole) - 100} of {len(whole)} bytes",
        "short.root: is truncated: it has 10 bytes",
        "jest.root: there is no such file (did you mean 'jets.root'?)",
        f"{tmp_path}: is a folder (name the files in it: {tmp_path}/*.root)",
        "*.rot: matches no file",
        "jets.root: is named twice: its events would be read twice",
    ):
        assert says in found


def test_a_file_that_may_not_be_read_is_told(jets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, *args: Any, **settings: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    assert faults_of(jets, branches="Jet_pt") == [f"{jets}: cannot be read: Permission denied ()"]


def test_of_several_trees_one_must_be_named(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "a.root") as file:
        for name in ("Events", "Runs"):
            file.mktree(name, {"x": "f4"}).extend({"x": np.zeros(1)})
        file["note"] = "text"
    with uproot.recreate(tmp_path / "none.root") as file:
        file["note"] = "text"
    path = f"{tmp_path}/a.root"
    assert faults_of(path, branches="x") == [f"{path}: holds 2 trees: 'Events', 'Runs' (name one: tree='Events')"]
    assert faults_of(f"{path}:Evens", branches="x") == [f"{path}: tree 'Evens' is not in it (did you mean 'Events'?)"]
    assert "tree 'note' is TObjString, not a tree" in faults_of(path, branches="x", tree="note")[0]
    assert faults_of(f"{tmp_path}/none.root", branches="x") == [f"{tmp_path}/none.root: holds no tree ()"]
    assert faults_of(path, branches="x", tree="Runs") == []


def test_every_branch_that_is_not_there_or_of_another_type_is_told_at_once(tmp_path: Path, jets: Path) -> None:
    branches = {"a": "Jet_pT", "b": ["Jet_eta", "Jat_*"], "c": Record(Doubles, pt="Jet_pt")}
    found = faults_of(jets, branches=branches, run="Jet_pt", lumi="lumis")
    for fault, says in zip(
        found,
        (
            "has no branch 'Jet_pT' (did you mean 'Jet_pt'?)",
            "has no branch that matches 'Jat_*' (there is 'Jet_eta', ",
            f"branch 'Jet_pt' is {type_name(NDArray[np.float32])}, and field 'pt' of Doubles ",
            "branch 'Jet_pt' is float[], and the run must be a whole number (run='' does without)",
            "has no branch 'lumis' with the lumi (there is 'Jet_eta', ",
        ),
        strict=True,
    ):
        assert fault.startswith(f"{jets}: tree 'Events': {says}")
    assert "(declare the field as " in found[2]
    dotted = write_tree(tmp_path / "dotted.root", {"Jet.pt": np.zeros(1)})
    (fault,) = faults_of(dotted, branches="*")
    assert "branch 'Jet.pt' has a name that no product can have (give it one: branches={'name': 'Jet.pt'})" in fault
    assert products_of(RootSource(dotted, branches={"pt": "Jet.pt"}), "pt") == [0.0]


def test_a_branch_that_no_product_can_hold_is_told(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("t", {"x": "?float64", "y": "float64"}).extend(
            {"x": ak.Array([1.0, None]), "y": ak.Array([1.0, 2.0])}
        )
    (fault,) = faults_of(tmp_path / "a.root", branches="*")
    assert "branch 'x'" in fault
    assert "which no product can hold (leave it out)" in fault
    assert products_of(RootSource(tmp_path / "a.root", branches="y"), "y") == [1.0, 2.0]
    with pytest.raises(NoProduct, match="union"):
        product_type(ak.Array([1, "a"]).layout.form)


def test_a_branch_of_a_class_that_uproot_cannot_read_is_told(jets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = uproot.interpretation.identify.UnknownInterpretation("none of the rules matched", None, "Jet_pt")
    interpretation = uproot.TBranch.interpretation.fget
    monkeypatch.setattr(
        uproot.TBranch,
        "interpretation",
        property(lambda branch: unknown if branch.name == "Jet_pt" else interpretation(branch)),
    )
    (fault,) = faults_of(jets, branches=["Jet_pt", "Jet_eta"])
    assert "branch 'Jet_pt': cannot be read by uproot: " in fault
    assert "(leave it out)" in fault


def run(source: RootSource, keep: str) -> tuple[list[Any], str]:
    """What a job wrote of a product before its source failed, and how that failed."""
    output = ListOutput(keep=[keep])
    with pytest.raises(DataError) as caught:
        Job("t", source=source, modules={}, outputs=[output]).run()
    assert caught.value.report is not None
    assert caught.value.report.events.read == len(output.rows)
    return [row.products[keep] for row in output.rows], str(caught.value)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"y": np.zeros(2)}, "tree 'events': has no branch 'x', which {first} has (there is 'y')"),
        ({"x": jagged([[1.0], []])}, "tree 'events': branch 'x' is float[], and double in {first}"),
        ({"x": np.zeros(2, np.float32)}, "tree 'events': branch 'x' is float, and double in {first}"),
    ],
)
def test_a_later_file_with_other_branches_ends_the_job_after_all_events_before_it(
    tmp_path: Path, columns: dict[str, Any], says: str
) -> None:
    first = write_tree(tmp_path / "a.root", {"x": np.arange(3.0)})
    second = write_tree(tmp_path / "b.root", columns)
    found, error = run(RootSource([first, second], branches="x"), "x")
    assert found == [0.0, 1.0, 2.0]
    assert error.startswith(f"{second}: {says.format(first=first)}")


def test_a_basket_that_is_damaged_ends_the_job_after_all_events_before_it_and_names_branch_and_entry(
    tmp_path: Path,
) -> None:
    values = np.arange(2000.0)
    path = write_tree(tmp_path / "a.root", {"w": values, "x": values}, baskets=4)
    with uproot.open(path) as file:
        place = int(file["events/x"].member("fBasketSeek")[2])
    data = bytearray(path.read_bytes())
    data[place + 90 : place + 200] = bytes(110)
    path.write_bytes(data)
    found, error = run(RootSource(path, branches=["w", "x"], chunk=500), "x")
    assert found == values[:1000].tolist()
    assert error.startswith(f"{path}: tree 'events', branch 'x', from entry 1000 on: cannot be read: ")


@pytest.mark.parametrize(("part", "wrong"), [("run", 0), ("luminosityBlock", -1), ("event", 0)])
def test_a_run_lumi_or_event_below_one_is_an_error_that_names_the_entry(tmp_path: Path, part: str, wrong: int) -> None:
    path = write_tree(tmp_path / "a.root", {"x": np.arange(4.0), part: np.array([1, 2, 3, wrong])})
    found, error = run(RootSource(path, branches="x", chunk=2), "x")
    assert found == [0.0, 1.0]
    assert f"{path}: tree 'events', entry 3: the " in error
    assert f"in branch {part!r} is {wrong}, and must be from 1" in error
    setting = {"luminosityBlock": "lumi"}.get(part, part)
    assert products_of(RootSource(path, branches="x", **{setting: ""}), "x") == [0.0, 1.0, 2.0, 3.0]


def test_a_string_that_is_not_utf8_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "a.root", {"s": ["a", "zzzz"]})
    path.write_bytes(path.read_bytes().replace(b"zzzz", b"z\xff\xfez"))
    _, error = run(RootSource(path, branches="s"), "s")
    assert error == rf"{path}: tree 'events', branch 's', entries 0 to 1: there is not UTF-8: b'z\xff\xfez'"


@pytest.mark.parametrize("library", ["uproot", "awkward"])
def test_without_the_libraries_the_error_names_the_extra(
    jets: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"RootSource needs {library}: pip install 'eventbraid\[root\]'"):
        Job("t", source=RootSource(jets, branches="Jet_pt"), modules={}).run()


def test_a_file_that_is_mended_is_read_by_the_same_source(tmp_path: Path) -> None:
    source = RootSource(tmp_path / "a.root", branches="x")
    with pytest.raises(ConfigurationError, match="there is no such file"):
        entries_of(source)
    write_tree(tmp_path / "a.root", {"x": np.arange(2)})
    assert products_of(source, "x") == [0, 1]


@functools.cache
def small_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        columns = {"x": np.arange(20), "j": jagged([[1.0, 2.0]] * 20), "s": ["abc"] * 20}
        return write_tree(Path(folder, "a.root"), columns, baskets=2).read_bytes()


@given(data=st.data())
@settings(max_examples=60)
def test_a_file_that_is_cut_or_garbled_anywhere_is_read_or_is_an_error_of_ours(data: st.DataObject) -> None:
    content = bytearray(small_file())
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.root")
        path.write_bytes(content[:cut])
        try:
            entries_of(RootSource(path, branches=["x", "j", "s"], chunk=7))
        except EventbraidError as error:
            assert "a.root" in str(error)
