"""Every control-flow function under every transformation and nests of them, compared with JAX."""

import functools

import pytest
from control_programs import CASES, FORWARD, ORDERS, REVERSIBLE
from test_composition import arrays, assert_same, transformed

import fungrad

pytestmark = pytest.mark.parity
jax = pytest.importorskip("jax")
PROGRAMS = {**REVERSIBLE, **FORWARD}


@functools.cache
def wanted(name):
    """What JAX says to all orders, in one compilation."""
    program, args = PROGRAMS[name]
    orders = [o for o in ORDERS if (name, o) in CASES]
    return jax.jit(lambda *a: {o: transformed(jax, program, o)(*a) for o in orders})(*arrays(jax, args))


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("name, order", CASES, ids=lambda x: x if isinstance(x, str) else "-".join(x) or "plain")
def test_against_jax(name, order, compiled):
    program, args = PROGRAMS[name]
    f = transformed(fungrad, program, order)
    assert_same((fungrad.jit(f) if compiled else f)(*arrays(fungrad, args)), wanted(name)[order])
