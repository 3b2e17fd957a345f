"""What `compile` can be asked for beside a board: quantization, new frames only, rows of the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import patchloom as package
import pytest
from cli_support import patchloom
from emulation_support import need_host
from library_support import buffers, conv_net, library_of, model_file, run_program
from nets import Net
from patchloom import api
from patchloom.ir import DType
from stream_nets import causal_net

BOARD = "nrf52840dk"


def test_a_float_model_is_quantized_and_compiled_in_one_go(tmp_path: Path) -> None:
    need_host()
    model = model_file(conv_net(DType.FLOAT32), tmp_path / "net.tflite")
    data = tmp_path / "images.npy"
    np.save(data, np.random.default_rng(0).normal(size=(12, 9, 8, 3)).astype(np.float32))
    out = tmp_path / "out"
    done = patchloom("compile", model, "--board", BOARD, "--calibration", data, "-o", out, "--json")
    assert done.code == 0, done.err
    assert done.json["name"] == "net"
    assert "int8_t *x" in (out / "net.c").read_text()
    verified = patchloom("verify", out, "--on", "host", "--samples", 3, "--json")
    assert verified.code == 0, verified.out


def test_a_network_over_a_window_is_compiled_for_new_frames(tmp_path: Path) -> None:
    need_host()
    model = model_file(causal_net(frames=15, bands=4, channels=8, blocks=2), tmp_path / "net.tflite")
    out = tmp_path / "out"
    command = ("compile", model, "--board", BOARD, "--stream-axis", "time", "--hop", 1, "-o", out, "--json")
    done = patchloom(*command)
    assert done.code == 0, done.err
    told = done.json["streaming"]
    assert 0 < told["macs_call"] == done.json["macs"] < told["macs_window"]
    assert done.json["state_bytes"] >= told["state_bytes"] > 0
    verified = patchloom("verify", out, "--on", "host", "--samples", 20, "--json")
    assert verified.code == 0, verified.out
    bad = patchloom("compile", model, "--board", BOARD, "--stream-axis", "width", "-o", tmp_path / "bad")
    assert bad.code == 2 and "no such axis" in bad.err
    assert not (tmp_path / "bad").exists()


def test_rows_are_taken_one_by_one_and_only_after_begin(tmp_path: Path) -> None:
    need_host()
    library, folder = library_of(conv_net(), tmp_path, input_mode="rows")
    differs = run_program(
        library,
        folder,
        """
        static int8_t whole[NET_OUTPUT_BYTES];
        for (int i = 0; i < (int)sizeof input; i++) {
            input[i] = (int8_t)(i * 37);
        }
        memset(arena, 0xff, sizeof arena);
        if (net_feed_row(arena, input) != NET_ERROR_INPUT) return 1; /* counts of rows that cannot be */
        if (net_begin(NULL) != NET_ERROR_ARENA) return 2;
        if (net_run(arena, input) != NET_OK) return 3;
        memcpy(whole, net_output(arena), sizeof whole);
        for (int again = 0; again < 2; again++) {
            if (net_begin(arena) != NET_OK) return 4;
            for (int r = 0; r < NET_INPUT_ROWS; r++) {
                int8_t row[NET_INPUT_ROW_ELEMENTS];
                memcpy(row, input + r * NET_INPUT_ROW_ELEMENTS, sizeof row);
                const net_status status = net_feed_row(arena, row);
                if (status != (r + 1 < NET_INPUT_ROWS ? NET_MORE_ROWS : NET_OK)) return 5;
                memset(row, 0x55, sizeof row); /* it belongs to the caller again */
            }
            if (memcmp(whole, net_output(arena), sizeof whole) != 0) return 6;
        }
        return 0;
        """,
        definitions="#include <string.h>\n" + buffers(library),
    )
    assert differs == 0


def test_a_graph_without_operators_that_fits_nothing_is_one_message(tmp_path: Path) -> None:
    net = Net()
    model = model_file(net.graph(net.input("x", (1, 40, 30, 20))), tmp_path / "net.tflite")
    result = patchloom("compile", model, "--board", "microbit-v1", "-o", tmp_path / "out")
    assert result.code == 1 and "B of RAM too many" in result.err


def test_without_a_toolchain_room_is_kept_for_the_code_of_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "measure", lambda library, target: None)
    model = model_file(conv_net(), tmp_path / "net.tflite")
    roomy = package.compile(model, BOARD, tmp_path / "roomy")
    assert roomy.footprint is None and roomy.library.options.layer_code_bytes == 0
    weights = roomy.figures()["weight_bytes"]
    tight = package.compile(model, BOARD, tmp_path / "tight", max_flash=weights + 100)
    assert tight.library.options.layer_code_bytes > 0


def test_the_package_offers_what_its_api_does() -> None:
    functions = {name for name in api.__all__ if name[0].islower()}
    assert functions == package._PUBLIC
