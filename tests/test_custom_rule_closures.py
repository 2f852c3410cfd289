"""Custom derivative rules: what they may close over, and their messages."""

import functools
import types

import numpy as np
import pytest
from test_custom_rules import scaled_jvp, scaled_vjp

import fungrad
import fungrad.custom_derivatives
import fungrad.numpy as fnp
from fungrad import lax
from fungrad.custom_derivatives import SymbolicZero
from fungrad.errors import UnexpectedTracerError
from fungrad.transforms.custom_calls import custom_jvp_call_p, custom_vjp_call_p

# -- closures ---------------------------------------------------


def jvp_over(y):
    f = fungrad.custom_jvp(lambda x: x * y)
    f.defjvp(lambda p, t: (f(*p), 100.0 * t[0] * y))
    return f


def vjp_over(y):
    f = fungrad.custom_vjp(lambda x: x * y)
    f.defvjp(lambda x: (f(x), x), lambda x, ct: (100.0 * ct * y,))
    return f


@pytest.mark.parametrize("make", [jvp_over, vjp_over])
def test_tracers_that_rules_close_over(make):
    ys = fnp.arange(3.0)
    assert float(fungrad.jit(lambda y: fungrad.grad(make(y))(2.0))(3.0)) == 300.0
    assert float(fungrad.grad(fungrad.jit(lambda x, y: make(y)(x)))(2.0, 3.0)) == 300.0
    assert float(fungrad.jit(fungrad.grad(fungrad.jit(lambda x, y: make(y)(x))))(2.0, 3.0)) == 300.0
    assert fungrad.vmap(lambda y: fungrad.grad(make(y))(2.0))(ys).tolist() == [0.0, 100.0, 200.0]
    assert float(fungrad.grad(lambda x: fnp.sum(fungrad.vmap(lambda y: make(y)(x))(ys)))(2.0)) == 300.0
    assert fungrad.vmap(lambda y: make(y)(y))(ys).tolist() == [0.0, 1.0, 4.0]
    nested_vmap = fungrad.vmap(fungrad.grad(fungrad.jit(lambda x, y: make(y)(x))), (None, 0))
    assert nested_vmap(2.0, ys).tolist() == [0.0, 100.0, 200.0]
    # The second derivative runs the rules of the first, which close over the same value.
    twice = fungrad.grad(fungrad.grad(fungrad.jit(lambda x, y: make(y)(x) * make(y)(x))))
    np.testing.assert_allclose(twice(2.0, 3.0), 2 * 100.0 * 100.0 * 9.0, rtol=1e-5)


@pytest.mark.parametrize("make", [jvp_over, vjp_over])
def test_values_closed_over_but_not_differentiated(make):
    """They are tracers of the differentiation itself, without a tangent."""
    f = fungrad.grad(lambda x: make(lax.stop_gradient(x))(x))
    assert float(f(3.0)) == 300.0
    assert float(fungrad.jit(f)(3.0)) == 300.0
    assert float(fungrad.grad(fungrad.jit(lambda x: make(lax.stop_gradient(x))(x)))(3.0)) == 300.0


def test_jitted_closures_inside_a_rule():
    def f(x, y):
        g = fungrad.custom_vjp(lambda x: x)
        g.defvjp(lambda x: (x, None), lambda _, ct: (fungrad.jit(lambda c: c * y)(ct),))
        return g(x)

    assert float(fungrad.grad(fungrad.jit(f))(1.0, 4.0)) == 4.0


@pytest.mark.parametrize("make", [jvp_over, vjp_over])
@pytest.mark.parametrize(
    "run",
    [
        lambda make: fungrad.grad(lambda y: make(y)(2.0))(3.0),
        lambda make: fungrad.grad(lambda x: make(x)(x))(3.0),
        lambda make: fungrad.grad(fungrad.jit(lambda x: make(x)(x)))(3.0),
        lambda make: fungrad.jit(fungrad.grad(lambda x: make(x)(x)))(3.0),
        lambda make: fungrad.grad(lambda x: fungrad.jit(lambda: make(x)(2.0))())(3.0),
        lambda make: fungrad.grad(lambda x: fnp.sum(fungrad.vmap(lambda y: make(y)(x))(x * fnp.ones(2))))(3.0),
    ],
)
def test_differentiating_a_closed_over_value_is_explained(make, run):
    with pytest.raises(UnexpectedTracerError, match=r"custom_.*function \(.*with respect to a closed-over value"):
        run(make)


