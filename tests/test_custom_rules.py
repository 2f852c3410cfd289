"""Custom derivative rules: compared with JAX through every transformation, and their messages."""

import functools

import numpy as np
import pytest

import fungrad
import fungrad.custom_derivatives
import fungrad.numpy as fnp
from fungrad import lax

X = np.float32([0.3, -1.2, 2.0])


@pytest.fixture(scope="module")
def jax():
    pytest.importorskip("jax.custom_derivatives")
    return pytest.importorskip("jax")


# -- functions with rules, for any library with JAX's names -----


def log1pexp(lib):
    np_ = lib.numpy

    @lib.custom_jvp
    def log1pexp(x):
        return np_.log(1.0 + np_.exp(x))

    @log1pexp.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        return log1pexp(x), (1.0 - 1.0 / (1.0 + np_.exp(x))) * t

    return log1pexp


def scaled_jvp(lib):
    """Rules that are wrong on purpose show whether they are used: each derivative has a factor of its own."""

    @lib.custom_jvp
    def f(x):
        return lib.numpy.sin(x)

    f.defjvp(lambda p, t: (f(p[0]), 3.0 * lib.numpy.cos(p[0]) * t[0]))
    return f


def scaled_vjp(lib):
    @lib.custom_vjp
    def f(x):
        return lib.numpy.sin(x)

    f.defvjp(lambda x: (f(x), x), lambda x, ct: (3.0 * lib.numpy.cos(x) * ct,))
    return f


def two_arguments(lib):
    @lib.custom_vjp
    def f(x, y):
        return lib.numpy.sin(x) * y, x - y

    def bwd(res, ct):
        x, y = res
        return 2.0 * ct[0] * y * x + ct[1], lib.numpy.sum(5.0 * ct[0] * x) - lib.numpy.sum(ct[1])

    f.defvjp(lambda x, y: (f(x, y), (x, y)), bwd)
    return lambda x: f(x, lib.numpy.float32(2.0))[0] * f(1.0, lib.numpy.sum(x))[1] + f(x, lib.numpy.max(x))[0]


def per_argument(lib):
    @lib.custom_jvp
    def f(x, y):
        return x * y

    f.defjvps(lambda t, out, x, y: 2.0 * t * y + out * t, None)
    return lambda x: f(x, x) * f(x, 3.0)


def trees(lib):
    @lib.custom_jvp
    def f(d):
        return {"s": d["a"] * d["b"][0], "t": lib.numpy.sum(d["a"])}

    def rule(primals, tangents):
        (d,), (t,) = primals, tangents
        return f(d), {"s": 2.0 * t["a"] * d["b"][0] + t["b"][0], "t": lib.numpy.sum(t["a"])}

    f.defjvp(rule)

    def g(x):
        out = f({"a": x, "b": (x * x,)})
        return out["s"] + out["t"]

    return g


def non_differentiable(lib):
    @functools.partial(lib.custom_jvp, nondiff_argnums=(0, 2))
    def f(g, x, n):
        return g(x) * n

    f.defjvp(lambda g, n, p, t: (f(g, p[0], n), 7.0 * t[0] * n))

    @functools.partial(lib.custom_vjp, nondiff_argnums=(1,))
    def h(x, g):
        return g(x)

    h.defvjp(lambda x, g: (g(x), x), lambda g, x, ct: (ct * x + g(x),))
    return lambda x: f(lib.numpy.cos, x, 2) * h(x, lib.numpy.exp)


def clip_gradient(lib):
    @lib.custom_vjp
    def clip(low, high, x):
        return x

    clip.defvjp(
        lambda low, high, x: (x, (low, high)),
        lambda res, g: (None, None, lib.numpy.clip(g, res[0], res[1])),
    )
    return lambda x: clip(-1.0, 1.5, x * x) * 4.0 * x


def straight_through(lib):
    @lib.custom_jvp
    def rounded(x):
        return lib.numpy.round(x)

    rounded.defjvp(lambda p, t: (rounded(*p), t[0]))
    return lambda x: rounded(3.0 * x) * x


