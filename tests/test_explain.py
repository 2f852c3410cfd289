"""``fungrad.explain`` and ``fungrad.profile``: what they say is true of what the compiler does."""

import re
import sys

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.explaining.chain_rule import chain_rule
from fungrad.explaining.listings import jaxpr_listing
from fungrad.explaining.places import Place
from fungrad.explaining.programs import CompiledView
from fungrad.explaining.terminal import table_lines
from fungrad.jit.front.compile import Compilation
from fungrad.jit.front.link import machine

HERE = __file__
FIRST = sys._getframe().f_lineno + 3


def model(w, x, y):
    h = jnp.tanh(x @ w)
    e = jnp.exp(h - y)
    return jnp.mean(e * e)


F32 = jnp.float32
ARGS = tuple(fungrad.ShapeDtypeStruct(s, F32) for s in ((16, 8), (32, 16), (32, 8)))


@pytest.fixture(scope="module")
def found():
    return fungrad.explain(model, *ARGS, roofline=False)


def lines(items):
    return {p.line - FIRST for p in items if p.file == HERE}


def test_equations_stand_beside_their_lines(found):
    beside = {line.text.split("=")[1].split("[")[0].split()[0]: lines(line.places)
              for line in found.function.traced if " = " in line.text}  # fmt: skip
    assert beside["tanh"] == {1} and beside["exp"] == {2} and beside["reduce_sum"] == {3}


def test_statements_keep_their_lines_through_all_passes(found):
    beside = {}
    for view in (found.function, found.derivative):
        for line in view.loops:
            for name in ("tanh", "exp"):
                if f"= {name} " in line.text:
                    beside.setdefault(name, set()).update(lines(line.places))
    assert beside == {"tanh": {1}, "exp": {2}}
    # Every line of a step belongs to some line of the function.
    body = [line for line in found.derivative.loops if line.step is not None]
    assert len(body) > 10 and all(lines(line.places) & {1, 2, 3} for line in body)


def test_looking_changes_nothing(found):
    plain = Compilation(found.jaxpr, "model", (), machine())
    assert plain.written.llvm == found.function.written.llvm


def test_instructions_keep_their_lines(found):
    assembly = found.function.assembly
    of_tanh = next(s.number for s in found.function.steps if "tanh" in s.operations)
    assert {1} <= set().union(*[lines(x.places) for x in assembly if x.step == of_tanh])
    with_lines = [x for x in assembly if x.places]
    assert len(with_lines) > 20
    # The marks are nothing but marks: the instructions are those of the program.
    instructions = lambda text: [x.split() for x in text if x.startswith("\t") and not x.strip().startswith(".")]  # noqa: E731
    given = instructions(found.function.written.text("asm").split("\n"))
    shown = [x.text.split() for x in assembly if x.text.startswith("  ")]
    assert [x[0] for x in shown] == [x[0] for x in given]


def test_backward_pass_is_told_from_the_forward_pass(found):
    assert {s.phase for s in found.derivative.steps} & {"backward", "both"}
    assert any(x.backward for x in found.derivative.loops) and any(x.backward for x in found.gradient)
    assert all(s.phase == "forward" for s in found.function.steps)
    assert not any(x.backward for x in [*found.function.loops, *found.function.assembly])


def test_steps_know_their_costs(found):
    (product,) = CompiledView(fungrad.jit(jnp.matmul).trace(jnp.ones((40, 50)), jnp.ones((50, 30))).jaxpr, "f").steps
    assert product.kind == "gemm" and product.cost.flops == 2 * 40 * 50 * 30
    assert product.cost.read == 4 * (40 * 50 + 50 * 30) and product.cost.written == 4 * 40 * 30
    assert sum(s.cost.flops for s in found.function.steps) > 2 * 32 * 16 * 8
    view = CompiledView(fungrad.jit(lambda x: x * 2 + 1).trace(jnp.zeros((7, 3))).jaxpr, "f")
    (step,) = view.steps
    assert (step.cost.read, step.cost.written, step.cost.flops) == (84, 84, 42)


def test_why_not_fused():
    view = CompiledView(fungrad.jit(lambda x: jnp.tanh(x @ x).sum(0)).trace(jnp.ones((40, 40))).jaxpr, "f")
    nest = next(s for s in view.steps if "tanh" in s.operations)
    assert any("dot_general" in other and "whole arrays" in why for other, why in nest.apart)
    view = CompiledView(fungrad.jit(lambda x, y: (x + 1, y * 2)).trace(jnp.zeros(3), jnp.zeros(5)).jaxpr, "f")
    assert any("another length" in why for s in view.steps for _, why in s.apart)


def test_residuals_and_why(found):
    kept = [r for r in found.residuals if not r.is_argument]
    assert all(r.uses for r in found.residuals)
    assert {lines(r.places).pop() for r in kept} >= {1, 2}
    assert any(r.is_argument and r.origin == "the argument x" for r in found.residuals)
    total = sum(r.size for r in found.residuals)
    assert total == sum(np.prod(eval(r.type[3:]) or [1]) * 4 for r in found.residuals)
    linear = fungrad.explain(lambda x: jnp.sum(3 * x), jnp.ones(4), roofline=False)
    assert linear.residuals == []


