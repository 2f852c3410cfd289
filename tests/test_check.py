"""The verifier of jaxprs: each kind of fault is found, at its place, and well-formed jaxprs pass."""

from __future__ import annotations

import numpy as np
import pytest

from fungrad.core.array import wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.check import check_jaxpr
from fungrad.core.context import AxisData, axis_size
from fungrad.core.ir import Builder, Eqn, Jaxpr, Literal, Var
from fungrad.core.primitive import Primitive
from fungrad.errors import JaxprTypeError

F32 = ShapedArray((), "float32")
WEAK = ShapedArray((), "float32", True)
VEC = ShapedArray((3,), "float32")


class Same(Primitive):
    """Operands of one type, a result of the same type."""

    def abstract_eval(self, *avals, **params):
        if any(a is not avals[0] for a in avals):
            raise TypeError("operands differ: " + ", ".join(a.str_short() for a in avals))
        return avals[0]


class Pair(Primitive):
    multiple_results = True

    def abstract_eval(self, x, **params):
        return [x, x]


class SumAxis(Primitive):
    uses_axis_names = True

    def abstract_eval(self, x, *, name):
        axis_size(name, "psum")
        return x


class Call(Primitive):
    multiple_results = True

    def abstract_eval(self, *avals, jaxpr, **params):
        return jaxpr.out_avals

    def check(self, eqn):
        expected = eqn.params["jaxpr"].in_avals
        if expected != tuple(a.aval for a in eqn.invars):
            raise TypeError(f"the jaxpr takes {len(expected)} operands of other types")


@pytest.fixture(autouse=True, scope="module")
def own_primitives():
    """Primitives t_... that exist in this file only."""
    before = dict(Primitive.instances)
    Same("t_same")
    Pair("t_pair")
    SumAxis("t_psum")
    Call("t_call")
    Primitive("t_bare")
    yield
    Primitive.instances.clear()
    Primitive.instances.update(before)


def prim(name):
    return Primitive.instances[name]


def eqn(primitive, invars, outvars, **params):
    return Eqn(prim(primitive), invars, params, outvars)


def chain(n):
    """``n`` equations in a row, well formed."""
    x, b = Var(VEC), Builder()
    v = x
    for _ in range(n):
        (v,) = b.add(prim("t_same"), [v, v], {})
    return Jaxpr((), [x], [v], b.eqns)


def fails(jaxpr, *texts, **options):
    with pytest.raises(JaxprTypeError) as info:
        check_jaxpr(jaxpr, **options)
    message = str(info.value)
    for text in texts:
        assert text in message, message
    return message


def test_well_formed():
    c, x, y, z, w = Var(VEC), Var(VEC), Var(VEC), Var(VEC), Var(F32)
    half = Literal(0.5, F32)
    eqns = [
        eqn("t_same", [x, c], [y]),
        eqn("t_pair", [y], [z, Var(VEC)]),
        eqn("t_same", [half, half], [w]),
    ]
    const = wrap(np.zeros(3, np.float32), VEC)
    inner = Jaxpr([c], [x], [z, w, w, half, c, x], eqns, [const])
    check_jaxpr(inner)
    check_jaxpr(Jaxpr((), (), (), ()))
    closed = inner.with_consts_as_inputs()
    a, b = Var(VEC), Var(VEC)
    outs = [Var(v) for v in closed.out_avals]
    call = eqn("t_call", [a, b], outs, jaxpr=closed, branches=(closed, chain(2)), k=(1, "x"))
    check_jaxpr(Jaxpr((), [a, b], outs, [call, eqn("t_pair", [b], [Var(VEC), Var(VEC)])]))