def integer_argument(lib):
    @lib.custom_vjp
    def f(x, n):
        return x * n

    f.defvjp(lambda x, n: (x * n, (x, n)), lambda res, ct: (10.0 * ct * res[1], None))

    @lib.custom_jvp
    def g(x, n):
        return x * n, n + 1

    def rule(p, t):
        out = g(*p)
        return out, (6.0 * t[0] * p[1], np.zeros(np.shape(out[1]), fungrad.float0))

    g.defjvp(rule)
    n = np.int32(3)
    return lambda x: f(x, n) + g(x, n)[0] * g(x, n)[1]


def symbolic(lib):
    """Rules that look which tangents are zero."""
    derivatives = lib.custom_derivatives

    @lib.custom_jvp
    def f(x, y):
        return x * y, lib.numpy.sin(y)

    def rule(p, t):
        zero = [isinstance(s, derivatives.SymbolicZero) for s in t]
        first = 2.0 * t[0] * p[1] if not zero[0] else lib.numpy.zeros_like(p[0])
        return f(*p), (first, t[1] if zero[1] else 5.0 * t[1])

    f.defjvp(rule, symbolic_zeros=True)

    @lib.custom_vjp
    def g(x, y):
        return x * y, x + y

    def fwd(x, y):
        factor = 3.0 if x.perturbed and not y.perturbed else 11.0
        return (x.value * y.value, x.value + y.value), (x.value, y.value, lib.numpy.float32(factor))

    def bwd(res, ct):
        x, y, factor = res
        unused = isinstance(ct[1], derivatives.SymbolicZero)
        return factor * ct[0] * y, ct[0] * x * (2.0 if unused else 4.0)

    g.defvjp(fwd, bwd, symbolic_zeros=True)

    def h(x):
        two = lib.numpy.full_like(x, 2.0)
        return f(x, two)[0] + f(x, x)[1] + g(x, two)[0] + g(x, x)[0]

    return h


def own_gradient(lib):
    @lib.custom_gradient
    def f(x):
        y = lib.numpy.exp(x)
        return y, lambda g: 3.0 * g * y

    @lib.custom_gradient
    def h(x, y):
        return {"p": x * y}, lambda g: (g["p"] * y * 2.0, g["p"] * x)

    return lambda x: f(x) * h(x, x)["p"] + h(x, x * x)["p"]


def nested(lib):
    """Rules that call functions with rules, and a jitted one."""
    inner, outer = scaled_vjp(lib), scaled_jvp(lib)
    np_ = lib.numpy

    @lib.custom_vjp
    def f(x):
        return inner(x) + outer(x)

    # a rule written with other functions that have rules
    f.defvjp(lambda x: (f(x), x), lambda x, ct: (inner(x) * ct * 2.0,))
    g = lib.jit(f)
    return lambda x: g(x) * inner(np_.cos(x)) + lib.jit(outer)(x)


def fixed_point(lib):
    """Implicit differentiation: the derivative of a fixed point does not see the iteration."""
    np_ = lib.numpy

    def iterate(f, a, x):
        for _ in range(40):
            x = f(a, x)
        return x

    @functools.partial(lib.custom_vjp, nondiff_argnums=(0,))
    def solve(f, a, x):
        return iterate(f, a, x)

    def fwd(f, a, x):
        x_star = solve(f, a, x)
        return x_star, (a, x_star)

    def bwd(f, res, ct):
        a, x_star = res
        _, pull_x = lib.vjp(lambda x: f(a, x), x_star)
        w = iterate(lambda c, w: c + pull_x(w)[0], ct, ct)
        _, pull_a = lib.vjp(lambda a: f(a, x_star), a)
        return pull_a(w)[0], np_.zeros_like(x_star)

    solve.defvjp(fwd, bwd)
    return lambda a: solve(lambda a, x: 0.5 * (x + a / x), a * a + 0.5, np_.ones_like(a))


FORWARD = [log1pexp, scaled_jvp, per_argument, trees, straight_through]
PROGRAMS = [
    *FORWARD,
    non_differentiable,
    scaled_vjp,
    two_arguments,
    clip_gradient,
    integer_argument,
    symbolic,
    own_gradient,
    nested,
    fixed_point,
]


def derivative(lib, f):
    return lib.grad(lambda x: lib.numpy.sum(f(x)))


