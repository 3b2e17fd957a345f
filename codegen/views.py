"""What the templates see: every number and every piece of C text is made here, none in a template."""

from __future__ import annotations

from dataclasses import dataclass

from .constants import Array
from .selftest import SelfTest


@dataclass(frozen=True)
class PointerView:
    """`declaration = expression;` in a layer function."""

    declaration: str
    expression: str


@dataclass(frozen=True)
class RowsView:
    """A loop over output rows around one kernel call."""

    taps: int
    x: str
    pitch_bytes: int
    first: str
    dilation: int
    height: int
    pad: str
    out_rows: int


@dataclass(frozen=True)
class CallView:
    pointers: tuple[PointerView, ...]
    struct_type: str
    struct_fields: tuple[tuple[str, str], ...]
    rows: RowsView | None
    call: str


@dataclass(frozen=True)
class LayerView:
    """One layer function. `arguments` are the buffers it uses: arena, state, extern inputs."""

    number: int
    symbol: str
    banner: tuple[str, ...]
    parameters: str
    arguments: str
    calls: tuple[CallView, ...]
    outputs: tuple[tuple[str, int, str], ...]
    """(C expression, bytes, value name) of each output."""


@dataclass(frozen=True)
class PortView:
    """A graph input or output. `stem` is the C name (`input` or `input_<tensor>`), `macro` its upper-case form."""

    stem: str
    macro: str
    tensor: str
    ctype: str
    comment: str
    shape: tuple[int, ...]
    elements: int
    size_bytes: int
    scale: str
    zero_point: int
    quantized: bool
    expression: str
    extern: bool
    region: str

    @property
    def padded_bytes(self) -> int:
        """Bytes of the tensor rounded up to 16, as test harnesses store it."""
        return -(-self.size_bytes // 16) * 16


@dataclass(frozen=True)
class LibraryView:
    """Everything the templates of one library need."""

    name: str
    macro: str
    version: str
    command: str
    model_name: str
    model_sha256: str
    board: str
    arena_bytes: int
    state_bytes: int
    alignment: int
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    layers: tuple[LayerView, ...]
    arrays: tuple[Array, ...]
    states: tuple[tuple[str, int, int, str], ...]
    """(comment, offset, bytes, symbol of the initial contents or "") of each state tensor."""
    system_headers: tuple[str, ...]
    kernels: str
    run_parameters: str
    run_arguments: str
    selftest_parameters: str
    extern_inputs: tuple[PortView, ...]
    selftest: SelfTest
    macs: int
    weight_bytes: int
