"""References among the arguments and residuals of functions with rules for reverse mode, and of ``vjp``."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import ad, lax

both = pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])


@fungrad.custom_vjp
def stash(ref, x):
    """``x``, whose cotangents are added to a reference."""
    return x


def _fwd(ref, x):
    return x, ref


def _bwd(ref, g):
    ref[...] += g
    return None, g


stash.defvjp(_fwd, _bwd)

COS1 = np.cos(1.0)
COS_SIN1 = np.cos(np.sin(1.0))


def once(ref, x):
    return jnp.sin(stash(ref, jnp.sin(x)))


def in_scan(ref, x):
    return lax.scan(lambda c, _: (jnp.sin(stash(ref, c)), None), jnp.sin(x), None, length=1)[0]


def in_checkpointed_scan(ref, x):
    step = fungrad.checkpoint(lambda c, _: (jnp.sin(stash(ref, c)), None))
    return lax.scan(step, jnp.sin(x), None, length=1)[0]


def in_loop(ref, x):
    return lax.fori_loop(0, 1, lambda i, c: jnp.sin(stash(ref, c)), jnp.sin(x))


def in_branch(ref, x):
    return lax.cond(x > 0, lambda y: jnp.sin(stash(ref, y)), lambda y: y, jnp.sin(x))


PLACES = {
    "once": once,
    "jit": fungrad.jit(once),
    "two jits": fungrad.jit(lambda ref, x: fungrad.jit(once)(ref, x)),
    "checkpoint": fungrad.checkpoint(once),
    "scan": in_scan,
    "jit of scan": fungrad.jit(in_scan),
    "scan of checkpoint": in_checkpointed_scan,
    "jit of scan of checkpoint": fungrad.jit(in_checkpointed_scan),
    "fori_loop": in_loop,
    "cond": in_branch,
    "jit of checkpoint": fungrad.jit(fungrad.checkpoint(once)),
}


@both
@pytest.mark.parametrize("place", PLACES)
def test_backward_rules_write_to_references(place, wrap):
    if place == "cond" and wrap is fungrad.jit:
        pytest.skip("refused, see below")
    ref = fungrad.new_ref(jnp.float32(0.0))
    gradient = wrap(fungrad.grad(PLACES[place], 1))
    for calls in (1, 2):
        np.testing.assert_allclose(gradient(ref, jnp.float32(1.0)), COS1 * COS_SIN1, rtol=1e-6)
        np.testing.assert_allclose(ref[...], calls * COS_SIN1, rtol=1e-6)
    other = fungrad.new_ref(jnp.float32(10.0))
    gradient(other, jnp.float32(1.0))
    np.testing.assert_allclose((ref[...], other[...]), (2 * COS_SIN1, 10 + COS_SIN1), rtol=1e-6)
    # Without a derivative nothing is written.
    PLACES[place](other, jnp.float32(1.0))
    np.testing.assert_allclose(other[...], 10 + COS_SIN1, rtol=1e-6)


@both
@pytest.mark.parametrize("place", PLACES)
def test_backward_rules_write_to_references_that_are_closed_over(place, wrap):
    if place == "cond" and wrap is fungrad.jit:
        pytest.skip("refused, see below")
    ref = fungrad.new_ref(jnp.float32(0.0))
    gradient = wrap(fungrad.grad(lambda x: PLACES[place](ref, x)))
    for calls in (1, 2):
        gradient(jnp.float32(1.0))
        np.testing.assert_allclose(ref[...], calls * COS_SIN1, rtol=1e-6)


@both
@pytest.mark.parametrize("inner", [lambda f: f, fungrad.jit, fungrad.checkpoint], ids=["as it is", "jit", "checkpoint"])
def test_backward_rules_close_over_references(wrap, inner):
    ref = fungrad.new_ref(jnp.float32(0.0))

    @fungrad.custom_vjp
    def count(x):
        return x

    def backward(_, g):
        ref[...] += g
        return (g * ref[...],)

    count.defvjp(lambda x: (x, None), backward)

    def loop(x):
        return lax.scan(lambda c, y: (count(c * y), None), x, jnp.array([2.0, 3.0]))[0]

    gradient = wrap(fungrad.grad(inner(lambda x: count(3.0 * x))))
    assert [float(gradient(1.0)), float(gradient(1.0)), float(ref[...])] == [3.0, 6.0, 2.0]
    ref[...] = 0.0
    # Backwards: 1 (the reference holds 1, the cotangent becomes 1), times 3, (it holds 4) 12, times 2.
    assert float(wrap(fungrad.grad(inner(loop)))(1.0)) == 24.0 and float(ref[...]) == 4.0


def test_each_step_writes_to_its_slice():
    refs = fungrad.new_ref(jnp.zeros(3))

    def loss(x):
        return lax.scan(lambda c, ref: (stash(ref, 2.0 * c), None), x, refs)[0]

    for gradient in (fungrad.grad(loss), fungrad.jit(fungrad.grad(loss)), fungrad.grad(fungrad.jit(loss))):
        refs[...] = jnp.zeros(3)
        assert float(gradient(1.0)) == 8.0
        assert refs[...].tolist() == [4.0, 2.0, 1.0]
    reverse = fungrad.grad(lambda x: lax.scan(lambda c, ref: (stash(ref, 2.0 * c), None), x, refs, reverse=True)[0])
    reverse(1.0)
    assert refs[...].tolist() == [5.0, 4.0, 5.0]


@both
def test_forward_rules_read_references_at_each_call(wrap):
    @fungrad.custom_vjp
    def scaled(ref, x):
        return ref[...] * x

    scaled.defvjp(lambda ref, x: (ref[...] * x, (ref, ref[...])), lambda res, g: (None, g * res[1] + 0 * res[0][...]))
    ref = fungrad.new_ref(jnp.float32(2.0))
    gradient = wrap(fungrad.grad(fungrad.jit(scaled), 1))
    assert float(gradient(ref, 1.0)) == 2.0
    ref[...] = 5.0
    assert float(gradient(ref, 1.0)) == 5.0 and float(fungrad.jit(scaled)(ref, 2.0)) == 10.0


def test_where_backward_rules_cannot_have_references():
    ref = fungrad.new_ref(jnp.float32(0.0))
    with pytest.raises(NotImplementedError, match="cond: .*reference"):
        fungrad.jit(fungrad.grad(in_branch, 1))(ref, 1.0)
    with pytest.raises(NotImplementedError, match="while_loop: .*reference"):
        fungrad.grad(lambda x: lax.while_loop(lambda c: c < 3, lambda c: stash(ref, 2 * c), x))(1.0)
    with pytest.raises(ValueError, match="stash: only one reference.*twice"):
        fungrad.grad(lambda x: stash((ref, ref), x))(1.0)
    for made in (lambda ref, x: (x, fungrad.new_ref(x)),):
        leaking = fungrad.custom_vjp(lambda ref, x: x)
        leaking.defvjp(made, _bwd)
        with pytest.raises(ValueError, match="custom_vjp fwd function .* returned a mutable array reference"):
            fungrad.grad(leaking, 1)(ref, 1.0)
    returning = fungrad.custom_vjp(lambda ref: ref)
    returning.defvjp(lambda ref: (ref, None), lambda _, g: (None,))
    with pytest.raises(ValueError, match="returned a mutable array reference"):
        returning(ref)


# -- vjp and linearize -------------------------------------------------------------------------------------------------


def test_references_as_arguments_of_vjp():
    ref = fungrad.new_ref(jnp.float32(2.0))

    def f(x, ref):
        ref[...] += 1.0
        return x * ref[...]

    y, pullback = fungrad.vjp(f, 3.0, ref)
    assert (float(y), float(ref[...])) == (9.0, 3.0)
    gradient, nothing = pullback(1.0)
    assert float(gradient) == 3.0 and nothing is None
    y, _, aux = fungrad.vjp(lambda x, refs: (x * refs["a"][...], x), 3.0, {"a": ref}, has_aux=True)
    assert (float(y), float(aux)) == (9.0, 3.0)
    with pytest.raises(ValueError, match="vjp: of the arguments of <lambda>: only one reference"):
        fungrad.vjp(lambda x, a, b: x, 1.0, ref, ref)


@both
def test_references_as_arguments_of_linearize(wrap):
    ref, tangent = fungrad.new_ref(jnp.float32(2.0)), fungrad.new_ref(jnp.float32(1.0))

    def both_ways(ref, tangent):
        def f(x, ref):
            ref[...] = ref[...] * x
            return ref[...] + x

        y, f_jvp = fungrad.linearize(f, 3.0, ref)
        return y, f_jvp(1.0, tangent)

    y, dot = wrap(both_ways)(ref, tangent)
    assert [float(v) for v in (y, dot, ref[...], tangent[...])] == [9.0, 6.0, 6.0, 5.0]
    with pytest.raises(TypeError, match="its tangent must be one too, got 1.0"):
        fungrad.linearize(lambda x, r: x, 1.0, ref)[1](1.0, 1.0)


def test_cotangents_of_integers_need_no_reference():
    total = fungrad.new_ref(jnp.zeros(4))
    _, pullback = fungrad.vjp(lambda x, i: x[i] ** 2, jnp.arange(4.0), 2)
    out = pullback.with_refs(total, object())(1.0)
    assert total[...].tolist() == [0.0, 0.0, 4.0, 0.0] and isinstance(out[0], ad.GradRef)


@both
def test_references_that_take_values_without_their_derivatives(wrap):
    ref = fungrad.new_ref(1.0, kind="no_grad_no_remat")

    @fungrad.checkpoint
    def f(y, ref):
        out = y * y
        ref[...] += out
        return out

    assert float(fungrad.grad(wrap(f))(2.0, ref)) == 4.0 and float(ref[...]) == 5.0