TRANSFORMS = {
    "value": lambda lib, f: f,
    "jit": lambda lib, f: lib.jit(f),
    "vmap": lambda lib, f: lib.vmap(f),
    "jit vmap": lambda lib, f: lib.jit(lib.vmap(f)),
    "grad": derivative,
    "grad jit": lambda lib, f: derivative(lib, lib.jit(f)),
    "jit grad": lambda lib, f: lib.jit(derivative(lib, f)),
    "vmap grad": lambda lib, f: lib.vmap(lib.grad(f)),
    "grad vmap": lambda lib, f: derivative(lib, lib.vmap(f)),
    "grad jit vmap": lambda lib, f: derivative(lib, lib.jit(lib.vmap(f))),
    "jit vmap grad jit": lambda lib, f: lib.jit(lib.vmap(lib.grad(lib.jit(f)))),
    "grad vmap vmap": lambda lib, f: lambda x: derivative(lib, lib.vmap(lib.vmap(f)))(x[:, None] * x)[0],
    "grad grad": lambda lib, f: derivative(lib, derivative(lib, f)),
    "grad vmap grad": lambda lib, f: derivative(lib, lib.vmap(lib.grad(f))),
    "grad jit grad": lambda lib, f: derivative(lib, lib.jit(derivative(lib, f))),
    "grad grad jit vmap": lambda lib, f: derivative(lib, derivative(lib, lib.jit(lib.vmap(f)))),
    "jacrev": lambda lib, f: lib.jacrev(f),
    "checkpoint": lambda lib, f: derivative(lib, lib.checkpoint(f)),
}


def assert_close(got, wanted, tol=1e-4):
    got, wanted = fungrad.tree.leaves(got), fungrad.tree.leaves(wanted)
    assert len(got) == len(wanted)
    for g, w in zip(got, wanted, strict=True):
        assert g.shape == w.shape and g.dtype == w.dtype
        np.testing.assert_allclose(g, w, rtol=tol, atol=tol)


@pytest.mark.parity
@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_against_jax(jax, program, name):
    got = TRANSFORMS[name](fungrad, program(fungrad))(fnp.asarray(X))
    wanted = TRANSFORMS[name](jax, program(jax))(jax.numpy.asarray(X))
    assert_close(got, wanted)


@pytest.mark.parity
@pytest.mark.parametrize("program", FORWARD, ids=lambda p: p.__name__)
@pytest.mark.parametrize("compiled", [False, True])
def test_forward_mode_against_jax(jax, program, compiled):
    def along(lib):
        f = program(lib)
        g = lambda x: lib.jvp(lib.vmap(f), (x,), (x * x,))  # noqa: E731
        return (lib.jit(g) if compiled else g)(lib.numpy.asarray(X))

    assert_close(along(fungrad), along(jax))
    assert_close(fungrad.jacfwd(program(fungrad))(fnp.asarray(X)), jax.jacfwd(program(jax))(X))


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["jvp", "vjp"])
def test_jaxprs_print_as_in_jax(jax, kind):
    def f(lib):
        if kind == "jvp":
            g = lib.custom_jvp(lambda x, y: x * y)
            g.defjvp(lambda p, t: (g(*p), t[0]))
        else:
            g = lib.custom_vjp(lambda x, y: x * y)
            g.defvjp(lambda x, y: (x * y, x), lambda r, ct: (ct, ct))
        return lambda x: g(x, 2.0) + g(x, x)

    assert str(fungrad.make_jaxpr(f(fungrad))(1.0)) == str(jax.make_jaxpr(f(jax))(1.0))


# -- properties that need no oracle -----------------------------


def test_rule_is_stable_where_the_function_is_not():
    f = log1pexp(fungrad)
    for g in (fungrad.grad(f), fungrad.jit(fungrad.grad(f)), fungrad.grad(fungrad.jit(f))):
        assert float(g(100.0)) == 1.0
    assert np.isnan(fungrad.grad(lambda x: fnp.log(1.0 + fnp.exp(x)))(100.0))


def test_eager_differentiation_calls_the_rules_with_numbers():
    """A debugger can look at values, and Python can decide by them."""
    seen = []

    @fungrad.custom_vjp
    def f(x):
        return x if x > 0 else -x

    def fwd(x):
        seen.append(float(x))
        return f(x), x

    def bwd(x, ct):
        seen.append(float(ct))
        return (ct if x > 0 else -ct,)

    f.defvjp(fwd, bwd)
    assert float(fungrad.grad(lambda x: 2.0 * f(x))(-3.0)) == -2.0
    assert seen == [-3.0, 2.0]


