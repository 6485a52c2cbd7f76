"""RootSource: what is in the files comes back, event by event."""

from __future__ import annotations

import os
import re
import subprocess
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
from root_files import entries_of, jagged, plain, products_of, write_jets, write_tree

from eventbraid import Analyzer, ConfigurationError, Event, EventID, Input, Job, Producer
from eventbraid.event import Output
from eventbraid.sources import Record, RootSource
from eventbraid.testing import ListOutput

GIVEN = Path(os.environ.get("EVENTBRAID_TEST_ROOT", Path(__file__).parents[3] / "shared/data/root"))
HZZ, ZMUMU = GIVEN / "uproot-HZZ.root", GIVEN / "uproot-Zmumu-zlib.root"
needs_files = pytest.mark.skipif(
    not (HZZ.is_file() and ZMUMU.is_file()),
    reason="uproot-HZZ.root, uproot-Zmumu-zlib.root not in EVENTBRAID_TEST_ROOT",
)


@dataclass(frozen=True, slots=True)
class Jets:
    pt: NDArray[np.float32]
    mass: NDArray[np.float32]


FLOATS = st.floats(width=32, allow_nan=False)
LISTS = st.lists(FLOATS, max_size=4)
ROWS = st.tuples(FLOATS, st.integers(-(2**15), 2**15 - 1), st.booleans(), LISTS, LISTS)


