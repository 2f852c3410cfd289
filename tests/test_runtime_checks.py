"""``debug.check`` and ``checkify``: eager, compiled, mapped, differentiated, in loops and branches, and against JAX."""

import functools
import re

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import debug, lax
from fungrad.core.check import check_jaxpr
from fungrad.errors import (
    DivisionByZeroError,
    FailedCheckError,
    NaNError,
    OOBError,
    RuntimeCheckError,
)
from fungrad.experimental import checkify

both = pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])


def positive_log(x):
    debug.check(jnp.all(x > 0), "x must be positive, got {x} with least {low:.2f}", x=x, low=x.min())
    return jnp.log(x).sum()


def fails(message, f, *args, error=FailedCheckError):
    with pytest.raises(error) as info:
        f(*args)
    # `match` of pytest would look at the notes too.
    assert re.search(message, str(info.value)), str(info.value)
    return info.value


GOOD, BAD = jnp.array([1.0, 2.0]), jnp.array([1.0, -2.5])


@pytest.mark.parametrize(
    "f",
    [
        positive_log,
        fungrad.jit(positive_log),
        fungrad.grad(positive_log),
        fungrad.jit(fungrad.grad(positive_log)),
        fungrad.grad(fungrad.jit(positive_log)),
        fungrad.value_and_grad(positive_log),
        fungrad.jit(fungrad.hessian(positive_log)),
        lambda x: fungrad.jvp(positive_log, (x,), (x,)),
        fungrad.jit(lambda x: fungrad.jvp(positive_log, (x,), (x,))),
        lambda x: fungrad.linearize(positive_log, x)[1](x),
        fungrad.jit(positive_log, donate_argnums=0),
        lambda x: fungrad.jit(positive_log).lower(x).compile()(x),
        fungrad.checkpoint(positive_log),
        fungrad.grad(fungrad.checkpoint(positive_log)),
        fungrad.jit(fungrad.grad(fungrad.checkpoint(fungrad.jit(positive_log)))),
    ],
)
def test_message_from_every_transformation(f):
    f(GOOD.copy())
    for _ in range(2):  # the second call takes the short way
        error = fails(r"^x must be positive, got \[ 1\.  -2\.5\] with least -2\.50$", f, BAD.copy())
    assert "test_runtime_checks.py" in error.__notes__[0] and "positive_log" in error.__notes__[0]
    f(GOOD.copy())


def test_it_is_a_value_error_and_leaves_no_library_frames():
    f = fungrad.jit(positive_log)
    f(GOOD)
    error = fails("positive", f, BAD, error=ValueError)
    tb, files = error.__traceback__, []
    while tb is not None:
        files.append(tb.tb_frame.f_code.co_filename)
        tb = tb.tb_next
    assert sum("fungrad/" in name for name in files) <= 3  # the jitted function, its program and a run of it


def test_compiled_checks_are_no_host_steps_and_cannot_be_dropped():
    def f(x):
        debug.check(x > 0, "no")
        return 1.0

    compiled = fungrad.jit(f).lower(1.0).compile()
    assert "host" not in compiled.as_text("steps")
    assert float(compiled(1.0)) == 1.0
    fails("^no$", compiled, -1.0)
    unused = fungrad.jit(
        lambda x: lax.scan(lambda c, s: (debug.check(s < x, "{s}", s=s), (c, s))[1], 0.0, jnp.arange(3.0))[0]
    )
    assert float(unused(5.0)) == 0.0
    fails(r"^2\.0 \(in step 2 of scan\)$", unused, 2.0)


@both
def test_first_of_several_counts(wrap):
    def f(x):
        debug.check(x < 3, "first {}", x)
        debug.check(x < 1, "second {x}", x=x)
        debug.check(x < 2, "third")
        return x

    f = wrap(f)
    fails("^first 5$", f, 5)
    fails("^second 1$", f, 1)
    assert int(f(0)) == 0


@both
def test_values_of_messages(wrap):
    def f(x):
        x = jnp.asarray(x)
        debug.check(
            False,
            "{0} {name} {tree[a]} {d[0]:.1f} {c} {b} {h}",
            x,
            name="a string",
            tree={"a": x.astype("int8")},
            d=(x * 2.0,),
            c=x * 1j,
            b=x > 0,
            h=x.astype("bfloat16"),
        )

    fails(r"^1\.5 a string 1 3\.0 1\.5j True 1\.5$", wrap(f), 1.5)

    def in_scan(x):
        def body(c, s):
            y = jnp.full((2,), s)
            debug.check(s < 2, "{y} {c} {b} {h}", y=y, c=s * 1j, b=y > 1, h=y.astype("bfloat16"))
            return c, None

        return lax.scan(body, x, jnp.arange(4.0))[0]

    fails(r"^\[2\. 2\.\] 2j \[ True  True\] \[2 2\] \(in step 2 of scan\)$", wrap(in_scan), 0.0)


