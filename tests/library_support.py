"""Shared by the tests of generated libraries: small networks, and C programs around a library."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from nets import Net
from patchloom import boards
from patchloom.codegen import known_answers
from patchloom.codegen.library import port_stems
from patchloom.codegen.pipeline import Library, Options, Prepared, build_library, generate, lower_graph
from patchloom.emulation.toolchain import require
from patchloom.export.tflite import to_tflite
from patchloom.ir import Activation, DType, Graph, Quant, State, Tensor, Window, verify
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.write_state import WriteState

STRICT = (
    "-std=c99",
    "-pedantic",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wcast-qual",
    "-Wmissing-prototypes",
    "-Werror",
    "-ffp-contract=off",
)
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
QUANTS = {DType.INT8: Quant((0.02,), (-8,)), DType.INT16: Quant((1e-4,), (0,)), DType.FLOAT32: None}
"""Quantization of all activations of the networks below."""


def weighted(net: Net, name: str, x: str, shape: tuple[int, ...], count: int) -> tuple[str, str]:
    """Constant weights and bias for `count` outputs; results are about as large as x."""
    rng = np.random.default_rng(count)
    t = net.tensors[x]
    spread = 1 / np.sqrt(np.prod(shape) / count)
    if t.quant is None:
        w = net.const(f"{name}/w", rng.normal(0, spread, shape).astype(np.float32))
        return w, net.const(f"{name}/b", rng.normal(0, 0.1, count).astype(np.float32))
    quant = Quant((float(np.float32(spread / 73)),), (0,))
    w = net.const(f"{name}/w", rng.integers(-127, 128, shape).astype(np.int8), quant)
    scale = float(np.float32(t.quant.s) * np.float32(quant.s))
    data = rng.normal(0, 0.1 / scale, count).astype(np.int64 if t.dtype is DType.INT16 else np.int32)
    return w, net.const(f"{name}/b", data, Quant((scale,), (0,)))


def fully_connected(net: Net, name: str, x: str, count: int) -> str:
    """A fully connected layer with `count` outputs."""
    w, b = weighted(net, name, x, (count, net.tensors[x].elements), count)
    return net.add(FullyConnected(name, x, w, b, name, False, Activation.NONE))


def conv_net(dtype: DType = DType.INT8) -> Graph:
    """Strided and padded convolution, depthwise, pooling, fully connected, softmax (not for int16)."""
    net = Net()
    x = net.input("image", (1, 9, 8, 3), dtype, QUANTS[dtype])
    window = Window((3, 3), stride=(2, 2), padding=((1, 1), (0, 1)))
    w, b = weighted(net, "conv", x, (6, 3, 3, 3), 6)
    x = net.add(Conv2D("conv", x, w, b, "conv", window, Activation.RELU))
    window = Window((3, 3), padding=((1, 1), (1, 1)))
    w, b = weighted(net, "dw", x, (1, 3, 3, 6), 6)
    x = net.add(DepthwiseConv2D("dw", x, w, b, "dw", window, Activation.NONE))
    x = net.add(MaxPool2D("pool", x, "pool", Window((2, 2), stride=(2, 2)), Activation.NONE))
    x = fully_connected(net, "scores", x, 4)
    if dtype is not DType.INT16:
        x = net.add(Softmax("probabilities", x, "probabilities", 1.0), quant=Quant((1 / 256,), (-128,)))
    return net.graph(x)


def state_net(dtype: DType = DType.INT8) -> Graph:
    """A streaming convolution over a ring of two old frames, and a recurrent layer behind it."""
    quant = QUANTS[dtype]
    net = Net()
    x = net.input("frame", (1, 1, 5, 2), dtype, quant)
    old = _read(net, "ring", (1, 2, 5, 2), dtype)
    both = net.add(Concat("join", (old, x), "join", 1))
    newer = net.add(Slice("newer", both, "newer", (0, 1, 0, 0), (1, 2, 5, 2), (1, 1, 1, 1)))
    net.ops.append(WriteState("ring/write", "ring", newer))
    w, b = weighted(net, "conv", both, (4, 3, 3, 2), 4)
    conv = Conv2D("conv", both, w, b, "conv", Window((3, 3)), Activation.NONE)
    features = fully_connected(net, "features", net.add(conv), 6)
    gate = net.add(Concat("gate", (_read(net, "hidden", (1, 6), dtype), features), "gate", 1))
    cell = fully_connected(net, "cell", gate, 6)
    net.ops.append(WriteState("hidden/write", "hidden", cell))
    out = fully_connected(net, "out", cell, 3)
    zero = quant.z if quant else 0
    start = np.full((1, 2, 5, 2), zero, dtype.numpy)
    states = (
        State("ring", start.shape, dtype, quant, start),
        State("hidden", (1, 6), dtype, quant, np.arange(6).astype(dtype.numpy).reshape(1, 6)),
    )
    return verify(Graph("net", net.tensors, tuple(net.ops), tuple(net.inputs), (out,), states))


def _read(net: Net, state: str, shape: tuple[int, ...], dtype: DType) -> str:
    net.tensors[f"{state}/read"] = Tensor(f"{state}/read", shape, dtype, QUANTS[dtype])
    net.ops.append(ReadState(f"{state}/read", state, f"{state}/read"))
    return f"{state}/read"


def model_file(graph: Graph, path: Path) -> Path:
    """The graph as a .tflite file."""
    path.write_bytes(to_tflite(graph))
    return path


def library_of(graph: Graph, work: Path, file: str = "net", **options: object) -> tuple[Library, Path]:
    """The graph compiled from a file called `file`, and the folder its files are in."""
    work.mkdir(parents=True, exist_ok=True)
    model = model_file(graph, work / f"{file}.tflite")
    chosen = Options(**{"board": "nrf52840dk", **options})  # type: ignore[arg-type]
    library = build_library(model, chosen, verify_between=True)
    folder = work / f"lib_{library.view.name}"
    folder.mkdir()
    for name, data in library.files.items():
        (folder / name).write_bytes(data)
    return library, folder


def library_without_file(graph: Graph, work: Path) -> tuple[Library, Path]:
    """As library_of, called "net", for graphs that no .tflite file can hold."""
    options = Options(board="nrf52840dk")
    graph = replace(graph, name="net")
    lowered = lower_graph(graph, options, verify_between=True)
    answers = known_answers(lowered, port_stems("output", lowered.outputs))
    prepared = Prepared(graph, lowered, answers, b"", "net.tflite", options)
    library = generate(prepared, boards.load(options.board), verify_plan=True)
    work.mkdir(parents=True, exist_ok=True)
    for name, data in library.files.items():
        (work / name).write_bytes(data)
    return library, work


def cc(*arguments: str | Path, command: str = "cc") -> None:
    """Run a compiler; its messages are the failure."""
    done = subprocess.run(
        [require(command) if command in ("cc", "arm-none-eabi-gcc", "riscv64-unknown-elf-gcc") else command]
        + [str(a) for a in arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def buffers(library: Library) -> str:
    """Definitions of arenas, state and extern inputs under the names `run` gives them."""
    view = library.view
    lines = [
        f"static {view.macro}_ALIGNED uint8_t {a.name}[{view.macro}_{a.macro}_BYTES];" for a in view.arenas
    ]
    if view.states:
        lines.append(f"static {view.macro}_ALIGNED uint8_t state[{view.macro}_STATE_BYTES];")
    lines += [f"static {p.ctype} {p.stem}[{p.elements}];" for p in view.extern_inputs]
    return "\n".join(lines)


def run_program(
    library: Library,
    folder: Path,
    main: str,
    *,
    flags: Sequence[str] = SANITIZE,
    definitions: str | None = None,
) -> int:
    """Build the library with a main() of these statements, run it, return the exit code."""
    view = library.view
    text = f'#include "{view.name}.h"\n{buffers(library) if definitions is None else definitions}\n'
    source = folder.parent / "main.c"
    source.write_text(f"{text}int main(void)\n{{\n{main}\n}}\n")
    sources = [folder / f"{view.name}{part}.c" for part in ("", "_weights", "_selftest")]
    program = folder.parent / "program"
    cc(*STRICT, *flags, "-O1", f"-I{folder}", source, *sources, "-lm", "-o", program)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode


def selftest(library: Library, folder: Path) -> int:
    """Status of the library's self-test, built with sanitizers."""
    view = library.view
    return run_program(library, folder, f"    return (int){view.name}_selftest({view.run_arguments});")
