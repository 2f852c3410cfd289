"""Elementary functions of compiled programs are not slow on what people mask with.

Processors are slow, many of them by a factor of a hundred, at operations with subnormal operands or results, also where
the result is rounded to 0 or thrown away by a select. They remember that there was one: on the inputs below there must
be none, whatever processor the test runs on. `tools/time_special_inputs.py` measures times.
"""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from poison import HAS_FLAGS, poison_stack, status

import fungrad
import fungrad.numpy as jnp
from fungrad.jit.front import load as runtime

_PATH = Path(__file__).parents[1] / "tools" / "time_special_inputs.py"
_SPEC = importlib.util.spec_from_file_location("time_special_inputs", _PATH)
special_inputs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(special_inputs)

# Arguments whose results are neither subnormal nor made of subnormal parts.
MASKS = ("-inf", "inf", "nan", "-1e30", "1e30", "-1e9", "1e9", "0", "-0", "half -inf", "half -1e30", "some nan")
GREATEST = ("least", "greatest")
# A quotient or square in their definition falls below the normal numbers at the greatest ones.
NOT_AT_THE_GREATEST = {"atan2", "hypot", "lgamma", "digamma", "pow"}
SUBNORMAL_OPERAND, SUBNORMAL_RESULT = 2, 16

pytestmark = [
    pytest.mark.skipif(not HAS_FLAGS, reason="the processor keeps no record of subnormal operands"),
    # What takes them for zero leaves no record.
    pytest.mark.usefixtures("keep_subnormals"),
]


@pytest.fixture(params=["widest", "plain"], scope="module")
def instructions(request):
    """With the instructions of the machine, and without those of AVX-512."""
    original = runtime.machine
    if request.param == "plain":
        runtime.machine = lambda: replace(original(), avx512=False)
    fungrad.clear_caches()
    yield
    runtime.machine = original
    fungrad.clear_caches()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", special_inputs.FUNCTIONS)
def test_no_subnormal_numbers_on_masks(name, dtype, instructions):
    compiled = fungrad.jit(special_inputs.FUNCTIONS[name])
    inputs = special_inputs.kinds(np.dtype(dtype))
    kinds = MASKS if name in NOT_AT_THE_GREATEST else MASKS + GREATEST
    found = []
    with fungrad.threads(1):
        for kind in kinds:
            x = jnp.asarray(inputs[kind][:256], dtype=dtype)
            compiled(x)
            poison_stack(0)
            compiled(x)
            if status() & (SUBNORMAL_OPERAND | SUBNORMAL_RESULT):
                found.append(kind)
    assert not found


def test_the_record_is_kept():
    """What the test above relies on."""
    compiled = fungrad.jit(lambda x: x * 0.5)
    for value, expected in ((1.0, 0), (1e-40, SUBNORMAL_OPERAND), (1.5e-38, SUBNORMAL_RESULT)):
        x = jnp.full(64, value, dtype="float32") * np.float32(1 + 2**-23)
        compiled(x)
        poison_stack(0)
        compiled(x)
        assert status() & (SUBNORMAL_OPERAND | SUBNORMAL_RESULT) & expected == expected
        assert expected or not status() & (SUBNORMAL_OPERAND | SUBNORMAL_RESULT)
