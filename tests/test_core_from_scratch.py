"""The core in one file computes what the library computes, with the library's names."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))
import core_from_scratch as small  # noqa: E402

rng = np.random.default_rng(0)
x, y, m = rng.normal(size=3), rng.normal(size=3), rng.normal(size=(4, 3))


def composed(lib, dot, ops):
    """A function of every operation, and its transformations."""

    def f(x, m):
        h = ops.tanh(dot(m, x) * 0.5 + 1.0) / (ops.exp(dot(m, x)) + 2.0)
        return (h * ops.sin(h) - ops.cos(dot(m, ops.log(x * x + 1.0)))).sum()

    def row(x, r):
        return f(x, r * np.ones((2, 1)))

    def outer(x, r):
        return f(x, x * r.sum() + np.ones((2, 1)))

    return {
        "f": f(x, m),
        "grad": lib.grad(f)(x, m),
        "jit(grad)": lib.jit(lib.grad(f))(x, m),
        "second": lib.grad(lambda x: (lib.grad(f)(x, m) * y).sum())(x),
        "third": lib.grad(lambda x: (lib.grad(lambda x: (lib.grad(f)(x, m) * y).sum())(x) * y).sum())(x),
        "vmap(grad)": lib.vmap(lib.grad(row), in_axes=(None, 0))(x, m),
        "grad(vmap)": lib.grad(lambda x: lib.vmap(row, in_axes=(None, 0))(x, m).sum())(x),
        "vmap(vmap)": lib.vmap(lambda a: lib.vmap(lambda r: outer(a, r))(m))(m),
        "jit(vmap(grad of grad))": lib.jit(lib.vmap(lib.grad(lambda a: (lib.grad(outer)(a, y) * y).sum())))(m),
        "jvp": lib.jvp(lambda x: f(x, m), (x,), (y,))[1],
        "jvp(grad)": lib.jvp(lambda x: lib.grad(f)(x, m), (x,), (y,))[1],
        "matrices": lib.grad(lambda a: (dot(dot(a, a.T), a) * ops.sin(a)).sum())(m),
        "constant": lib.vmap(lambda a: np.ones(2))(m),
    }


def test_it_agrees_with_the_library():
    with fungrad.enable_x64(True):
        ours, theirs = composed(small, small.dot, small), composed(fungrad, jnp.dot, jnp)
        for name, value in ours.items():
            np.testing.assert_allclose(value, theirs[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_jaxpr_can_be_transformed():
    f = lambda x: small.reduce_sum(small.sin(x) * x)  # noqa: E731
    jaxpr = small.make_jaxpr(small.grad(f))(x)
    np.testing.assert_allclose(small.eval_jaxpr(jaxpr, x), np.cos(x) * x + np.sin(x))
    second = small.grad(lambda x: small.reduce_sum(small.eval_jaxpr(jaxpr, x)))(x)
    np.testing.assert_allclose(second, 2 * np.cos(x) - np.sin(x) * x)
    assert "sin" in str(jaxpr)


def test_wrong_uses_raise():
    with pytest.raises(TypeError, match="scalar output"):
        small.grad(small.sin)(x)
    with pytest.raises(TypeError, match="truth value"):
        small.jit(lambda x: x if x else -x)(x)
    kept = []
    small.jit(lambda x: kept.append(x) or x)(x)
    with pytest.raises(TypeError, match="after its transformation had ended"):
        small.sin(kept[0])


def test_names_are_those_of_the_library_and_it_is_short():
    assert len((EXAMPLES / "core_from_scratch.py").read_text().splitlines()) <= 500
    places = {
        "fungrad.core.primitive": ["Primitive"],
        "fungrad.core.avals": ["ShapedArray"],
        "fungrad.core.context": ["Trace", "Tracer", "EvalTrace", "state", "running"],
        "fungrad.core.ir": ["Var", "Eqn", "Jaxpr", "eval_jaxpr"],
        "fungrad.core.staging": ["JaxprTrace", "trace_flat"],
        "fungrad.transforms.linearization": [
            "TangentVar", "LinearEqn", "TangentTrace", "LinearizeTracer", "LinearizeTrace", "LinearProgram",
            "linearize_flat",
        ],
        "fungrad.transforms.transposition": ["backward_pass"],
        "fungrad.transforms.batching": ["BatchTracer", "BatchTrace"],
        "fungrad": ["grad", "vjp", "jvp", "vmap", "jit", "make_jaxpr"],
    }  # fmt: skip
    for module, names in places.items():
        for name in names:
            assert hasattr(importlib.import_module(module), name) and hasattr(small, name), (module, name)


def test_it_runs(capsys):
    small.main()
    assert "[ 1.  -2.   0.5]" in capsys.readouterr().out