def test_closure_convert_makes_captured_values_arguments():
    @functools.partial(fungrad.custom_vjp, nondiff_argnums=(0,))
    def apply(f, x, *consts):
        return f(x, *consts)

    def bwd(f, res, ct):
        x, consts = res
        return 0.0 * x, *[2.0 * ct * fungrad.grad(lambda c: f(x, c))(c) for c in consts]

    apply.defvjp(lambda f, x, *consts: (f(x, *consts), (x, consts)), bwd)

    def use(f, x):
        converted, consts = fungrad.closure_convert(f, x)
        return apply(converted, x, *consts)

    def h(y):
        return use(lambda x: fnp.sin(x) * y * fnp.float32(3.0), 1.0)

    expected = 2.0 * 3.0 * np.sin(1.0)
    for g in (fungrad.grad(h), fungrad.jit(fungrad.grad(h)), fungrad.grad(fungrad.jit(h))):
        np.testing.assert_allclose(g(2.0), expected, rtol=1e-5)
    converted, consts = fungrad.closure_convert(lambda d: d["a"] * fnp.ones(3), {"a": 1.0})
    assert consts == [] and converted({"a": 2.0}).tolist() == [2.0] * 3
    with pytest.raises(TypeError, match="closure_convert: .* arguments of the structure"):
        converted(1.0)


def test_tracers_in_non_differentiable_arguments():
    f = fungrad.custom_vjp(lambda x, n: x * n, nondiff_argnums=(1,))
    f.defvjp(lambda x, n: (x * n, None), lambda n, _, ct: (ct * n,))
    for run in (
        lambda: fungrad.jit(fungrad.grad(f))(2.0, 3.0),
        lambda: fungrad.grad(lambda x: f(x, x))(2.0),
        lambda: fungrad.vmap(f)(fnp.ones(2), fnp.ones(2)),
    ):
        with pytest.raises(UnexpectedTracerError, match="the argument 1 of .* is listed in nondiff_argnums"):
            run()
    assert float(fungrad.grad(f)(2.0, fnp.float32(3.0))) == 3.0
    # In forward mode they are allowed, as constants.
    g = fungrad.custom_jvp(lambda x, n: x * n, nondiff_argnums=(1,))
    g.defjvp(lambda n, p, t: (p[0] * n, 10.0 * t[0] * n))
    assert float(fungrad.jit(fungrad.grad(g))(2.0, 3.0)) == 30.0
    assert float(fungrad.grad(lambda x: g(x, x))(2.0)) == 20.0
    assert float(fungrad.grad(fungrad.jit(lambda x: g(x, x)))(2.0)) == 20.0
    assert fungrad.vmap(fungrad.grad(g))(fnp.ones(2), fnp.arange(2.0)).tolist() == [0.0, 10.0]


def test_tracers_are_not_kept_alive():
    with fungrad.checking_leaks():
        assert float(fungrad.grad(scaled_vjp(fungrad))(0.0)) == 3.0
        assert float(fungrad.grad(fungrad.jit(scaled_jvp(fungrad)))(0.0)) == 3.0


# -- messages ---------------------------------------------------


def jvp_with(rule, fun=lambda x: x * 2.0):
    f = fungrad.custom_jvp(fun)
    f.defjvp(rule)
    return lambda: fungrad.jvp(f, (1.0,), (1.0,))


def vjp_with(fwd, bwd, fun=lambda x: x * 2.0, x=1.0):
    f = fungrad.custom_vjp(fun)
    f.defvjp(fwd, bwd)
    return lambda: fungrad.grad(f)(x)


def jitted_with(define, fun=lambda x: {"a": x}):
    f = fungrad.custom_jvp(fun)
    define(f)
    return lambda: fungrad.grad(lambda x: fungrad.jit(f)(x)["a"])(1.0)


