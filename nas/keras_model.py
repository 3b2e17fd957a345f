"""From a network to a Keras model, and back to weights. TensorFlow is imported when a model is built."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..errors import UserError
from .graph import LayerValues
from .network import (
    INPUT,
    Add,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAverage,
    Layer,
    Network,
    Pool,
    sources,
)

_EPSILON = 1e-3
"""What batch normalization adds to variances: Keras' default."""


def keras() -> Any:
    """The Keras package on TensorFlow. Raises UserError with the way to install it where it is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import keras as package
        import tensorflow  # noqa: F401
    except ImportError as e:
        raise UserError(
            "training needs TensorFlow and Keras", found=str(e), hint="pip install patchloom[nas]"
        ) from e
    return package


def keras_model(network: Network) -> Any:
    """A trainable model: convolutions are followed by batch normalization, which weights_of folds.

    Inputs [N, *input_shape] float32; the output has no activation beyond that of the last layer.
    """
    k = keras()
    values = {INPUT: k.Input(network.input_shape, name=INPUT)}
    for layer in network.layers:
        values[layer.name] = _built(k, layer, [values[x] for x in sources(layer)])
    return k.Model(values[INPUT], values[network.output])


def _built(k: Any, layer: Layer, xs: list[Any]) -> Any:
    """The layer's Keras layers applied to its inputs."""
    layers, x, name = k.layers, xs[0], layer.name
    if isinstance(layer, Conv | DepthwiseConv):
        window = (layer.kernel, layer.stride, "same")
        alike = {"dilation_rate": layer.dilation, "use_bias": False, "name": name}
        if isinstance(layer, Conv):
            conv = layers.Conv2D(layer.filters, *window, kernel_initializer="he_normal", **alike)
        else:
            conv = layers.DepthwiseConv2D(*window, depthwise_initializer="he_normal", **alike)
        return _normalized(k, layer, conv(x))
    if isinstance(layer, Dense):
        if layer.batch_norm:
            return _normalized(k, layer, layers.Dense(layer.units, use_bias=False, name=name)(x))
        return _activated(k, layer.activation, name, layers.Dense(layer.units, name=name)(x))
    if isinstance(layer, Add):
        return _activated(k, layer.activation, name, layers.Add(name=name)(xs))
    if isinstance(layer, Concat):
        return layers.Concatenate(axis=-1, name=name)(xs)
    if isinstance(layer, Pool):
        pool = layers.MaxPooling2D if layer.kind == "max" else layers.AveragePooling2D
        return pool(layer.window, layer.stride, "valid", name=name)(x)
    if isinstance(layer, GlobalAverage):
        return layers.GlobalAveragePooling2D(name=name)(x)
    assert isinstance(layer, Flatten)
    return layers.Flatten(name=name)(x)


def _normalized(k: Any, layer: Conv | DepthwiseConv | Dense, x: Any) -> Any:
    normal = k.layers.BatchNormalization(name=f"{layer.name}.norm", momentum=0.9, epsilon=_EPSILON)
    return _activated(k, layer.activation, layer.name, normal(x))


def _activated(k: Any, activation: str, name: str, x: Any) -> Any:
    if activation == "none":
        return x
    return k.layers.ReLU(6.0 if activation == "relu6" else None, name=f"{name}.{activation}")(x)


def weights_of(model: Any, network: Network) -> dict[str, LayerValues]:
    """Weights and biases in the IR's layout, batch normalization folded in."""
    found = {}
    for layer in network.layers:
        if isinstance(layer, Conv | DepthwiseConv | Dense):
            found[layer.name] = _folded(model, layer)
    return found


def _folded(model: Any, layer: Conv | DepthwiseConv | Dense) -> LayerValues:
    kernel, *bias = (np.asarray(v, np.float64) for v in model.get_layer(layer.name).get_weights())
    if isinstance(layer, Conv):
        kernel = kernel.transpose(3, 0, 1, 2)
    elif isinstance(layer, DepthwiseConv):
        kernel = kernel.transpose(3, 0, 1, 2)  # [KH,KW,C,1] to [1,KH,KW,C]
    else:
        kernel = kernel.T
    if bias:
        return LayerValues(kernel.astype(np.float32), bias[0].astype(np.float32))
    normal = model.get_layer(f"{layer.name}.norm")
    gamma, beta, mean, variance = (np.asarray(v, np.float64) for v in normal.get_weights())
    factor = gamma / np.sqrt(variance + _EPSILON)
    scaled = (
        kernel * factor
        if isinstance(layer, DepthwiseConv)
        else kernel * factor.reshape(-1, *([1] * (kernel.ndim - 1)))
    )
    return LayerValues(scaled.astype(np.float32), (beta - mean * factor).astype(np.float32))