def test_undefined_and_early_uses():
    x, y, z = Var(VEC), Var(VEC), Var(VEC)
    fails(
        Jaxpr((), [x], [y], [eqn("t_same", [x, z], [y])]),
        "check_jaxpr: equation 0 (t_same): operand 1, of type f32[3], is not defined in this jaxpr",
        ">     b:f32[3] = t_same a c",
    )
    fails(
        Jaxpr((), [x], [z], [eqn("t_same", [y], [z]), eqn("t_same", [x], [y])]),
        "equation 0 (t_same): operand 0, of type f32[3], is used before its definition by equation 1",
    )
    fails(Jaxpr((), [x], [x, y], ()), "output 1, of type f32[3], is not defined", ">   in (a, b) }")
    # Its own result.
    fails(Jaxpr((), [x], [y], [eqn("t_same", [y], [y])]), "used before its definition")


def test_variables_of_an_enclosing_jaxpr_are_not_in_scope():
    x, y = Var(VEC), Var(VEC)
    inner = Jaxpr((), [], [x], ())
    fails(
        Jaxpr((), [x], [y], [eqn("t_call", [], [y], jaxpr=inner)]),
        "check_jaxpr: in t_call (equation 0), parameter jaxpr: output 0",
        "not defined in this jaxpr",
    )


def test_double_definitions():
    x, y = Var(VEC), Var(VEC)
    fails(Jaxpr((), [x, x], [x], ()), "input 1 is the same variable", "> { lambda ; a:f32[3] a:f32")
    const = wrap(np.zeros(3, np.float32), VEC)
    fails(Jaxpr([x], [x], [x], (), [const]), "input 0 is the same variable")
    fails(Jaxpr((), [x], [x], [eqn("t_same", [x], [x])]), "result 0 is a variable that is already")
    twice = [eqn("t_same", [x], [y]), eqn("t_same", [x], [y])]
    fails(Jaxpr((), [x], [y], twice), "equation 1 (t_same): result 0 is a variable")
    fails(Jaxpr((), [x], [y], [eqn("t_pair", [x], [y, y])]), "result 1 is a variable")


def test_types():
    x, y, w = Var(VEC), Var(F32), Var(WEAK)
    fails(
        Jaxpr((), [x], [y], [eqn("t_same", [x], [y])]),
        "result 0 has type f32[3] but its variable has type f32[]",
    )
    message = fails(
        Jaxpr((), [y], [w], [eqn("t_same", [y], [w])]),
        "result 0 differs in weak type only: the variable is weak and the value is not",
        ">     b:~f32[] = t_same a",
    )
    assert "but its variable" not in message
    z = Var(F32)
    fails(
        Jaxpr((), [w], [z], [eqn("t_same", [w], [z])]),
        "weak type only: the value is weak and the variable is not",
    )
    fails(Jaxpr((), [x], [y], [eqn("t_pair", [x], [y])]), "has 2 results, not 1")
    fails(
        Jaxpr((), [x, y], [z], [eqn("t_same", [x, y], [z])]),
        "abstract_eval rejects the operands: operands differ: f32[3], f32[]",
    )
    fails(
        Jaxpr((), [x], [y], [eqn("t_bare", [x], [y])]),
        "primitive 't_bare' has no rule for staging",
    )


def test_causes_are_kept():
    x, y, z = Var(VEC), Var(F32), Var(VEC)
    with pytest.raises(JaxprTypeError) as info:
        check_jaxpr(Jaxpr((), [x, y], [z], [eqn("t_same", [x, y], [z])]))
    assert type(info.value.__cause__) is TypeError


def test_constants():
    c, x = Var(VEC), Var(VEC)
    value = wrap(np.float32(0), F32)
    fails(Jaxpr([c], [x], [x], (), [value]), "constant 0 has type f32[] but its variable", "> {")
    weak = wrap(np.float32(0), WEAK)
    fails(Jaxpr([Var(F32)], [x], [x], (), [weak]), "constant 0 differs in weak type only")
    y = Var(VEC)
    inner = Jaxpr([c], [x], [x], (), [wrap(np.zeros(3, np.float32), VEC)])
    outer = Jaxpr((), [x], [y], [eqn("t_call", [x], [y], branches=(chain(1), inner), jaxpr=inner)])
    fails(outer, "the jaxpr in parameter branches[1] has 1 constants")


