"""``lax.cond`` and ``lax.switch``: against Python's choices and JAX, under every transformation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.control.cond_primitive import cond_p
from fungrad.core.check import check_jaxpr
from fungrad.core.parsing import parse_jaxpr
from fungrad.core.printing import jaxpr_text
from fungrad.jit.passes import run_passes
from fungrad.test_util import check_grads


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def close(got, expected, rtol=2e-5):
    fungrad.tree.map(
        lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=rtol), got, expected
    )


def switch_in_python(index, branches, *operands):
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def cond_in_python(pred, true_fun, false_fun, *operands):
    return true_fun(*operands) if pred else false_fun(*operands)


def branches(captured=0.7):
    """Functions of two arrays whose residuals differ in number and type."""
    return [
        lambda x, y: {"a": jnp.sin(x) * y, "n": 1},
        lambda x, y: {"a": x * captured + 2.0, "n": 2},
        lambda x, y: {"a": jnp.exp(x * x) * jnp.cos(y) + jnp.sum(y), "n": 3},
        lambda x, y: {"a": jnp.ones_like(x) * 3.0, "n": 4},
    ]


X, Y = normal(3), normal(3, seed=1)
indices = pytest.mark.parametrize("index", [-1, 0, 1, 2, 3, 7])


# -- values ----------------------------------------------------------------------------------------------------------


@indices
def test_switch(index):
    expected = switch_in_python(index, branches(), X, Y)
    for i in (index, np.int8(index), jnp.int32(index)):
        close(lax.switch(i, branches(), X, Y), expected)
    close(fungrad.jit(lambda i, x, y: lax.switch(i, branches(), x, y))(index, X, Y), expected)
    with fungrad.disable_jit():
        close(lax.switch(index, branches(), X, Y), expected)
        close(fungrad.vmap(lambda x: lax.switch(index, branches(), x, Y))(X[None])["a"][0], expected["a"])


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "int8", "int16"])
def test_switch_index_types(dtype):
    for value in (0, 2, 100, np.iinfo(dtype).max, np.iinfo(dtype).min):
        index = np.asarray(value, dtype)
        expected = switch_in_python(index, branches(), X, Y)
        close(lax.switch(index, branches(), X, Y), expected)
        close(fungrad.jit(lambda i: lax.switch(i, branches(), X, Y))(index), expected)


@pytest.mark.parametrize("pred", [True, False, 0, 2.5, 0.0, np.bool_(True), np.float32(-1), float("nan")])
def test_cond(pred):
    f, g = branches()[0], branches()[1]
    expected = cond_in_python(pred, f, g, X, Y)
    close(lax.cond(pred, f, g, X, Y), expected)
    close(fungrad.jit(lambda p: lax.cond(p, f, g, X, Y))(pred), expected)
    with fungrad.disable_jit():
        close(lax.cond(pred, f, g, X, Y), expected)


def test_calling_conventions():
    assert float(lax.cond(True, lambda: 1.0, lambda: 2.0)) == 1.0
    assert float(lax.cond(False, 3.0, lambda x: x, 4.0, lambda x: x * 2)) == 8.0
    assert float(lax.cond(True, (1.0, 2.0), lambda x: x[1], 4.0, lambda x: x * 2)) == 2.0
    assert float(lax.cond(True, lambda x: x + 1, lambda x: x, operand=3.0)) == 4.0
    assert lax.cond(True, lambda x: x is None, lambda x: False, operand=None)
    assert float(lax.cond(pred=True, true_fun=lambda: 1.0, false_fun=lambda: 2.0)) == 1.0
    assert float(lax.switch(1, [lambda x: x, lambda x: -x], operand=3.0)) == -3.0
    assert float(lax.switch(5, [lambda x: x * 2], 3.0)) == 6.0


def test_nested_operands_and_none():
    def f(t, s):
        return {"out": (t["a"] + s[0], None)}

    def g(t, s):
        return {"out": (t["a"] * s[1], None)}

    out = lax.cond(False, f, g, {"a": X}, [1.0, 2.0])
    close(out["out"][0], X * 2)
    assert out["out"][1] is None


def test_weak_results():
    assert lax.cond(True, lambda: 1.0, lambda: 2.0).weak_type
    out = lax.cond(True, lambda: 1.0, lambda: jnp.float32(2))
    assert not out.weak_type and out.dtype == np.float32


def test_only_the_branch_taken_runs():
    # The other one would not end.
    def f(x):
        return lax.cond(x > 0, lambda x: x, lambda x: lax.while_loop(lambda v: v < 1, lambda v: v * 1.0, x), x)

    assert float(f(2.0)) == float(fungrad.jit(f)(2.0)) == 2.0


def test_interpreted_primitive():
    jaxpr = fungrad.make_jaxpr(lambda i: lax.switch(i, branches(), X, Y))(1)
    (eqn,) = [e for e in jaxpr.eqns if e.primitive is cond_p]
    operands = [np.ones(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    compiled = cond_p.bind(*operands, **eqn.params)
    with fungrad.disable_jit():
        close(cond_p.bind(*operands, **eqn.params), compiled)


# -- derivatives -----------------------------------------------------------------------------------------------------


@indices
@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives(index, compiled):
    def f(x, y):
        return lax.switch(jnp.sum(x).astype(int) * 0 + index, branches(jnp.sum(y)), x, y)["a"]

    f = fungrad.jit(f) if compiled else f
    check_grads(f, (X, Y), order=2, rtol=2e-2, atol=2e-2)
    expected = fungrad.grad(lambda x, y: jnp.sum(switch_in_python(index, branches(jnp.sum(y)), x, y)["a"]), (0, 1))
    close(fungrad.grad(lambda x, y: jnp.sum(f(x, y)), (0, 1))(X, Y), expected(X, Y))


@pytest.mark.parametrize("value", [1.3, -0.8])
def test_predicate_that_depends_on_the_input(value):
    def f(x):
        return lax.cond(x > 0, lambda x: jnp.sin(x) * x, lambda x: x**3, x)

    def g(x):
        return cond_in_python(x > 0, lambda x: jnp.sin(x) * x, lambda x: x**3, x)

    for order in range(4):
        close(f(value), g(value), rtol=1e-4)
        close(fungrad.jit(f)(value), g(value), rtol=1e-4)
        f, g = fungrad.grad(f) if order % 2 else fungrad.jacfwd(f), fungrad.grad(g)


def test_no_gradient_of_one_branch():
    f = fungrad.grad(lambda x, p: lax.cond(p, lambda x: 3.0, lambda x: x * x, x))
    for g in (f, fungrad.jit(f)):
        assert float(g(2.0, True)) == 0.0 and float(g(2.0, False)) == 4.0
    h = fungrad.jit(fungrad.grad(lambda x, p: lax.cond(p, lambda x: 3.0, lambda x: 4.0, x) * x))
    assert float(h(2.0, True)) == 3.0


def test_closing_over_outer_tracers():
    def f(x):
        def g(y):
            return lax.cond(y > x, lambda: x * y, lambda: jnp.sin(x) * y * y)

        return fungrad.grad(g)(2.0) * x

    for x in (1.0, 3.0):
        check_grads(f, (jnp.float32(x),), order=2, rtol=2e-2, atol=2e-2)
    close(fungrad.vmap(f)(jnp.array([1.0, 3.0])), [f(1.0), f(3.0)])
    close(fungrad.jit(fungrad.vmap(fungrad.grad(f)))(jnp.array([1.0, 3.0])), [fungrad.grad(f)(x) for x in (1.0, 3.0)])


def test_residuals_of_branches_share_places():
    def f(i, x):
        return lax.switch(i, [jnp.sin, jnp.exp, lambda x: jnp.tanh(x) * jnp.cos(x), lambda x: x], x).sum()

    jaxpr = run_passes(fungrad.make_jaxpr(fungrad.grad(f, 1))(0, X))
    backward = [e for e in jaxpr.eqns if e.primitive is cond_p][-1]
    # At most what one branch needs, beside the input, the result and the cotangent.
    assert len(backward.invars) - 1 <= 2 + 4


def test_linear_transpose():
    def f(p, x):
        return lax.cond(p, lambda x: (2.0 * x, x), lambda x: (x, jnp.zeros_like(x)), x)

    for p, expected in ((True, 2 * X + Y), (False, X)):
        g = fungrad.linear_transpose(lambda x, p=p: f(p, x), X)
        close(g((X, Y))[0], expected)
        close(fungrad.jit(lambda p: fungrad.linear_transpose(lambda x: f(p, x), X)((X, Y))[0])(p), expected)


def test_linearize():
    out, push = fungrad.linearize(lambda x, y: lax.switch(jnp.int32(2), branches(), x, y)["a"], X, Y)
    close(push(Y, X), fungrad.jvp(lambda x, y: branches()[2](x, y)["a"], (X, Y), (Y, X))[1])


# -- vmap ------------------------------------------------------------------------------------------------------------


def test_vmap_with_one_index():
    xs = normal(2, 3)
    for index in range(4):
        for axes in itertools.product([0, 1, None], repeat=2):
            if axes == (None, None):
                continue
            args = [v if a is None else xs if a == 0 else xs.T for v, a in zip((X, Y), axes, strict=True)]
            expected = [
                branches()[index](*[v if a is None else xs[n] for v, a in zip((X, Y), axes, strict=True)])["a"]
                for n in range(2)
            ]
            for i in (index, jnp.int32(index)):
                got = fungrad.vmap(lambda x, y, i=i: lax.switch(i, branches(), x, y)["a"], axes)(*args)
                close(got, jnp.stack(expected))
            traced = fungrad.jit(
                lambda i, *a: fungrad.vmap(lambda x, y: lax.switch(i, branches(), x, y)["a"], axes)(*a)
            )
            close(traced(index, *args), jnp.stack(expected))


def test_vmap_with_mapped_index():
    index, xs = jnp.array([-1, 0, 1, 2, 3, 9]), normal(6, 3)
    expected = [switch_in_python(i, branches(), x, Y) for i, x in zip(index, xs, strict=True)]
    got = fungrad.vmap(lambda i, x: lax.switch(i, branches(), x, Y))(index, xs)
    close([fungrad.tree.map(lambda a: a[n], got) for n in range(6)], expected)
    got = fungrad.jit(fungrad.vmap(lambda i, x: lax.switch(i, branches(), x, Y)))(index, xs)
    close([fungrad.tree.map(lambda a: a[n], got) for n in range(6)], expected)
    grads = fungrad.vmap(fungrad.grad(lambda x, i: lax.switch(i, branches(), x, Y)["a"].sum()))(xs, index)
    close(
        grads,
        jnp.stack(
            [
                fungrad.grad(lambda x: switch_in_python(i, branches(), x, Y)["a"].sum())(x)
                for i, x in zip(index, xs, strict=True)
            ]
        ),
    )


def test_vmap_of_index_only_and_twice():
    index = jnp.array([[0, 1], [2, 3]])
    got = fungrad.vmap(fungrad.vmap(lambda i: lax.switch(i, branches(), X, Y)))(index)
    expected = [[switch_in_python(i, branches(), X, Y) for i in row] for row in index]
    for n, m in itertools.product(range(2), repeat=2):
        close(fungrad.tree.map(lambda a: a[n, m], got), expected[n][m])


def test_vmap_without_results_that_depend():
    out = fungrad.vmap(lambda x: lax.cond(True, lambda x: 1.0, lambda x: 2.0, x), out_axes=None)(normal(3))
    assert float(out) == 1.0
    assert fungrad.vmap(lambda x: lax.cond(x > 0, lambda: 1, lambda: 2))(jnp.array([1.0, -1.0])).tolist() == [1, 2]
    assert fungrad.vmap(lambda x: lax.cond(x > 0, lambda: 1, lambda: 2))(jnp.zeros(0)).shape == (0,)


def test_keys_and_other_types():
    keys = fungrad.random.split(fungrad.random.key(0), 3)

    def f(p, key):
        return lax.cond(p, lambda k: k, lambda k: fungrad.random.split(k)[0], key)

    for p in (True, False):
        expected = keys[0] if p else fungrad.random.split(keys[0])[0]
        for g in (f, fungrad.jit(f)):
            got = fungrad.random.key_data(g(p, keys[0])).tolist()
            assert got == fungrad.random.key_data(expected).tolist()
    z = lax.cond(jnp.bool_(True), lambda z: z * 1j, lambda z: z, jnp.complex64(2 + 1j))
    assert complex(z) == -1 + 2j
    assert (
        complex(fungrad.jit(lambda p: lax.cond(p, lambda z: z * 1j, lambda z: z, jnp.complex64(2 + 1j)))(True))
        == -1 + 2j
    )


def test_collectives():
    def f(x, p):
        return lax.cond(p, lambda x: lax.psum(x, "i"), lambda x: x * 2, x)

    xs = jnp.array([1.0, 2.0, 3.0])
    close(fungrad.vmap(f, (0, None), axis_name="i")(xs, True), [6.0] * 3)
    close(fungrad.vmap(f, (0, None), axis_name="i")(xs, jnp.bool_(False)), 2 * xs)
    close(fungrad.jit(fungrad.vmap(f, (0, None), axis_name="i"))(xs, True), [6.0] * 3)
    close(fungrad.vmap(f, axis_name="i")(xs, jnp.array([True, False, True])), [6.0, 4.0, 6.0])


def test_conditions_in_loops():
    def f(x):
        def body(i, c):
            return lax.cond(i % 2 == 0, lambda c: c * x, lambda c: jnp.sin(c) + i, c)

        return lax.fori_loop(0, 5, body, x)

    def g(x):
        c = x
        for i in range(5):
            c = c * x if i % 2 == 0 else jnp.sin(c) + i
        return c

    x = jnp.float32(0.7)
    close(f(x), g(x))
    close(fungrad.jit(fungrad.grad(f))(x), fungrad.grad(g)(x))
    close(fungrad.vmap(fungrad.grad(f))(normal(3)), jnp.stack([fungrad.grad(g)(v) for v in normal(3)]))


TRANSFORMS = {
    "grad": fungrad.grad,
    "jvp": lambda f: lambda x: fungrad.jvp(f, (x,), (x,))[1],
    "vmap": lambda f: lambda x: jnp.sum(fungrad.vmap(f)(jnp.stack([x, -0.5 * x]))),
    "jit": fungrad.jit,
}


@pytest.mark.parametrize("order", list(itertools.product(TRANSFORMS, repeat=3)), ids="-".join)
def test_compositions(order):
    def f(x):
        inner = lax.cond(x > 0, lambda x: jnp.sin(x) * x, lambda x: x * x, x)
        return lax.switch((inner > 0.2).astype(int), [lambda: inner * x, lambda: jnp.exp(x) + inner])

    def g(x):
        inner = jnp.where(x > 0, jnp.sin(x) * x, x * x)
        return jnp.where(inner > 0.2, jnp.exp(x) + inner, inner * x)

    for name in reversed(order):
        f, g = TRANSFORMS[name](f), TRANSFORMS[name](g)
    close(f(jnp.float32(0.7)), g(jnp.float32(0.7)), rtol=1e-4)


# -- jaxprs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", ["none", "jvp", "grad", "vmap", "mapped index"])
def test_jaxprs_are_well_formed(transform):
    def f(i, x, y):
        return lax.switch(i, branches(jnp.sum(y)), x, y)["a"]

    args = (1, X, Y)
    g = f
    if transform == "jvp":
        g = lambda i, x, y: fungrad.jvp(lambda x, y: f(i, x, y), (x, y), (x, y))  # noqa: E731
    elif transform == "grad":
        g = fungrad.grad(lambda *a: jnp.sum(f(*a)), (1, 2))
    elif transform == "vmap":
        g, args = fungrad.vmap(f, (None, 0, None)), (1, normal(2, 3), Y)
    elif transform == "mapped index":
        g, args = fungrad.vmap(f, (0, None, None)), (jnp.arange(3), X, Y)
    jaxpr = fungrad.make_jaxpr(g)(*args)
    check_jaxpr(jaxpr)
    run_passes(jaxpr, lambda where, j: check_jaxpr(j, where))
    closed = jaxpr.with_consts_as_inputs()
    assert parse_jaxpr(jaxpr_text(closed, weak=True)) == closed


def test_printed_form():
    jaxpr = fungrad.make_jaxpr(lambda x: lax.cond(x > 1, lambda y: y * 2.0, lambda y: y * x, x))(2.0)
    names = [e.primitive.name for e in jaxpr.eqns]
    assert names == ["gt", "convert_element_type", "cond"]
    assert list(jaxpr.eqns[-1].params) == ["branches"]
    # The false branch comes first.
    assert "mul 2.0" not in str(jaxpr.eqns[-1].params["branches"][0])
    names = [e.primitive.name for e in fungrad.make_jaxpr(lambda i: lax.switch(i, [lambda: 1, lambda: 2]))(0).eqns]
    assert names[-2:] == ["clamp", "cond"]


def test_dead_code_is_removed():
    def f(p, x):
        return lax.cond(p, lambda x, y: (x * 2, jnp.exp(y)), lambda x, y: (x, y), x, X)[0]

    jaxpr = run_passes(fungrad.make_jaxpr(f)(True, 2.0))
    (eqn,) = [e for e in jaxpr.eqns if e.primitive is cond_p]
    assert len(eqn.invars) == 2 and len(eqn.outvars) == 1


# -- errors ----------------------------------------------------------------------------------------------------------


def named(x):
    return x


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: lax.cond(X, named, named, X), TypeError, r"cond: pred must be a scalar, got f32\[3\]"),
        (lambda: lax.cond("a", named, named, X), TypeError, "pred must be a scalar, got 'a' of type str"),
        (lambda: lax.cond(None, named, named, X), TypeError, "pred must be a scalar, got None"),
        (lambda: lax.cond(1j, named, named, X), TypeError, "boolean or a real number"),
        (lambda: lax.cond(True, 1, 2), TypeError, "true_fun must be a function, got 1"),
        (lambda: lax.cond(True, named, named, X, operand=X), TypeError, "by position or the keyword"),
        (
            lambda: lax.cond(True, lambda x: (x, x), named, X),
            TypeError,
            "(?s)false_fun named and true_fun <lambda> must return trees of one structure.*their Python types differ",
        ),
        (
            lambda: lax.cond(True, lambda x: {"a": x, "b": x}, lambda x: {"a": x, "b": x[:1] > 0}, X),
            TypeError,
            r"(?s)the result\['b'\] has type bool\[1\] in \S+ and f32\[3\] in \S+",
        ),
        (
            lambda: lax.switch(0, [lambda: 1.0, lambda: 2.0, lambda: 3]),
            TypeError,
            r"branches\[0\] .* and branches\[2\]",
        ),
        (lambda: lax.switch(0, []), ValueError, "at least one function"),
        (lambda: lax.switch(1.0, [named, named], X), TypeError, r"integer scalar, got f32\[\]"),
        (lambda: lax.switch(jnp.arange(2), [named, named], X), TypeError, r"integer scalar, got i32\[2\]"),
        (lambda: lax.switch(0, [named, 3], X), TypeError, r"branches\[1\] must be a function"),
        (lambda: lax.cond(True, named, named, "text"), TypeError, r"operands\[0\] must be an array"),
        (lambda: lax.cond(True, lambda: "text", lambda: 1.0), TypeError, "must be an array or a scalar, got 'text'"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- against JAX -----------------------------------------------------------------------------------------------------

numbers = st.integers(0, 20)


@pytest.mark.parity
@settings(max_examples=8)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=6), st.integers(-1, 4))
def test_random_programs_agree_with_jax(choices, index):
    jax = pytest.importorskip("jax")

    def run(lib):
        np_, lax_ = lib.numpy, lib.lax
        unary = [np_.sin, np_.tanh, lambda x: x * 0.5, np_.cos, lambda x: x]

        def f(x, y, i):
            values = [x, y, x * y]
            for a, b, op in choices:
                u, v = values[a % len(values)], values[b % len(values)]
                if op % 3 == 0:
                    new = lax_.cond(np_.sum(u) > 0, unary[op % 5], lambda u, v=v: u * v, u)
                elif op % 3 == 1:
                    cases = [unary[op % 5], lambda u, v=v: v + 1.0, lambda u: np_.sum(u * values[0]) * u]
                    new = lax_.switch(i + a, cases, u)
                else:
                    new = unary[op % 5](u) * v + 0.1
                values.append(new)
            return np_.sum(values[-1] * values[-2])

        x, y = np_.asarray(np.float32([0.3, -0.6])), np_.asarray(np.float32([1.2, 0.4]))
        i = np_.asarray(np.int32(index))
        xs, index_vector = np_.stack([x, -x, y]), np_.asarray(np.int32([0, 1, index]))
        return (
            f(x, y, i),
            *lib.grad(f, (0, 1))(x, y, i),
            *lib.jit(lib.grad(f, (0, 1)))(x, y, i),
            lib.vmap(lib.grad(f), (0, None, 0))(xs, y, index_vector),
            lib.hessian(f)(x, y, i),
        )

    for g, e in zip(map(np.asarray, run(fungrad)), map(np.asarray, run(jax)), strict=True):
        assert g.dtype == e.dtype and g.shape == e.shape
        np.testing.assert_allclose(g, e, rtol=2e-3, atol=2e-3)