# -- lanes -----------------------------------------------------------------------------------------


@both
def test_vmap_names_the_first_lane(wrap):
    x = jnp.array([[1.0, 2.0], [3.0, -4.0], [-1.0, 2.0]])
    suffix = r" with least -4\.00 \(in lane 1 of vmap\)$"
    for f in (positive_log, fungrad.grad(positive_log), fungrad.jit(positive_log)):
        fails(r"^x must be positive, got \[ 3\. -4\.\]" + suffix, wrap(fungrad.vmap(f)), x)
    fails(suffix, wrap(fungrad.vmap(positive_log, 1)), x.T)
    fails(suffix, wrap(fungrad.grad(lambda x: fungrad.vmap(positive_log)(x).sum())), x)
    fails(r"\(in lane 1 of vmap over 'i'\)$", wrap(fungrad.vmap(positive_log, axis_name="i")), x)
    fails(
        r"\(in lane 0 of vmap, lane 2 of vmap\)$",
        wrap(fungrad.vmap(fungrad.vmap(positive_log))),
        x[None].at[0, 1].set(1.0),
    )
    assert wrap(fungrad.vmap(positive_log))(jnp.zeros((0, 2))).shape == (0,)


@both
def test_vmap_of_unmapped_predicates(wrap):
    def f(p, x):
        debug.check(p, "{x}", x=x)
        return x

    f = wrap(fungrad.vmap(f, (None, 0)))
    fails(r"^3 \(in lane 0 of vmap\)$", f, False, jnp.array([3, 4]))
    f(True, jnp.array([3, 4]))


# -- loops and branches ------------------------------------------------------------------------------


def scan_below(x, reverse=False):
    def body(c, s):
        debug.check(c + s < 10, "total {t}", t=c + s)
        return c + s, c

    return lax.scan(body, x, jnp.arange(5.0), reverse=reverse)[0]


def while_not_four(x):
    def body(c):
        debug.check(c != 4, "reached {}", c)
        return c + 1

    return lax.while_loop(lambda c: c < 7, body, x)


def negated_above(x):
    def negated(x):
        debug.check(x > -3, "x = {}", x)
        return -x

    return lax.cond(x > 0, lambda x: x, negated, x)


@both
def test_scan(wrap):
    f = wrap(scan_below)
    assert float(f(-1.0)) == 9.0
    fails(r"^total 12\.0 \(in step 3 of scan\)$", f, 6.0)
    fails(r"^total 11\.0 \(in step 2 of scan\)$", wrap(lambda x: scan_below(x, True)), 2.0)
    fails(r"step 3 of scan", wrap(fungrad.grad(scan_below)), 6.0)
    fails(
        r"^total 10\.0 \(in step 4 of scan, lane 2 of vmap\)$",
        wrap(fungrad.vmap(scan_below)),
        jnp.array([-1.0, -2.0, 0.0]),
    )
    fails(
        r"step 4 of scan, lane 2", wrap(fungrad.vmap(fungrad.value_and_grad(scan_below))), jnp.array([-1.0, -2.0, 0.0])
    )
    assert float(wrap(fungrad.grad(scan_below))(-1.0)) == 1.0
    nothing = wrap(lambda x: lax.scan(lambda c, s: (debug.check(False, "no"), (c, s))[1], x, jnp.zeros(0))[0])
    assert float(nothing(1.0)) == 1.0


@both
def test_while_stops_at_the_failure(wrap):
    f = wrap(while_not_four)
    assert int(f(5)) == 7
    fails(r"^reached 4 \(in step 4 of while_loop\)$", f, 0)

    def endless(x):
        def body(c):
            debug.check(c < 3, "at {c}", c=c)
            return c + 1

        return lax.while_loop(lambda c: c >= 0, body, x)

    fails(r"^at 3 \(in step 3 of while_loop\)$", wrap(endless), 0)


@both
def test_while_with_checks_in_the_predicate(wrap):
    def f(x):
        def go_on(c):
            debug.check(c != 3, "predicate {}", c)
            return c < 5

        return lax.while_loop(go_on, lambda c: c + 1, x)

    f = wrap(f)
    assert int(f(4)) == 5
    fails("^predicate 3$", f, 3)
    fails(r"^predicate 3 \(in step 1 of while_loop\)$", f, 1)


