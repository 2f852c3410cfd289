"""Matrix products among the steps: which are computed by our own kernels, and how much work they are.

May import ``ir``.
"""

from __future__ import annotations

import math
from typing import Any

from fungrad.jit.ir import convolutions
from fungrad.jit.ir.loops import Call, Program
from fungrad.jit.ir.traverse import walk

# Names of the types of our kernels.
SUFFIXES = {"float32": "f32", "float64": "f64"}

# Routines of convolutions.
CONVOLUTIONS = ("conv", "conv_each", "conv_deep", "conv_deep_each")


def fits(program: Program, call: Call) -> bool:
    """Whether a product is computed here and not by the BLAS."""
    c = call.outputs[0]
    if program.buffers[c.buffer].dtype.name not in SUFFIXES or len(c.shape) < 2:
        return False
    m, n = c.shape[-2:]
    return min(m, n) > 1


def is_product(step: Any) -> bool:
    """Whether a step is a product or a convolution."""
    return type(step) is Call and (step.routine == "gemm" or step.routine in CONVOLUTIONS)


def work(call: Call) -> int:
    """Multiplications of a product or a convolution."""
    if call.routine in CONVOLUTIONS:
        return convolutions.work(call)
    return math.prod(call.outputs[0].shape) * call.inputs[0].shape[-1]


def work_of_step(step: Any) -> int:
    """Multiplications in the products and convolutions of a step."""
    return sum(work(s) for s in walk([step]) if is_product(s))
