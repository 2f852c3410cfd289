"""The short paths of eager evaluation and differentiation give what the general ones give.

Setting ``watch.results`` makes every operation take the general path.
"""

from contextlib import contextmanager

import numpy as np
import pytest
from optable import OPS
from optable_base import TOLERANCE, array, as_list, is_inexact, special_operands, widened

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn
from fungrad.config import watch
from fungrad.core.array import ArrayImpl
from fungrad.core.primitive import Primitive
from fungrad.transforms.api import linearize, vjp
from fungrad.transforms.linearization import LinearizeTrace


@contextmanager
def general_paths():
    before = watch.results
    watch.results = True
    try:
        yield
    finally:
        watch.results = before


def differentiated(fun, xs):
    """Results, pulled back cotangents and pushed forward tangents of a function of arrays."""
    rng = np.random.default_rng(5)

    def like(x):
        values = rng.uniform(-1, 1, x.aval.shape)
        return array((values * (1 + 2j) if x.dtype.kind == "c" else values).astype(x.dtype))

    def inexact_results(*ys):
        return tuple(x for x in as_list(fun(*ys)) if x.aval.inexact)

    outs, pull = vjp(inexact_results, *xs)
    found = [*outs, *pull(tuple(map(like, outs)))]
    _, push = linearize(inexact_results, *xs)
    return [*found, *push(*map(like, xs))]


def assert_same(short, general, what):
    assert len(short) == len(general)
    for a, b in zip(short, general, strict=True):
        assert type(a) is type(b) is ArrayImpl, what
        assert a.aval is b.aval, f"{what}: {a.aval} and {b.aval}"
        assert a._data.dtype == a.dtype and a._data.shape == a.shape
        tolerance = 8 * TOLERANCE[a.dtype.name]
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(
                widened(np.asarray(a)), widened(np.asarray(b)), rtol=tolerance, atol=tolerance, err_msg=what
            )


def compare(fun, operands, positions, what):
    def f(*xs):
        full = [array(x) for x in operands]
        for i, x in zip(positions, xs, strict=True):
            full[i] = x
        return fun(*full)

    xs = [array(operands[i]) for i in positions]
    for chosen in {(0, len(xs)), *[(i, i + 1) for i in range(len(xs))]}:
        # All operands at once, and each alone.
        part = slice(*chosen)

        def g(*ys, part=part):
            return f(*xs[: part.start], *ys, *xs[part.stop :])

        short = differentiated(g, xs[part])
        with general_paths():
            general = differentiated(g, xs[part])
        assert_same(short, general, what)


rows = [op for op in OPS if op.order]


@pytest.mark.parametrize("op", rows, ids=[op.name for op in rows])
def test_derivatives(op):
    for shapes, dtypes in op.cases():
        positions = [i for i, d in enumerate(dtypes) if is_inexact(d) and (op.diff is None or i in op.diff)]
        if positions:
            compare(op.call, op.sample(shapes, dtypes), positions, f"{op.name} {shapes} {[d.name for d in dtypes]}")


def has_short_rule(op):
    return any(Primitive.instances[name].linearize_now is not None for name in op.covers if name in Primitive.instances)


special_rows = [op for op in rows if op.special and op.dtypes[0] == "float32" and has_short_rule(op)]


@pytest.mark.parametrize("op", special_rows, ids=[op.name for op in special_rows])
def test_derivatives_at_special_values(op):
    dtypes = op.operand_dtypes("float32")
    operands = special_operands(op, dtypes)
    compare(op.call, operands, list(range(len(operands))), op.name)


def test_there_are_rows_for_the_short_rules():
    covered = {name for op in rows for name in op.covers} | {"stop_gradient"}
    linear = {"add_any"}
    short = {p.name for p in Primitive.instances.values() if p.transpose_now is not None}
    assert short <= covered | linear
    assert {"tanh", "mul", "dot_general", "reduce_sum", "select_n", "max"} <= {
        p.name for p in Primitive.instances.values() if p.linearize_now is not None
    }


def mlp_loss(params, x, y):
    for w, b in params:
        x = jnp.maximum(x @ w + b, 0.0)
    return -jnp.mean(jnp.sum(nn.log_softmax(x) * y, axis=1)) + jnp.max(x) * 0.1 + jnp.where(x > 1, x, x**2).sum()


def mlp_operands():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype(np.float32) for s in [(4, 5), (5,), (5, 3), (3,), (6, 4), (6, 3)]]
    w1, b1, w2, b2, x, y = map(jnp.asarray, arrays)
    return [(w1, b1), (w2, b2)], x, y