def test_values_need_no_rules_and_run_plain_python():
    calls = []

    @fungrad.custom_jvp
    def f(x):
        calls.append(type(x).__name__)
        return x + 1.0

    f.defjvp(lambda p, t: pytest.fail("no derivative was asked for"))
    assert float(f(1.0)) == 2.0 and calls == ["ArrayImpl"]
    assert fungrad.vmap(f)(fnp.arange(2.0)).tolist() == [1.0, 2.0]
    assert float(fungrad.jit(f)(1.0)) == 2.0


def both_rules():
    @fungrad.custom_vjp
    def f(x):
        return x * x

    f.defvjp(lambda x: (x * x, x), lambda x, ct: (100.0 * x * ct,))
    f.defjvp(lambda p, t: (p[0] * p[0], 7.0 * p[0] * t[0]))
    return f


def test_forward_and_reverse_rule_on_one_function():
    f = both_rules()
    x = fnp.float32(2.0)
    assert float(fungrad.grad(f)(x)) == 200.0
    assert float(fungrad.jvp(f, (x,), (1.0,))[1]) == 14.0
    assert float(fungrad.jacfwd(f)(x)) == 14.0
    assert float(fungrad.linearize(f, x)[1](1.0)) == 14.0
    assert float(fungrad.linearize(fungrad.jit(f), x)[1](1.0)) == 14.0
    assert float(fungrad.jit(lambda x: fungrad.jvp(f, (x,), (x,))[1])(x)) == 28.0
    assert fungrad.vmap(fungrad.linearize(fungrad.jit(f), x)[1])(fnp.arange(2.0)).tolist() == [
        0.0,
        14.0,
    ]
    assert float(fungrad.jvp(fungrad.vmap(f), (x[None],), (x[None],))[1][0]) == 28.0
    assert float(fungrad.grad(fungrad.grad(f))(x)) == 100.0
    assert float(fungrad.jvp(fungrad.grad(f), (x,), (1.0,))[1]) == 100.0


def test_reverse_rule_on_a_custom_jvp_function():
    f = fungrad.custom_jvp(lambda x: x * x)
    f.defjvp(lambda p, t: (p[0] * p[0], 7.0 * p[0] * t[0]))
    f.defvjp(lambda x: (x * x, x), lambda x, ct: (100.0 * x * ct,))
    assert float(fungrad.jvp(f, (2.0,), (1.0,))[1]) == 14.0
    assert float(fungrad.grad(fungrad.jit(f))(2.0)) == 200.0


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit, fungrad.checkpoint], ids=["plain", "jit", "checkpoint"])
def test_forward_mode_without_a_rule(wrap):
    f = wrap(scaled_vjp(fungrad))
    for run in (
        lambda: fungrad.jvp(f, (1.0,), (1.0,)),
        lambda: fungrad.jacfwd(f)(1.0),
        lambda: fungrad.linearize(f, 1.0)[1](1.0),
        lambda: fungrad.jit(lambda x: fungrad.jvp(f, (x,), (x,)))(1.0),
    ):
        with pytest.raises(TypeError, match=r"can't apply forward-mode autodiff \(jvp"):
            run()


def test_residuals_are_shared_by_calls_of_a_pullback():
    runs = []
    f = fungrad.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (runs.append(0) or x, x), lambda x, ct: (ct * x,))
    _, pullback = fungrad.vjp(f, 3.0)
    assert [float(pullback(c)[0]) for c in (1.0, 2.0)] == [3.0, 6.0] and runs == [0]


def test_methods_and_keywords():
    class Model:
        scale = 2.0

        @functools.partial(fungrad.custom_jvp, nondiff_argnums=(0,))
        def apply(self, x, y=5.0):
            return self.scale * x * y

        @apply.defjvp
        def rule(self, primals, tangents):
            return self.apply(*primals), 11.0 * tangents[0]

    model = Model()
    assert float(fungrad.grad(model.apply)(1.0)) == 11.0
    assert float(model.apply(y=2.0, x=1.0)) == 4.0
    f = fungrad.custom_vjp(lambda x, n: x, nondiff_argnames="n")
    f.defvjp(lambda x, n: (x, None), lambda n, _, ct: (ct * n,))
    assert float(fungrad.grad(f)(1.0, n=3)) == float(fungrad.grad(f)(1.0, 3)) == 3.0


