"""Run as a program of its own, with TensorFlow: a Keras archive or a SavedModel to a float .tflite file.

Usage: converter.py REQUEST, a JSON file with `path`, `kind` ("keras" or "saved_model"), `shapes` by input
name, and `answer`, the name of the file to write: the model, or what stands in its way as JSON.
TensorFlow takes seconds to import, prints as it likes, and ends the process on some models: none of that
reaches the caller.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WRAPPER = "fixed_shapes"
"""Name of the model around the model, which fixes shapes; taken out of the names of values again."""

Shapes = dict[str, list[int]]


class Refused(Exception):
    """What a person is told: message, rule, found, accepted, hint; `unknown` names an input there is not."""

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.answer = {"message": message, **details}


def convert_keras(path: str, shapes: Shapes) -> bytes:
    """A .keras archive, which runs no code of its own when it is loaded in safe mode."""
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False, safe_mode=True)
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise Refused(
            "the model has no inputs",
            rule="the shapes of inputs are known",
            hint="begin the model with keras.Input(shape), and save it again",
        )
    specs = _specs([(x.name, x.shape, x.dtype) for x in inputs], shapes)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.RNN):
            _unroll(layer, inputs)
    fixed = [keras.Input(batch_shape=s.shape, dtype=s.dtype, name=s.name) for s in specs]
    sequential = isinstance(model, keras.Sequential)
    packed = fixed[0] if sequential else keras.tree.pack_sequence_as(model.input, fixed)
    results = keras.tree.flatten(model(packed, training=False))
    whole = keras.Model(fixed, results, name=_WRAPPER)
    converter = tf.lite.TFLiteConverter.from_keras_model(whole)
    outputs = [model.layers[-1].name] if sequential else list(model.output_names)
    return _converted(converter, [s.name for s in specs], outputs)


def _unroll(layer: Any, inputs: Sequence[Any]) -> None:
    """Steps instead of a loop, which the C could not have."""
    unknown = next((x for x in inputs if None in x.shape[1:]), None)
    if unknown is not None:
        raise Refused(
            f"recurrent layer {layer.name!r} cannot be unrolled",
            rule="the number of steps is fixed in the model",
            found=f"input {unknown.name!r} {_text(unknown.shape)}",
            hint="give keras.Input the whole shape, load the weights, and save it again",
        )
    layer.unroll = True


def convert_saved_model(path: str, shapes: Shapes) -> bytes:
    """A SavedModel folder: its signature `serving_default`, or the only one."""
    import tensorflow as tf

    model = tf.saved_model.load(path)
    signatures = dict(model.signatures)
    if "serving_default" not in signatures and len(signatures) != 1:
        raise Refused(
            "the folder has no signature to take",
            found=", ".join(signatures) or "none",
            accepted="serving_default, or a single one",
        )
    function = signatures.get("serving_default") or next(iter(signatures.values()))
    arguments = function.structured_input_signature[1]
    declared = [
        (n, s.shape.as_list() if s.shape.rank is not None else None, s.dtype) for n, s in arguments.items()
    ]
    specs = _specs(declared, shapes)

    outputs = sorted(function.structured_outputs)

    def serve(*tensors: Any) -> list[Any]:
        found = function(**dict(zip(arguments, tensors, strict=True)))
        return [found[name] for name in outputs]

    fixed = tf.function(serve).get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([fixed], model)
    return _converted(converter, [s.name for s in specs], outputs)


def _specs(declared: Sequence[tuple[str, Sequence[int | None] | None, Any]], shapes: Shapes) -> list[Any]:
    """Inputs with all dimensions known: an open leading one is 1, `shapes` replaces whole shapes."""
    import tensorflow as tf

    names = [name for name, _, _ in declared]
    if unknown := [n for n in shapes if n not in names]:
        raise Refused(
            f"no input is called {unknown[0]!r}",
            unknown=unknown[0],
            accepted=", ".join(names),
            hint="write --input-shape NAME=1,32,32,3 with one of these names",
        )
    return [tf.TensorSpec(_fixed(n, shape, shapes.get(n)), dtype, n) for n, shape, dtype in declared]


def _text(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"


def _fixed(name: str, shape: Sequence[int | None] | None, wanted: list[int] | None) -> list[int]:
    text = "any" if shape is None else _text(shape)
    if wanted is not None:
        fits = shape is None or (
            len(shape) == len(wanted) and all(d in (None, w) for d, w in zip(shape, wanted, strict=True))
        )
        if not fits:
            raise Refused(f"--input-shape {name} does not fit", found=f"{wanted}", accepted=text)
        return wanted
    first = [] if shape is None else [1 if d is None and i == 0 else d for i, d in enumerate(shape)]
    if shape is None or None in first:
        example = ",".join("N" if d is None else str(d) for d in first) or "1,32,32,3"
        raise Refused(
            f"input {name!r} has unknown dimensions",
            rule="only the leading dimension may be left open (it becomes 1)",
            found=text,
            hint=f"give the shape: --input-shape {name}={example}",
        )
    return [int(d) for d in first if d is not None]


def _converted(converter: Any, inputs: list[str], outputs: list[str]) -> bytes:
    """The model as a .tflite file with these names, its results in this order."""
    try:
        content = converter.convert()
    except Exception as e:
        missing = sorted(set(re.findall(r"'(tf\.\w+)' op is neither", str(e))))
        if not missing:
            raise
        raise Refused(
            "TensorFlow Lite has no operators for parts of the model",
            found=", ".join(missing),
            hint="write these parts with other operators",
        ) from e
    return _renamed(content, inputs, outputs)


def _renamed(content: bytes, inputs: list[str], outputs: list[str]) -> bytes:
    """Inputs and outputs called as in the model; the converter makes up names of its own for both."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(content)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    places = {m.name.decode(): m.tensorIndex for m in signature.inputs}
    names = {places[name]: name for name in inputs}
    results = {m.name.decode(): m.tensorIndex for m in signature.outputs}
    ordered = [results[f"output_{i}"] for i in range(len(outputs))]
    for index, name in zip(ordered, outputs, strict=True):
        names.setdefault(index, name)
    for index, tensor in enumerate(graph.tensors):
        inner = re.sub(rf"(^|;){_WRAPPER}[_\d]*/", r"\1", tensor.name.decode())
        tensor.name = names.get(index, inner).encode()
    graph.inputs, graph.outputs = [places[name] for name in inputs], ordered
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def main(request: Path) -> None:
    """Convert, and write the answer."""
    wanted = json.loads(request.read_text())
    answer = Path(wanted["answer"])
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", KERAS_BACKEND="tensorflow")
    convert = convert_keras if wanted["kind"] == "keras" else convert_saved_model
    try:
        answer.write_bytes(convert(wanted["path"], wanted["shapes"]))
    except Refused as e:
        answer.write_text(json.dumps(e.answer))
    except Exception as e:
        message = "TensorFlow cannot convert the model"
        answer.write_text(json.dumps({"message": message, "found": _reason(e)}))


def _reason(error: Exception) -> str:
    """What went wrong, in a line: Keras puts the cause behind all it was trying to do."""
    text = str(error).rpartition("Exception encountered: ")[2]
    lines = [line.rpartition(" error: ")[2].strip() for line in text.splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:160] if lines else ''}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