PROGRAMS = {
    "mlp": (mlp_loss, mlp_operands),
    "reused values": (lambda x: jnp.sum((x * x + x) * x - x / (1 + x * x)), lambda: (jnp.arange(1.0, 5.0),)),
    "constant parts": (lambda x: jnp.sum(x * lax.stop_gradient(x)) + jnp.floor(x).sum(), lambda: (jnp.arange(3.0),)),
    "unused": (lambda x: jnp.sum(jnp.ones(3)), lambda: (jnp.arange(3.0),)),
    "custom rule": (lambda x: jnp.sum(nn.silu(custom(x)) * x), lambda: (jnp.arange(3.0),)),
    "jit inside": (lambda x: jnp.sum(fungrad.jit(lambda y: jnp.tanh(y) * 2)(x) * x), lambda: (jnp.arange(3.0),)),
    "loop inside": (
        lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * x, x).sum(),
        lambda: (jnp.arange(3.0),),
    ),
    "broadcasts": (
        lambda x, y: jnp.sum(x[:, None] * y[None, :] + x[:, None] - y / x.mean()),
        lambda: (jnp.arange(1.0, 4.0), jnp.arange(2.0)),
    ),
    "weak and strong": (lambda x: x * 2.0 + jnp.float32(1) * x, lambda: (3.0,)),
    "mixed precision": (
        lambda x: jnp.sum(x.astype(jnp.float16) * jnp.float16(2)).astype(jnp.float32) + x.sum(),
        lambda: (jnp.arange(3.0),),
    ),
}


@fungrad.custom_vjp
def custom(x):
    return jnp.exp(x)


custom.defvjp(lambda x: (jnp.exp(x), x), lambda x, ct: (ct * jnp.cos(x),))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    fun, operands = PROGRAMS[name]
    args = operands()
    grad = fungrad.value_and_grad(fun, argnums=tuple(range(len(args))))
    short = grad(*args)
    with general_paths():
        general = grad(*args)
    compiled = fungrad.jit(grad)(*args)
    leaves = fungrad.tree.leaves
    assert_same(leaves(short), leaves(general), name)
    for a, b in zip(leaves(short), leaves(compiled), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)


def test_higher_orders_and_batches_meet_the_short_paths():
    def f(x):
        return jnp.sum(jnp.tanh(x) * x)

    x = jnp.arange(3.0)

    def everything():
        second = fungrad.grad(lambda y: fungrad.grad(f)(y).sum())(x)
        batched = fungrad.vmap(fungrad.grad(f))(jnp.stack([x, x + 1]))
        outer = fungrad.grad(lambda y: fungrad.vmap(f)(jnp.stack([y, y])).sum())(x)
        return [second, batched, outer, fungrad.jit(fungrad.grad(f))(x), fungrad.hessian(f)(x)]

    short = everything()
    with general_paths():
        assert_same(short, everything(), "compositions")


def test_residuals_die_with_the_derivative():
    import gc
    import weakref

    made = []

    def f(x):
        y = jnp.sin(x)
        made.append(weakref.ref(y.primal))
        return jnp.sum(y * y)

    gc.collect()
    gc.disable()
    try:
        fungrad.grad(f)(jnp.arange(3.0))
        assert made[0]() is None
    finally:
        gc.enable()


def test_a_pullback_is_called_again():
    y, pull = fungrad.vjp(lambda x: x * jnp.sin(x), jnp.arange(3.0))
    first, second = pull(jnp.ones(3))[0], pull(jnp.ones(3))[0]
    assert first.tolist() == second.tolist()
    assert pull(2 * jnp.ones(3))[0].tolist() == (2 * first).tolist()


def test_no_warnings_and_users_settings_stay():
    with np.errstate(all="raise"):
        g = fungrad.grad(lambda x: jnp.sum(jnp.log(x) * jnp.sqrt(x) + jnp.exp(x * 100)))(jnp.arange(3.0))
        assert not np.isfinite(np.asarray(g)).all()
        with pytest.raises(FloatingPointError):
            np.float32(1) / np.float32(0)


def test_debugging_ends_with_its_block():
    assert not watch.results
    with fungrad.debug_nans():
        assert watch.results
        with fungrad.debug_infs(), fungrad.debug_nans(False):
            assert watch.results
    assert not watch.results
    fungrad.config.update("debug_infs", True)
    assert watch.results
    fungrad.config.update("debug_infs", False)
    assert not watch.results


def test_debug_nans_sees_eager_operations():
    with fungrad.debug_nans(), pytest.raises(FloatingPointError, match="log"):
        fungrad.grad(lambda x: jnp.log(x) * 0)(-1.0)


def test_short_rules_are_used(monkeypatch):
    """The general path of linearization is not taken by what is to be fast."""

    def process(self, primitive, args, params):
        raise AssertionError(f"{primitive.name} took the general path")

    monkeypatch.setattr(LinearizeTrace, "process", process)
    fungrad.value_and_grad(mlp_loss)(*mlp_operands())
