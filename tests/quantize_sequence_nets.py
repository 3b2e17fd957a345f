"""Small float ONNX networks with attention and with recurrent layers, for tests of quantization."""

from __future__ import annotations

import numpy as np
import onnx
from onnx_nets import OnnxNet

TOKENS, WIDTH, HEADS, CLASSES = 16, 24, 3, 6
FRAMES, FEATURES, UNITS = 20, 10, 16


def _norm(net: OnnxNet, x: str) -> str:
    scale = net.constant(net.rng.uniform(0.5, 1.5, WIDTH).astype(np.float32))
    return net.add("LayerNormalization", x, scale, net.weights(WIDTH, scale=0.2), axis=-1)


def _dense(net: OnnxNet, x: str, inputs: int, outputs: int) -> str:
    y = net.add("MatMul", x, net.weights(inputs, outputs, scale=1.3 / inputs**0.5))
    return net.add("Add", y, net.weights(outputs, scale=0.2))


def _attention(net: OnnxNet, x: str) -> str:
    """Three heads; each product of queries and keys is divided by the root of their depth."""
    parts = []
    for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
        y = net.add("Reshape", _dense(net, x, WIDTH, WIDTH), net.ints(1, TOKENS, HEADS, WIDTH // HEADS))
        parts.append(net.add("Transpose", y, perm=perm))
    q, k, v = parts
    root = net.constant(np.array((WIDTH / HEADS) ** 0.5, np.float32))
    scores = net.add("Softmax", net.add("Div", net.add("MatMul", q, k), root), axis=-1)
    y = net.add("Transpose", net.add("MatMul", scores, v), perm=[0, 2, 1, 3])
    return _dense(net, net.add("Reshape", y, net.ints(1, TOKENS, WIDTH)), WIDTH, WIDTH)


def _gelu(net: OnnxNet, x: str) -> str:
    erf = net.add("Erf", net.add("Div", x, net.constant(np.array(2**0.5, np.float32))))
    y = net.add("Mul", x, net.add("Add", erf, net.constant(np.array(1, np.float32))))
    return net.add("Mul", y, net.constant(np.array(0.5, np.float32)))


def transformer() -> onnx.ModelProto:
    """Patches of a [1,3,16,16] image embedded by a convolution, one encoder block, mean of tokens."""
    net = OnnxNet(11)
    x = net.input([1, 3, 16, 16])
    patches = net.add(
        "Conv", x, net.weights(WIDTH, 3, 4, 4), net.weights(WIDTH, scale=0.1),
        kernel_shape=[4, 4], strides=[4, 4],
    )  # fmt: skip
    y = net.add("Transpose", net.add("Reshape", patches, net.ints(1, WIDTH, TOKENS)), perm=[0, 2, 1])
    y = net.add("Add", y, net.weights(1, TOKENS, WIDTH, scale=0.3))
    y = net.add("Add", y, _attention(net, _norm(net, y)))
    z = _gelu(net, _dense(net, _norm(net, y), WIDTH, 2 * WIDTH))
    y = net.add("Add", y, _dense(net, z, 2 * WIDTH, WIDTH))
    y = net.add("ReduceMean", _norm(net, y), axes=[1], keepdims=0)
    return net.model(net.add("Gemm", y, net.weights(CLASSES, WIDTH), net.weights(CLASSES), transB=1))


def keywords(kind: str) -> onnx.ModelProto:
    """A convolution over the frames of a [1,20,10] sequence, a GRU or LSTM, classes from its last state."""
    net = OnnxNet(12)
    gates = {"GRU": 3, "LSTM": 4}[kind]
    x = net.add("Transpose", net.input([1, FRAMES, FEATURES]), perm=[0, 2, 1])
    w, b = net.weights(FEATURES, FEATURES, 3), net.weights(FEATURES, scale=0.2)
    x = net.add("Relu", net.add("Conv", x, w, b, kernel_shape=[3], pads=[1, 1]))
    sequence = net.add("Transpose", x, perm=[2, 0, 1])
    weights = [
        net.weights(1, gates * UNITS, FEATURES, scale=0.4),
        net.weights(1, gates * UNITS, UNITS, scale=0.3),
    ]
    bias = net.weights(1, 2 * gates * UNITS, scale=0.1)
    extra = {"linear_before_reset": 1} if kind == "GRU" else {}
    _, last = net.add(kind, sequence, *weights, bias, outputs=2, hidden_size=UNITS, **extra)
    y = net.add("Reshape", last, net.ints(1, UNITS))
    y = net.add("Gemm", y, net.weights(CLASSES, UNITS), net.weights(CLASSES), transB=1)
    return net.model(net.add("Softmax", y, axis=-1))


def smooth_images(count: int, seed: int) -> np.ndarray:
    """Random inputs [N,1,3,16,16] of `transformer`, neighbours alike."""
    coarse = np.random.default_rng(seed).normal(size=(count, 1, 3, 8, 8))
    return np.repeat(np.repeat(coarse, 2, axis=3), 2, axis=4).astype(np.float32)


def sequences(count: int, seed: int) -> np.ndarray:
    """Random walks [N,1,20,10], inputs of `keywords`."""
    steps = np.random.default_rng(seed).normal(size=(count, 1, FRAMES, FEATURES))
    return (np.cumsum(steps, axis=2) / 3).astype(np.float32)