def test_parameters():
    x, y = Var(VEC), Var(VEC)
    fails(
        Jaxpr((), [x], [y], [eqn("t_same", [x], [y], sizes=[1, 2])]),
        "parameters: t_same: parameter 'sizes' of a primitive must be hashable",
    )


def test_things_that_are_not_variables():
    x, y = Var(VEC), Var(VEC)
    fails(Jaxpr((), [x], [y], [eqn("t_same", [3.0], [y])]), "neither a variable nor a literal")
    fails(Jaxpr((), [x], [None], ()), "output 0 is neither a variable nor a literal but None")
    fails(Jaxpr((), [x], [x], [eqn("t_same", [x], [None])]), "result 0 is not a variable")
    fails(Jaxpr((), [None], [], ()), "input 0 is not a variable but None")
    fails(Jaxpr((), [x], [y], [Eqn("t_same", [x], {}, [y])]), "'t_same' is not a primitive")


def test_jaxprs_in_parameters():
    x, y, bad = Var(VEC), Var(VEC), Var(F32)
    inner = Jaxpr((), [x], [bad], [eqn("t_same", [x], [bad])])
    a, b = Var(VEC), Var(F32)
    outer = Jaxpr((), [a], [b], [eqn("t_call", [a], [b], jaxpr=inner)])
    fails(
        outer,
        "check_jaxpr: after fusion: in t_call (equation 0), parameter jaxpr: equation 0 (t_same): ",
        "> ",
        where="after fusion",
    )
    # The primitive's own condition.
    wrong = eqn("t_call", [x, x], [y], jaxpr=chain(1))
    fails(Jaxpr((), [x], [y], [wrong]), "the primitive's own check: the jaxpr takes 1 operands of")


def test_axis_names():
    x, y = Var(VEC), Var(VEC)
    jaxpr = Jaxpr((), [x], [y], [eqn("t_psum", [x], [y], name="i")])
    fails(jaxpr, "unbound axis name 'i'")
    check_jaxpr(jaxpr, axis_env=[AxisData("i", 4)])
    fails(jaxpr, "unbound axis name 'i'", axis_env=[AxisData("j", 4)])


def test_neighbours_are_shown():
    good = chain(30)
    eqns = list(good.eqns)
    eqns[15] = eqns[15].replace(invars=(Var(VEC), *eqns[15].invars[1:]), source="user.py:7 (f)")
    message = fails(good.replace(eqns=eqns), "equation 15 (t_same)", "\nfrom user.py:7 (f)\n")
    lines = message.split("\n")
    marked = [i for i, line in enumerate(lines) if line.startswith(">")]
    assert len(marked) == 1
    assert lines[marked[0] - 7].strip() == "... 9 equations"
    assert lines[marked[0] + 7].strip() == "... 8 equations"


def test_long_neighbours_are_shortened():
    x, y, z, bad = Var(VEC), Var(VEC), Var(VEC), Var(F32)
    call = eqn("t_call", [x], [y], jaxpr=chain(9))
    message = fails(Jaxpr((), [x], [bad], [call, eqn("t_same", [y], [bad])]), ">     m:f32[] =")
    assert message.count("\n") == 7
    assert "        ...\n" in message
    # The faulty equation itself is complete.
    message = fails(Jaxpr((), [x], [z], [call.replace(invars=[z, z], outvars=[y])]))
    assert message.count("t_same") == 9


def test_repeated_jaxprs_are_checked_once():
    jaxpr = chain(1)
    for _ in range(60):
        x, y, z = Var(VEC), Var(VEC), Var(VEC)
        eqns = [eqn("t_call", [x], [y], jaxpr=jaxpr), eqn("t_call", [y], [z], jaxpr=jaxpr)]
        jaxpr = Jaxpr((), [x], [z], eqns)
    check_jaxpr(jaxpr)
