"""What the templates see: every number and every piece of C text is made here, none in a template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class ArenaView:
    """A buffer for activations.

    name     the parameter: `arena`, or `arena_<memory>` where there are several; macro is its upper-case form
    memory   the memory of the board that it is for, "" for wherever the program has its data
    where    what that memory is, for comments; setup: what a program does before it uses the memory
    error    number of the status that says that the buffer cannot be used
    """

    name: str
    memory: str
    size_bytes: int
    error: int
    where: str = ""
    setup: str = ""

    @property
    def macro(self) -> str:
        return self.name.upper()


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
    struct_type    type of the parameter block `p`, "" for none; `structs` holds its (name, C expression)
                   fields, once, or for every strip of a stage
    tables         (name, values) of what else differs between the strips of a stage
    rows           lines that set up the row pointers of one output row or block of rows, none without a
                   row loop; row_step goes on to the next
    call           lines of the call itself
    """

    pointers: tuple[str, ...]
    struct_type: str
    structs: tuple[tuple[tuple[str, str], ...], ...]
    taps: int
    out_rows: int
    row_step: str
    rows: tuple[str, ...]
    call: tuple[str, ...]
    tables: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class OutputView:
    """An output of a layer: where it is, "" for layers of a stage, which make it piece by piece.

    rows, strips   how many rows a stage computes of it, and the columns [start, end) of each strip, in order
    upwards        rows per call where the last rows are computed first, else 0
    """

    expression: str
    size_bytes: int
    value: str
    rows: int = 0
    strips: tuple[tuple[int, int], ...] = ()
    upwards: int = 0

    def computed(self, value: np.ndarray) -> bytes:
        """The bytes the layer makes, in the order in which it does."""
        if not self.strips or value.ndim != 4:
            return value.tobytes()
        if self.upwards:
            starts = range(self.rows - self.upwards, -1, -self.upwards)
            return b"".join(value[:, r : r + self.upwards].tobytes() for r in starts)
        return b"".join(value[:, : self.rows, a:b].tobytes() for a, b in self.strips)


@dataclass(frozen=True)
class LayerView:
    """One layer function: `number` counts steps of the plan from 1, `kernel` is that step's.

    parameters, arguments   the buffers it uses: arena, state, extern inputs
    in_stage                it is called by a stage, for some rows at a time
    """

    number: int
    symbol: str
    banner: tuple[str, ...]
    parameters: str
    arguments: str
    calls: tuple[CallView, ...]
    outputs: tuple[OutputView, ...]
    in_stage: bool = False


@dataclass(frozen=True)
class TickView:
    """One layer in the loop of a stage.

    condition, call   lines: when it is called and how; then the hook is given `done` (address, bytes) of
                      layer `number`, and `advance` counts the rows
    """

    condition: tuple[str, ...]
    call: tuple[str, ...]
    number: int
    done: tuple[str, str]
    advance: str


@dataclass(frozen=True)
class FeedView:
    """How the caller gives the rows of an input to the first stage.

    stem, ctype   of the input; rows of `row_elements` elements
    counters      C expression of the memory that holds the counts of rows done between calls, in `arena`
    """

    stem: str
    ctype: str
    rows: int
    row_elements: int
    counters: str
    arena: str


@dataclass(frozen=True)
class StageView:
    """The function that runs layers in turn, a few rows each.

    counters   variables that count the rows done of each layer
    passes     strips of columns, 0 where rows are whole
    running    C condition: some layer is not done
    feed       the first layer takes rows from the caller
    """

    symbol: str
    banner: tuple[str, ...]
    parameters: str
    arguments: str
    counters: tuple[str, ...]
    passes: int
    running: str
    ticks: tuple[TickView, ...]
    feed: FeedView | None = None

    @property
    def outputs(self) -> tuple[OutputView, ...]:
        """None: the layers tell of their outputs row by row."""
        return ()


@dataclass(frozen=True)
class PortView:
    """A graph input or output.

    stem      the C name, `input` or `input_<tensor>`; macro is its upper-case form
    region    "arena", "const" (an output that is constant) or "input" (an extern input)
    arena     parameter of the function that finds it
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
    arena: str

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
    """Everything the templates of one library need; `runs` is what run() calls, in order."""

    name: str
    macro: str
    version: str
    command: str
    model_name: str
    model_sha256: str
    board: str
    arenas: tuple[ArenaView, ...]
    arena_bytes: int
    state_bytes: int
    alignment: int
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    layers: tuple[LayerView, ...]
    runs: tuple[LayerView | StageView, ...]
    arrays: tuple[Array, ...]
    states: tuple[StateView, ...]
    system_headers: tuple[str, ...]
    kernels: str
    parameters: tuple[Parameter, ...]
    selftest: SelfTest
    macs: int
    weight_bytes: int

    @property
    def stages(self) -> tuple[StageView, ...]:
        return tuple(r for r in self.runs if isinstance(r, StageView))

    @property
    def feed(self) -> FeedView | None:
        """How rows of the input are given, where they are."""
        return self.stages[0].feed if self.stages else None

    @property
    def feed_arena(self) -> ArenaView:
        """The arena that keeps the counts of rows."""
        assert self.feed is not None
        return next(a for a in self.arenas if self.feed and a.name == self.feed.arena)

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
