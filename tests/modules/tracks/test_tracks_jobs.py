"""Track finding in jobs: the same products in all modes, in process and served, with bad input and without any."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
from gun import NOTHING, gun
from real_triton import require_triton

from eventbraid import Job, ModuleError, Producer
from eventbraid.job import Mode
from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer, TritonServer
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.tracks import (
    CombinatorialTracks,
    GnnTracks,
    Hits,
    ServedTracks,
    Tracker,
    TrackPerformance,
    Tracks,
)
from eventbraid_modules.tracks.finding.detector import RADII
from eventbraid_modules.tracks.repository import build_gnn, build_rule

EXAMPLE = Path(__file__).parents[3] / "examples/tracks.py"
HERE: dict[str, Callable[[], Producer]] = {"tracks_gnn": GnnTracks, "tracks_rule": CombinatorialTracks}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with both finders."""
    folder = tmp_path_factory.mktemp("models")
    for name, build in (("tracks_gnn", build_gnn), ("tracks_rule", build_rule)):
        (folder / name).mkdir()
        build(folder / name)
    return folder


def events() -> list[dict[str, Any]]:
    """Particles of four events, one of them without any."""
    rng = np.random.default_rng(1)
    return [{"particles": particles} for particles in (gun(rng, 60), NOTHING, gun(rng, 5), gun(rng, 120))]


def labels(tracks: Any, mode: Mode = "async", servers: Sequence[str] = ()) -> list[np.ndarray]:
    """The labels of each event."""
    output = ListOutput(keep=["tracks"])
    modules = {"tracker": Tracker(), "tracks": tracks}
    job = Job("t", source=ListSource(events()), modules=modules, outputs=[output], servers=list(servers), streams=4)
    assert job.run(mode).events.passed == 4
    return [row.products["tracks"].label for row in output.rows]


