"""Float networks as ONNX files on the Cortex-M4: RAM, flash, instructions and cycles beside onnx2c.

    python benchmarks/float_onnx.py --models FOLDER [--only NAME ...] [--plan PLAN ...] [--keep FOLDER]

The networks are those of the MLPerf Tiny keyword spotting and image classification tasks. They are written
as ONNX files as tf2onnx does: convolutions are channels first between two transposes, inputs are channels
last. Image classification has the float weights of its .tflite file; there is no float file of keyword
spotting, so the int8 weights are dequantized, which changes neither shapes nor counts. Every figure is of a
library that was verified on the emulator against the reference and against onnxruntime. Results are written
to float.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import patchloom
from onnx import TensorProto, helper, numpy_helper
from patchloom.errors import UserError
from patchloom.ir import Activation, Graph, Op, Tensor, Window
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.softmax import Softmax
from patchloom.passes.planner import Goal

HERE = Path(__file__).parent
MODELS = HERE.parent.parent / "shared" / "models"
RESULTS = HERE / "float.json"
BOARD = "generic-cortex-m4"
PLANS = ("balanced", "latency", "half", "ram")
"""Goals; half: the fastest plan in half of the RAM that onnx2c needs."""

SAMPLES = 2
OPSET = 13

ONNX2C: dict[str, dict[str, int]] = {
    "kws": {"instructions": 19_900_000, "ram_bytes": 66_000},
    "ic": {"instructions": 116_500_000, "ram_bytes": 209_000},
}
"""The same networks by onnx2c on the Cortex-M4, counted under QEMU; RAM is its activation buffers."""

FILES = {"kws": "kws_ref_model.tflite", "ic": "pretrainedResnet.tflite"}


@dataclass
class OnnxWriter:
    """Writes a float ONNX model from a channels-last graph; integers become the reals they stand for."""

    graph: Graph
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, name: str, data: np.ndarray) -> str:
        """An initializer."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(data), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """One operator with one output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], f"node_{output}", **attributes))
        return output

    def spatial(self, kind: str, x: str, rest: list[str], op: Any, **attributes: Any) -> None:
        """An operator on maps, channels first, between two transposes, and its activation."""
        y = op.outputs[0]
        first = self.node("Transpose", [x], f"{y}/nchw", perm=[0, 3, 1, 2])
        inside = self.node(kind, [first, *rest], f"{y}/map", **attributes)
        self.clamped(op.activation, self.node("Transpose", [inside], f"{y}/nhwc", perm=[0, 2, 3, 1]), y)

    def clamped(self, activation: Activation, x: str, y: str) -> None:
        """The activation as an operator of its own."""
        if activation is Activation.RELU:
            self.node("Relu", [x], y)
        elif activation is Activation.NONE:
            self.node("Identity", [x], y)
        else:
            raise UserError(f"activation {activation.name} is not written")

    def weights(self, op: Any) -> np.ndarray:
        return real(self.graph[op.weights])

    def bias(self, op: Any) -> list[str]:
        return [] if op.bias is None else [self.constant(f"{op.outputs[0]}/b", real(self.graph[op.bias]))]

    def write(self, op: Op) -> None:
        """The nodes of one operator. Raises UserError for those that these networks do not have."""
        y = op.outputs[0]
        if isinstance(op, Conv2D | DepthwiseConv2D):
            order = (0, 3, 1, 2) if isinstance(op, Conv2D) else (3, 0, 1, 2)
            w = self.constant(f"{y}/w", self.weights(op).transpose(order))
            group = 1 if isinstance(op, Conv2D) else self.graph[op.x].shape[3]
            geometry = {**window_attributes(op.window), "dilations": list(op.window.dilation)}
            self.spatial("Conv", op.x, [w, *self.bias(op)], op, group=group, **geometry)
        elif isinstance(op, AveragePool2D):
            self.spatial("AveragePool", op.x, [], op, **window_attributes(op.window))
        elif isinstance(op, FullyConnected):
            w = self.constant(f"{y}/w", self.weights(op))
            self.clamped(op.activation, self.node("Gemm", [op.x, w, *self.bias(op)], f"{y}/sum", transB=1), y)
        elif isinstance(op, Add):
            self.clamped(op.activation, self.node("Add", [op.a, op.b], f"{y}/sum"), y)
        elif isinstance(op, Reshape):
            self.node("Reshape", [op.x, self.constant(f"{y}/shape", np.array(op.shape, np.int64))], y)
        elif isinstance(op, Softmax):
            self.node("Softmax", [op.x], y, axis=-1)
        else:
            raise UserError(f"{op.kind()} is not written")

    def model(self) -> bytes:
        """The file."""
        for op in self.graph.ops:
            self.write(op)
        inputs, outputs = (
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, self.graph[n].shape) for n in names]
            for names in (self.graph.inputs, self.graph.outputs)
        )
        graph = helper.make_graph(self.nodes, "network", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def real(t: Tensor) -> np.ndarray:
    """The float32 values of a constant."""
    assert t.data is not None
    if t.quant is None:
        return t.data.astype(np.float32)
    shape = [1] * t.data.ndim
    if t.quant.axis is not None:
        shape[t.quant.axis] = -1
    scale, zero = (np.reshape(v, shape) for v in (t.quant.scale, t.quant.zero_point))
    return ((t.data.astype(np.float64) - zero) * scale).astype(np.float32)


def window_attributes(window: Window) -> dict[str, list[int]]:
    """kernel_shape, strides and pads of ONNX."""
    (top, bottom), (left, right) = window.padding
    return {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "pads": [top, left, bottom, right],
    }


def measure(model: Path, plan: str, half_bytes: int) -> dict[str, Any]:
    """Figures of one library. Raises UserError when it is not what the reference computes."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "lib"
        if plan == "half":
            compiled = patchloom.compile(model, BOARD, folder, goal="latency", max_ram=half_bytes)
        else:
            compiled = patchloom.compile(model, BOARD, folder, goal=cast(Goal, plan))
        verified = patchloom.verify(compiled.folder, samples=SAMPLES)
        if not verified.passed:
            raise UserError(f"{model.name} is wrong as planned for {plan}", found=str(verified.figures()))
        figures, profile = compiled.figures(), patchloom.profile(compiled.folder)
    return {
        **{k: figures[k] for k in ("arena_bytes", "ram_bytes", "weight_bytes", "code_bytes", "macs")},
        "stack_bytes": figures["stack_bytes"],
        "instructions": profile.instructions,
        "cycles": profile.cycles,
        "cycle_model": profile.cycle_model,
        "max_abs_diff": verified.verification.max_abs_diff,
        "reference": f"{verified.reference.name} {verified.reference.version}",
    }


def main() -> int:
    """Measure all, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of the .tflite files")
    parser.add_argument("--only", choices=sorted(FILES), nargs="*", default=sorted(FILES))
    parser.add_argument("--plan", choices=PLANS, nargs="*", default=PLANS)
    parser.add_argument("--keep", type=Path, help="folder to leave the ONNX files in")
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    try:
        with tempfile.TemporaryDirectory() as work:
            folder = args.keep or Path(work)
            for name in args.only:
                model = folder / f"{name}.onnx"
                model.write_bytes(OnnxWriter(patchloom.load(args.models / FILES[name])).model())
                half = ONNX2C[name]["ram_bytes"] // 2
                found = {plan: measure(model, plan, half) for plan in args.plan}
                entry = results.setdefault(name, {"core": "cortex-m4", "source": FILES[name], "plans": {}})
                entry["plans"] |= found
                entry["onnx2c"] = ONNX2C[name]
                for plan, figures in found.items():
                    print(f"{name} {plan}: {figures}")
    except UserError as e:
        print(e, file=sys.stderr)
        return 1
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