@pytest.mark.parametrize(
    "run, error, message",
    [
        (
            jvp_with(lambda p, t: t[0]),
            TypeError,
            r"must return a pair \(output, output tangent\), got an array of type f32\[\]",
        ),
        (
            jvp_with(lambda p, t: ((p[0], p[0]), t[0])),
            TypeError,
            r"same tree structure, got \(\*, \*\) and \*",
        ),
        (
            jvp_with(lambda p, t: (p[0], None)),
            TypeError,
            r"same tree structure, got \* and None",
        ),
        (
            jvp_with(lambda p, t: (p[0], fnp.ones(3))),
            TypeError,
            r"at output expected f32\[\].*got f32\[3\]",
        ),
        (
            jvp_with(lambda p, t: ([p[0]], [fnp.int32(1)])),
            TypeError,
            r"at output\[0\] expected f32\[\].*got i32\[\]",
        ),
        (
            jvp_with(lambda p, t: ([fnp.int32(1)], [fnp.int32(1)])),
            TypeError,
            r"expected float0\[\] \(the tangent type of i32",
        ),
        (
            jvp_with(lambda p, t: ("a", t[0])),
            TypeError,
            r"the output that the rule .* returns: output must be an array",
        ),
        (
            jitted_with(lambda f: f.defjvp(lambda p, t: ({"b": p[0]}, {"b": t[0]}))),
            TypeError,
            r"with the tree structure .*\{'a': \*\}.*, got the structure .*\{'b': \*\}",
        ),
        (
            jitted_with(lambda f: f.defjvp(lambda p, t: ({"a": fnp.ones(3)}, {"a": fnp.ones(3)}))),
            TypeError,
            r"at output\['a'\] expected f32\[\], got f32\[3\]",
        ),
        (
            vjp_with(lambda x: x, lambda r, ct: (ct,)),
            TypeError,
            r"fwd rule .* must return a pair \(output, residuals\)",
        ),
        (
            vjp_with(lambda x: (x, "abc"), lambda r, ct: (ct,)),
            TypeError,
            r"fwd rule .*: residuals must be an array .*'abc'",
        ),
        (
            vjp_with(lambda x: (x, None), lambda r, ct: ct),
            TypeError,
            r"a tuple with one cotangent per .*\(\*,\), got \*",
        ),
        (
            vjp_with(lambda x: (x, None), lambda r, ct: (ct, ct)),
            TypeError,
            r"\(\*,\), got \(\*, \*\)",
        ),
        (
            vjp_with(lambda x: (x, None), lambda r, ct: (fnp.ones(3),)),
            ValueError,
            r"at output\[0\] expected f32\[\], got f32\[3\]",
        ),
        (
            vjp_with(lambda x: (x, None), lambda r, ct: (1j,)),
            ValueError,
            r"at output\[0\] expected f32\[\], got c64\[\]",
        ),
        (
            vjp_with(lambda d: (d["a"], None), lambda r, ct: ({"b": ct},), lambda d: d["a"], {"a": 1.0}),
            TypeError,
            r"\{'a': \*\}.*got .*\{'b': \*\}",
        ),
        (
            vjp_with(
                lambda d: (d["a"], None),
                lambda r, ct: ({"a": ct, "b": fnp.ones(3)},),
                lambda d: d["a"],
                {"a": 1.0, "b": 2.0},
            ),
            ValueError,
            r"at output\[0\]\['b'\] expected f32\[\], got f32\[3\]",
        ),
        (
            lambda: fungrad.custom_jvp(lambda x: x)(1.0),
            AttributeError,
            "No JVP defined for custom_jvp function <lambda> using defjvp",
        ),
        (
            lambda: fungrad.grad(fungrad.custom_vjp(lambda x: x))(1.0),
            AttributeError,
            "No VJP defined for custom_vjp function",
        ),
        (
            lambda: fungrad.custom_jvp(3),
            TypeError,
            "fungrad.custom_jvp: fun must be a function, got 3",
        ),
        (
            lambda: fungrad.custom_vjp(lambda x: x, nondiff_argnames="n"),
            ValueError,
            "nondiff_argnames names 'n'",
        ),
        (
            lambda: fungrad.custom_jvp(lambda x: x, nondiff_argnums=0).defjvps(None),
            TypeError,
            "can't use ``defjvps`` with ``nondiff_argnums``",
        ),
    ],
)
def test_messages(run, error, message):
    with pytest.raises(error, match=message):
        run()