def equal(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    """True for the same labels in all events."""
    return all(np.array_equal(*each) and each[0].dtype == each[1].dtype for each in zip(one, other, strict=True))


@pytest.mark.parametrize("name", HERE)
def test_labels_in_this_process_are_the_same_in_every_mode(name: str) -> None:
    found = [labels(HERE[name](), mode) for mode in get_args(Mode)]
    assert found[0][3].max() > 100
    assert found[0][1].max() == -1
    assert all(equal(found[0], each) for each in found)


@pytest.fixture
def embedded(models: Path) -> Iterator[str]:
    """The address of an embedded server with both finders."""
    yield from _running(lambda: EmbeddedServer([models]))


@pytest.fixture(scope="module")
def triton(models: Path) -> Iterator[str]:
    """The address of the real Triton with both finders."""
    require_triton()
    yield from _running(lambda: TritonServer([models]))


def _running(make: Callable[[], Any]) -> Iterator[str]:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    server = make()
    with ThreadPoolExecutor(1) as thread, asyncio.Runner() as runner:
        thread.submit(runner.run, server.start()).result()
        try:
            yield server.address
        finally:
            thread.submit(runner.run, server.stop()).result()


@pytest.mark.parametrize("server", ["embedded", pytest.param("triton", marks=pytest.mark.triton)])
@pytest.mark.parametrize("name", HERE)
def test_served_labels_are_those_of_this_process(name: str, server: str, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue(server)
    here = labels(HERE[name]())
    for mode in ("async", "blocking"):
        assert equal(labels(ServedTracks(model=name), mode, [address]), here)


@pytest.mark.parametrize("server", ["embedded", pytest.param("triton", marks=pytest.mark.triton)])
async def test_a_served_model_says_which_hits_are_wrong(server: str, request: pytest.FixtureRequest) -> None:
    grpc = pytest.importorskip("tritonclient.grpc.aio")
    hits = np.stack([RADII, 0 * RADII, 0 * RADII], axis=1).astype(np.float32)
    hits[4] = np.nan
    tensor = grpc.InferInput("hits", list(hits.shape), "FP32").set_data_from_numpy(hits)
    async with grpc.InferenceServerClient(request.getfixturevalue(server)) as client:
        with pytest.raises(Exception, match="hit 4 is not finite"):
            await client.infer("tracks_gnn", [tensor])


@pytest.mark.parametrize("tracks", [GnnTracks, CombinatorialTracks])
def test_wrong_hits_are_the_error_of_the_event_in_this_process(tracks: Callable[..., Producer]) -> None:
    job = Job(
        "t", source=ListSource([{"hits": wrong()}]), modules={"tracks": tracks(hits="hits")}, paths={"p": ["tracks"]}
    )
    with pytest.raises(ModuleError, match="hit 2 is not finite"):
        job.run()


def test_wrong_hits_are_the_error_of_the_event_before_they_are_sent(embedded: str) -> None:
    modules = {"tracks": ServedTracks(model="tracks_rule", hits="hits")}
    job = Job("t", source=ListSource([{"hits": wrong()}]), modules=modules, paths={"p": ["tracks"]}, servers=[embedded])
    with pytest.raises(ModuleError, match="hit 2 is not finite") as raised:
        job.run()
    assert raised.value.step == "acquire"


def wrong() -> Hits:
    """Hits of which one is not a number."""
    position = np.stack([RADII, 0 * RADII, 0 * RADII], axis=1).astype(np.float32)
    position[2, 1] = np.nan
    return Hits(position, np.arange(10, dtype=np.int8))


def test_a_model_that_takes_something_else_is_told_before_the_first_hit_is_sent(tmp_path: Path) -> None:
    build_rule(made := tmp_path / "tracks_rule")
    config = made / "config.pbtxt"
    config.write_text(
        config.read_text().replace(
            'name: "hits" data_type: TYPE_FP32 dims: [ -1, 3 ]', 'name: "hits" data_type: TYPE_FP32 dims: [ -1, 4 ]'
        )
    )
    for address in _running(lambda: EmbeddedServer([tmp_path])):
        with pytest.raises(ModuleError, match=r"hits.*\[-1, ?4\]"):
            labels(ServedTracks(model="tracks_rule"), "async", [address])


def test_a_model_that_gives_too_few_labels_is_an_error_that_says_so(tmp_path: Path) -> None:
    build_rule(made := tmp_path / "tracks_rule")
    model = made / "1/model.py"
    model.write_text(model.read_text().replace("self._find(position)", "self._find(position)[:-1]"))
    for address in _running(lambda: EmbeddedServer([tmp_path])):
        with pytest.raises(ModuleError, match=r"the model gave labels of the shape \[\d+\] for \d+ hits"):
            labels(ServedTracks(model="tracks_rule"), "async", [address])


def test_an_event_without_hits_has_no_labels_and_asks_no_server(embedded: str) -> None:
    nothing = Hits(np.empty((0, 3), np.float32), np.empty(0, np.int8))
    for tracks in (
        ServedTracks(model="tracks_gnn", hits="hits"),
        GnnTracks(hits="hits"),
        CombinatorialTracks(hits="hits"),
    ):
        output = ListOutput(keep=["tracks"])
        source = ListSource([{"hits": nothing}])
        Job("t", source=source, modules={"tracks": tracks}, outputs=[output], servers=[embedded]).run()
        found = output.rows[0].products["tracks"]
        assert isinstance(found, Tracks)
        assert len(found) == 0
        assert found.label.dtype == np.int64
        assert found.label.shape == (0,)


def test_a_built_model_has_all_it_needs_beside_it(models: Path) -> None:
    files = {each.relative_to(models / "tracks_gnn").as_posix() for each in (models / "tracks_gnn").rglob("*.*")}
    assert {"config.pbtxt", "1/model.py", "1/filter.onnx", "1/graph.onnx", "1/track_finding/__init__.py"} <= files
    code = "".join(each.read_text() for each in (models / "tracks_gnn").rglob("*.py"))
    assert "import eventbraid" not in code
    assert "from eventbraid" not in code


def test_the_job_prints_figures_of_merit_that_are_the_same_in_every_mode() -> None:
    modules = {"tracker": Tracker(), "tracks": CombinatorialTracks(), "performance": TrackPerformance()}
    job = Job("t", source=ListSource(events()), modules=modules, streams=4)
    found = [job.run(mode).figures["performance"] for mode in get_args(Mode)]
    assert found[0] == found[1] == found[2]
    assert found[0]["particles to be found"] == 185
    assert float(found[0]["efficiency, %"]) > 97
    assert float(found[0]["fake rate, %"]) < 3
    assert float(found[0]["duplicate rate, %"]) < 2


def test_figures_of_events_without_particles_are_no_numbers() -> None:
    modules = {"tracker": Tracker(), "tracks": CombinatorialTracks(), "performance": TrackPerformance()}
    figures = Job("t", source=ListSource([{"particles": NOTHING}]), modules=modules).run().figures["performance"]
    assert figures["efficiency, %"] == "nan"
    assert figures["tracks"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("pileup", [0, 20])
def test_the_example_finds_the_tracks_of_collisions(
    embedded: str, pileup: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for library in ("pythia8mc", "pyarrow"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    job = load_job(EXAMPLE).replace(events=20, servers=[embedded])
    source = dataclasses.replace(job, source=type(job.source)(events=20, seed=2, pileup=pileup))
    modules = {**job.modules, "tracker": Tracker(collisions=1 + pileup)}
    figures = dataclasses.replace(source, modules=modules).run().figures["performance"]
    assert float(figures["efficiency, %"]) > 98.5
    assert float(figures["fake rate, %"]) < 2
    assert float(figures["duplicate rate, %"]) < 1
