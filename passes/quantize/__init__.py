"""Post-training quantization: from a float graph and calibration data to an integer graph."""

from .data import Calibration, Sample, labels_of, load_arrays, samples_of
from .observers import OBSERVERS
from .ptq import IntegerModel, RoundingName, Techniques, quantize_graph
from .report import LayerNoise, Metric, layer_noise, logits_of, logits_sqnr, measure, sqnr_db
from .statistics import Progress

__all__ = [
    "OBSERVERS",
    "Calibration",
    "IntegerModel",
    "LayerNoise",
    "Metric",
    "Progress",
    "RoundingName",
    "Sample",
    "Techniques",
    "labels_of",
    "layer_noise",
    "load_arrays",
    "logits_of",
    "logits_sqnr",
    "measure",
    "quantize_graph",
    "samples_of",
    "sqnr_db",
]
