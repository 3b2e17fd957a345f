"""TensorFlow Lite Micro's interpreter, the outside reference for .tflite models."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tflite

from ..errors import UserError
from ..frontend import import_tflite, value_names
from ..frontend.tflite.model import parse_model
from ..ir import Graph

_SOURCE = "model.tflite"


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


@contextmanager
def _captured_stderr() -> Iterator[Callable[[], str]]:
    """What native code writes to file descriptor 2 meanwhile, the interpreter's reasons, on one line."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)

        def text() -> str:
            file.seek(0)
            return "; ".join(file.read().decode(errors="replace").split("\n")).strip("; ")

        try:
            yield text
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class TflmReference:
    """A model loaded into TensorFlow Lite Micro; keeps its state between runs.

    graph    the model as imported
    version  of the interpreter's package

    The model is imported first, because the interpreter ends the process on models it cannot take.

    Raises UserError when the package is missing or the model cannot be imported or prepared.
    """

    def __init__(self, model: bytes, preserve: bool = True) -> None:
        """preserve: keep all intermediate values for `values`, at the price of memory."""
        self.version = tflm_version()
        self.graph: Graph = import_tflite(model, _SOURCE)
        _refuse_crashes(model)
        self._model = model
        self._preserve = preserve
        self._names = value_names(model, _SOURCE)
        self.reset()

    def reset(self) -> None:
        """Forget all state: a new interpreter, so that the initialisation runs again."""
        runtime = _runtime()
        total = sum(t.size_bytes for t in self.graph.tensors.values())
        kinds = runtime.InterpreterConfig
        with _captured_stderr() as reason:
            try:
                self._interpreter = runtime.Interpreter.from_bytes(
                    self._model,
                    arena_size=(1 << 20) + 4 * total + 4096 * len(self.graph.ops),
                    intrepreter_config=kinds.kPreserveAllTensors
                    if self._preserve
                    else kinds.kAllocationRecording,
                )
            except RuntimeError as error:
                raise UserError(
                    "TensorFlow Lite Micro cannot load the model", found=reason() or str(error)
                ) from None

    def run(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Outputs of one inference, in the graph's order, as are `inputs`.

        Raises UserError when the interpreter refuses the inputs or an operator.
        """
        with _captured_stderr() as reason:
            try:
                for index, x in enumerate(inputs):
                    self._interpreter.set_input(np.asarray(x, order="C"), index)
                self._interpreter.invoke()
                return tuple(
                    np.array(self._interpreter.get_output(i)) for i in range(len(self.graph.outputs))
                )
            except (RuntimeError, ValueError) as error:
                raise UserError("TensorFlow Lite Micro failed", found=reason() or str(error)) from None

    def values(self) -> dict[str, np.ndarray]:
        """Values of the last run by IR name, for those that are tensors of the file; no constants.

        Raises UserError when the interpreter was not told to preserve them.
        """
        if not self._preserve:
            raise UserError(
                "intermediate values were not preserved", hint="TflmReference(model, preserve=True)"
            )
        wanted = {n: t for n, t in self.graph.tensors.items() if not t.constant}
        return {
            name: np.array(self._interpreter.GetTensor(index, 0)["tensor_data"]).reshape(wanted[name].shape)
            for index, name in enumerate(self._names)
            if name in wanted
        }


def _refuse_crashes(model: bytes) -> None:
    """The interpreter follows a null pointer where the bias of a depthwise convolution is -1."""
    for index, op in enumerate(parse_model(model, _SOURCE).subgraphs[0].ops):
        if op.code == tflite.BuiltinOperator.DEPTHWISE_CONV_2D and -1 in op.inputs:
            raise UserError(
                "TensorFlow Lite Micro cannot run the model",
                rule="a depthwise convolution without bias must leave it out",
                found=f"operator {index} has bias -1",
            )
