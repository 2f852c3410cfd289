"""``lax.scan``, ``lax.map`` and ``lax.associative_scan``: against Python loops and JAX, under every transformation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.control.scan_primitive import scan_p
from fungrad.core.check import check_jaxpr
from fungrad.core.parsing import parse_jaxpr
from fungrad.core.printing import jaxpr_text
from fungrad.jit.passes import run_passes
from fungrad.test_util import check_grads


def normal(*shape, seed=0, scale=1.0):
    x = np.random.default_rng(seed).standard_normal(shape)
    return jnp.asarray((scale * x).astype(np.float32))


def close(got, expected, rtol=2e-5):
    fungrad.tree.map(
        lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=rtol), got, expected
    )


def in_python(f, carry, xs=None, length=None, reverse=False):
    """The loop that ``scan`` means."""
    leaves = fungrad.tree.leaves(xs)
    n = leaves[0].shape[0] if leaves else length
    ys = [None] * n
    for i in reversed(range(n)) if reverse else range(n):
        carry, ys[i] = f(carry, fungrad.tree.map(lambda x: x[i], xs))
    return carry, fungrad.tree.map(lambda *y: jnp.stack(y), *ys)


def rnn(w, h, xs, scan=lax.scan, **options):
    def cell(h, x):
        h = jnp.tanh(h @ w + x)
        return h, h * 2.0

    return scan(cell, h, xs, **options)


def mixed(a, state, xs, scan=lax.scan, **options):
    """A body with a captured array, a counter, a nested carry, a constant carry and an unused input."""

    def body(c, x):
        n, (u, v), fixed = c
        u = jnp.sin(u * x["p"]) + fixed * jnp.sum(a)
        return (n + 1, (u, v * 0.5 + n), fixed), {"u": u, "count": n, "x": x["p"]}

    return scan(body, (0, state, 0.5), xs, **options)


PROGRAMS = {
    "rnn": (rnn, (normal(3, 3), normal(3, seed=1), normal(4, 3, seed=2))),
    "mixed": (
        mixed,
        (normal(2), (normal(seed=1), normal(2, seed=2)), {"p": normal(4, seed=3), "q": normal(4, 2, seed=4)}),
    ),
    "scalar": (
        lambda r, x, ys, scan=lax.scan, **o: scan(lambda c, y: (r * c * (1.0 - c), c + y), x, ys, **o),
        (jnp.float32(1.5), jnp.float32(0.3), normal(5)),
    ),
    "swap": (
        lambda a, b, c, scan=lax.scan, **o: scan(lambda s, x: ((s[1], s[0] * x), s[1]), (a, b), c, **o),
        (normal(2), normal(2, seed=1), normal(3, seed=2)),
    ),
}
programs = pytest.mark.parametrize("name", PROGRAMS)
reverse = pytest.mark.parametrize("reverse", [False, True])


# -- values ----------------------------------------------------------------------------------------------------------


@programs
@reverse
def test_values(name, reverse):
    f, args = PROGRAMS[name]
    expected = f(*args, scan=in_python, reverse=reverse)
    close(f(*args, reverse=reverse), expected)
    close(fungrad.jit(lambda *a: f(*a, reverse=reverse))(*args), expected)
    close(f(*args, reverse=reverse, unroll=2), expected)
    with fungrad.disable_jit():
        close(f(*args, reverse=reverse), expected)


@programs
def test_types_agree_with_eval_shape(name):
    f, args = PROGRAMS[name]
    out, shapes = f(*args), fungrad.eval_shape(f, *args)
    fungrad.tree.map(lambda x, s: (x.shape, x.dtype) == (s.shape, s.dtype) or pytest.fail(f"{x} {s}"), out, shapes)


def test_interpreted_primitive():
    f, args = PROGRAMS["mixed"]
    jaxpr = fungrad.make_jaxpr(f)(*args)
    (eqn,) = [e for e in jaxpr.eqns if e.primitive is scan_p]
    operands = [np.ones(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    compiled = scan_p.bind(*operands, **eqn.params)
    with fungrad.disable_jit():
        close(scan_p.bind(*operands, **eqn.params), compiled)


def test_without_inputs_and_without_results():
    carry, ys = lax.scan(lambda c, x: (c * 2, None), 1, None, length=5)
    assert int(carry) == 32 and ys is None
    carry, ys = lax.scan(lambda c, x: (c, x), (), jnp.arange(3))
    assert carry == () and ys.tolist() == [0, 1, 2]
    carry, ys = lax.scan(lambda c, x: (c + x["a"], ()), 1, {"a": jnp.arange(3), "none": None})
    assert int(carry) == 4 and ys == ()


def test_many_types():
    def body(c, x):
        z, flag, n = c
        return (z * 1j + x, ~flag, n ^ 3), (z, flag, n)

    init = (jnp.complex64(1 + 1j), jnp.bool_(True), jnp.uint8(9))
    out = lax.scan(body, init, normal(4))
    close(out, in_python(body, init, normal(4)))
    assert [y.dtype.name for y in out[1]] == ["complex64", "bool", "uint8"]


@reverse
def test_zero_length(reverse):
    f, args = PROGRAMS["rnn"]
    w, h, xs = args[0], args[1], jnp.zeros((0, 3))
    carry, ys = rnn(w, h, xs, reverse=reverse)
    close(carry, h)
    assert ys.shape == (0, 3)

    def loss(w, h, xs):
        c, ys = rnn(w, h, xs, reverse=reverse)
        return jnp.sum(c**2) + jnp.sum(ys)

    for g in (fungrad.grad(loss, (0, 1, 2)), fungrad.jit(fungrad.grad(loss, (0, 1, 2)))):
        dw, dh, dxs = g(w, h, xs)
        close((dw, dh), (jnp.zeros((3, 3)), 2 * h))
        assert dxs.shape == (0, 3)
    carry, ys = fungrad.vmap(rnn, (None, 0, None))(w, jnp.stack([h, h]), xs)
    assert carry.shape == (2, 3) and ys.shape == (2, 0, 3)
    with fungrad.disable_jit():
        assert rnn(w, h, xs)[1].shape == (0, 3)


def test_empty_carry():
    init = jnp.zeros((0, 2))
    carry, ys = lax.scan(lambda c, x: (c * x, c + 1.0), init, normal(3))
    assert carry.shape == (0, 2) and ys.shape == (3, 0, 2)
    g = fungrad.grad(lambda c: jnp.sum(lax.scan(lambda c, x: (c * x, c + 1.0), c, normal(3))[1]))(init)
    assert g.shape == (0, 2)


def test_weak_carries_take_the_type_of_the_body():
    carry, ys = lax.scan(lambda c, x: (c + x, c), 0, jnp.arange(3.0))
    assert carry.dtype == ys.dtype == np.float32 and ys.tolist() == [0, 0, 1]
    carry, _ = lax.scan(lambda c, x: ((c[0] + x, c[1] + c[0]), None), (0.0, 0), jnp.arange(3, dtype=jnp.float16))
    assert [c.dtype.name for c in carry] == ["float16", "float32"]
    carry, ys = lax.scan(lambda c, x: (c * 2.0, c), 1.0, None, 3)
    assert carry.weak_type and ys.weak_type


def test_keys_as_carry():
    key = fungrad.random.key(0)

    def body(key, _):
        key, sub = fungrad.random.split(key)
        return key, fungrad.random.uniform(sub, (2,))

    close(lax.scan(body, key, None, 3)[1], jnp.stack([*map(np.asarray, _drawn(key, 3))]))


def _drawn(key, n):
    for _ in range(n):
        key, sub = fungrad.random.split(key)
        yield fungrad.random.uniform(sub, (2,))


def test_operations_without_native_code_in_the_body():
    # Complex arithmetic and sorting of several arrays may run between pieces of native code.
    def body(c, x):
        values, order = lax.sort((c, jnp.arange(4.0)), num_keys=1)
        return jnp.roll(values, 1) + x, jnp.fft.fft(order).real if hasattr(jnp, "fft") else order

    args = normal(4), normal(3, seed=1)
    close(fungrad.jit(lambda c, x: lax.scan(body, c, x))(*args), in_python(body, *args))


# -- derivatives -----------------------------------------------------------------------------------------------------


@programs
@reverse
@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives(name, reverse, compiled):
    f, args = PROGRAMS[name]

    def g(*args):
        carry, ys = f(*args, reverse=reverse)
        return [x for x in fungrad.tree.leaves((carry, ys)) if jnp.issubdtype(x.dtype, jnp.floating)]

    check_grads(fungrad.jit(g) if compiled else g, args, order=2, rtol=2e-2, atol=2e-2)


@programs
def test_gradients_are_those_of_the_python_loop(name):
    f, args = PROGRAMS[name]

    def loss(*args, **options):
        return sum(jnp.sum(jnp.sin(x)) for x in fungrad.tree.leaves(f(*args, **options)))

    argnums = tuple(range(len(args)))
    expected = fungrad.grad(lambda *a: loss(*a, scan=in_python), argnums)(*args)
    for transform in (fungrad.grad, lambda f, n: fungrad.jit(fungrad.grad(f, n)), fungrad.jacrev, fungrad.jacfwd):
        close(transform(loss, argnums)(*args), expected, rtol=1e-4)


def test_third_derivative():
    def f(x):
        return lax.scan(lambda c, _: (c * x, None), x, None, 4)[0]  # x ** 5

    d3 = fungrad.grad(fungrad.grad(fungrad.grad(f)))
    close(d3(1.5), 60 * 1.5**2)
    close(fungrad.jit(d3)(1.5), 60 * 1.5**2)
    close(fungrad.jacfwd(fungrad.jacrev(fungrad.jacfwd(f)))(1.5), 60 * 1.5**2)


def test_nested_loops():
    def f(w, xs):
        def inner(c, x):
            return jnp.sin(c * x) + w, c * w

        def outer(c, row):
            c, ys = lax.scan(inner, c, row, reverse=True)
            return c * jnp.sum(ys), ys

        return lax.scan(outer, w, xs)

    args = jnp.float32(0.7), normal(3, 2, scale=0.5)
    check_grads(f, args, order=2, rtol=2e-2, atol=2e-2)
    check_grads(fungrad.jit(f), args, order=1, rtol=2e-2, atol=2e-2)
    batch = fungrad.vmap(fungrad.grad(lambda w, xs: f(w, xs)[0]), (0, None))(jnp.array([0.7, 0.3]), args[1])
    close(batch, jnp.stack([fungrad.grad(lambda w: f(w, args[1])[0])(w) for w in (0.7, 0.3)]))


def test_closing_over_outer_tracers():
    def f(x):
        def g(y):
            return lax.scan(lambda c, z: (c * y + x * z, None), x * y, normal(3))[0]

        return fungrad.grad(g)(x) * x

    check_grads(f, (jnp.float32(0.9),), order=2, rtol=2e-2, atol=2e-2)
    xs = jnp.array([0.9, -0.4])
    close(fungrad.vmap(f)(xs), jnp.stack([f(x) for x in xs]))
    close(fungrad.jit(fungrad.vmap(fungrad.grad(f)))(xs), jnp.stack([fungrad.grad(f)(x) for x in xs]))


def residuals_of(f, *args):
    """Types of what the backward scan reads, and of what the forward scan stacks."""
    jaxpr = fungrad.make_jaxpr(fungrad.grad(f))(*args)
    forward, backward = [e for e in run_passes(jaxpr).eqns if e.primitive is scan_p]
    return (
        [v.aval.str_short() for v in backward.invars],
        [v.aval.str_short() for v in forward.outvars[forward.params["num_carry"] :]],
    )


def test_scanned_inputs_are_not_stacked_again():
    def f(x, ys):
        return lax.scan(lambda c, y: (c + x * y, None), 0.0, ys)[0] ** 2

    _, stacked = residuals_of(f, 2.0, normal(7))
    assert stacked == []


def test_loop_invariant_residuals_are_computed_once():
    def f(w, ys):
        return lax.scan(lambda c, y: (jnp.cos(w) * c, y), ys[0], ys)[0].sum()

    reads, stacked = residuals_of(f, normal(5), normal(7, 5))
    assert stacked == ["f32[7,5]"]  # the carry, for the derivative by w
    assert reads.count("f32[7,5]") == 1


def test_results_that_are_residuals_are_stacked_once():
    def f(w, h):
        def cell(h, _):
            e = jnp.exp(h * w)
            return e, e

        h, ys = lax.scan(cell, h, None, 3)
        return h.sum() + ys.sum()

    _, stacked = residuals_of(f, normal(4), normal(4, seed=1))
    assert len(stacked) == 2  # e, which is the result, and the old carry


def test_unchanged_carries_are_not_stacked():
    def f(x, ys):
        return lax.scan(lambda c, y: ((c[0], c[1] * c[0]), None), (x, 1.0), ys)[0][1]

    _, stacked = residuals_of(f, 2.0, normal(7))
    assert stacked == ["f32[7]"]
    close(fungrad.grad(f)(2.0, normal(7)), 7 * 2.0**6)


def test_linear_transpose_with_a_counter():
    def f(x):
        def body(c, y):
            n, u = c
            return (n + 1, u * n + y), u + y

        (_, u), ys = lax.scan(body, (1, x[0]), x)
        return u, ys

    x = normal(4)
    transposed = fungrad.linear_transpose(f, x)
    ct = (jnp.float32(1.5), normal(4, seed=1))
    close(transposed(ct)[0], fungrad.vjp(f, x)[1](ct)[0])


def test_integer_inputs():
    g = fungrad.grad(lambda x, n: lax.scan(lambda c, i: (c * x + i, None), x, n)[0])(2.0, jnp.arange(3))
    close(g, fungrad.grad(lambda x: ((x * x + 0) * x + 1) * x + 2)(2.0))


def test_linearize():
    f, args = PROGRAMS["rnn"]
    out, push = fungrad.linearize(f, *args)
    tangents = tuple(normal(*a.shape, seed=9) for a in args)
    close(out, f(*args))
    close(push(*tangents), fungrad.jvp(f, args, tangents)[1])


# -- vmap ------------------------------------------------------------------------------------------------------------


@reverse
def test_vmap_in_every_position(reverse):
    w, h, xs = PROGRAMS["rnn"][1]
    shift = {0: (normal(2, 3, 3), normal(2, 3, 3)), 1: (normal(2, 3), normal(3, 2)), 2: (normal(2, 4, 3), None)}
    batched = {
        None: (w, h, xs),
        0: (shift[0][0], shift[1][0], shift[2][0]),
        1: (shift[0][1].transpose(1, 0, 2), shift[1][1], normal(4, 2, 3)),
        -1: (normal(3, 3, 2), shift[1][1], normal(4, 3, 2)),
    }
    for axes in itertools.product(batched, repeat=3):
        if axes == (None, None, None):
            continue
        args = [batched[a][i] for i, a in enumerate(axes)]
        got = fungrad.vmap(lambda *a: rnn(*a, reverse=reverse), axes, 1)(*args)
        for n in range(2):
            one = [x if a is None else jnp.take(x, n, a) for x, a in zip(args, axes, strict=True)]
            close(fungrad.tree.map(lambda y: y[:, n], got), rnn(*one, reverse=reverse))


def test_vmap_of_a_carry_that_becomes_mapped_late():
    def f(x):
        return lax.scan(lambda c, _: ((c[1], c[2], c[2] * x), c[0]), (0.0, 1.0, 2.0), None, 4)

    xs = normal(3)
    got = fungrad.vmap(f)(xs)
    for n in range(3):
        close(fungrad.tree.map(lambda y: y[n], got), f(xs[n]))


def test_vmap_size_zero():
    carry, ys = fungrad.vmap(lambda x: lax.scan(lambda c, y: (c + y, c), x, normal(3)))(jnp.zeros(0))
    assert carry.shape == (0,) and ys.shape == (0, 3)


def test_unmapped_results_stay_unmapped():
    def f(x):
        return lax.scan(lambda c, y: (c + y, y * 2), 0.0, normal(3))[0] + x

    assert fungrad.vmap(f)(normal(2)).shape == (2,)
    out = fungrad.vmap(lambda x: lax.scan(lambda c, y: (c * x, y), x, normal(3)), out_axes=(0, None))(normal(2))
    assert out[1].shape == (3,)


def test_collectives_in_the_body():
    def f(x):
        return lax.scan(lambda c, y: (c + lax.psum(y * x, "i"), lax.axis_index("i")), 0.0, jnp.arange(3.0))

    carry, index = fungrad.vmap(f, axis_name="i")(jnp.array([1.0, 2.0]))
    close(carry, jnp.array([9.0, 9.0]))
    assert index.tolist() == [[0, 0, 0], [1, 1, 1]]
    # No operand is mapped.
    total = fungrad.vmap(
        lambda x: lax.scan(lambda c, y: (c + lax.psum(y, "i"), None), 0, jnp.arange(3))[0], axis_name="i"
    )
    assert total(jnp.zeros(4)).tolist() == [12] * 4
    grads = fungrad.vmap(fungrad.grad(lambda x: f(x)[0]), axis_name="i")(jnp.array([1.0, 2.0]))
    assert grads.shape == (2,)


TRANSFORMS = {
    "grad": fungrad.grad,
    "jvp": lambda f: lambda x: fungrad.jvp(f, (x,), (x,))[1],
    "vmap": lambda f: lambda x: jnp.sum(fungrad.vmap(f)(jnp.stack([x, 0.5 * x]))),
    "jit": fungrad.jit,
}


@pytest.mark.parametrize("order", list(itertools.product(TRANSFORMS, repeat=3)), ids="-".join)
def test_compositions(order):
    w = 0.3

    def f(x, scan=lax.scan):
        c, ys = scan(lambda c, y: (jnp.sin(c * y) + w * x, c * x), x, jnp.array([0.3, 0.8, 0.5]))
        return c + jnp.sum(ys * ys)

    got, expected = f, lambda x: f(x, scan=in_python)
    for name in reversed(order):
        got, expected = TRANSFORMS[name](got), TRANSFORMS[name](expected)
    close(got(jnp.float32(0.7)), expected(jnp.float32(0.7)), rtol=1e-4)


# -- jaxprs ----------------------------------------------------------------------------------------------------------


@programs
@pytest.mark.parametrize("transform", ["none", "grad", "vmap", "passes"])
def test_jaxprs_are_well_formed(name, transform):
    f, args = PROGRAMS[name]
    if transform == "grad":
        g = f
        f = fungrad.grad(lambda *a: sum(jnp.sum(x) for x in fungrad.tree.leaves(g(*a))))
    if transform == "vmap":
        f, args = fungrad.vmap(f), fungrad.tree.map(lambda x: jnp.stack([x, x]), args)
    jaxpr = fungrad.make_jaxpr(f)(*args)
    if transform == "passes":
        jaxpr = run_passes(jaxpr, lambda where, j: check_jaxpr(j, where))
        assert run_passes(jaxpr) == jaxpr
    check_jaxpr(jaxpr)
    closed = jaxpr.with_consts_as_inputs()
    assert parse_jaxpr(jaxpr_text(closed, weak=True)) == closed


def test_printed_form():
    jaxpr = fungrad.make_jaxpr(lambda r, x: lax.scan(lambda c, y: (c * r, y), 1.0, x))(2.0, jnp.ones(3))
    eqn = jaxpr.eqns[-1]
    assert eqn.primitive.name == "scan"
    assert sorted(eqn.params) == ["jaxpr", "length", "num_carry", "num_consts", "reverse", "unroll"]
    assert not eqn.params["jaxpr"].consts


def test_dead_code_is_removed():
    def f(x, ys):
        def body(c, y):
            used, dead, counter = c
            return (used * y, dead + used, counter + 1), (used, jnp.exp(dead))

        (used, _, _), (first, _) = lax.scan(body, (x, x, 0), ys)
        return used, first

    jaxpr = run_passes(fungrad.make_jaxpr(f)(1.0, normal(3)))
    (eqn,) = [e for e in jaxpr.eqns if e.primitive is scan_p]
    assert eqn.params["num_carry"] == 1 and len(eqn.outvars) == 2
    assert {e.primitive.name for e in eqn.params["jaxpr"].eqns} <= {"mul", "convert_element_type"}


def test_bodies_are_traced_once():
    count = 0

    def body(c, x):
        nonlocal count
        count += 1
        return c + x, None

    for _ in range(3):
        lax.scan(body, 0.0, normal(3))
    assert count == 1
    lax.scan(body, 0.0, normal(4))  # the length is not part of the body
    assert count == 1


# -- errors ----------------------------------------------------------------------------------------------------------

x3 = jnp.ones(3)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: lax.scan(lambda c, x: c, x3, x3),
            TypeError,
            r"lax.scan: .* must return a pair .* got an array of type f32\[3\]",
        ),
        (lambda: lax.scan(lambda c, x: (c, c, c), x3, x3), TypeError, "must return a pair"),
        (lambda: lax.scan(lambda c, x: (c, c), x3), ValueError, "nothing to scan over"),
        (lambda: lax.scan(lambda c, x: (c, c), x3, (x3, jnp.ones(4))), ValueError, r"xs\[0\]: 3, xs\[1\]: 4"),
        (lambda: lax.scan(lambda c, x: (c, c), x3, x3, length=4), ValueError, "for a length of 4"),
        (lambda: lax.scan(lambda c, x: (c, c), x3, {"a": 1.0}), ValueError, r"xs\['a'\] must have a leading dimension"),
        (lambda: lax.scan(lambda c, x: (c, c), x3, None, -1), ValueError, "length must not be negative"),
        (lambda: lax.scan(lambda c, x: (c, c), x3, x3, unroll=-1), ValueError, "unroll"),
        (lambda: lax.scan(3, x3, x3), TypeError, "f must be a function, got 3"),
        (lambda: lax.scan(lambda c, x: (c, c), "text", x3), TypeError, "init must be an array or a scalar"),
        (
            lambda: lax.scan(lambda c, x: ({"h": c["h"][:2], "k": c["k"] > 0}, None), {"h": x3, "k": x3}, x3),
            TypeError,
            r"(?s)c\['h'\] has type f32\[3\] on input but f32\[2\] on output \(shapes differ\)"
            r".*c\['k'\] has type f32\[3\] on input but bool\[3\] on output \(dtypes differ\)",
        ),
        (
            lambda: lax.scan(lambda c, x: ({"g": c["h"]}, None), {"h": x3}, x3),
            TypeError,
            r"(?s)structure.*c: .*missing \['h'\]",
        ),
        (lambda: lax.scan(lambda c, x: ((c, c), None), x3, x3), TypeError, "(?s)structure.*c: a leaf on input"),
        (lambda: lax.scan(lambda c, x: (c, "text"), x3, x3), TypeError, "must be an array or a scalar, got 'text'"),
        (
            lambda: lax.scan(lambda c, x: (c, None) if c > 0 else (c, x), 1.0, x3),
            TypeError,
            "lax.scan: the truth value",
        ),
        (lambda: lax.map(lambda x: x, 1.0), ValueError, "leading dimension"),
        (lambda: lax.map(lambda x: x, x3, batch_size=-1), ValueError, "batch_size must not be negative"),
        (
            lambda: lax.associative_scan(jnp.add, (x3, jnp.ones(2))),
            ValueError,
            r"one size along axis 0, got shapes \(3,\), \(2,\)",
        ),
        (lambda: lax.associative_scan(lambda a, b: (a, b), x3), TypeError, "structure of elems"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- map and associative_scan ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 0, 1, 2, 3, 7, 10])
def test_map(batch_size):
    xs = {"a": normal(7), "b": normal(7, 2)}

    def f(x):
        return jnp.sin(x["a"]) * x["b"], x["a"]

    close(lax.map(f, xs, batch_size=batch_size), fungrad.vmap(f)(xs))
    grad = fungrad.grad(lambda xs, m: sum(jnp.sum(y**2) for y in m(xs)))
    close(grad(xs, lambda xs: lax.map(f, xs, batch_size=batch_size)), grad(xs, fungrad.vmap(f)))
    empty = lax.map(f, {"a": jnp.zeros(0), "b": jnp.zeros((0, 2))}, batch_size=batch_size)
    assert [y.shape for y in empty] == [(0, 2), (0,)]


@pytest.mark.parametrize("n", range(10))
@reverse
def test_associative_scan(n, reverse):
    x = normal(2, n, 3)
    flip = np.flip if reverse else lambda x, axis: x
    expected = flip(np.cumsum(flip(np.asarray(x), 1), 1), 1)
    close(lax.associative_scan(jnp.add, x, reverse=reverse, axis=1), expected)
    close(lax.associative_scan(jnp.add, x, reverse=reverse, axis=-2), expected)


def test_associative_scan_of_matrices_and_trees():
    m = normal(6, 2, 2)
    products = lax.associative_scan(lambda a, b: b @ a, m)
    close(products, in_python(lambda c, x: (x @ c, x @ c), jnp.eye(2), m)[1], rtol=1e-4)

    # A linear recurrence h' = a h + b.
    a, b = normal(9), normal(9, seed=1)
    _, h = lax.associative_scan(lambda p, q: (p[0] * q[0], p[1] * q[0] + q[1]), (a, b))
    close(h, lax.scan(lambda h, ab: (ab[0] * h + ab[1],) * 2, 0.0, (a, b))[1])
    check_grads(lambda a: lax.associative_scan(jnp.multiply, a), (a,), order=2, rtol=2e-2, atol=2e-2)


# -- random programs -------------------------------------------------------------------------------------------------


def random_body(lib, choices, depth):
    """A body of three carries from a list of small numbers."""
    np_, lax_ = lib.numpy, lib.lax
    unary = [np_.sin, np_.tanh, lambda x: x * 0.5, lambda x: -x, np_.cos]

    def body(c, x):
        values = [*c, x]
        for a, b, op in choices:
            u, v = values[a % len(values)], values[b % len(values)]
            if op % 7 == 6 and depth:
                v, more = lax_.scan(random_body(lib, choices[:1], 0), (u, v, u * v), np_.stack([u, v]))
                u = np_.sum(more) + v[2]
                values.append(u)
            elif op % 7 == 5:
                values.append(np_.where(u > v, u, v * 0.5))
            else:
                values.append(unary[op % 5](u) * v + 0.1)
        return tuple(values[-3:]), values[choices[0][0] % len(values)]

    return body


numbers = st.integers(0, 20)
bodies = st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5)


@pytest.mark.parity
@settings(max_examples=25)
@given(bodies, st.integers(0, 4), st.booleans())
def test_random_programs_agree_with_jax(choices, length, reverse):
    jax = pytest.importorskip("jax")
    xs = np.linspace(-1, 1, length).astype(np.float32)
    init = tuple(np.float32(v) for v in (0.3, -0.7, 0.9))

    def run(lib):
        def loss(init, xs):
            carry, ys = lib.lax.scan(random_body(lib, choices, 1), init, xs, reverse=reverse)
            return sum(carry) + lib.numpy.sum(ys)

        tangents = tuple(np.float32(v) for v in (1.0, -0.5, 0.25))
        args = tuple(map(lib.numpy.asarray, init)), lib.numpy.asarray(xs)
        along = lambda init: lib.jvp(lambda i: loss(i, args[1]), (init,), (tangents,))[1]  # noqa: E731
        stacked = lib.tree_util.tree_map(lambda x: lib.numpy.stack([x, x * 0.5]), args[0])
        return (
            loss(*args),
            lib.grad(loss, (0, 1))(*args),
            lib.grad(along)(args[0]),
            lib.vmap(lib.grad(loss), (0, None))(stacked, args[1]),
        )

    got = fungrad.tree.map(np.asarray, run(fungrad))
    expected = jax.tree.map(np.asarray, run(jax))
    for g, e in zip(fungrad.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert g.dtype == e.dtype and g.shape == e.shape
        np.testing.assert_allclose(g, e, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("init", [1.0, np.ones(3, np.float32), (1.0, np.ones((2, 3), np.float32))])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_loop_that_does_nothing(init, steps):
    loops = (
        lambda c: lax.scan(lambda c, x: (c, None), c, None, length=steps)[0],
        lambda c: lax.fori_loop(0, steps, lambda i, c: c, c),
        lambda c: lax.fori_loop(0, jnp.int32(steps), lambda i, c: c, c),
    )
    for loop in loops:
        for f in (loop, fungrad.jit(loop)):
            for got, want in zip(fungrad.tree.leaves(f(init)), fungrad.tree.leaves(init), strict=True):
                np.testing.assert_array_equal(got, want)
    slopes = fungrad.grad(lambda c: sum(jnp.sum(x) for x in fungrad.tree.leaves(loops[0](c))))(init)
    assert all((x == 1).all() for x in fungrad.tree.leaves(slopes))


@pytest.mark.parametrize("shape", [(0, 8), (3, 0), (0, 0)])
def test_series_mapped_over_no_examples(shape):
    def series(x, c):
        return lax.scan(lambda a, t: (((1 - t[0]) * (t[0] + t[1] * a) + a),) * 2, 0.0, (x, c), reverse=True)[1]

    x = np.ones(shape, np.float32)
    mapped = fungrad.vmap(series)
    assert fungrad.jit(mapped)(x, x).shape == mapped(x, x).shape == shape
    assert fungrad.jit(fungrad.grad(lambda x: mapped(x, x).sum()))(x).shape == shape
