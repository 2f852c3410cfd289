"""The op table: all rows, collected from ``tests/optable_<family>.py``."""

from __future__ import annotations

import importlib
from pathlib import Path

from optable_base import Op


def _collect() -> list[Op]:
    rows: list[Op] = []
    for path in sorted(Path(__file__).parent.glob("optable_*.py")):
        if path.stem != "optable_base":
            rows += importlib.import_module(path.stem).OPS
    return rows


OPS = _collect()

# Primitives without a row because their operands are functions, names of axes, or tracers, or they are bits of a
# generator, numbers of a hidden one, a place, or a symbolic size; each has tests of its own.
NOT_ROWS = frozenset(
    {
        "dim_as_value",
        "reshard",
        "sharding_constraint",
        "rng_bit_generator",
        "rng_uniform",
        "threefry2x32",
        "jit",
        "linear_call",
        "debug_check",
        "create_token",
        "after_all",
        "pborder",
        "psame",
        "pvary",
        "preduced",
        "reduced_vary_cast",
        "unreduced_psum",
        "vary_unreduced_cast",
        "scan",
        "while",
        "cond",
        "custom_jvp_call",
        "custom_vjp_call",
        "custom_lin",
        "custom_linear_solve",
        "check",
        "pure_callback",
        "io_callback",
        "debug_callback",
        "optimization_barrier",
        "all_gather",
        "all_to_all",
        "axis_index",
        "pbroadcast",
        "pmax",
        "pmin",
        "ppermute",
        "psum",
        "reduce_scatter",
        "remat2",
    }
)
