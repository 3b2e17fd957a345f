"""What counts as equal: not-a-number is never close to a number, and integers have no tolerance."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from cli_support import patchloom
from library_support import conv_net, fully_connected, library_of, model_file, state_net
from nets import Net, Q
from patchloom import api
from patchloom.codegen.selftest import FLOAT_TOLERANCE
from patchloom.emulation.differences import largest_difference, rounded_values, tolerance
from patchloom.emulation.verify import random_inputs, verify_library
from patchloom.ir import DType, Graph
from patchloom.ir.ops.dequantize import Dequantize
from patchloom.ir.ops.maximum import Maximum
from patchloom.ir.ops.quantize import Quantize
from patchloom.passes.planner.kernel import STATE_PREFIX

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("want", "got", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([NAN], [NAN], 0.0),
        ([INF, -INF], [INF, -INF], 0.0),
        ([1.0], [NAN], INF),
        ([NAN], [1.0], INF),
        ([INF], [-INF], INF),
        ([INF], [1e30], INF),
        ([], [], 0.0),
    ],
)
def test_largest_difference_of_floats(want: list[float], got: list[float], difference: float) -> None:
    assert largest_difference(np.array(want, np.float32), np.array(got, np.float32)) == difference


def test_largest_difference_of_integers_does_not_wrap() -> None:
    assert largest_difference(np.array([-128], np.int8), np.array([127], np.int8)) == 255


def test_tolerance_is_relative_to_large_floats_and_none_for_integers() -> None:
    assert tolerance(np.array([0.1, 50, INF], np.float32), True) == pytest.approx(50 * FLOAT_TOLERANCE)
    assert tolerance(np.array([0.1], np.float32), False) == FLOAT_TOLERANCE
    assert tolerance(np.array([100], np.int8), False) == 0
    assert tolerance(np.array([100], np.int8), True) == 1


def quantized_inside() -> Graph:
    """Float boundary, integers inside; the output is always the same."""
    net = Net()
    x = net.input("x", (1, 6), DType.FLOAT32)
    q = net.add(Quantize("q", x, "q"), DType.INT8, Q)
    y = fully_connected(net, "y", q, 3)
    most = net.const("most", np.full((1, 3), 127, np.int8))
    m = net.add(Maximum("m", y, most, "m"))
    return net.graph(net.add(Dequantize("d", m, "d"), DType.FLOAT32))


def test_integer_values_are_exact_whatever_the_boundary_and_float_ones_are_not() -> None:
    assert rounded_values(quantized_inside()) == frozenset()
    assert rounded_values(conv_net()) == frozenset()
    floats = rounded_values(conv_net(DType.FLOAT32))
    assert floats == {"conv", "dw", "pool", "scores", "probabilities"}
    assert {STATE_PREFIX + "hidden", "cell", "gate"} <= rounded_values(state_net(DType.FLOAT32))
    assert "join" not in rounded_values(state_net(DType.FLOAT32)), "moved, not computed"


def test_a_wrong_integer_layer_fails_although_the_float_output_is_right(tmp_path: Path) -> None:
    library, folder = library_of(quantized_inside(), tmp_path)
    samples = list(random_inputs(library.graph, 4))
    assert verify_library(library, folder, samples, "host").bit_exact
    weights = folder / "net_weights.c"
    array = next(a for a in library.view.arrays if a.comment == "weights of y")
    text = weights.read_text()
    at = text.index("{", text.index(f"{array.symbol}[")) + 1
    row = next(array.rows)
    weights.write_text(text[:at] + text[at:].replace(row, ", ".join(["99"] * len(row.split(","))), 1))
    result = verify_library(library, folder, samples, "host")
    assert result.max_abs_diff == 0
    assert not result.bit_exact and not result.within_tolerance and not result.passed
    assert result.first[0].what == "layer output 'y'"


def test_nan_in_a_float_output_fails_and_is_null_in_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "measure", lambda library, board: None)
    model = model_file(conv_net(DType.FLOAT32), tmp_path / "net.tflite")
    assert patchloom("compile", model, "--board", "nrf52840dk", "-o", tmp_path / "out").code == 0
    source = tmp_path / "out" / "net.c"
    text = source.read_text()
    spoil = (
        "    memset((void *)(uintptr_t)(const void *)net_output(arena), 0xFF, NET_OUTPUT_BYTES); /* NaN */"
    )
    source.write_text(text.replace("    return NET_OK;\n}", f"{spoil}\n    return NET_OK;\n}}"))
    result = patchloom("verify", tmp_path / "out", "--samples", 2, "--on", "host", "--json")
    assert result.code == 1
    assert result.json["max_abs_diff"] is None and not result.json["within_tolerance"]
    words = patchloom("verify", tmp_path / "out", "--samples", 2, "--on", "host")
    assert words.code == 1 and "DIFFERENT" in words.out and "largest difference inf" in words.out