@given(rows=st.lists(ROWS, min_size=1, max_size=30), data=st.data())
@settings(max_examples=25)
def test_what_was_written_is_read_in_chunks_and_files_of_any_size_in_every_mode(
    rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    chunk = data.draw(st.integers(1, 40) | st.sampled_from(["1 B", "100 B", "1 kB"]))
    baskets = data.draw(st.integers(1, 3))
    cut = data.draw(st.integers(0, len(rows)))
    expected = [dict(zip("xibjk", row, strict=True)) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        files: list[Path] = []
        for part in (rows[:cut], rows[cut:]):
            x, i, b, j, k = zip(*part, strict=True) if part else ((),) * 5
            columns = {
                "x": np.array(x, np.float32), "i": np.array(i, np.int16), "b": np.array(b, np.bool_),
                "j": jagged(j), "k": jagged(k, "float64"),
            }  # fmt: skip
            files.append(write_tree(Path(folder, f"{len(files)}.root"), columns, baskets=baskets))
        source = RootSource(files, branches=["x", "i", "b", "j", "k"], chunk=chunk)
        found = entries_of(source)
        assert [plain(products) for _, products in found] == expected
        assert [id_ for id_, _ in found] == [EventID(1, 1, number + 1) for number in range(len(rows))]
        for mode in ("async", "blocking"):
            output = ListOutput(keep=["x", "j"])
            report = Job("t", source=source, modules={}, outputs=[output]).run(mode)  # type: ignore[arg-type]
            assert report.events.read == len(rows)
            assert [plain(row.products) for row in output.rows] == [{"x": e["x"], "j": e["j"]} for e in expected]


def test_products_have_the_types_of_their_branches_and_arrays_are_read_only(tmp_path: Path) -> None:
    columns = {
        "f": np.ones(2, np.float32), "u": np.ones(2, np.uint64), "b": np.array([True, False]),
        "m": np.arange(6, dtype=np.int16).reshape(2, 3), "j": jagged([[1], []], "float64"), "s": ["a", "é"],
    }  # fmt: skip
    source = RootSource(write_tree(tmp_path / "a.root", columns), branches=list(columns))
    source.check()
    types = {name: output.type for name, output in source.outputs()}
    assert types == {
        "f": np.float32, "u": np.uint64, "b": bool, "m": NDArray[np.int16], "j": NDArray[np.float64], "s": str
    }  # fmt: skip
    _, products = entries_of(source)[1]
    assert {name: type(products[name]) for name in "fubs"} == {name: types[name] for name in "fubs"}
    assert (products["m"].dtype, products["m"].tolist()) == (np.int16, [3, 4, 5])
    assert (products["j"].dtype, products["j"].shape) == (np.float64, (0,))
    assert products["s"] == "é"
    assert not products["m"].flags.writeable
    assert not products["j"].flags.writeable


def test_products_are_branches_dicts_of_branches_and_dataclasses(tmp_path: Path) -> None:
    path = write_jets(tmp_path / "a.root", 2)
    source = RootSource(
        f"{path}:Events",
        branches={
            "pt": "Jet_pt",
            "some": ["Jet_eta", "event"],
            "all": "Jet_*",
            "jets": Record(Jets, "Jet_"),
            "named": Record(Jets, pt="Jet_mass", mass="Jet_mass"),
        },
    )
    _, products = entries_of(source)[1]
    assert products["pt"].shape == (1,)
    assert list(products["some"]) == ["Jet_eta", "event"]
    assert list(products["all"]) == ["Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass"]
    assert isinstance(products["jets"], Jets)
    assert products["jets"].pt == products["pt"]
    assert products["named"].pt == products["named"].mass == products["jets"].mass
    assert {name: output.type for name, output in source.outputs()}["jets"] is Jets


def test_an_rntuple_is_read_with_records_strings_and_lists_of_lists(tmp_path: Path) -> None:
    columns = {
        "hits": ak.Array([[[1], [2, 3]], [], [[]]]),
        "name": ak.Array(["a", "", "ü"]),
        "tracks": ak.values_astype(ak.Array([[{"pt": 1, "eta": 2}], [], [{"pt": 3, "eta": 4}] * 2]), "float32"),
    }
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("events", {name: str(ak.type(array).content) for name, array in columns.items()}).extend(columns)
    source = RootSource(tmp_path / "a.root", branches="*", chunk=2)
    assert [plain(products) for _, products in entries_of(source)] == [
        {"hits": [[1], [2, 3]], "name": "a", "tracks": {"pt": [1.0], "eta": [2.0]}},
        {"hits": [], "name": "", "tracks": {"pt": [], "eta": []}},
        {"hits": [[]], "name": "ü", "tracks": {"pt": [3.0, 3.0], "eta": [4.0, 4.0]}},
    ]
    assert dict(source.outputs())["hits"].type == list[NDArray[np.int64]]


def test_events_have_the_identity_of_nanoads_branches_of_named_ones_or_their_number(tmp_path: Path) -> None:
    path = write_jets(tmp_path / "a.root", 41)
    nano = RootSource(path, branches="Jet_pt", chunk=7)
    assert [id_ for id_, _ in entries_of(nano)] == [EventID(1, n // 20 + 1, n + 2**63) for n in range(41)]
    numbered = RootSource(path, branches="Jet_pt", run="luminosityBlock", lumi="", event="")
    assert [id_ for id_, _ in entries_of(numbered)] == [EventID(n // 20 + 1, 1, n + 1) for n in range(41)]


def test_numbers_of_entries_go_on_from_file_to_file_in_the_order_of_names(tmp_path: Path) -> None:
    for name, first in (("b", 3), ("a", 0)):
        write_tree(tmp_path / f"{name}.root", {"x": np.arange(first, first + 3)})
    source = RootSource(f"{tmp_path}/*.root:events", branches="x")
    assert [(id_.event, products["x"]) for id_, products in entries_of(source)] == [(n + 1, n) for n in range(6)]


def test_runs_and_lumis_may_come_in_any_order_and_begin_anew_for_modules(tmp_path: Path) -> None:
    class Follows(Analyzer):
        kind = "shared"
        x = Input[int]("x")

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.begun: list[tuple[int, int]] = []

        def begin_lumi(self, lumi: Any) -> None:
            self.begun.append(lumi.id[:2])

        def analyze(self, event: Event) -> None:
            pass

    columns = {"x": np.arange(4), "run": np.array([2, 1, 1, 2]), "luminosityBlock": np.array([3, 9, 4, 3])}
    follows = Follows()
    source = RootSource(write_tree(tmp_path / "a.root", columns), branches="x", chunk=1)
    assert Job("t", source=source, modules={"follows": follows}, paths={"p": ["follows"]}).run().events.read == 4
    assert follows.begun == [(2, 3), (1, 9), (1, 4), (2, 3)]


def test_only_so_many_events_are_read_as_are_wanted_over_all_files(tmp_path: Path) -> None:
    files = [write_tree(tmp_path / f"{n}.root", {"x": np.arange(3) + 3 * n}) for n in range(3)]
    source = RootSource(files, branches="x", chunk=2)
    assert products_of(source.remake(events=4), "x") == [0, 1, 2, 3]
    assert products_of(source.remake(events=0), "x") == []
    assert (source.count(), RootSource(files[0], branches="x").count()) == (None, 3)
    assert RootSource(files[0], branches="x").remake(events=2).count() == 2
    output = ListOutput(keep=["x"])
    assert Job("t", source=source, modules={}, outputs=[output]).run(events=5).events.read == 5


def test_a_tree_without_entries_has_no_events(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "a.root", {"x": np.zeros(0), "j": jagged([])})
    source = RootSource(path, branches=["x", "j"])
    assert (entries_of(source), source.count()) == ([], 0)


def test_a_number_of_numpy_fits_an_input_of_pythons_and_another_type_is_a_fault_of_the_job(tmp_path: Path) -> None:
    class Reads(Producer):
        x = Input[float]("x")
        y = Output[float]()

        def produce(self, event: Event) -> None:
            event[self.y] = event[self.x]

    class ReadsArray(Reads):
        j = Input[NDArray[np.float64]]("j")

    columns = {"x": np.ones(2, np.float32), "j": jagged([[1], []])}
    source = RootSource(write_tree(tmp_path / "a.root", columns), branches=["x", "j"])
    output = ListOutput(keep=["reads"])
    Job("t", source=source, modules={"reads": Reads()}, outputs=[output]).run()
    assert [row.products["reads"] for row in output.rows] == [1.0, 1.0]
    with pytest.raises(ConfigurationError, match=r"expects .*float64.*, but 'j' is .*float32"):
        Job("t", source=source, modules={"reads": ReadsArray()}, paths={"p": ["reads"]}).run()


def test_the_library_is_imported_only_when_a_root_source_is_used() -> None:
    code = "import sys, eventbraid.sources; assert not {'uproot', 'awkward', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_the_page_shows_is_a_source_without_a_wrong_setting() -> None:
    page = (Path(__file__).parents[2] / "docs/sources.md").read_text()
    names: dict[str, Any] = {"__name__": "__main__"}
    for snippet in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(snippet, names)
    (fault,) = names["source"].faults()
    assert fault.what == "nano/*.root: matches no file"


@needs_files
def test_the_muons_of_the_hzz_file_are_those_that_uproot_reads() -> None:
    names = ["NMuon", "Muon_Px", "Muon_Charge", "triggerIsoMu24"]
    with uproot.open(HZZ) as file:
        expected = file["events"].arrays(names).to_list()
    source = RootSource(HZZ, branches=names, chunk=1000)
    assert [plain(products) for _, products in entries_of(source)] == expected
    assert source.count() == 2421


@needs_files
def test_the_events_of_the_zmumu_file_have_its_runs_and_events() -> None:
    found = entries_of(RootSource(ZMUMU, branches=["Type", "M"], run="Run", event="Event"))
    with uproot.open(ZMUMU) as file:
        arrays = file["events"].arrays(["Type", "M", "Run", "Event"]).to_list()
    assert [(id_, products["Type"], products["M"]) for id_, products in found] == [
        (EventID(each["Run"], 1, each["Event"]), each["Type"], each["M"]) for each in arrays
    ]
