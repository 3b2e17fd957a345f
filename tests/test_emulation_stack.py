"""The stack computed from machine code bounds the stack measured with paint, and is close to it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from emulation_support import board_called, build_text
from patchloom.emulation.qemu import run
from patchloom.emulation.sizes import stack_bytes, stacks_bytes
from patchloom.errors import UserError

_PROGRAM = """
#include <math.h>
#include <string.h>
#include "guest.h"
#define KEEP __attribute__((noinline, noclone))
KEEP int leaf(int a);
KEEP int framed(const uint8_t *p, int n);
KEEP int huge(const uint8_t *p, int n);
KEEP int chosen(int k, const uint8_t *p);
KEEP int library(int k, const uint8_t *p);
int leaf(int a) { return a * 3; }
int framed(const uint8_t *p, int n)
{
    volatile uint8_t b[300];
    for (int i = 0; i < n; i++) {
        b[i % 300] = p[i];
    }
    memcpy((void *)(uintptr_t)b, p, 200);
    return leaf(b[n % 300]) + b[7];
}
int huge(const uint8_t *p, int n)
{
    volatile uint8_t b[5000];
    for (int i = 0; i < n; i++) {
        b[i * 17] = p[i];
    }
    return framed(p, n) + b[7];
}
int chosen(int k, const uint8_t *p)
{
    volatile int z;
    switch (k) {
    case 0: return framed(p, 3);
    case 1: return leaf(4) + 1;
    case 2: z = 1; return huge(p, 9) - z;
    case 3: return k * p[1];
    case 4: return p[2] - 3;
    case 5: z = 4; return z + p[6];
    case 6: return leaf(p[3]) / p[9];
    default: return p[4];
    }
}
int library(int k, const uint8_t *p)
{
    double d = exp(p[1] * 0.01) + (double)expf(p[2] * 0.02f);
    int64_t q = (int64_t)d * k / (p[3] + 1);
    return (int)q + (int)(10.0 * tanh(p[3] * 0.01));
}
#define MEASURE(i, call) guest_stack_paint(); sum += (call); used[i] = guest_stack_used();
int guest_main(void)
{
    const uint8_t *p = guest_inputs();
    uint32_t used[5];
    int sum = 0;
    MEASURE(0, leaf(p[0]))
    MEASURE(1, framed(p, 200))
    MEASURE(2, huge(p, 200))
    MEASURE(3, chosen(p[2], p))
    MEASURE(4, library(p[1], p))
    guest_write(used, sizeof used);
    return sum & 1;
}
"""
_NAMES = ("leaf", "framed", "huge", "chosen", "library")
# Slots that a frame has for alignment or for calls on other paths.
_SLACK_BYTES = {"leaf": 0, "framed": 16, "huge": 16, "chosen": 16, "library": 96}


@pytest.mark.parametrize(
    "name",
    [
        "generic-cortex-m0",
        "generic-cortex-m3",
        "generic-cortex-m4",
        "generic-cortex-m7",
        "generic-cortex-m33",
        "generic-cortex-m55",
        "generic-rv32imc",
        "generic-rv32gcv",
        "generic-rv64gcv",
    ],
)
@pytest.mark.parametrize("opt", ["-O2", "-Os"])
def test_computed_stack_bounds_measured_stack(name: str, opt: str, tmp_path: Path) -> None:
    board = board_called(name)
    program = build_text(_PROGRAM, board, tmp_path, flags=[opt])
    used = struct.unpack("<5I", run(program, board, bytes(range(256)), timeout_s=120).output)
    computed = stacks_bytes(program, _NAMES)
    for function, measured in zip(_NAMES, used, strict=True):
        assert measured <= computed[function] <= measured + _SLACK_BYTES[function], function


@pytest.mark.parametrize("name", ["generic-rv32imc", "generic-rv64gcv"])
def test_shared_save_routines_are_followed(name: str, tmp_path: Path) -> None:
    registers = [[f"s{i}" for i in range(1, n + 1)] for n in (1, 3, 5, 8, 11)]
    functions = "".join(
        f"KEEP int f{i}(int a) {{ outer(); "
        f'__asm__ volatile("" ::: {", ".join(map(_quote, r))}); outer(); return a; }}\n'
        for i, r in enumerate(registers)
    )
    measures = "".join(f"guest_stack_paint(); f{i}(1); used[{i}] = guest_stack_used();\n" for i in range(5))
    text = f"""
    #include "guest.h"
    #define KEEP static __attribute__((noinline, noclone))
    KEEP void outer(void) {{ __asm__ volatile(""); }}
    {functions}
    int guest_main(void) {{ uint32_t used[5]; {measures} guest_write(used, sizeof used); return 0; }}
    """
    board = board_called(name)
    program = build_text(text, board, tmp_path, flags=["-msave-restore"])
    used = struct.unpack("<5I", run(program, board, timeout_s=120).output)
    computed = stacks_bytes(program, [f"f{i}" for i in range(5)])
    for i, measured in enumerate(used):
        assert measured <= computed[f"f{i}"] <= measured + 12


def _quote(name: str) -> str:
    return f'"{name}"'


@pytest.mark.parametrize("name", ["generic-cortex-m4", "generic-cortex-m0", "generic-rv32imc"])
@pytest.mark.parametrize(
    ("body", "says", "culprit"),
    [
        ("return n < 2 ? 1 : inner(n - 1) * inner(n - 2);", "recursion", "inner"),
        ("return table[n & 1](n) + 1;", "through a pointer", "inner"),
        ("return table[n & 1](n);", "through a pointer", "inner"),
        (
            "volatile uint8_t a[n]; a[n - 1] = 1; other(n); return a[0];",
            "variable length|not understood",
            "inner",
        ),
    ],
)
def test_what_has_no_bound_is_an_error_that_names_the_function(
    name: str, body: str, says: str, culprit: str, tmp_path: Path
) -> None:
    text = f"""
    #include "guest.h"
    __attribute__((noinline, noclone)) int inner(int n);
    __attribute__((noinline, noclone)) int other(int n);
    __attribute__((noinline, noclone)) int entry(int n);
    int other(int n) {{ return n + guest_inputs()[n]; }}
    extern int (*const table[2])(int);
    int (*const table[2])(int) = {{other, entry}};
    int inner(int n) {{ {body} }}
    int entry(int n) {{ return inner(n) + 1; }}
    int guest_main(void) {{ return entry(guest_inputs()[0]) + table[0](1); }}
    """
    program = build_text(text, board_called(name), tmp_path)
    with pytest.raises(UserError, match=says) as caught:
        stack_bytes(program, "entry")
    assert culprit in caught.value.message


@pytest.mark.parametrize("condition", ["ne", "lt"])
def test_conditional_selects_that_objdump_does_not_know_are_followed(condition: str, tmp_path: Path) -> None:
    program = build_text(
        """
#include "guest.h"
__attribute__((noinline)) static int pick(int a, int b)
{
    __asm__ volatile("cmp %1, #0\\n\\tcinc %0, %0, CONDITION" : "+r"(b) : "r"(a) : "cc");
    return b;
}
int guest_main(void)
{
    volatile int v[4] = {1, 2, 3, 4};
    return pick(v[0], v[1]);
}
""".replace("CONDITION", condition),
        board_called("generic-cortex-m55"),
        tmp_path,
    )
    assert stack_bytes(program, "guest_main") >= 16