@both
def test_vmapped_while_checks_only_lanes_that_run(wrap):
    f = wrap(fungrad.vmap(while_not_four))
    assert f(jnp.array([5, 6, 9])).tolist() == [7, 7, 9]
    fails(r"^reached 4 \(in lane 1 of vmap, step 0 of while_loop\)$", f, jnp.array([5, 4, 3]))

    def stop_at(x):  # the body would fail for lanes that are done
        def body(c):
            debug.check(c < 2, "{}", c)
            return c + 1

        return lax.while_loop(lambda c: c < 2, body, x)

    assert wrap(fungrad.vmap(stop_at))(jnp.array([-9, 0, 5])).tolist() == [2, 2, 5]


@both
def test_bounded_while_in_reverse_mode(wrap):
    def f(x):
        def body(c):
            debug.check(c[1] < 100, "too large: {}", c[1])
            return c[0] + 1, c[1] * x

        return lax.while_loop(lambda c: c[0] < 4, body, (0, x), max_steps=6)[1]

    assert float(wrap(fungrad.grad(f))(2.0)) == 80.0
    fails("^too large: 100", wrap(fungrad.grad(f)), 10.0)


@both
def test_cond_checks_only_the_branch_taken(wrap):
    f = wrap(negated_above)
    assert float(f(-1.0)) == 1.0
    fails(r"^x = -5\.0$", f, -5.0)
    f = wrap(fungrad.vmap(negated_above))
    assert f(jnp.array([5.0, -2.0])).tolist() == [5.0, 2.0]
    fails(r"^x = -4\.0 \(in lane 1 of vmap\)$", f, jnp.array([5.0, -4.0, -7.0]))
    fails(r"^x = -4\.0 \(in lane 1", wrap(fungrad.vmap(fungrad.grad(negated_above))), jnp.array([5.0, -4.0]))

    def switch(i, x):
        def first(x):
            debug.check(x < 0, "first {}", x)
            return x

        def second(x):
            debug.check(x < 1, "second {}", x)
            debug.check(x < 0, "third {}", x)
            return -x

        return lax.switch(i, [first, lambda x: x, second], x)

    assert wrap(switch)(1, 5.0) == 5.0
    fails(r"^first 5\.0$", wrap(switch), 0, 5.0)
    fails(r"^second 5\.0$", wrap(switch), 2, 5.0)
    fails(r"^third 0\.5$", wrap(switch), 2, 0.5)
    mapped = wrap(fungrad.vmap(switch))
    fails(r"^third 0\.5 \(in lane 2", mapped, jnp.array([1, 1, 2, 0]), jnp.array([9.0, 9.0, 0.5, 9.0]))


@both
def test_nested_loops_name_every_iteration(wrap):
    def f(x):
        def outer(i, x):
            def inner(j, x):
                debug.check(10 * i + j != 12, "i={i} j={j} x={x:.1f}", i=i, j=j, x=x)
                return x + 1.0

            return lax.fori_loop(0, 3, inner, x)

        return lax.fori_loop(0, jnp.asarray(x).astype(int) + 2, outer, x)

    assert float(wrap(f)(-1.0)) == 2.0
    fails(r"^i=1 j=2 x=5\.0 \(in step 1 of (while_loop|scan), step 2 of scan\)$", wrap(f), 0.0)
    mapped = wrap(fungrad.vmap(f))
    fails(r"lane 1 of vmap, step 1 of while_loop, step 2 of scan", mapped, jnp.array([-2.0, 3.0]))


@both
def test_map_and_associative_scan(wrap):
    fails(
        r"least -2\.50 \(in step 1 of scan\)$",
        wrap(lambda x: lax.map(positive_log, x)),
        jnp.array([[1.0], [-2.5]]),
    )
    fails(
        r"lane 1 of vmap\)$",
        wrap(lambda x: lax.map(positive_log, x, batch_size=3)),
        jnp.array([[1.0], [-2.5], [1.0], [1.0]]),
    )


