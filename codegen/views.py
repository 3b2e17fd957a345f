"""What the templates see: every number and every piece of C text is made here, none in a template."""

from __future__ import annotations

from dataclasses import dataclass

from .constants import Array
from .selftest import SelfTest


@dataclass(frozen=True)
class Parameter:
    """A buffer that run() is given: arena, state or an extern input. `ctype` ends with the `*`."""

    ctype: str
    name: str

    @property
    def declaration(self) -> str:
        return f"{self.ctype}{self.name}"


def declarations(parameters: tuple[Parameter, ...]) -> str:
    """A C parameter list."""
    return ", ".join(p.declaration for p in parameters) or "void"


def arguments(parameters: tuple[Parameter, ...]) -> str:
    """The arguments of a call."""
    return ", ".join(p.name for p in parameters)


@dataclass(frozen=True)
class CallView:
    """One kernel call in a layer function.

    pointers       variable definitions in front of it, without indentation, as lines
    struct_type    type of the parameter block `p`, "" for none; struct_fields are (name, C expression)
    rows           lines that set up the row pointers of one output row or block of rows, none without a
                   row loop; row_step goes on to the next
    call           lines of the call itself
    """

    pointers: tuple[str, ...]
    struct_type: str
    struct_fields: tuple[tuple[str, str], ...]
    taps: int
    out_rows: int
    row_step: str
    rows: tuple[str, ...]
    call: tuple[str, ...]


@dataclass(frozen=True)
class LayerView:
    """One layer function: `number` counts steps of the plan from 1, `kernel` is that step's.

    parameters, arguments   the buffers it uses: arena, state, extern inputs
    outputs                 (C expression, bytes, value name) of each output
    """

    number: int
    symbol: str
    banner: tuple[str, ...]
    parameters: str
    arguments: str
    calls: tuple[CallView, ...]
    outputs: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class PortView:
    """A graph input or output.

    stem      the C name, `input` or `input_<tensor>`; macro is its upper-case form
    region    "arena", "const" (an output that is constant) or "input" (an extern input)
    """

    stem: str
    macro: str
    tensor: str
    ctype: str
    comment: str
    shape: str
    elements: int
    size_bytes: int
    scale: str
    zero_point: int
    quantized: bool
    expression: str
    region: str

    @property
    def extern(self) -> bool:
        """Whether the caller passes a pointer to it."""
        return self.region == "input"

    @property
    def padded_bytes(self) -> int:
        """Bytes of the tensor rounded up to 16, as test harnesses store it."""
        return -(-self.size_bytes // 16) * 16


@dataclass(frozen=True)
class StateView:
    """A state tensor at `offset` of the state buffer; `initial` is a symbol, "" where it starts as zeros."""

    comment: str
    offset: int
    size_bytes: int
    initial: str


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
    states: tuple[StateView, ...]
    system_headers: tuple[str, ...]
    kernels: str
    parameters: tuple[Parameter, ...]
    selftest: SelfTest
    macs: int
    weight_bytes: int

    @property
    def run_parameters(self) -> str:
        return declarations(self.parameters)

    @property
    def run_arguments(self) -> str:
        return arguments(self.parameters)

    @property
    def selftest_parameters(self) -> str:
        """As run_parameters; the self-test writes the inputs."""
        return self.run_parameters.replace("const ", "")

    @property
    def extern_inputs(self) -> tuple[PortView, ...]:
        return tuple(p for p in self.inputs if p.extern)
