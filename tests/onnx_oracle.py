"""What ONNX says an operator gives: onnxruntime without graph optimisations, or the reference of `onnx`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="ONNX's semantics cannot be compared without the onnx package")
reference = pytest.importorskip("onnx.reference")
shape_inference = pytest.importorskip("onnx.shape_inference")
onnxruntime = pytest.importorskip("onnxruntime", reason="nothing to compare with")

OPSET = 22


def onnx_node(
    op_type: str,
    inputs: Mapping[str, np.ndarray | None],
    outputs: Sequence[str],
    runtime: bool = True,
    opset: int = OPSET,
    **attributes: Any,
) -> list[np.ndarray]:
    """Outputs of one node; inputs and outputs in ONNX's order, absent ones None or "".

    runtime   onnxruntime computes them, else the reference evaluator of the onnx package
    """
    helper = onnx.helper
    given = {name: value for name, value in inputs.items() if value is not None}
    names = [name if value is not None else "" for name, value in inputs.items()]
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in given.items()
    ]
    results = [helper.make_tensor_value_info(y, onnx.TensorProto.UNDEFINED, None) for y in outputs if y]
    node = helper.make_node(op_type, names, list(outputs), **attributes)
    graph = helper.make_graph([node], "node", values, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    wanted = [y for y in outputs if y]
    if not runtime:
        return list(reference.ReferenceEvaluator(model).run(wanted, given))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    model = shape_inference.infer_shapes(model, strict_mode=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(wanted, given))