def test_decorated_functions_keep_their_name_and_doc():
    @fungrad.custom_jvp
    def f(x):
        """Doc."""
        return x

    assert (f.__name__, f.__doc__, f.__wrapped__(2)) == ("f", "Doc.", 2)
    assert repr(f) == "<custom_jvp of f>"


def test_cotangents_take_the_types_of_the_arguments():
    f = fungrad.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, None), lambda _, ct: (fnp.ones_like(ct, "float16"),))
    assert fungrad.grad(f)(fnp.float32(1.0)).dtype == "float32"
    f.defvjp(lambda x: (x, None), lambda _, ct: (3,))
    assert fungrad.grad(f)(fnp.float32(1.0)).dtype == "float32"
    f.defvjp(lambda x: (x, None), lambda _, ct: [None])
    assert float(fungrad.grad(f)(1.0)) == 0.0


def test_none_stands_for_zeros_of_a_subtree():
    f = fungrad.custom_vjp(lambda p, y: p["a"] * y)
    f.defvjp(lambda p, y: (p["a"] * y, y), lambda y, ct: (None, ct))
    gradient = fungrad.grad(f)({"a": 1.0, "b": fnp.ones(2)}, 2.0)
    assert float(gradient["a"]) == 0.0 and gradient["b"].tolist() == [0.0, 0.0]
    f.defvjp(lambda p, y: (p["a"] * y, y), lambda y, ct: ({"a": ct * y, "b": None}, None))
    gradient = fungrad.grad(f)({"a": 1.0, "b": fnp.ones(2)}, 2.0)
    assert float(gradient["a"]) == 2.0 and gradient["b"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0)])
def test_empty_arrays(shape):
    for f in (scaled_jvp(fungrad), scaled_vjp(fungrad)):
        g = fungrad.grad(lambda x: fnp.sum(f(x)))(fnp.zeros(shape))
        assert g.shape == shape
        if shape[:1] == (0,):
            assert fungrad.grad(lambda x: fnp.sum(fungrad.vmap(f)(x)))(fnp.zeros(shape)).shape == shape


def test_vmap_of_size_zero_keeps_the_rules():
    f = two_arguments(fungrad)
    assert fungrad.grad(lambda x: fnp.sum(fungrad.vmap(f)(x)))(fnp.zeros((0,))).shape == (0,)


def test_shared_argument_of_a_batch_gets_the_sum_of_cotangents():
    f = fungrad.custom_vjp(lambda w, x: w * x)
    # The cotangent of w is the same for all examples, which must not be counted once only.
    f.defvjp(lambda w, x: (w * x, None), lambda _, ct: (5.0, ct))
    g = fungrad.grad(lambda w: fnp.sum(fungrad.vmap(f, (None, 0))(w, fnp.arange(4.0))))(2.0)
    assert float(g) == 20.0
    g = fungrad.grad(lambda w: fnp.sum(fungrad.vmap(fungrad.jit(f), (None, 0))(w, fnp.arange(4.0))))(2.0)
    assert float(g) == 20.0


def test_collectives_in_rules():
    f = fungrad.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, None), lambda _, ct: (lax.psum(ct, "i"),))
    g = fungrad.grad(lambda x: fnp.sum(fungrad.vmap(f, axis_name="i")(x) * fnp.arange(3.0)))(fnp.ones(3))
    assert g.tolist() == [3.0, 3.0, 3.0]


def test_rules_inside_loops():
    f, g = scaled_jvp(fungrad), scaled_vjp(fungrad)
    for rule in (f, g):

        def loop(x, rule=rule):
            return lax.scan(lambda c, _: (rule(c), None), x, None, length=2)[0]

        x = 0.7
        expected = 9.0 * np.cos(np.sin(x)) * np.cos(x)
        for h in (
            fungrad.grad(loop),
            fungrad.jit(fungrad.grad(loop)),
            fungrad.grad(fungrad.jit(loop)),
        ):
            np.testing.assert_allclose(h(x), expected, rtol=1e-5)
        batched = fungrad.grad(lambda xs: fnp.sum(fungrad.vmap(loop)(xs)))(fnp.float32([x, x]))
        np.testing.assert_allclose(batched, [expected] * 2, rtol=1e-5)