@both
def test_custom_rules_keep_working(wrap):
    @fungrad.custom_jvp
    def f(x):
        debug.check(x > 0, "f of {}", x)
        return jnp.sin(x)

    f.defjvp(lambda p, t: (f(*p), 100.0 * t[0]))

    @fungrad.custom_vjp
    def g(x):
        debug.check(x > 0, "g of {}", x)
        return jnp.sin(x)

    def g_fwd(x):
        debug.check(x != 1, "forward rule")
        return g(x), x

    def g_bwd(x, ct):
        debug.check(ct < 3, "cotangent {}", ct)
        return (100.0 * ct,)

    g.defvjp(g_fwd, g_bwd)
    for h, name in ((f, "f"), (g, "g")):
        fails(rf"^{name} of -1\.0$", wrap(h), -1.0)
        fails(rf"^{name} of -1\.0$", wrap(fungrad.grad(h)), -1.0)
        assert float(wrap(fungrad.grad(h))(2.0)) == 100.0
        error, y = wrap(fungrad.grad(checkify_aux(h), has_aux=True))(2.0)[::-1]
        assert error.get() is None and float(y) == 100.0
    fails("^forward rule$", wrap(fungrad.grad(g)), 1.0)
    fails(r"^cotangent 5\.0$", wrap(fungrad.grad(lambda x: 5.0 * g(x))), 2.0)


def checkify_aux(f):
    return lambda x: checkify.checkify(f)(x)[::-1]


@both
def test_solvers(wrap):
    def f(a, b):
        def direct(matvec, b):
            debug.check(a != 0, "singular: {a}", a=a)
            return b / a

        return lax.custom_linear_solve(lambda x: a * x, b, direct, symmetric=True)

    assert float(wrap(f)(2.0, 4.0)) == 2.0
    assert float(wrap(fungrad.grad(f))(2.0, 4.0)) == -1.0
    fails(r"^singular: 0\.0$", wrap(f), 0.0, 1.0)
    fails(r"^singular: 0\.0 \(in lane 1", wrap(fungrad.vmap(f)), jnp.array([1.0, 0.0]), jnp.ones(2))

    def root(a):
        def solve(f, x):
            debug.check(a > 0, "no root of {}", a)
            return jnp.sqrt(a)

        return lax.custom_root(lambda x: x * x - a, 1.0, solve, lambda g, y: y / g(1.0))

    assert float(wrap(fungrad.grad(root))(4.0)) == 0.25
    fails(r"^no root of -4\.0$", wrap(fungrad.grad(root)), -4.0)


def test_where_checks_cannot_be():
    def combine(x, y):
        debug.check(x > 0, "no")
        return x + y

    with pytest.raises(NotImplementedError, match="given to reduce contains a check"):
        fungrad.jit(lambda x: lax.reduce(x, 0.0, combine, (0,)))(GOOD)