def evaluated(rule, values):
    """The value of every name by the formulas of a chain rule."""
    env = dict(values, exp=np.exp, tanh=np.tanh, sin=np.sin, cos=np.cos, log=np.log, sqrt=np.sqrt, sum=np.sum)
    env["broadcast"] = lambda x: x
    for row in rule.text().split("\n"):
        for part in filter(None, re.split(r"\s{4,}", row)):
            for sign, op in (("∂", "d_"), ("·", "*"), ("−", "-"), ("^", "**"), ("ᵀ", ".T")):
                part = part.replace(sign, op)
            env.setdefault("rows", []).append(part)
    rows = env.pop("rows")
    for part in [r for r in rows if not r.startswith("d_")] + [r for r in rows if r.startswith("d_")]:
        exec(part, env)
    return env


@pytest.mark.parametrize(
    "fun",
    [
        lambda x, y: (x + y) * (y + 1),
        lambda x, y: jnp.tanh(x * y) + x**3 / y - jnp.sin(x) * jnp.exp(-y),
        lambda x, y: jnp.log(x * x + y) / jnp.sqrt(y) - 2.0 * x,
    ],
)
def test_the_chain_rule_is_the_derivative(fun):
    rule = chain_rule(fungrad.jit(fun).trace(0.7, 1.3).jaxpr)
    env = evaluated(rule, {"x": 0.7, "y": 1.3})
    want = fungrad.grad(fun, (0, 1))(0.7, 1.3)
    np.testing.assert_allclose([env["d_x"], env["d_y"]], want, rtol=1e-5)
    assert rule.latex().count("\\\\") == len(rule.forward) + len(rule.backward) - 1


def test_the_chain_rule_of_matrices():
    w, x = np.random.default_rng(0).normal(size=(2, 3, 3))
    fun = lambda w, x: jnp.sum(jnp.tanh(x @ w) ** 2)  # noqa: E731
    env = evaluated(chain_rule(fungrad.jit(fun).trace(w, x).jaxpr), {"w": w, "x": x})
    want = fungrad.grad(fun, (0, 1))(w, x)
    np.testing.assert_allclose(env["d_w"] * np.ones((3, 3)), want[0], rtol=1e-4)
    np.testing.assert_allclose(env["d_x"] * np.ones((3, 3)), want[1], rtol=1e-4)


def test_no_chain_rule_of_loops_and_large_functions():
    loop = fungrad.jit(lambda x: lax.fori_loop(0, 3, lambda i, c: c * x, x)).trace(1.0).jaxpr
    large = fungrad.jit(lambda x: sum(jnp.sin(x * k) for k in range(2, 20))).trace(1.0).jaxpr
    assert chain_rule(loop) is None and chain_rule(large) is None


def test_loops_copies_and_python():
    def fun(m, init, xs):
        def step(c, x):
            return jnp.roll(c, 1, 0) @ m + x, c.sum()

        out, _ = lax.scan(step, init, xs)
        return fungrad.pure_callback(np.sin, fungrad.ShapeDtypeStruct(out.shape, out.dtype), out).T

    e = fungrad.explain(fun, *[jnp.ones((40, 40))] * 2, jnp.ones((5, 40, 40)), roofline=False)
    assert e.derivative is None and "not one real number" in e.no_derivative
    assert any(s.times == 5 and s.within == "repeat 5" for s in e.function.steps)
    assert [s.kind for s, _ in e.function.hosts] == ["host"]
    reasons = " ".join(c.reason for c in e.function.copies)
    assert "carry" in reasons and "result" in reasons
    text = str(e)
    assert "Steps in Python" in text and "NumPy" in text


def test_results_that_are_no_number_are_differentiated_on_demand():
    e = fungrad.explain(lambda x, n: (jnp.sin(x), n + 1), jnp.ones(3), 1, derivative=True, roofline=False)
    assert len(e.derivative.jaxpr.invars) == 3
    with pytest.raises(TypeError, match="no argument of a floating dtype"):
        fungrad.explain(lambda n: n + 1, 1, derivative=True, roofline=False)


def test_argnums_choose_arguments():
    e = fungrad.explain(model, *ARGS, argnums=0, roofline=False)
    assert len(e.derivative.jaxpr.outvars) == 2
    with pytest.raises(ValueError, match="argnums names argument 3, but model was given 3"):
        fungrad.explain(model, *ARGS, argnums=3)


def test_wrong_calls():
    with pytest.raises(TypeError, match="fungrad.explain: fun must be a function"):
        fungrad.explain(3)
    with pytest.raises(TypeError, match="outside of transformed functions"):
        fungrad.jit(lambda x: fungrad.explain(jnp.sin, x) and x)(1.0)
    with pytest.raises(TypeError, match="fungrad.profile: arguments must have values"):
        fungrad.profile(model, *ARGS)


