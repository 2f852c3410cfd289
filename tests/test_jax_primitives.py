"""Primitives defined in JAX's way, and what ``interpreters``, ``linear_util`` and ``api_util`` give such programs."""

import functools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import api_util, lax
from fungrad.core import ShapedArray
from fungrad.extend import core, linear_util as lu
from fungrad.interpreters import ad, batching, mlir, partial_eval as pe, xla


def scaled_primitive(lowering):
    """``x * y + z * len(k)``, with a parameter that does not hash."""
    p = core.Primitive("test_muladd" + str(lowering))
    p.multiple_results = True

    def impl(x, y, z, *, k):
        return [x * y + z * len(k)]

    def jvp(primals, tangents, *, k):
        x, y, z = primals
        tx, ty, tz = map(ad.instantiate_zeros, tangents)
        return p.bind(x, y, z, k=k), [p.bind(tx, y, tz, k=k)[0] + x * ty]

    def transpose(cts, x, y, z, *, k):
        assert not ad.is_undefined_primal(y)
        (ct,) = cts
        return [ct * y if ad.is_undefined_primal(x) else None, None,
                ct * len(k) if ad.is_undefined_primal(z) else None]  # fmt: skip

    def batch(args, dims, *, k):
        size = next(x.shape[d] for x, d in zip(args, dims) if d is not None)
        return p.bind(*[batching.bdim_at_front(x, d, size) for x, d in zip(args, dims)], k=k), [0]

    p.def_impl(impl)
    p.def_abstract_eval(lambda x, y, z, *, k: [x])
    ad.primitive_jvps[p] = jvp
    ad.primitive_transposes[p] = transpose
    batching.primitive_batchers[p] = batch
    if lowering:
        mlir.register_lowering(p, mlir.lower_fun(impl, multiple_results=True))
    return lambda x, y, z: p.bind(x, y, z, k=[1, 2])[0]


@pytest.mark.parametrize("lowering", [False, True], ids=["host step", "inlined"])
def test_transformations(lowering):
    f = scaled_primitive(lowering)
    args = [jnp.float32(v) for v in (2.0, 3.0, 4.0)]
    for call in (f, fungrad.jit(f)):
        assert call(*args) == 14
        assert [float(g) for g in fungrad.grad(call, (0, 1, 2))(*args)] == [3, 2, 2]
    xs = jnp.arange(3.0)
    np.testing.assert_allclose(fungrad.vmap(f, (0, None, None))(xs, *args[1:]), [8, 11, 14])
    slopes = fungrad.jit(fungrad.vmap(fungrad.grad(f, 1), (0, None, None)))(xs, *args[1:])
    np.testing.assert_allclose(slopes, xs)
    loop = fungrad.jit(lambda x: lax.scan(lambda c, y: (f(c, y, y), c), x, xs)[0])
    np.testing.assert_allclose(loop(1.0), ((1.0 * 0 + 0) * 1 + 2) * 2 + 4)


def test_an_inlined_primitive_leaves_no_host_step():
    f = scaled_primitive(True)
    text = fungrad.jit(f).lower(1.0, 2.0, 3.0).compile().as_text()
    assert "test_muladd" not in text


def test_a_lowering_of_another_type_is_an_error():
    p = core.Primitive("test_wrong_type")
    p.def_impl(lambda x: x)
    p.def_abstract_eval(lambda x: x)
    mlir.register_lowering(p, mlir.lower_fun(lambda x: x.astype(jnp.int32), multiple_results=False))
    with pytest.raises(TypeError, match="def_abstract_eval announces"):
        fungrad.jit(p.bind)(1.0)


def test_missing_rules_have_jaxs_words():
    p = core.Primitive("test_bare")
    with pytest.raises(NotImplementedError, match="Abstract evaluation for 'test_bare' not implemented"):
        p.bind(1.0)
    p.def_abstract_eval(lambda x: x)
    with pytest.raises(NotImplementedError, match="Evaluation rule for 'test_bare' not implemented"):
        p.bind(1.0)
    p.def_impl(lambda x: x)
    with pytest.raises(NotImplementedError, match="Differentiation rule for 'test_bare' not implemented"):
        fungrad.jvp(p.bind, (1.0,), (1.0,))
    with pytest.raises(NotImplementedError, match="Batching rule for 'test_bare' not implemented"):
        fungrad.vmap(p.bind)(jnp.arange(3.0))


