"""TensorFlow Lite Micro's interpreter, the outside reference for .tflite models."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from ..frontend import import_tflite, value_names
from ..ir import Graph


@dataclass(frozen=True, eq=False)
class TflmResult:
    """One inference: outputs in order, and every value of the main subgraph by its IR name (no constants)."""

    outputs: tuple[np.ndarray, ...]
    values: Mapping[str, np.ndarray]


def tflm_version() -> str:
    """Version of the installed interpreter. Raises UserError when there is none."""
    _runtime()
    return importlib.metadata.version("tflite-micro")


def _runtime() -> Any:
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError as error:
        raise UserError(
            "TensorFlow Lite Micro's interpreter is not installed",
            found=str(error),
            hint="pip install patchloom[tflm]",
        ) from None
    return runtime


class TflmReference:
    """A model loaded into TensorFlow Lite Micro; keeps its state between runs.

    The model is imported first, because the interpreter ends the process on models it cannot take.

    Raises UserError when the package is missing or the model cannot be imported or prepared.
    """

    def __init__(self, model: bytes, preserve: bool = True) -> None:
        """preserve: keep all intermediate values, at the price of memory."""
        self.model = model
        self.graph: Graph = import_tflite(model, "model.tflite")
        self.preserve = preserve
        self._names = value_names(model, "model.tflite")
        self.reset()

    def reset(self) -> None:
        """Forget all state: a new interpreter, so that the initialisation runs again."""
        runtime = _runtime()
        total = sum(t.size_bytes for t in self.graph.tensors.values())
        config = runtime.InterpreterConfig
        try:
            self._interpreter = runtime.Interpreter.from_bytes(
                self.model,
                arena_size=(1 << 20) + 4 * total + 4096 * len(self.graph.ops),
                intrepreter_config=config.kPreserveAllTensors
                if self.preserve
                else config.kAllocationRecording,
            )
        except RuntimeError as error:
            raise UserError("TensorFlow Lite Micro cannot load the model", found=str(error)) from None

    def run(self, inputs: Mapping[str, np.ndarray]) -> TflmResult:
        """One inference. `inputs` by IR name. Raises UserError when the interpreter fails."""
        try:
            for index, name in enumerate(self.graph.inputs):
                self._interpreter.set_input(np.ascontiguousarray(inputs[name]), index)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise UserError("TensorFlow Lite Micro failed", found=str(error)) from None
        outputs = tuple(np.array(self._interpreter.get_output(i)) for i in range(len(self.graph.outputs)))
        return TflmResult(outputs, self._values() if self.preserve else {})

    def _values(self) -> dict[str, np.ndarray]:
        """Values of the graph that are tensors of the file too."""
        wanted = {n for n, t in self.graph.tensors.items() if not t.constant}
        return {
            name: np.array(self._interpreter.GetTensor(index, 0))
            for index, name in enumerate(self._names)
            if name in wanted
        }
