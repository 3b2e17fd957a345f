"""--io int8: boundaries without conversion."""

from __future__ import annotations

import numpy as np
import pytest
from nets import Net, Q, float_boundary, texts, uint8_net
from patchloom.errors import UserError
from patchloom.ir import DType, evaluate
from patchloom.ir.ops.relu import Relu
from patchloom.passes.io_int8 import io_int8


def test_io_int8_strips_quantize_and_dequantize_at_the_boundary() -> None:
    graph = io_int8(float_boundary().graph("y"))
    assert texts(graph) == ["%y = relu(%x) activation=relu"]
    assert (graph.inputs, graph.outputs) == (("x",), ("y",))
    assert (graph["x"].dtype, graph["x"].quant, graph["y"].dtype) == (DType.INT8, Q, DType.INT8)
    x = np.array([[-100, -9, 0, 50]], np.int8)
    assert evaluate(graph, {"x": x})["y"].tolist() == [[-8, -8, 0, 50]]


def test_io_int8_strips_uint8_boundaries() -> None:
    graph = io_int8(uint8_net(Relu("relu", "x", "y")))
    assert texts(graph) == ["%y = relu(%x) activation=relu"]
    assert graph["x"].zero_point == graph["y"].zero_point == -28


def test_io_int8_leaves_int8_graphs_alone() -> None:
    net = Net()
    net.add(Relu("relu", net.input("x", (1, 4)), "y"))
    graph = net.graph("y")
    assert texts(io_int8(graph)) == texts(graph)


def test_io_int8_names_every_boundary_that_stays_float() -> None:
    net = Net()
    net.add(Relu("relu", net.input("x", (1, 4), DType.FLOAT32), "y"))
    with pytest.raises(UserError) as caught:
        io_int8(net.graph("y"))
    assert "input 'x' float32" in caught.value.found and "output 'y' float32" in caught.value.found


def test_io_int8_keeps_a_float_input_that_others_read() -> None:
    net = float_boundary()
    net.add(Relu("other", "x", "z"))
    with pytest.raises(UserError, match="not every input"):
        io_int8(net.graph("y", "z"))