def test_short_definitions():
    twice, product = core.Primitive("test_twice"), core.Primitive("test_product")
    twice.def_impl(functools.partial(xla.apply_primitive, twice))
    twice.def_abstract_eval(lambda x: x)
    mlir.register_lowering(twice, mlir.lower_fun(lambda x: 2 * x, multiple_results=False))
    ad.deflinear(twice, lambda ct: [2 * ct])
    batching.defvectorized(twice)
    product.def_impl(lambda x, y: x * y)
    product.def_abstract_eval(lambda x, y: x)
    ad.defbilinear(product, lambda ct, x, y: ct * y, lambda ct, x, y: ct * x)
    batching.defbroadcasting(product)
    f = lambda x: product.bind(twice.bind(x), x)  # noqa: E731
    assert f(3.0) == 18
    assert fungrad.grad(f)(3.0) == 12
    np.testing.assert_allclose(fungrad.vmap(fungrad.grad(f))(jnp.arange(3.0)), [0, 4, 8])


def test_rules_of_the_library_are_in_the_registries():
    assert isinstance(lax.sin_p, core.Primitive)
    assert lax.sin_p in ad.primitive_jvps and lax.sin_p not in ad.primitive_transposes
    out, tangent = ad.primitive_jvps[lax.sin_p]((jnp.float32(0.0),), (jnp.float32(2.0),))
    assert (out, tangent) == (0, 2)
    out, dim = batching.primitive_batchers[lax.sin_p]((jnp.zeros((2, 3)),), (1,))
    assert out.shape == (2, 3) and dim == 1
    with pytest.raises(KeyError):
        ad.primitive_transposes[lax.sin_p]


def test_partial_evaluation():
    calls = []

    def f(x, y):
        calls.append(type(x * 2).__name__)
        return x * 2, y + x * 3, 5.0

    known, unknown = pe.PartialVal.known(jnp.float32(2)), pe.PartialVal.unknown(ShapedArray((), "float32"))
    jaxpr, outs, consts = pe.trace_to_jaxpr_nounits(lu.wrap_init(f), [known, unknown])
    assert calls == ["ArrayImpl"]
    assert [o.is_known() for o in outs] == [True, False, True]
    assert float(outs[0].get_known()) == 4 and outs[1].get_aval().shape == ()
    assert fungrad.core.eval_jaxpr(jaxpr, consts, jnp.float32(1.0)) == [7]
    forced = pe.trace_to_jaxpr_nounits(f, [known, unknown], instantiate=True)
    assert len(forced[0].outvars) == 3


def test_dead_code():
    jaxpr = fungrad.make_jaxpr(lambda x, y: (jnp.sin(x), jnp.cos(y)))(1.0, 2.0)
    smaller, used = pe.dce_jaxpr(jaxpr, [False, True])
    assert used == [False, True] and [e.primitive.name for e in smaller.eqns] == ["cos"]
    with_const = fungrad.make_jaxpr(lambda x: (x * np.arange(3.0), x + 1))(1.0)
    smaller, used_consts, used = pe.dce_jaxpr_consts(with_const, [False, True])
    assert (used_consts, used) == ([False], [True])


