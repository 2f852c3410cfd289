"""``lax.while_loop`` and ``lax.fori_loop``: against Python loops and JAX, under every transformation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.control.scan_primitive import scan_p
from fungrad.control.while_primitive import while_p
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


def while_in_python(cond_fun, body_fun, val, max_steps=None):
    steps = 0
    while bool(cond_fun(val)) and (max_steps is None or steps < max_steps):
        val, steps = body_fun(val), steps + 1
    return val


def fori_in_python(lower, upper, body_fun, val):
    for i in range(int(lower), int(upper)):
        val = body_fun(i, val)
    return val


def power(x, n, loop=lax.while_loop, **options):
    """x * sin(...) as often as ``n`` says, with a counter and a nested carry."""

    def body(c):
        return {"i": c["i"] + 1, "v": (jnp.sin(c["v"][0]) * x + c["v"][1], c["v"][1])}

    return loop(lambda c: c["i"] < n, body, {"i": 0, "v": (x, 0.5)}, **options)["v"][0]


# -- while_loop ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("shape", [(), (3,), (0,)])
@pytest.mark.parametrize("options", [{}, {"max_steps": 7}, {"max_steps": 3}, {"max_steps": 0}])
def test_values(n, shape, options):
    x = normal(*shape)
    expected = power(x, n, while_in_python, **options)
    for got in (
        power(x, n, **options),
        power(x, jnp.int32(n), **options),
        fungrad.jit(lambda x, n: power(x, n, **options))(x, n),
    ):
        assert got.shape == shape
        close(got, expected)
    with fungrad.disable_jit():
        close(power(x, n, **options), expected)


def test_data_dependent_steps():
    def gcd(a, b):
        return lax.while_loop(lambda c: c[1] != 0, lambda c: (c[1], c[0] % c[1]), (a, b))[0]

    for a, b in ((12, 18), (7, 5), (9, 0)):
        assert int(gcd(a, b)) == int(fungrad.jit(gcd)(a, b)) == np.gcd(a, b)
    assert fungrad.vmap(gcd)(jnp.array([12, 7, 9]), jnp.array([18, 5, 0])).tolist() == [6, 1, 9]


def test_captured_values_in_predicate_and_body():
    limit, step = normal(3) * 10 + 20, jnp.array([1.0, 2.0, 3.0])
    got = lax.while_loop(lambda x: jnp.all(x < limit), lambda x: x + step, jnp.zeros(3))
    close(got, while_in_python(lambda x: jnp.all(x < limit), lambda x: x + step, jnp.zeros(3)))


def test_interpreted_primitive():
    jaxpr = fungrad.make_jaxpr(power)(2.0, 3)
    (eqn,) = [e for e in jaxpr.eqns if e.primitive is while_p]
    operands = [np.ones(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    compiled = while_p.bind(*operands, **eqn.params)
    with fungrad.disable_jit():
        close(while_p.bind(*operands, **eqn.params), compiled)


def test_weak_carries_take_the_type_of_the_body():
    assert lax.while_loop(lambda c: c < 3, lambda c: c + jnp.float32(1), 0).dtype == np.float32
    out = lax.while_loop(lambda c: c < 3, lambda c: c * 2.0, 1.0)
    assert out.weak_type and float(out) == 4.0
    assert lax.fori_loop(0, 3, lambda i, c: c + i * jnp.float32(0.5), 0).dtype == np.float32


def test_keys_as_carry():
    key = fungrad.random.key(1)

    def body(c):
        key, n = c
        return fungrad.random.split(key)[0], n + 1

    expected = while_in_python(lambda c: c[1] < 3, body, (key, 0))[0]
    got = lax.while_loop(lambda c: c[1] < 3, body, (key, 0))[0]
    assert fungrad.random.key_data(got).tolist() == fungrad.random.key_data(expected).tolist()


@pytest.mark.parametrize("n", [0, 1, 4])
def test_forward_mode(n):
    expected = fungrad.jvp(lambda x: power(x, n, while_in_python), (1.3,), (1.0,))
    for f in (power, fungrad.jit(power)):
        close(fungrad.jvp(lambda x: f(x, n), (1.3,), (1.0,)), expected)
        close(fungrad.linearize(lambda x: f(x, n), 1.3)[1](1.0), expected[1])
        close(fungrad.jacfwd(lambda x: f(x, n))(1.3), expected[1])
    check_grads(lambda x: power(x, n), (1.3,), order=2, modes=("fwd",), rtol=2e-2, atol=2e-2)


def test_tangents_that_appear_late():
    def f(x):
        def body(c):
            n, a, b, d = c
            return n + 1, b, d * 2.0, d + x

        return lax.while_loop(lambda c: c[0] < 5, body, (0, 0.0, 0.0, 1.0))

    primals, tangents = fungrad.jvp(f, (2.0,), (1.0,))
    close(primals[1:], f(2.0)[1:])
    close(tangents[1:], fungrad.tree.map(lambda a, b: (a - b) / 2, f(3.0)[1:], f(1.0)[1:]))
    assert tangents[0].dtype == fungrad.float0


def test_compiled_reverse_mode_needs_a_bound():
    with pytest.raises(ValueError, match="max_steps=n; or use fori_loop .* or scan; or forward mode"):
        fungrad.jit(fungrad.grad(power))(1.0, 3)
    # A counter that starts and ends at known numbers is run while the function is traced.
    close(fungrad.jit(fungrad.grad(lambda x: power(x, 3)))(1.0), fungrad.grad(lambda x: power(x, 3))(1.0))
    with pytest.raises(ValueError, match="reverse-mode"):
        fungrad.jit(fungrad.grad(lambda x, n: lax.fori_loop(0, n, lambda i, c: c * x, x)))(1.0, 3)
    # What does not depend on the input is no obstacle.
    close(fungrad.grad(lambda x: x * lax.while_loop(lambda c: c < 10, lambda c: c * 3, 1))(2.0), 27.0)


@pytest.mark.parametrize("n", [0, 1, 4, 9])
@pytest.mark.parametrize("compiled", [False, True])
def test_reverse_mode_with_a_bound(n, compiled):
    def f(x):
        return power(x, n, max_steps=6)

    f = fungrad.jit(f) if compiled else f
    check_grads(f, (jnp.float32(0.7),), order=2, rtol=2e-2, atol=2e-2)
    expected = fungrad.grad(lambda x: power(x, n, while_in_python, max_steps=6))(0.7)
    close(fungrad.grad(f)(0.7), expected)
    close(fungrad.grad(lambda x: fungrad.jvp(f, (x,), (1.0,))[1])(0.7), fungrad.jacfwd(fungrad.grad(f))(0.7))


def test_reverse_mode_of_newton():
    def root(a):
        return lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-4, lambda x: 0.5 * (x + a / x), a, max_steps=30)

    xs = jnp.array([2.0, 9.0, 50.0])
    close(fungrad.vmap(fungrad.grad(root))(xs), 0.5 / jnp.sqrt(xs), rtol=1e-3)
    close(fungrad.jit(fungrad.vmap(fungrad.value_and_grad(root)))(xs), (jnp.sqrt(xs), 0.5 / jnp.sqrt(xs)), rtol=1e-3)


# -- vmap ------------------------------------------------------------------------------------------------------------


def test_mapped_predicate():
    xs, ns = normal(5), jnp.array([3, 0, 6, 1, 2])
    expected = jnp.stack([power(x, n) for x, n in zip(xs, ns, strict=True)])
    close(fungrad.vmap(power)(xs, ns), expected)
    close(fungrad.jit(fungrad.vmap(power))(xs, ns), expected)
    close(fungrad.vmap(fungrad.jit(power))(xs, ns), expected)
    close(fungrad.vmap(lambda n: power(0.5, n))(ns), jnp.stack([power(0.5, n) for n in ns]))
    close(fungrad.vmap(lambda x: power(x, 4))(xs), jnp.stack([power(x, 4) for x in xs]))


def test_mapped_twice():
    xs, ns = normal(2, 3), jnp.array([[0, 1, 2], [5, 4, 3]])
    expected = jnp.stack(
        [jnp.stack([power(x, n) for x, n in zip(*row, strict=True)]) for row in zip(xs, ns, strict=True)]
    )
    close(fungrad.vmap(fungrad.vmap(power))(xs, ns), expected)
    close(fungrad.vmap(fungrad.vmap(power), in_axes=1, out_axes=1)(xs, ns), expected)
    close(
        fungrad.vmap(fungrad.vmap(power, (0, None)), (None, 0))(xs[0], ns[1]).T,
        [[power(x, n) for n in ns[1]] for x in xs[0]],
    )


@pytest.mark.parametrize("options", [{}, {"max_steps": 4}])
def test_vmap_of_derivatives(options):
    xs, ns = normal(4), jnp.array([3, 0, 6, 1])
    derivative = fungrad.grad if options else lambda f: lambda x, n: fungrad.jvp(lambda x: f(x, n), (x,), (1.0,))[1]

    def f(x, n):
        return power(x, n, **options)

    expected = jnp.stack([derivative(f)(x, n) for x, n in zip(xs, ns, strict=True)])
    close(fungrad.vmap(derivative(f))(xs, ns), expected)
    close(fungrad.jvp(lambda x: fungrad.vmap(f)(x, ns), (xs,), (jnp.ones(4),))[1], expected)
    if options:
        close(fungrad.grad(lambda x: fungrad.vmap(f)(x, ns).sum())(xs), expected)


def test_finished_examples_stay_as_they_are():
    # Going on would divide by zero.
    def f(n):
        return lax.while_loop(lambda c: c[0] > 0, lambda c: (c[0] - 1, c[1] + 1.0 / c[0]), (n, 0.0))

    count, total = fungrad.vmap(f)(jnp.array([0, 1, 3]))
    assert count.tolist() == [0, 0, 0]
    close(total, [0.0, 1.0, 1 + 1 / 2 + 1 / 3])


def test_vmap_size_zero():
    assert fungrad.vmap(power)(jnp.zeros(0), jnp.zeros(0, int)).shape == (0,)


def test_collectives():
    def f(x):
        # The predicate is the same for all examples, the steps are not.
        return lax.while_loop(lambda c: lax.pmax(c, "i") < 10.0, lambda c: c + x + lax.psum(c, "i") * 0, x)

    close(fungrad.vmap(f, axis_name="i")(jnp.array([1.0, 3.0])), [4.0, 12.0])
    g = fungrad.vmap(lambda x: lax.while_loop(lambda c: c < 5, lambda c: c + lax.psum(1, "i"), 0) + x, axis_name="i")
    assert g(jnp.zeros(3)).tolist() == [6, 6, 6]


# -- fori_loop -------------------------------------------------------------------------------------------------------


def test_fori_loop_takes_bounds_that_are_floating_point_numbers_of_one_dtype():
    def total(a, b):
        return lax.fori_loop(a, b, lambda i, c: c + i, jnp.float32(0.0))

    assert float(total(0.0, 3.0)) == float(total(jnp.float32(0), jnp.float32(3))) == 3.0
    for a, b in ((0.0, 2.5), (2.5, 3.0), (3.0, 0.0), (-1.5, 0.5)):
        assert float(fungrad.jit(total)(a, b)) == sum(np.arange(a, b))
    assert float(fungrad.grad(lambda x: lax.fori_loop(0.0, 3.0, lambda i, c: c * x, 1.0))(2.0)) == 12.0
    for a, b in ((0.0, 2.5), (0.5, 3.0), (0, 3.0), (0.0, 3), (jnp.float16(0), jnp.float32(3))):
        with pytest.raises(TypeError, match="whole number|same dtype"):
            total(a, b)


@pytest.mark.parametrize("lower, upper", [(0, 4), (2, 5), (-2, 1), (3, 3), (5, 2)])
def test_fori(lower, upper):
    def body(i, c):
        return {"x": jnp.sin(c["x"]) + i, "n": c["n"] + i}

    init = {"x": normal(2), "n": 0}
    expected = fori_in_python(lower, upper, body, init)
    close(lax.fori_loop(lower, upper, body, init), expected)
    close(lax.fori_loop(jnp.int32(lower), upper, body, init), expected)
    close(lax.fori_loop(lower, upper, body, init, unroll=2), expected)
    close(lax.fori_loop(lower, upper, body, init, unroll=True), expected)
    close(fungrad.jit(lambda a, b: lax.fori_loop(a, b, body, init))(lower, upper), expected)
    close(fungrad.jit(lambda b: lax.fori_loop(lower, b, body, init))(upper), expected)
    with fungrad.disable_jit():
        close(lax.fori_loop(lower, upper, body, init), expected)


def test_fori_index_type():
    seen = []

    def body(i, c):
        seen.append((i.dtype.name, i.weak_type))
        return c

    lax.fori_loop(0, 3, body, 1.0)
    lax.fori_loop(np.int8(0), 3, lambda i, c: body(i, c), 1.0)
    fungrad.jit(lambda n: lax.fori_loop(jnp.int8(0), n, lambda i, c: body(i, c), 1.0))(jnp.int8(3))
    fungrad.jit(lambda n: lax.fori_loop(0, n, lambda i, c: body(i, c), 1.0))(jnp.int16(3))
    assert seen == [("int32", True), ("int32", True), ("int8", False), ("int16", False)]


def test_fori_derivatives():
    def f(x, a):
        return lax.fori_loop(0, 4, lambda i, c: jnp.sin(c * a[i]) + i * x, x)

    args = jnp.float32(0.4), normal(4)
    check_grads(f, args, order=2, rtol=2e-2, atol=2e-2)
    check_grads(fungrad.jit(f), args, order=2, rtol=2e-2, atol=2e-2)
    close(
        fungrad.vmap(fungrad.grad(f), (0, None))(normal(3), args[1]),
        jnp.stack([fungrad.grad(f)(x, args[1]) for x in normal(3)]),
    )


def test_fori_with_traced_bounds():
    def f(x, n):
        return lax.fori_loop(0, n, lambda i, c: c * x + i, x)

    def g(x, n):
        return fori_in_python(0, n, lambda i, c: c * x + i, x)

    ns, x = jnp.array([0, 3, 1]), jnp.float32(1.5)
    close(fungrad.vmap(f, (None, 0))(x, ns), jnp.stack([g(x, n) for n in ns]))
    close(
        fungrad.jit(lambda x, n: fungrad.jvp(lambda x: f(x, n), (x,), (1.0,)))(x, 3),
        fungrad.jvp(lambda x: g(x, 3), (x,), (1.0,)),
    )


def test_updates_in_a_loop():
    def f(x):
        def body(i, a):
            return a.at[i].set(a[i - 1] * x + i)

        return lax.fori_loop(1, 6, body, jnp.zeros(6).at[0].set(x))

    expected = [0.5]
    for i in range(1, 6):
        expected.append(expected[-1] * 0.5 + i)
    close(f(0.5), expected)
    close(fungrad.jit(f)(0.5), expected)
    check_grads(f, (0.5,), order=2, rtol=2e-2, atol=2e-2)


def test_nested_loops():
    def f(x, loop=lax.fori_loop):
        def outer(i, c):
            def inner(j, d):
                return jnp.sin(d) * x + c * j

            return loop(0, 3, inner, c) + i

        return loop(0, 2, outer, x)

    x = jnp.float32(0.6)
    close(f(x), f(x, fori_in_python))
    check_grads(f, (x,), order=2, rtol=2e-2, atol=2e-2)
    close(fungrad.jit(fungrad.grad(f))(x), fungrad.grad(lambda x: f(x, fori_in_python))(x))

    def g(x, n):
        def outer(c):
            i, v = c
            return i + 1, lax.while_loop(lambda d: d[0] <= i, lambda d: (d[0] + 1, d[1] * x), (0, v))[1]

        return lax.while_loop(lambda c: c[0] < n, outer, (0, x))[1]

    for n in range(4):
        close(g(1.5, n), 1.5 ** (1 + n * (n + 1) // 2))
        close(fungrad.jvp(lambda x: g(x, n), (1.5,), (1.0,))[1], (1 + n * (n + 1) // 2) * 1.5 ** (n * (n + 1) // 2))
    close(fungrad.vmap(g, (None, 0))(1.5, jnp.arange(4)), [1.5, 1.5**2, 1.5**4, 1.5**7])


TRANSFORMS = {
    "grad": fungrad.grad,
    "jvp": lambda f: lambda x: fungrad.jvp(f, (x,), (x,))[1],
    "vmap": lambda f: lambda x: jnp.sum(fungrad.vmap(f)(jnp.stack([x, 0.5 * x]))),
    "jit": fungrad.jit,
}


@pytest.mark.parametrize("order", list(itertools.product(TRANSFORMS, repeat=3)), ids="-".join)
def test_compositions(order):
    def body(x, c):
        return c[0] + 0.5 + x, jnp.sin(c[1] * x) + x

    def f(x):
        c = lax.while_loop(lambda c: c[0] < 3.5, lambda c: body(x, c), (0.0, x), max_steps=5)
        return lax.fori_loop(0, 2, lambda i, c: c * x + i, c[1])

    def unrolled(x):
        c = (jnp.zeros_like(x), x)
        for _ in range(5):
            c = tuple(jnp.where(c[0] < 3.5, new, old) for new, old in zip(body(x, c), c, strict=True))
        return fori_in_python(0, 2, lambda i, c: c * x + i, c[1])

    got, expected = f, unrolled
    for name in reversed(order):
        got, expected = TRANSFORMS[name](got), TRANSFORMS[name](expected)
    close(got(jnp.float32(0.7)), expected(jnp.float32(0.7)), rtol=1e-4)


# -- jaxprs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"max_steps": 3}])
def test_jaxprs_are_well_formed(options):
    def f(x, n):
        return power(x, n, **options)

    for g, args in (
        (f, (2.0, 3)),
        (fungrad.vmap(f), (jnp.ones(2), jnp.arange(2))),
        (lambda x, n: fungrad.jvp(lambda x: f(x, n), (x,), (1.0,)), (2.0, 3)),
    ):
        jaxpr = fungrad.make_jaxpr(g)(*args)
        check_jaxpr(jaxpr)
        run_passes(jaxpr, lambda where, j: check_jaxpr(j, where))
        closed = jaxpr.with_consts_as_inputs()
        assert parse_jaxpr(jaxpr_text(closed, weak=True)) == closed


def test_printed_form():
    (eqn,) = fungrad.make_jaxpr(lambda x: lax.while_loop(lambda c: c < 3, lambda c: c * x, x))(2.0).eqns
    assert eqn.primitive.name == "while"
    assert sorted(eqn.params) == ["body_jaxpr", "body_nconsts", "cond_jaxpr", "cond_nconsts"]
    jaxpr = fungrad.make_jaxpr(lambda x: lax.fori_loop(0, 3, lambda i, c: c * x, x))(2.0)
    assert jaxpr.eqns[-1].primitive is scan_p


def test_dead_code_is_removed():
    def f(x):
        def body(c):
            return c[0] + 1, c[1] * x, c[2] + c[1], c[3] * 2.0

        return lax.while_loop(lambda c: c[0] < 3, body, (0, x, x, x))[1]

    jaxpr = run_passes(fungrad.make_jaxpr(f)(1.5))
    (eqn,) = [e for e in jaxpr.eqns if e.primitive is while_p]
    assert len(eqn.outvars) == 2 and len(eqn.params["body_jaxpr"].eqns) <= 3
    close(fungrad.jit(f)(1.5), 1.5**4)


# -- errors ----------------------------------------------------------------------------------------------------------

x3 = jnp.ones(3)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: lax.while_loop(lambda c: c, lambda c: c, 1.0),
            TypeError,
            r"boolean scalar, but <lambda> returns f32\[\]",
        ),
        (lambda: lax.while_loop(lambda c: c > 0, lambda c: c, x3), TypeError, r"returns bool\[3\].*all\(\) or any\(\)"),
        (lambda: lax.while_loop(lambda c: (c < 1,), lambda c: c, 1.0), TypeError, "boolean scalar"),
        (lambda: lax.while_loop(lambda c: c < 1, lambda c: (c, c), 1.0), TypeError, "(?s)structure.*c: a leaf"),
        (
            lambda: lax.while_loop(lambda c: True, lambda c: {"n": c["n"], "x": c["x"][:1]}, {"n": 1, "x": x3}),
            TypeError,
            r"c\['x'\] has type f32\[3\] on input but f32\[1\] on output",
        ),
        (lambda: lax.while_loop(1, lambda c: c, 1.0), TypeError, "cond_fun must be a function"),
        (lambda: lax.while_loop(lambda c: True, lambda c: c, 1.0, max_steps=-1), ValueError, "max_steps"),
        (
            lambda: lax.fori_loop(0, 3, lambda i, c: c[:1], x3),
            TypeError,
            r"fori_loop: .*(?s:.*)c has type f32\[3\] on input",
        ),
        (lambda: lax.fori_loop(0.5, 3, lambda i, c: c, x3), TypeError, r"same dtype, got f32\[\] and i32\[\]"),
        (lambda: lax.fori_loop(0, x3, lambda i, c: c, x3), TypeError, "upper must be an integer scalar"),
        (lambda: lax.fori_loop(0, "3", lambda i, c: c, x3), TypeError, "upper must be an integer scalar, got '3'"),
        (
            lambda: lax.fori_loop(jnp.int8(0), jnp.int32(3), lambda i, c: c, x3),
            TypeError,
            r"same dtype, got i8\[\] and i32\[\]",
        ),
        (
            lambda: fungrad.jit(lambda n: lax.fori_loop(0, n, lambda i, c: c, x3, unroll=2))(3),
            ValueError,
            "unroll needs bounds with known values",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- against JAX -----------------------------------------------------------------------------------------------------

numbers = st.integers(0, 20)


@pytest.mark.parity
@settings(max_examples=8)
@given(
    st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=4),
    st.lists(st.integers(0, 4), min_size=3, max_size=3),
)
def test_random_programs_agree_with_jax(choices, steps):
    jax = pytest.importorskip("jax")

    def run(lib):
        np_, lax_ = lib.numpy, lib.lax
        unary = [np_.sin, np_.tanh, lambda x: x * 0.5, np_.cos]

        def update(c, i):
            values = list(c)
            for a, b, op in choices:
                u, v = values[a % len(values)], values[b % len(values)]
                if op % 6 == 5:
                    w = lax_.fori_loop(0, 2, lambda j, w: unary[op % 4](w) + i * v, u)
                elif op % 6 == 4:
                    w = lax_.while_loop(lambda w: w < 1.0, lambda w: w + 0.4 + v * v, u)
                else:
                    w = unary[op % 4](u) * v + 0.1
                values.append(w)
            return tuple(values[-2:])

        def f(x, n):
            init = (x, x * 0.5)
            total = lax_.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, update(c[1], c[0])), (0, init))[1]
            return total[0] + total[1]

        xs, ns = np_.asarray(np.float32([0.3, -0.6, 1.2])), np_.asarray(np.int32(steps))
        return (
            lib.vmap(f)(xs, ns),
            lib.jvp(lambda x: lib.vmap(f)(x, ns), (xs,), (np_.ones(3),))[1],
            lib.jit(f)(xs[0], ns[0]),
            lib.vmap(lib.jacfwd(f), (None, 0))(xs[1], ns),
        )

    for g, e in zip(map(np.asarray, run(fungrad)), map(np.asarray, run(jax)), strict=True):
        assert g.dtype == e.dtype and g.shape == e.shape
        np.testing.assert_allclose(g, e, rtol=2e-3, atol=2e-3)


# -- reverse mode without a bound --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 5, 17])
def test_steps_are_counted_for_the_backward_pass(n):
    def by_scan(x):
        return lax.fori_loop(0, n, lambda i, v: jnp.sin(v) * x + 0.5, x)

    x = jnp.float32(1.3)
    f = lambda x: power(x, n)  # noqa: E731
    close(fungrad.value_and_grad(f)(x), fungrad.value_and_grad(by_scan)(x))
    close(fungrad.grad(fungrad.grad(f))(x), fungrad.grad(fungrad.grad(by_scan))(x))
    close(fungrad.jacrev(f)(x), fungrad.jacfwd(f)(x))
    close(fungrad.vjp(f, x)[1](2.0)[0], 2.0 * fungrad.grad(by_scan)(x))
    close(fungrad.linearize(f, x)[1](1.0), fungrad.grad(by_scan)(x))


def test_counting_runs_only_what_the_predicate_depends_on():
    seen = []

    def body(c):
        fungrad.debug.callback(lambda i: seen.append(int(i)), c[0])
        return c[0] + 1, c[1] * c[1]

    f = lambda x: lax.while_loop(lambda c: c[0] < 3, body, (0, x))[1]  # noqa: E731
    assert float(fungrad.grad(f)(1.5)) == pytest.approx(8 * 1.5**7)
    assert seen.count(2) <= 2


def test_unbounded_newton_in_reverse_mode():
    def root(a):
        return lax.while_loop(lambda x: abs(x * x - a) > 1e-5 * a, lambda x: 0.5 * (x + a / x), a)

    for a in (2.0, 4.0, 1e6):
        close(fungrad.grad(root)(a), 0.5 / np.sqrt(a), 1e-3)
    many = jnp.array([2.0, 4.0, 900.0])
    close(fungrad.grad(lambda a: fungrad.vmap(root)(a).sum())(many), 0.5 / np.sqrt(many), 1e-3)
    # The steps of a loop inside another one cannot be counted.
    nested = lambda a: lax.while_loop(lambda x: x < 100.0, lambda x: x * root(a), a)  # noqa: E731
    with pytest.raises(ValueError, match="max_steps"):
        fungrad.grad(nested)(4.0)
    with fungrad.enable_x64():
        check_grads(root, (3.0,), order=1, modes=["rev"])


def test_dynamic_fori_loop_in_reverse_mode():
    f = lambda x, n: lax.fori_loop(0, n, lambda i, c: c * x, 1.0)  # noqa: E731
    close(fungrad.grad(f)(2.0, jnp.int32(3)), 12.0)
    message = r"max_steps=n; or use fori_loop with bounds that are Python integers.*not jitted"
    mapped = lambda x, n: fungrad.vmap(fungrad.grad(f), (None, 0))(x, jnp.array([n, 2]))  # noqa: E731
    for g in (fungrad.jit(fungrad.grad(f)), fungrad.grad(fungrad.jit(f)), mapped):
        with pytest.raises(ValueError, match=message):
            g(2.0, 3)


def test_counting_steps_keeps_explicit_64_bit_values():
    """Without a bound, reverse mode counts the steps first; values of 64 bits stay so though 32 are the default."""

    def f(x):
        return lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x), (jnp.zeros((), "int64"), x))[1]

    x = jnp.asarray(np.float64(1.1), "float64")
    g = fungrad.grad(f)(x)
    assert g.dtype == np.float64
    np.testing.assert_allclose(g, 4 * 1.1**3, rtol=1e-14)