def test_branches_keep_rules():
    f, g = scaled_jvp(fungrad), scaled_vjp(fungrad)
    h = fungrad.jit(lambda x: lax.cond(x > 0, f, g, x))
    for x in (0.5, -0.5):
        np.testing.assert_allclose(fungrad.grad(h)(x), 3.0 * np.cos(x), rtol=1e-5)


def test_transposing_through_a_rule():
    f = fungrad.custom_jvp(lambda x: x * 2.0)
    f.defjvp(lambda p, t: (p[0] * 2.0, t[0] * 7.0))
    assert float(fungrad.linear_transpose(f, 1.0)(1.0)[0]) == 2.0
    assert float(fungrad.linear_transpose(fungrad.jit(f), 1.0)(1.0)[0]) == 2.0


def test_programs_of_equal_rules_are_shared():
    """Tracing again makes new rule objects; they are equal, so nothing is compiled again."""
    f = scaled_jvp(fungrad)
    a, b = (fungrad.make_jaxpr(f)(1.0) for _ in range(2))
    assert a == b and hash(a) == hash(b)
    assert fungrad.make_jaxpr(scaled_jvp(fungrad))(1.0) != a


def summed_with_jvp(library):
    f = library.custom_jvp(lambda x: library.lax.psum(x, "i"))
    f.defjvp(lambda primals, tangents: (f(*primals), library.lax.psum(3 * tangents[0], "i")))
    return f


def summed_with_mapped_tangent(library):
    f = library.custom_jvp(lambda x: library.lax.psum(x, "i"))
    f.defjvp(lambda primals, tangents: (f(*primals), 3 * tangents[0]))
    return f


def summed_with_vjp(library):
    f = library.custom_vjp(lambda x: library.lax.psum(x, "i"))
    f.defvjp(lambda x: (f(x), None), lambda _, ct: (3 * ct,))
    return f


USES = {
    "sum": lambda lib, f: lib.grad(lambda x: lib.vmap(f, axis_name="i")(x).sum()),
    "shared": lambda lib, f: lib.vmap(f, axis_name="i", out_axes=None),
    "of shared": lambda lib, f: lib.grad(lambda x: lib.vmap(f, axis_name="i", out_axes=None)(x)),
    "inside": lambda lib, f: lib.vmap(lib.grad(f), axis_name="i"),
    "used": lambda lib, f: lib.grad(lambda x: lib.vmap(lambda x: f(x) * x, axis_name="i")(x).sum()),
    "of a weight": lambda lib, f: lib.grad(
        lambda w: lib.vmap(lambda w, x: f(w) * x, in_axes=(None, 0), axis_name="i")(w, np.float32([1, 2, 4])).sum()
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("make", [summed_with_jvp, summed_with_mapped_tangent, summed_with_vjp])
def test_results_of_collectives_in_functions_with_rules_are_shared(make, use):
    jax = pytest.importorskip("jax")
    if make is summed_with_mapped_tangent and "shared" in use:
        pytest.skip("differs between examples")
    x = np.float32(3) if use == "of a weight" else np.arange(3, dtype="float32")
    wanted = USES[use](jax, make(jax))(x)
    f = make(fungrad)
    for g in (USES[use](fungrad, f), USES[use](fungrad, fungrad.jit(f)), fungrad.jit(USES[use](fungrad, f))):
        np.testing.assert_allclose(g(x), wanted, rtol=1e-6)


def test_a_backward_rule_that_sums_over_the_mapped_axis_is_not_summed_again():
    def f(w, x):
        return w * x

    f = fungrad.custom_vjp(f)
    f.defvjp(lambda w, x: (w * x, (w, x)), lambda res, ct: (fungrad.lax.psum(ct * res[1], "i"), ct * res[0]))
    x = np.float32([1, 2, 3])
    for wrap in (lambda g: g, fungrad.jit):
        loss = wrap(lambda w: fungrad.vmap(f, in_axes=(None, 0), axis_name="i")(w, x).sum())
        assert fungrad.grad(loss)(2.0) == 6


def test_a_rule_that_raises_does_not_keep_its_function_from_being_mapped():
    @fungrad.custom_jvp
    def f(x):
        return fungrad.lax.psum(x, "i")

    @f.defjvp
    def rule(primals, tangents):
        raise RuntimeError("no derivative")

    np.testing.assert_array_equal(fungrad.vmap(f, axis_name="i")(np.float32([1, 2])), [3, 3])