def test_jaxprs_can_be_interpreted_and_built_as_in_jaxs_documentation():
    jaxpr = fungrad.make_jaxpr(lambda x: jnp.exp(jnp.tanh(x)))(1.0)
    inverse = {lax.exp_p: jnp.log, lax.tanh_p: jnp.arctanh}
    env = dict(zip(jaxpr.jaxpr.outvars, [jnp.float32(2.0)]))
    for eqn in reversed(jaxpr.jaxpr.eqns):
        env[eqn.invars[0]] = inverse[eqn.primitive](env[eqn.outvars[0]])
    np.testing.assert_allclose(env[jaxpr.jaxpr.invars[0]], np.arctanh(np.log(2.0)), rtol=1e-6)
    eqn = jaxpr.eqns[0]
    same = core.new_jaxpr_eqn(eqn.invars, eqn.outvars, eqn.primitive, eqn.params, core.no_effects)
    assert str(same) == str(eqn)
    closed = core.ClosedJaxpr(jaxpr.jaxpr, jaxpr.consts)
    assert isinstance(closed, core.ClosedJaxpr) and isinstance(closed, core.Jaxpr)


def test_trace_state():
    outside = core.get_opaque_trace_state()
    states = []

    def f(x):
        states.extend(core.get_opaque_trace_state() for _ in range(2))
        return x

    fungrad.jit(f)(1.0)
    assert outside == core.get_opaque_trace_state() and states[0] == states[1] != outside
    seen = []

    def g(x):
        seen.append(core.unsafe_am_i_under_a_vmap_DO_NOT_USE())
        return x

    fungrad.vmap(g)(jnp.arange(2))
    assert seen == [True] and not core.unsafe_am_i_under_a_vmap_DO_NOT_USE()


def test_linear_util():
    @lu.transformation_with_aux
    def counted(*args):
        out = yield args, {}
        yield out + 1, len(args)

    fun, aux = counted(lu.wrap_init(lambda x, y: x * y))
    with pytest.raises(lu.StoreException):
        aux()
    assert fun.call_wrapped(2, 3) == 7 and aux() == 2
    flat, tree = fungrad.tree_util.tree_flatten((({"a": 1}, 2), {}))
    fun, out_tree = api_util.flatten_fun(lu.wrap_init(lambda d, x: {"r": d["a"] + x}), tree)
    assert fun.call_wrapped(*flat) == [3] and fungrad.tree_util.tree_unflatten(out_tree(), [3]) == {"r": 3}
    part, dynamic = api_util.argnums_partial(lu.wrap_init(lambda a, b: a - b), 1, (5, 2))
    assert part.call_wrapped(*dynamic) == 3


def test_axes_of_trees():
    tree = fungrad.tree_util.tree_structure({"a": 1, "b": (2, 3)})
    assert api_util.flatten_axes("in_axes", tree, {"a": None, "b": 0}) == [None, 0, 0]
    with pytest.raises(ValueError, match="in_axes specification must be a tree prefix"):
        api_util.flatten_axes("in_axes", tree, {"a": None})
    assert api_util.rebase_donate_argnums((2,), (0, 1)) == (0,)


def test_rules_that_return_numbers():
    p = core.Primitive("constant_rule")
    p.def_impl(lambda x, y: x * y)
    p.def_abstract_eval(lambda x, y: x)
    for out, tangent in ((lambda *a: p.bind(*a), 0.0), (lambda *a: 6.0, np.float32(7))):
        ad.primitive_jvps[p] = lambda primals, tangents, out=out, tangent=tangent: (out(*primals), tangent)
        y, t = fungrad.jvp(p.bind, (2.0, 3.0), (1.0, 1.0))
        assert isinstance(t, fungrad.Array) and (float(y), float(t)) == (6.0, float(tangent))
        assert fungrad.jit(lambda x: fungrad.jvp(p.bind, (x, 3.0), (1.0, 1.0))[1])(2.0) == tangent


def test_linear_transpose_of_a_linear_primitive():
    p = core.Primitive("scaled")
    p.def_impl(lambda x, *, s: x * s)
    p.def_abstract_eval(lambda x, *, s: x)
    ad.deflinear2(p, lambda ct, x, *, s: [p.bind(ct, s=s)])
    assert fungrad.linear_transpose(lambda x: p.bind(x, s=2.0), 1.0)(3.0) == (6.0,)
    assert fungrad.grad(lambda x: p.bind(x, s=2.0) * x)(3.0) == 12.0