def test_messages_about_arguments():
    f = fungrad.custom_vjp(lambda x, *, k=2: x)
    f.defvjp(lambda x: (x, None), lambda _, ct: (ct,))
    with pytest.raises(TypeError, match="must have positions.* k can be given by keyword only"):
        f(1.0, k=3)
    with pytest.raises(TypeError, match="cannot call <lambda>: missing a required argument: 'x'"):
        f()
    with pytest.raises(TypeError, match=r"args\[0\] must be an array or a scalar, got 'a'"):
        f("a")
    g = fungrad.custom_jvp(lambda x: x, nondiff_argnums=3)
    g.defjvp(lambda p, t: (p, t))
    with pytest.raises(ValueError, match=r"nondiff_argnums=3, but <lambda> was called with 1 argument"):
        g(1.0)
    h = fungrad.custom_gradient(lambda x: x)
    with pytest.raises(TypeError, match=r"fungrad.custom_gradient: <lambda> must return a pair \(output, function"):
        h(1.0)


def test_operand_types_are_checked():
    jaxpr = fungrad.make_jaxpr(scaled_jvp(fungrad))(1.0)
    params = jaxpr.eqns[0].params
    assert jaxpr.eqns[0].primitive is custom_jvp_call_p
    with pytest.raises(TypeError, match=r"custom_jvp_call of f: expected operands of types f32\[\], got f32\[2\]"):
        custom_jvp_call_p.abstract((fnp.ones(2).aval,), params)
    assert fungrad.make_jaxpr(scaled_vjp(fungrad))(1.0).eqns[0].primitive is custom_vjp_call_p


def test_symbolic_zero():
    zero = SymbolicZero.from_primal_value(fnp.ones((2, 3), "int32"))
    assert (zero.shape, zero.ndim, zero.size, zero.weak_type) == ((2, 3), 2, 6, False)
    assert zero.dtype == fungrad.float0 and repr(zero) == "SymbolicZero(float0[2, 3])"
    derivatives = fungrad.custom_derivatives
    assert isinstance(derivatives.zero_from_primal(1.0, symbolic_zeros=True), SymbolicZero)
    assert derivatives.zero_from_primal(np.int32(1)).dtype == fungrad.float0
    with pytest.raises(TypeError, match="expected leaves of type CustomVJPPrimal, got float"):
        derivatives.custom_vjp_primal_tree_values({"a": 1.0})


def test_modules_are_modules():
    assert isinstance(fungrad.custom_derivatives, types.ModuleType)
    assert fungrad.remat.__wrapped__ is fungrad.checkpoint.__wrapped__


# -- the type of what carries a derivative --------------------------


def readers(x):
    """What a rule may ask about an array whose value it does not use, as factors of 1."""
    return {
        "shape": lambda: fnp.ones(x.shape)[0],
        "dtype": lambda: fnp.ones(1, x.dtype)[0],
        "size": lambda: fnp.ones(x.size)[0],
        "length": lambda: fnp.ones(len(x))[0],
        "weak type": lambda: 1.0 * (1 + x.weak_type),
        "zeros_like": lambda: 1 + fnp.zeros_like(x)[0],
        "result_type": lambda: fnp.ones(1, fnp.result_type(x, 1.0))[0],
    }


def shape_rule(kind, x, what):
    factor = lambda: readers(x)[what]()  # noqa: E731
    if kind == "jvp":
        f = fungrad.custom_jvp(fnp.sin)
        f.defjvp(lambda p, t: (f(*p), t[0] * factor()))
        return f
    f = fungrad.custom_vjp(fnp.sin)
    if kind == "fwd":
        f.defvjp(lambda y: (f(y), factor()), lambda r, ct: (ct * r,))
    else:
        f.defvjp(lambda y: (f(y), None), lambda r, ct: (ct * factor(),))
    return f