def test_why_it_was_traced_again():
    @fungrad.jit
    def f(x, y):
        return x + y

    f(jnp.ones(3), 1.0), f(jnp.ones(3), 1.0), f(jnp.ones(4), 1.0), f(jnp.ones(4, jnp.int32), 1.0)
    info = f.cache_info()
    assert info.traces == info.currsize == 3
    assert info.versions[0].reason == "first call"
    assert "has shape (4,), before (3,)" in info.versions[1].reason
    assert "has dtype int32, before float32" in info.versions[2].reason
    assert Place(info.versions[2].where.file, info.versions[2].where.line).file == HERE
    assert "has shape (4,)" in str(fungrad.explain(f, jnp.ones(3), 1.0, roofline=False))
    f.clear_cache()
    assert f.cache_info().currsize == 0


def test_static_arguments_and_nested_calls():
    inner = fungrad.jit(lambda x: jnp.sin(x) * 2)

    def f(x, n):
        return sum(inner(x) for _ in range(n))

    e = fungrad.explain(fungrad.jit(f, static_argnums=1), jnp.ones(3), 2, roofline=False, derivative=True)
    assert any("sin" in s.operations for s in e.function.steps)
    assert any("static 2" in v for _, v in e.cache.versions[0].arguments)


def test_listings_of_inner_jaxprs_know_their_lines():
    def step(c, x):
        return c * jnp.cos(x), c

    def f(xs):
        return lax.scan(step, 1.0, xs)[0]

    listing = jaxpr_listing(fungrad.make_jaxpr(f)(jnp.ones(3)))
    cos = next(x for x in listing if " cos " in x.text)
    first = step.__code__.co_firstlineno
    assert [p.line for p in cos.places] == [first + 1]


def test_profile_measures_every_step():
    def fun(w, x):
        h = jnp.tanh(x @ w)
        return lax.fori_loop(0, 4, lambda i, c: c @ w, h).sum()

    w, x = jnp.ones((64, 64)) / 64, jnp.ones((64, 64))
    p = fungrad.profile(fun, w, x, roofline=False)
    assert all(t.seconds >= t.least > 0 for t in p.steps) and p.total > 0
    repeated = [t for t in p.steps if t.step.within]
    assert repeated and all(t.runs == 4 for t in repeated)
    inside = sum(t.seconds for t in p.steps)
    assert inside < 3 * p.with_clocks
    np.testing.assert_allclose(sum(x.seconds for x in p.lines), inside, rtol=1e-6)
    first = fun.__code__.co_firstlineno
    assert {x.place.line - first for x in p.lines} == {1, 2}
    assert "Time by line" in str(p) and "gemm" in str(p)


def test_profile_runs_the_real_program():
    seen = []

    def fun(x):
        fungrad.debug.callback(lambda v: seen.append(float(v)), x.sum())
        return x * 2

    p = fungrad.profile(fun, jnp.ones(3), roofline=False)
    assert seen and set(seen) == {3.0}
    assert any(t.step.kind == "host" for t in p.steps)


def test_tables_fit_the_width():
    from fungrad.explaining.sections import Table

    text = table_lines(Table(("a", ">n"), [("word " * 40, "1"), ("short", "22")]), 60)
    assert max(map(len, text)) <= 60 and any(row.endswith("22") for row in text)


@pytest.mark.parametrize(
    "fun, args",
    [
        (lambda x: x, (jnp.ones(3),)),
        (lambda: jnp.arange(4), ()),
        (lambda x: x.sum() + 1.0, (jnp.ones((0, 3)),)),
        (lambda z: jnp.abs(jnp.exp(z)).sum(), (jnp.ones((4, 4), jnp.complex64),)),
        (lambda x, i: x.at[i].add(1.0), (jnp.ones(10), jnp.array([1, 2]))),
        (lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x).sum(), (jnp.ones(100, jnp.bfloat16),)),
        (lambda x: lax.while_loop(lambda c: c.sum() < 100, lambda c: c * 2, x).sum(), (jnp.ones(40),)),
    ],
)
def test_any_function_can_be_explained(fun, args):
    e = fungrad.explain(fun, *args, roofline=False)
    assert str(e) and e._repr_html_().startswith("<div")
    for _, view in e.programs:
        assert view.assembly and all(line.step is None or 1 <= line.step <= len(view.steps) for line in view.assembly)


def test_functions_without_a_derivative_are_explained_too():
    fun = lambda x: fungrad.pure_callback(np.sin, x, x).sum()  # noqa: E731
    e = fungrad.explain(fun, jnp.ones(3), roofline=False)
    assert e.derivative is None and "pure_callback has no derivative" in e.no_derivative
    with pytest.raises(ValueError, match="pure_callback has no derivative"):
        fungrad.explain(fun, jnp.ones(3), derivative=True, roofline=False)
    assert fungrad.explain(lambda x: x * x, jnp.bfloat16(2), roofline=False).derivative is not None
