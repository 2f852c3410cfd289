"""``debug_nans`` and ``debug_infs``: which operation is blamed, where it is written, and with what operands."""

import re

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.errors import NonFiniteError

both = pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])


@pytest.fixture(autouse=True)
def _debugging():
    with fungrad.debug_nans():
        yield


def blamed(pattern, f, *args):
    with pytest.raises(FloatingPointError) as info:
        f(*args)
    text = str(info.value)
    assert isinstance(info.value, NonFiniteError) and re.search(pattern, text), text
    assert "test_debug_nans.py:" in text
    return text


def line_of(f, offset):
    return f"test_debug_nans.py:{f.__code__.co_firstlineno + offset} "


def log_loss(x):
    y = x - 2.0
    z = jnp.log(y)
    return jnp.sum(z * 3.0)


X = jnp.array([3.0, 4.5, 1.0])
HALF_NAN = jnp.array([np.nan, 1.0])


@both
def test_forward(wrap):
    f = wrap(log_loss)
    assert np.isfinite(float(f(X[:2])))
    for _ in range(2):
        text = blamed(r"^log produced NaN at .*\(log_loss\); result: f32\[3\] in \[0\.0, 0\.9\d*\] and 1 NaN", f, X)
        assert "operands: f32[3] in [-1.0, 2.5]" in text and line_of(log_loss, 2) in text
        assert "backward" not in text
    assert np.isfinite(float(f(X[:2])))


@pytest.mark.parametrize("order", ["grad", "jit grad", "grad jit", "vmap grad", "jit vmap grad", "linearize", "vjp"])
def test_backward(order):
    def loss(x):
        y = jnp.sqrt(x)
        return jnp.sum(y * x)

    transforms = {
        "grad": fungrad.grad(loss),
        "jit grad": fungrad.jit(fungrad.grad(loss)),
        "grad jit": fungrad.grad(fungrad.jit(loss)),
        "vmap grad": fungrad.vmap(fungrad.grad(loss)),
        "jit vmap grad": fungrad.jit(fungrad.vmap(fungrad.grad(loss))),
        "linearize": lambda x: fungrad.linear_transpose(fungrad.linearize(loss, x)[1], x)(1.0),
        "vjp": lambda x: fungrad.vjp(loss, x)[1](1.0),
    }
    x = jnp.array([[1.0, 0.0]]) if "vmap" in order else jnp.array([1.0, 0.0])
    text = blamed(r"^mul produced NaN at .*, in the backward pass; .* and 1 infinite", transforms[order], x)
    assert line_of(loss, 1) in text


@both
def test_loops_name_the_iteration(wrap):
    def scan(x, reverse=False):
        def body(c, s):
            return jnp.sqrt(c - s), None

        return lax.scan(body, x, jnp.arange(4.0), reverse=reverse)[0]

    blamed(r"^sqrt produced NaN .*operands: f32\[\] = -2\.0; in step 2 of scan", wrap(scan), 1.0)
    blamed(r"f32\[\] = -1\.0; in step 2 of scan", wrap(lambda x: scan(x, True)), 4.0)
    blamed(r"in step 2 of scan", wrap(fungrad.vmap(scan)), jnp.array([1.0, 30.0]))
    blamed(r"^sqrt .*in step 2 of scan", wrap(fungrad.grad(scan)), 1.0)

    def loop(x):
        return lax.while_loop(lambda c: c[0] < 5, lambda c: (c[0] + 1, jnp.sqrt(c[1] - 2)), (0, x))

    blamed(r"^sqrt .*operands: f32\[\] = -2\.0; in step 2 of while_loop", wrap(loop), 6.0)

    def branch(x):
        return lax.cond(x > 0, lambda x: x, lambda x: jnp.log(x), x)

    blamed(r"^log .*= -6\.0; in (branch 0 of cond|jit of branch)", wrap(branch), -6.0)

    def nested(x):
        return lax.fori_loop(0, 3, lambda i, x: lax.fori_loop(0, 2, lambda j, x: jnp.sqrt(x - 1.0), x), x)

    blamed(r"in step 1 of scan, in step 0 of scan", wrap(nested), 1.5)


@both
def test_backward_loops_name_the_iteration(wrap):
    def f(x):
        return lax.scan(lambda c, v: (jnp.sqrt(c * v), None), x, jnp.array([1.0, 0.0, 1.0]))[0]

    blamed(r"^mul produced NaN .*in the backward pass.*in step 1 of scan", wrap(fungrad.grad(f)), 2.0)


