"""The networks that are shipped: sizes, shapes, the same numbers as in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from eventbraid_modules.tracks import GnnTracks
from eventbraid_modules.tracks.finders import NETWORKS
from eventbraid_modules.tracks.finding import GraphFinder
from eventbraid_modules.tracks.finding.features import EDGE_FEATURES, NODE_FEATURES
from eventbraid_modules.tracks.finding.graph_network import FILTER_FILE, GRAPH_FILE
from eventbraid_modules.tracks.networks import DENSE, HIDDEN, STEPS, filter_network, graph_network, sizes


def parameters(file: Path) -> int:
    """How many numbers the weights and biases of an ONNX network are."""
    weights = onnx.load(file).graph.initializer
    return sum(int(np.prod(each.dims)) for each in weights if each.data_type == TensorProto.FLOAT and each.dims)


def test_the_shipped_networks_have_the_parameters_of_the_table() -> None:
    assert (parameters(NETWORKS / FILTER_FILE), parameters(NETWORKS / GRAPH_FILE)) == sizes() == (1377, 35972)


def test_the_shipped_networks_are_small() -> None:
    assert sum(file.stat().st_size for file in NETWORKS.iterdir()) < 500_000


def test_the_table_is_that_of_an_interaction_network() -> None:
    assert DENSE["filter"][0] == DENSE["edge"][0] == EDGE_FEATURES
    assert DENSE["node"][0] == NODE_FEATURES
    assert DENSE["edge step"][0] == DENSE["node step"][0] == 3 * HIDDEN
    assert STEPS == 3


def test_torch_networks_have_the_parameters_of_the_table() -> None:
    torch = pytest.importorskip("torch")
    made = tuple(
        sum(each.numel() for each in network(torch).parameters()) for network in (filter_network, graph_network)
    )
    assert made == sizes()


def test_an_exported_network_gives_the_numbers_of_torch(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    from eventbraid_modules.tracks.train_tracks import export_both

    torch.manual_seed(1)
    first, second = filter_network(torch), graph_network(torch)
    export_both(first, second, tmp_path)
    nodes, edges = torch.randn(50, NODE_FEATURES), torch.randn(200, EDGE_FEATURES)
    inner, outer = torch.randint(0, 50, (2, 200))
    session = onnxruntime.InferenceSession(str(tmp_path / GRAPH_FILE), providers=["CPUExecutionProvider"])
    inputs = {"nodes": nodes, "edges": edges, "inner": inner, "outer": outer}
    (found,) = session.run(["logit"], {name: each.numpy() for name, each in inputs.items()})
    with torch.no_grad():
        assert np.allclose(found, second.eval()(nodes, edges, inner, outer).numpy(), atol=1e-4)


def constant(file: Path, inputs: dict[str, list[int | str]], output: str = "logit") -> None:
    """A network of those inputs that gives zeros."""
    kinds = {"inner": TensorProto.INT64, "outer": TensorProto.INT64}
    taken = [
        helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), dims) for name, dims in inputs.items()
    ]
    given = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["edges"])
    nodes = [
        helper.make_node("ReduceSum", ["edges", "axis"], ["sum"], keepdims=0),
        helper.make_node("Sub", ["sum", "sum"], [output]),
    ]
    graph = helper.make_graph(nodes, "g", taken, [given], [helper.make_tensor("axis", TensorProto.INT64, [1], [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, file)


RIGHT: dict[str, list[int | str]] = {"nodes": ["n", 2], "edges": ["e", 8], "inner": ["e"], "outer": ["e"]}


def test_networks_of_another_shape_are_an_error_that_says_what_they_take(tmp_path: Path) -> None:
    constant(tmp_path / FILTER_FILE, {"edges": ["e", 5]})
    constant(tmp_path / GRAPH_FILE, RIGHT)
    with pytest.raises(
        ValueError, match=r"filter.onnx takes {'edges': \[5\]} for each row, in place of {'edges': \[8\]}"
    ):
        GraphFinder(tmp_path)


def test_networks_with_another_output_are_an_error(tmp_path: Path) -> None:
    constant(tmp_path / FILTER_FILE, {"edges": ["e", 8]})
    constant(tmp_path / GRAPH_FILE, RIGHT, "scores")
    with pytest.raises(ValueError, match=r"graph.onnx gives \['scores'\] in place of \['logit'\]"):
        GraphFinder(tmp_path)


def test_the_shipped_networks_are_what_the_module_takes_where_nothing_is_said() -> None:
    assert GnnTracks().networks == NETWORKS