@pytest.mark.parametrize("kind", ["jvp", "fwd", "bwd"])
@pytest.mark.parametrize("what", list(readers(fnp.ones(3))))
def test_rules_read_the_type_of_what_carries_a_derivative(kind, what):
    x = fnp.ones(3)
    f = lambda y, x: shape_rule(kind, x * y, what)(y)  # noqa: E731
    for transformed in (
        fungrad.grad(f),
        fungrad.jit(fungrad.grad(f)),
        fungrad.grad(fungrad.jit(f)),
        fungrad.jit(fungrad.grad(fungrad.jit(f))),
        fungrad.grad(fungrad.checkpoint(f)),
        fungrad.grad(lambda y, x: lax.scan(lambda c, _: (f(c, x), None), y, None, length=1)[0]),
        fungrad.grad(lambda y, x: lax.cond(y > 0, f, lambda y, x: y, y, x)),
        lambda y, x: fungrad.vmap(fungrad.grad(fungrad.jit(f)))(fnp.stack([y, y]), fnp.stack([x, x]))[1],
        lambda y, x: fungrad.grad(lambda y: fungrad.vmap(f, (None, 0))(y, fnp.stack([x])).sum())(y),
    ):
        assert float(transformed(1.0, x)) == 1.0
    # By the captured array alone there is no derivative, and none is asked for.
    assert fungrad.jit(fungrad.grad(f, argnums=1))(1.0, x).tolist() == [0.0] * 3


@pytest.mark.parametrize("make", [jvp_over, vjp_over])
def test_rules_must_not_use_the_value_of_what_carries_a_derivative(make):
    def captured(y, x):
        z = x * y
        if make is jvp_over:
            f = fungrad.custom_jvp(fnp.sin)
            f.defjvp(lambda p, t: (f(*p), t[0] * z[0]))
        else:
            f = fungrad.custom_vjp(fnp.sin)
            f.defvjp(lambda y: (f(y), None), lambda r, ct: (ct * z[0],))
        return f(y)

    for transformed in (
        fungrad.grad(captured),
        fungrad.jit(fungrad.grad(captured)),
        fungrad.grad(fungrad.jit(captured)),
        fungrad.jit(fungrad.grad(fungrad.jit(captured))),
    ):
        with pytest.raises(UnexpectedTracerError, match="closed-over value"):
            transformed(1.0, fnp.ones(3))


# -- rules that return nothing --------------------------------------


@pytest.mark.parametrize("n_args", [1, 2])
def test_a_backward_rule_that_returns_nothing_is_refused(n_args):
    args = (1.0, {"a": 2.0, "b": 3.0})[:n_args]
    f = fungrad.custom_vjp(lambda *args: args[0] * 2.0)
    f.defvjp(lambda *args: (f(*args), None), lambda r, ct: None)
    positions = tuple(range(n_args))
    for transformed in (fungrad.grad(f, positions), fungrad.jit(fungrad.grad(f, positions))):
        with pytest.raises(TypeError, match="is a return missing"):
            transformed(*args)
    f.defvjp(lambda *args: (f(*args), None), lambda r, ct: (None,) * n_args)
    assert float(fungrad.grad(f)(*args)) == 0.0


def test_a_pullback_that_returns_nothing_is_refused():
    f = fungrad.custom_gradient(lambda x: (x * 2.0, lambda ct: None))
    with pytest.raises(TypeError, match="is a return missing"):
        fungrad.grad(f)(1.0)


def test_rules_close_over_dicts_whose_keys_do_not_sort():
    x = fnp.ones(3)
    table = {"a": 1.0, 2: 3.0, (4,): x}

    def total(y):
        f = fungrad.custom_jvp(lambda y: y * table[2])
        f.defjvp(lambda p, t: (f(*p), t[0] * table[(4,)].sum()))
        return f(y)

    assert float(fungrad.grad(total)(1.0)) == float(fungrad.jit(fungrad.grad(total))(1.0)) == 3.0
