"""onnxruntime, the outside reference for .onnx models."""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError


def ort_version() -> str:
    """Version of the installed runtime. Raises UserError when there is none."""
    _runtime()
    return importlib.metadata.version("onnxruntime")


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            "onnxruntime is not installed", found=str(error), hint="pip install patchloom[onnxruntime]"
        ) from None
    return onnxruntime


class OrtReference:
    """A model loaded into onnxruntime, with all optimisations.

    version  of the package

    session.x64quantprecision makes 8-bit products exact on processors whose fast instructions saturate
    at 16 bits. One thread: results then do not depend on the machine's.

    Raises UserError when the package is missing or does not take the model.
    """

    def __init__(self, model: bytes) -> None:
        runtime = _runtime()
        self.version = ort_version()
        options = runtime.SessionOptions()
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.x64quantprecision", "1")
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own classes, which need not exist in every version
            raise _refused(error) from None
        self._inputs = [i.name for i in self._session.get_inputs()]
        self._outputs = [o.name for o in self._session.get_outputs()]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs for inputs, both in the order of the model. Raises UserError when it cannot run them."""
        try:
            return list(self._session.run(self._outputs, dict(zip(self._inputs, inputs, strict=True))))
        except Exception as error:  # as above
            raise _refused(error) from None


def optimised_operators(model: bytes) -> frozenset[str]:
    """Kinds of operators that are left of a model when onnxruntime has optimised it.

    Raises UserError when the package is missing or does not take the model.
    """
    import onnx

    runtime = _runtime()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = runtime.SessionOptions()
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 4
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # as above
            raise _refused(error) from None
        return frozenset(node.op_type for node in onnx.load(path).graph.node)


def _refused(error: Exception) -> UserError:
    return UserError("onnxruntime does not run the model", found=str(error).split("\n")[0][:200])