def test_disable_jit_and_jaxpr():
    with fungrad.disable_jit():
        fails(r"^total 12\.0", fungrad.jit(scan_below), 6.0)
    jaxpr = fungrad.make_jaxpr(positive_log)(GOOD)
    check_jaxpr(jaxpr)
    assert "check" in [e.primitive.name for e in jaxpr.eqns] and jaxpr.has_effects
    assert "check[" in str(jaxpr)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: debug.check(jnp.ones(2) > 0, "m"), TypeError, r"must be a boolean scalar, got bool\[2\]; .*all"),
        (lambda: debug.check(1.0, "m"), TypeError, r"must be a boolean scalar, got f32\[\]"),
        (lambda: debug.check("yes", "m"), TypeError, "must be a boolean scalar, got 'yes'"),
        (lambda: debug.check(True, 3), TypeError, "message must be a string, got 3"),
        (lambda: debug.check(True, "{x} {y}", x=1), ValueError, "placeholder {y} for which no value is given; .*: x"),
        (lambda: debug.check(True, "{}"), ValueError, "placeholder {} .*none"),
        (lambda: checkify.check_error("x"), TypeError, "expected an Error"),
        (lambda: checkify.checkify(3), TypeError, "3"),
        (lambda: checkify.checkify(len, {"nan"}), TypeError, "must be a set of error classes"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- checkify ----------------------------------------------------------------------------------------


@both
def test_checkify_returns_what_check_raises(wrap):
    f = wrap(checkify.checkify(positive_log))
    error, y = f(GOOD)
    assert error.get() is None and error.get_exception() is None and repr(error) == "Error(None)"
    error.throw()
    np.testing.assert_allclose(y, np.log(2.0), rtol=1e-6)
    error, y = f(BAD)
    assert error.get() == "x must be positive, got [ 1.  -2.5] with least -2.50"
    assert isinstance(error.get_exception(), FailedCheckError) and np.isnan(float(y))
    fails("^x must be positive", error.throw)
    fails("^x must be positive", checkify.check_error, error)
    fails("^x must be positive", fungrad.jit(checkify.check_error), error)


@both
def test_checkify_of_vmap_and_vmap_of_checkify(wrap):
    x = jnp.array([[1.0, 2.0], [3.0, -4.0], [-1.0, 2.0]])
    error, _ = wrap(checkify.checkify(fungrad.vmap(positive_log)))(x)
    assert error.get() == "x must be positive, got [ 3. -4.] with least -4.00 (in lane 1 of vmap)"
    error, _ = wrap(fungrad.vmap(checkify.checkify(positive_log)))(x)
    lines = error.get().split("\n")
    assert [line.split(": ")[0] for line in lines] == ["at mapped index 1", "at mapped index 2"]
    fails(r"least -4\.00 \(in lane 1 of vmap\)$", error.throw)
    fails(r"least -4\.00 \(in lane 1 of vmap\)$", wrap(checkify.check_error), error)
    error, _ = wrap(fungrad.vmap(fungrad.vmap(checkify.checkify(lambda x: debug.check(x > 0, "{}", x)))))(x)
    assert error.get() == "at mapped index 1, 1: -4.0\nat mapped index 2, 0: -1.0"
    fails(r"^-4\.0 \(in lane 1 of vmap, lane 1 of vmap\)$", error.throw)
    error, _ = wrap(fungrad.vmap(checkify.checkify(positive_log)))(x[:1])
    assert error.get() is None


@both
def test_errors_can_be_raised_and_caught_again(wrap):
    def outer(x):
        error, y = checkify.checkify(positive_log)(x)
        checkify.check_error(error)
        return y

    fails("^x must be positive", wrap(outer), BAD)
    error, _ = wrap(checkify.checkify(outer))(BAD)
    assert error.get().startswith("x must be positive")

    def nan(x):
        error, y = checkify.checkify(jnp.log, checkify.nan_checks)(x)
        checkify.check_error(error)
        debug.check(x < 1, "too large")
        return y

    fails("^nan generated by primitive: log", wrap(nan), -1.0, error=NaNError)
    fails("^too large", wrap(checkify.checkify(nan, checkify.nan_checks)), 2.0)
    error, _ = wrap(checkify.checkify(nan, checkify.nan_checks))(-1.0)
    assert error.get().startswith("nan generated by primitive: log")
    fails("^nan generated by primitive: log", wrap(checkify.checkify(nan)), -1.0, error=NaNError)


@both
def test_other_checks_stay(wrap):
    f = wrap(checkify.checkify(lambda x: (debug.check(x > 0, "user"), jnp.log(x))[1], checkify.nan_checks))
    assert f(1.0)[0].get() is None
    fails("^user$", f, -1.0)


def test_automatic_checks():
    def error_of(f, *args, errors=checkify.all_checks):
        return fungrad.jit(checkify.checkify(f, errors))(*args)[0].get_exception()

    x = jnp.arange(3.0)
    assert type(error_of(jnp.log, -1.0)) is NaNError
    assert str(error_of(jnp.log, -1.0)).startswith("nan generated by primitive: log. At ")
    assert error_of(jnp.log, 1.0) is None
    assert error_of(jnp.log, -1.0, errors=checkify.div_checks) is None
    assert type(error_of(lambda x: 1 / x, jnp.float32(0))) is DivisionByZeroError
    assert type(error_of(lambda x: 1 // x, jnp.array([2, 0]))) is DivisionByZeroError
    assert error_of(lambda x: 1 / x, jnp.float32(0), errors=checkify.nan_checks) is None
    out = error_of(lambda x, i: x[i], x, 5)
    assert type(out) is OOBError
    assert str(out).startswith(
        "out-of-bounds indexing for array of shape (3,): index 5 is out of bounds for axis 0 with size 3. At "
    )
    assert error_of(lambda x, i: x[i], x, -1) is None
    assert error_of(lambda x, i: x[i], x, 5, errors=checkify.float_checks) is None
    two = jnp.zeros((2, 4))
    out = error_of(lambda x, i, j: x[i, j], two, jnp.array([0, 1, 1]), jnp.array([3, 7, 9]))
    assert str(out).startswith(
        "out-of-bounds indexing for array of shape (2, 4): index 7 is out of bounds for axis 1 with size 4. At "
    )
    assert type(error_of(lambda x, i: x.at[i].set(1.0), x, 3)) is OOBError
    assert type(error_of(lambda x, i: x.at[i].add(1.0), x, jnp.array([0, 4]))) is OOBError
    assert error_of(lambda x, i: x.at[i].add(1.0), x, jnp.array([0, 2])) is None
    assert type(error_of(lambda x, i: lax.dynamic_slice(x, (i,), (2,)), x, 2)) is OOBError
    assert error_of(lambda x, i: lax.dynamic_slice(x, (i,), (2,)), x, 1) is None
    assert type(error_of(lambda x, i: lax.dynamic_update_slice(x, x[:2], (i,)), x, 2)) is OOBError


@both
def test_automatic_checks_in_loops_and_backward_passes(wrap):
    def f(x):
        return lax.scan(lambda c, s: (jnp.sqrt(c - s), None), x, jnp.arange(4.0))[0]

    error, _ = wrap(checkify.checkify(f, checkify.nan_checks))(1.0)
    assert error.get().startswith("nan generated by primitive: sqrt. At ") and "(in step 2 of scan)" in error.get()
    error, _ = wrap(checkify.checkify(fungrad.grad(lambda x: jnp.sqrt(x) * 0.0), checkify.float_checks))(0.0)
    assert error.get().startswith(("nan generated by primitive: mul", "division by zero"))
    error, _ = wrap(checkify.checkify(fungrad.vmap(jnp.log), checkify.nan_checks))(jnp.array([1.0, -1.0]))
    assert error.get().startswith("nan generated by primitive: log")
    error, _ = wrap(checkify.checkify(lambda x: lax.cond(x > 0, jnp.log, jnp.sqrt, x), checkify.nan_checks))(-1.0)
    assert error.get().startswith("nan generated by primitive: sqrt")
    relu_log = fungrad.custom_jvp(lambda x: jnp.log(x))
    relu_log.defjvp(lambda p, t: (relu_log(*p), 7.0 * t[0]))
    error, _ = wrap(checkify.checkify(relu_log, checkify.nan_checks))(-1.0)
    assert error.get().startswith("nan generated by primitive: log")
    g, error = wrap(fungrad.grad(lambda x: checkify.checkify(relu_log, checkify.nan_checks)(x)[::-1], has_aux=True))(
        2.0
    )
    assert float(g) == 7.0 and error.get() is None


@both
def test_debug_checks_are_made_only_under_checkify(wrap):
    def f(x):
        def body(c, s):
            checkify.debug_check(c < 2, "c = {c}", c=c)
            return c + s, None

        checkify.check(x > -1, "x = {}", x, debug=True)
        return lax.scan(body, x, jnp.ones(4))[0]

    assert float(wrap(f)(-1.0)) == 3.0
    assert wrap(fungrad.vmap(f))(jnp.arange(2.0)).tolist() == [4.0, 5.0]
    assert float(wrap(fungrad.grad(f))(1.0)) == 1.0
    error, y = wrap(checkify.checkify(f))(-1.0)
    assert error.get() == "x = -1.0 (`check` failed)" and float(y) == 3.0
    error, _ = wrap(checkify.checkify(wrap(f)))(1.0)
    assert error.get() == "c = 2.0 (`check` failed) (in step 1 of scan)"
    error, _ = wrap(checkify.checkify(fungrad.vmap(f)))(jnp.array([-2.0, 1.0]))
    assert error.get().startswith("x = -2.0 (`check` failed)")
    # What has become a value is raised like any other.
    error, _ = wrap(checkify.checkify(f))(-1.0)
    fails(r"^x = -1\.0", wrap(checkify.check_error), error)

    def branches(x):
        def one(x):
            checkify.debug_check(x < 2, "one {x}", x=x)
            return x

        return lax.cond(x > 0, one, lambda x: -x, x)

    error, _ = wrap(checkify.checkify(fungrad.vmap(branches)))(jnp.array([-3.0, 1.0, 4.0]))
    assert error.get() == "one 4.0 (`check` failed) (in lane 2 of vmap)"
    assert wrap(fungrad.vmap(branches))(jnp.array([-3.0, 4.0])).tolist() == [3.0, 4.0]


@both
def test_shard_map(wrap):
    mesh = fungrad.sharding.AbstractMesh((2,), ("i",))

    @functools.partial(fungrad.shard_map, mesh=mesh, in_specs=fungrad.P("i"), out_specs=fungrad.P("i"))
    def f(x):
        checkify.check(jnp.all(x < 4), "x = {x}", x=x)
        return lax.psum(jnp.sqrt(x), "i") + jnp.log(x)

    error, y = wrap(checkify.checkify(f, checkify.all_checks))(jnp.array([1.0, 2.0, 3.0, 1.0]))
    assert error.get() is None and y.shape == (4,)
    error, _ = wrap(checkify.checkify(f))(jnp.array([1.0, 2.0, 5.0, 1.0]))
    assert error.get() == "x = [5. 1.] (`check` failed) (in lane 1 of vmap over 'i')"
    error, _ = wrap(checkify.checkify(f, checkify.nan_checks))(jnp.array([1.0, 2.0, -2.0, 1.0]))
    assert error.get().startswith("nan generated by primitive: sqrt. At ")


def test_functions_that_operations_are_given():
    def total(x):
        return lax.reduce(x, 1.0, lambda a, b: jnp.sqrt(a) * b, (0,))

    error, _ = fungrad.jit(checkify.checkify(total, checkify.nan_checks))(jnp.array([2.0, -2.0, 2.0]))
    assert error.get().startswith("nan generated by primitive: reduce. At ")
    error, _ = checkify.checkify(jnp.linalg.cholesky, checkify.nan_checks)(-jnp.eye(2))
    assert error.get().startswith("nan generated by primitive: cholesky. At ")
    error, _ = checkify.checkify(jnp.fft.fft, checkify.nan_checks)(jnp.array([jnp.inf, jnp.inf]))
    assert error.get().startswith("nan generated by primitive: fft. At ")


def test_checkified_programs_have_no_host_steps():
    f = fungrad.jit(checkify.checkify(lambda x: jnp.log(x) / x, checkify.all_checks))
    assert "host" not in f.lower(GOOD).compile().as_text("steps")


# -- JAX -----------------------------------------------------------------------------------------------


def jax_programs(lib, check):
    """Functions with ``check`` or without, arguments, and the automatic checks."""
    np_, lx = lib.numpy, lib.lax

    def user(x):
        check(np_.all(x > 0), "least {low}", low=np_.min(x))
        return np_.log(x)

    def in_scan(x):
        def body(c, s):
            check(c < 4, "c = {c}", c=c)
            return c + s, np_.sqrt(5 - c)

        return lx.scan(body, x, np_.arange(4.0))

    def in_while(x):
        def body(c):
            check(c < 4, "c = {c}", c=c)
            return c + 1.5

        return lx.while_loop(lambda c: c < 5, body, x)

    def in_cond(x):
        def one(x):
            check(x < 3, "one {x}", x=x)
            return np_.sqrt(x)

        def two(x):
            check(x > -3, "two {x}", x=x)
            return np_.log(x)

        return lx.cond(x > 0, one, two, x)

    def in_jit(x):
        return lib.jit(in_cond)(x) + 1.0

    scalars = [np.float32(v) for v in (-5.0, -1.0, 0.0, 1.0, 3.5, 5.0)]
    return {
        "user": (user, [np.array(v, np.float32) for v in ([1, 2], [1, -1], [0, 1])]),
        "scan": (in_scan, scalars),
        "while": (in_while, scalars),
        "cond": (in_cond, scalars),
        "jit": (in_jit, scalars),
        "vmap user": (lib.vmap(user), [np.array([[1, 2], [1, v]], np.float32) for v in (1, -1)]),
        "index": (lambda i: np_.arange(4.0)[i], [np.int32(v) for v in (-5, -4, 0, 3, 4)]),
        "index array": (lambda i: np_.ones((3, 4))[:, i], [np.array(v, np.int32) for v in ([0, 3], [1, 4], [-5, 0])]),
        "update": (
            lambda i: np_.arange(4.0).at[i].add(1.0),
            [np.array(v, np.int32) for v in ([0, 3], [1, 4], [-5, 0])],
        ),
        "slice": (
            lambda i: lx.dynamic_slice(np_.ones((3, 4)), (i, i), (2, 2)),
            [np.int32(v) for v in (-1, 0, 1, 2)],
        ),
        "divide": (lambda x: np_.arange(3.0) / x, scalars),
        "floor_divide": (lambda i: np_.arange(3) // i, [np.int32(v) for v in (0, 2)]),
        "grad": (lib.grad(lambda x: np_.sqrt(x) * x), scalars[2:]),
    }


@pytest.mark.parity
@pytest.mark.parametrize("errors", ["user_checks", "nan_checks", "div_checks", "index_checks", "all_checks"])
@pytest.mark.parametrize("name", list(jax_programs(fungrad, checkify.check)))
def test_checkify_agrees_with_jax(name, errors):
    jax = pytest.importorskip("jax")
    other = pytest.importorskip("jax.experimental.checkify")
    f, args = jax_programs(fungrad, checkify.check)[name]
    g, _ = jax_programs(jax, other.check)[name]
    if errors in ("nan_checks", "div_checks", "index_checks"):
        # Where a user's check is not collected JAX drops it: look at a program without one.
        f, _ = jax_programs(fungrad, lambda *_, **__: None)[name]
    ours = fungrad.jit(checkify.checkify(f, getattr(checkify, errors)))
    theirs = jax.jit(other.checkify(g, getattr(other, errors)))
    for x in args:
        error, y = ours(x)
        wanted, z = theirs(x)
        fungrad.tree.map(lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5), y, z)
        got, text = error.get(), wanted.get()
        assert (got is None) == (text is None), (x, got, text)
        if text is not None:
            # Ours goes on with the place in the code and the iterations.
            assert got.startswith(text.rstrip()), (x, got, text)


@pytest.mark.parity
def test_mapped_errors_read_as_in_jax():
    jax = pytest.importorskip("jax")
    other = pytest.importorskip("jax.experimental.checkify")

    def program(lib, check):
        def f(x):
            check(x > 0, "x = {x}", x=x)
            return x

        return f

    x = np.array([1.0, -1.0, -2.0], np.float32)
    error, _ = fungrad.vmap(checkify.checkify(program(fungrad, checkify.check)))(x)
    wanted, _ = jax.vmap(other.checkify(program(jax, other.check)))(x)
    assert error.get() == wanted.get()
    assert issubclass(checkify.JaxRuntimeError, ValueError) and checkify.JaxRuntimeError is RuntimeCheckError
    fails("x = -1", functools.partial(checkify.check_error, error))


OUTSIDE = {
    "x[7]": (lambda x: x[7], "7 is out of bounds for axis 0 with size 3"),
    "x[-5]": (lambda x: x[-5], "-2 is out of bounds for axis 0 with size 3"),
    "m[1, 7]": (lambda x: jnp.outer(x, x)[1, 7], "7 is out of bounds for axis 1 with size 3"),
    "m[7, :2]": (lambda x: jnp.outer(x, x)[7, :2].sum(), "7 is out of bounds for axis 0 with size 3"),
    "get": (lambda x: x.at[7].get(), "7 is out of bounds for axis 0 with size 3"),
    "set": (lambda x: x.at[7].set(1.0).sum(), "7 is out of bounds for axis 0 with size 3"),
    "add": (lambda x: x.at[7].add(1.0).sum(), "7 is out of bounds for axis 0 with size 3"),
}


@both
@pytest.mark.parametrize("name", OUTSIDE)
def test_known_indices_outside_of_arrays_are_collected(name, wrap):
    f, message = OUTSIDE[name]
    f = wrap(f)
    error, _ = checkify.checkify(f, checkify.index_checks)(jnp.arange(3.0))
    assert f"index {message}" in error.get()
    # Nobody else gets what was traced for that.
    for run in (f, checkify.checkify(f, checkify.user_checks)):
        with pytest.raises(IndexError, match="out of bounds"):
            run(jnp.arange(3.0))


@pytest.mark.parametrize("errors", [checkify.user_checks, checkify.all_checks], ids=["user", "all"])
def test_checkify_keeps_no_tracers(errors):
    def checked(x):
        debug.check(x[0] >= 0, "negative {y}", y=x[0])
        return jnp.log(x)

    programs = {
        "jit": fungrad.jit(checked),
        "scan": lambda x: lax.scan(lambda c, _: (checked(c), None), x, None, length=2)[0],
        "while": lambda x: lax.while_loop(lambda c: c[0] > 0.0, checked, x),
        "cond": lambda x: lax.cond(x[0] > 0, checked, lambda y: y, x),
        "checkpoint": fungrad.checkpoint(checked),
        "vmap": lambda x: fungrad.vmap(lambda y: checked(y[None]))(x),
    }
    with fungrad.checking_leaks():
        for program in programs.values():
            error, _ = checkify.checkify(program, errors)(jnp.ones(3))
            assert error.get() is None


def test_checks_are_left_out_where_checkify_looks_for_other_errors():
    """As in JAX; those of `debug.check` raise, and jitted functions are traced for both."""

    @fungrad.jit
    def f(x):
        checkify.check(x > 0, "must be positive")
        return jnp.log(x)

    def looped(x):
        return fungrad.lax.scan(lambda c, y: (f(c) + y, y), x, jnp.arange(2.0))[0]

    for g in (f, looped, fungrad.vmap(f)):
        x = jnp.float32(-1.0) if g in (f, looped) else jnp.array([-1.0])
        for wrap in (lambda h: h, fungrad.jit):
            error, _ = wrap(checkify.checkify(g))(x)
            assert "must be positive" in error.get()
            error, _ = wrap(checkify.checkify(g, checkify.float_checks))(x)
            assert error.get().startswith("nan generated by primitive: log")
            assert wrap(checkify.checkify(g, checkify.index_checks))(x)[0].get() is None
    with pytest.raises(ValueError, match="must be positive"):
        f(-1.0)
    with pytest.raises(ValueError, match="always"):
        checkify.checkify(lambda x: fungrad.debug.check(x > 0, "always"), checkify.float_checks)(-1.0)