@both
def test_custom_rules_speak_for_themselves(wrap):
    @fungrad.custom_vjp
    def f(x):
        return jnp.sin(x)

    def bwd(x, ct):
        return (jnp.log(x) * ct,)

    f.defvjp(lambda x: (f(x), x), bwd)
    text = blamed(r"^log produced NaN at .*\(.*bwd\), in the backward pass", wrap(fungrad.grad(f)), -1.0)
    assert line_of(bwd, 1) in text
    checkpointed = fungrad.checkpoint(log_loss)
    blamed(r"^log .*\(log_loss\)", wrap(fungrad.value_and_grad(checkpointed)), X)


def test_donated_arguments_are_still_known():
    f = fungrad.jit(lambda x: jnp.log(x - 2.0) + x, donate_argnums=0)
    blamed(r"^log .*operands: f32\[3\] in \[-1\.0, 2\.5\]", f, X.copy())
    kept = X[:2].copy()
    assert f(kept).shape == (2,)
    with pytest.raises(RuntimeError, match="donated"):
        kept + 1


def test_compiled_ahead_of_time():
    blamed("^log produced NaN", fungrad.jit(log_loss).lower(X).compile(), X)


def test_values_that_nobody_gets_are_not_blamed_in_compiled_code():
    f = fungrad.jit(lambda x: jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), 0.0))
    assert float(f(-1.0)) == 0.0
    assert float(fungrad.jit(lambda x: jnp.where(x > 0, jnp.log(x), 0.0))(-1.0)) == 0.0


def test_effects_happen_once():
    seen = []

    def f(x):
        fungrad.debug.callback(lambda v: seen.append(float(v)), x)
        fungrad.experimental.io_callback(lambda v: seen.append(-float(v)), None, x)
        return jnp.log(-x)

    blamed("^log", fungrad.jit(f), 1.0)
    assert sorted(seen) == [-1.0, 1.0]
    blamed("^log", fungrad.jit(lambda x: lax.scan(lambda c, s: (f(c), None), x, None, length=1)[0]), 2.0)
    assert sorted(seen) == [-2.0, -1.0, 1.0, 2.0]


@both
def test_descriptions_of_operands(wrap):
    def of(text, f, *args):
        assert text in blamed("NaN", wrap(f), *args)

    of("f32[2] with 2 infinite", lambda x: x * 0.0, jnp.array([np.inf, -np.inf]))
    of("f32[3] in [1.0, 1.0] and 1 NaN and 1 infinite", lambda x: x + 1.0, jnp.array([1.0, np.inf, np.nan]))
    of("bfloat16[2] in [-1, 1]".replace("bfloat16", "bf16"), lambda x: jnp.log(x), jnp.array([1.0, -1.0], "bfloat16"))
    of("c64[2] with real parts in [1.0, 1.0] and 1 NaN", lambda x: x * 2.0, jnp.array([1.0, np.nan], "complex64"))
    if wrap is fungrad.jit:
        of("i32[2,1] in [0, 1]", lambda x, i: x[i], HALF_NAN, jnp.array([0, 1]))


@both
def test_infinities(wrap):
    with fungrad.debug_nans(False), fungrad.debug_infs():
        blamed(
            r"^log produced infinity at .*result: f32\[2\] in \[0\.0, 0\.0\] and 1 infinite",
            wrap(jnp_log),
            jnp.array([1.0, 0.0]),
        )
        slope = wrap(fungrad.grad(lambda x: jnp.sqrt(x)))
        blamed(r"^div produced infinity at .*operands: f32\[\] = 0.5, f32\[\] = 0.0", slope, 0.0)
        assert np.isnan(float(wrap(jnp_log)(-1.0)))
        # Both at once: an infinity beside a NaN is seen.
        blamed("^log produced infinity", wrap(jnp_log), jnp.array([0.0, -1.0]))
    with fungrad.debug_infs():
        blamed("^log produced NaN", wrap(jnp_log), jnp.array([0.0, -1.0]))


def jnp_log(x):
    return jnp.log(x)


def test_switched_off_nothing_is_examined():
    with fungrad.debug_nans(False):
        assert np.isnan(float(fungrad.jit(jnp_log)(-1.0))) and np.isnan(float(jnp_log(-1.0)))
