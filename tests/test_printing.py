"""The printer and the parser of jaxprs: exact texts, line breaking, and the round trip through text."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fungrad
from fungrad.core import dtypes
from fungrad.core.array import wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AnonymousAxis
from fungrad.core.ir import Eqn, Jaxpr, Literal, Var, jaxprs_in_params
from fungrad.core.layout import Break, Group, Nest, Note, layout
from fungrad.core.parsing import parse_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.printing import (
    eqn_text,
    excerpt,
    jaxpr_text,
    literal_text,
    opaque_objects,
    param_types,
    parse_scalar,
    register_param_type,
    variable_names,
)

F32 = ShapedArray((), "float32")
WEAK = ShapedArray((), "float32", True)
VEC = ShapedArray((3,), "float32")
I32 = ShapedArray((), "int32")


class Mode(enum.Enum):
    FILL = 1
    CLIP = "clip"


class Numbers(NamedTuple):
    lhs: tuple
    rhs: Any = None


@dataclasses.dataclass(frozen=True)
class Spec:
    size: int
    label: str = ""
    modes: tuple = ()


class Opaque:
    """A hashable parameter without a text."""


@pytest.fixture(autouse=True, scope="module")
def own_primitives():
    """Primitives t_... and parameter classes that exist in this file only."""
    primitives, types = dict(Primitive.instances), dict(param_types)
    for name in ("t_one", "t_two", "t-many", "t_print", "t_none"):
        Primitive(name)
    for cls in (Mode, Numbers, Spec):
        register_param_type(cls)
    yield
    Primitive.instances.clear()
    Primitive.instances.update(primitives)
    param_types.clear()
    param_types.update(types)


def prim(name):
    return Primitive.instances[name]


def lit(value, aval=F32):
    return Literal(value, aval)


def one_eqn(params=None, aval=VEC, name="t_one", outs=1):
    """A jaxpr that applies one primitive to its input."""
    x, ys = Var(aval), [Var(aval) for _ in range(outs)]
    return Jaxpr((), [x], ys, [Eqn(prim(name), [x], params or {}, ys)])


def chain(n, aval=VEC, name="t_one"):
    """A jaxpr of ``n`` equations."""
    x = v = Var(aval)
    eqns = []
    for _ in range(n):
        eqns.append(Eqn(prim(name), [v], {}, [Var(aval)]))
        v = eqns[-1].outvars[0]
    return Jaxpr((), [x], [v], eqns)


def round_trip(jaxpr, **options):
    text = jaxpr_text(jaxpr, weak=True, **options)
    parsed = parse_jaxpr(text, consts=jaxpr.consts, objects=opaque_objects(jaxpr))
    assert parsed == jaxpr, text
    assert jaxpr_text(parsed, weak=True, **options) == text
    return parsed


# -- layout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doc", "width", "expected"),
    [
        (Group(["12345", Break(" "), "6789"]), 10, "12345 6789"),
        (Group(["12345", Break(" "), "6789"]), 9, "12345\n6789"),
        # What follows a group does not count.
        ([Group(["12345", Break(" "), "6789"]), "zz"], 10, "12345 6789zz"),
        (["12345", Group(Break(" ")), "zz"], 6, "12345 zz"),
        (["12345", Group(Break(" ")), "zz"], 5, "12345\nzz"),
        (["a", Break(" "), "b"], 80, "a\nb"),
        (Nest(3, ["a", Break(""), Nest(2, [Break(""), "b"]), Break(""), "c"]), 80, "a\n   \n     b\n   c"),
        (Group([Group(["aaa", Break(" "), "bbb"]), Break("; "), "ccc"]), 8, "aaa bbb\nccc"),
        (Group([Group(["aaa", Break(" "), "bbb"]), Break("; "), "ccc"]), 12, "aaa bbb; ccc"),
        ([], 80, ""),
        ([Note("a", "x"), Break(""), "long line", Break(""), Note("b", "y")], 80,
         "a         # x\nlong line\nb         # y"),
        ([Note("a", "x"), Note("b", "y")], 80, "ab # x\n   # y"),
    ],
)  # fmt: skip
def test_layout(doc, width, expected):
    assert layout(doc, width) == expected


# -- texts ----------------------------------------------------------------------------------------


def test_one_line_when_it_fits():
    assert str(one_eqn()) == "{ lambda ; a:f32[3]. let b:f32[3] = t_one a in (b,) }"
    assert str(one_eqn()) == repr(one_eqn()) == one_eqn().pretty_print()


def test_breaks_at_eighty_columns_including_them():
    def of_length(n):
        text = "x" * n
        return str(one_eqn({"k": text}))

    base = len(of_length(0))
    assert "\n" not in of_length(80 - base)
    assert len(of_length(80 - base)) == 80
    assert of_length(81 - base).split("\n") == [
        "{ lambda ; a:f32[3]. let",
        f"    b:f32[3] = t_one[k={'x' * (81 - base)}] a",
        "  in (b,) }",
    ]


def test_empty_jaxprs():
    assert str(Jaxpr((), (), (), ())) == "{ lambda ; . let  in () }"
    x = Var(VEC)
    assert str(Jaxpr((), [x], [x, lit(1.5)], ())) == "{ lambda ; a:f32[3]. let  in (a, 1.5:f32[]) }"
    round_trip(Jaxpr((), (), (), ()))
    round_trip(Jaxpr((), [x], [x, lit(1.5)], ()))


def test_constants_stand_before_the_semicolon():
    c, d, x, y = Var(VEC), Var(F32), Var(VEC), Var(VEC)
    consts = [wrap(np.arange(3, dtype=np.float32), VEC), wrap(np.float32(2), F32)]
    jaxpr = Jaxpr([c, d], [x], [y], [Eqn(prim("t_two"), [c, x], {}, [y])], consts)
    text = "{ lambda a:f32[3] b:f32[]; c:f32[3]. let d:f32[3] = t_two a c in (d,) }"
    assert jaxpr_text(jaxpr) == text
    round_trip(jaxpr)
    with pytest.raises(ValueError, match="2 constants but consts= has 1"):
        parse_jaxpr(text, consts=consts[:1])
    with pytest.raises(TypeError, match=r"consts\[1\]: expected f32\[\], got f32\[3\]"):
        parse_jaxpr(text, consts=[consts[0], consts[0]])


def test_unused_results_are_underscores_in_the_outermost_jaxpr_only():
    x, y, z = Var(VEC), Var(VEC), Var(VEC)
    jaxpr = Jaxpr((), [x], [z], [Eqn(prim("t-many"), [x], {}, [y, z])])
    assert "_:f32[3] b:f32[3] = t-many a in (b,)" in str(jaxpr)
    assert "_" not in str(one_eqn({"jaxpr": jaxpr})).replace("t_one", "")
    round_trip(jaxpr)
    round_trip(one_eqn({"jaxpr": jaxpr}))


def test_equations_without_results():
    x, y = Var(VEC), Var(VEC)
    say = Eqn(prim("t_print"), [x, x], {"fmt": "{} ']'"}, [])
    quiet = Eqn(prim("t_none"), [], {}, [])
    jaxpr = Jaxpr((), [x], [y], [say, quiet, Eqn(prim("t_one"), [x], {}, [y]), quiet, say])
    lines = str(jaxpr).split("\n")
    assert lines[1:3] == ["    t_print[fmt={} ']'] a a", "    t_none "]
    round_trip(jaxpr)
    round_trip(jaxpr, width=400)


def test_variable_names():
    names = variable_names()
    first = [next(names) for _ in range(26 * 27 + 2)]
    assert first[:2] == ["a", "b"]
    assert first[25:28] == ["z", "ba", "bb"]
    assert first[-3:] == ["baz", "bba", "bbb"]
    assert len(set(first)) == len(first)


def test_many_variables_round_trip():
    # Among the names are the keyword "in" and names of primitives ("or", "sin").
    jaxpr = chain(800)
    assert "    in:f32[3] = t_one im\n" in str(jaxpr)
    round_trip(jaxpr)
    x, y = Var(VEC), Var(VEC)
    eqns = [Eqn(prim("t_none"), [v], {}, []) for v in jaxpr.invars * 3]
    round_trip(Jaxpr((), jaxpr.invars, jaxpr.outvars, [*jaxpr.eqns, *eqns]))
    round_trip(Jaxpr((), [x], [y] * 40, [Eqn(prim("t_two"), [x] * 40, {}, [y])]))


def test_names_never_read_as_numbers():
    names = variable_names()
    spellings = [next(names) for _ in range(9000)]
    assert "inf" in spellings and "nan" in spellings
    jaxpr = chain(9000)
    text = jaxpr_text(jaxpr)
    assert " inf:" not in text and " nan:" not in text
    assert parse_jaxpr(text) == jaxpr


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (2.0, "float32", "2.0"),
        (-0.0, "float32", "-0.0"),
        (0.1, "float32", "0.10000000149011612"),
        (1e20, "float32", "1.0000000200408773e+20"),
        (np.inf, "float32", "inf"),
        (-np.inf, "float64", "-inf"),
        (np.nan, "float32", "nan"),
        (0.1, "bfloat16", "0.10009765625"),
        (2.0, "float8_e4m3fn", "2.0"),
        (3, "int4", "3"),
        (-7, "int32", "-7"),
        (2**64 - 1, "uint64", "18446744073709551615"),
        (True, "bool", "True"),
        (1 + 2j, "complex64", "(1+2j)"),
        (1j, "complex64", "1j"),
        (complex(-0.0, -np.inf), "complex128", "(-0-infj)"),
        (complex(np.nan, 1), "complex64", "(nan+1j)"),
    ],
)
def test_literals(value, dtype, text):
    literal = lit(value, ShapedArray((), dtype))
    assert literal_text(literal) == text
    x, y = Var(F32), Var(F32)
    # After a variable, before another one, and as an output.
    eqns = [Eqn(prim("t_two"), [x, literal, x, literal], {}, [y])]
    round_trip(Jaxpr((), [x], [y, literal], eqns))


def test_literals_that_numbers_do_not_determine():
    bits = np.array([0xFFC00000, 0x7FC00001], np.uint32).view(np.float32)
    for i, text in enumerate(("0x0000c0ff", "0x0100c07f")):
        literal = lit(bits[i : i + 1].reshape(()))
        assert literal_text(literal) == "nan"
        assert literal_text(literal, exact=True) == text
        round_trip(Jaxpr((), [], [literal], []))


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_any_float_and_key_literal_round_trips(bits):
    word = np.array(bits, np.uint32)
    floating = lit(word.view(np.float32))
    key = np.zeros((), dtypes.prng_key)
    key["key"] = bits, bits // 3
    literals = [floating, Literal(key, ShapedArray((), dtypes.prng_key))]
    round_trip(Jaxpr((), [], literals, []))


def test_float0_literal_and_types():
    aval = ShapedArray((), dtypes.float0)
    round_trip(Jaxpr((), [], [Literal(np.zeros((), dtypes.float0), aval)], []))
    for dtype in dtypes.all_dtypes:
        for shape in ((), (0,), (2, 30)):
            for weak in (False, True):
                round_trip(one_eqn({"dtype": dtype}, ShapedArray(shape, dtype, weak)))


def test_parse_scalar_refuses():
    with pytest.raises(ValueError, match="3 bytes"):
        parse_scalar("0x000000", np.dtype("float32"))
    with pytest.raises(ValueError, match="truth value"):
        parse_scalar("1", np.dtype(bool))


# -- parameters -----------------------------------------------------------------------------------


def test_parameters_in_order_and_one_per_line_when_long():
    params = {"zeta": 1, "name": "f", "alpha": (1, 2)}
    assert "t_one[name=f alpha=(1, 2) zeta=1] a" in str(one_eqn(params))
    params["long"] = "y" * 70
    assert str(one_eqn(params)).split("\n")[1:7] == [
        "    b:f32[3] = t_one[",
        "      name=f",
        "      alpha=(1, 2)",
        f"      long={'y' * 70}",
        "      zeta=1",
        "    ] a",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.dtype("float32"), "float32"),
        (dtypes.bfloat16, "bfloat16"),
        (None, "None"),
        ((), "()"),
        ((1,), "(1,)"),
        ((("i", None), 2.5), "(('i', None), 2.5)"),
        (frozenset({10, 9}), "frozenset({9, 10})"),
        (frozenset({"b", "a"}), "frozenset({'a', 'b'})"),
        (Mode.FILL, "Mode.FILL"),
        ((Mode.CLIP, Mode.FILL), "(Mode.CLIP, Mode.FILL)"),
        (Numbers((0, 1), Mode.CLIP), "Numbers(lhs=(0, 1), rhs=Mode.CLIP)"),
        (Spec(3, "x", (Mode.FILL,)), "Spec(size=3, label='x', modes=(Mode.FILL,))"),
        (np.int64(3), "3"),
        (np.float32(0.1), "0.10000000149011612"),
        (VEC, "f32[3]"),
        (math.inf, "inf"),
        ("float32!", "float32!"),
        (round_trip, "round_trip"),
    ],
)
def test_parameter_texts(value, text):
    assert f"t_one[k={text}] a" in jaxpr_text(one_eqn({"k": value}), width=200)
    round_trip(one_eqn({"k": value}))
    round_trip(one_eqn({"k": (value,), "j": (value, (value, value))}))


def test_types_in_parameters_keep_weakness():
    jaxpr = one_eqn({"k": (WEAK, F32)})
    assert "k=(~f32[], f32[])" in jaxpr_text(jaxpr, weak=True)
    round_trip(jaxpr)


def test_addresses_are_left_out():
    assert " at 0x" not in str(one_eqn({"k": Opaque()}))


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(),
    st.binary(),
    st.sampled_from([*dtypes.all_dtypes, *Mode, VEC, WEAK, Ellipsis]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner).map(tuple),
        st.builds(Numbers, st.lists(inner).map(tuple), inner),
        st.builds(Spec, st.integers(), st.text(), st.lists(inner).map(tuple)),
        st.frozensets(st.one_of(st.text(), st.integers())),
        st.lists(inner, max_size=2).map(lambda v: one_eqn({"k": tuple(v)})),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["k", "jaxpr", "dimension_numbers"]), values))
@settings(deadline=None, max_examples=300)
def test_any_parameters_round_trip(params):
    round_trip(one_eqn(params))
    round_trip(one_eqn({"jaxpr": one_eqn(params)}), width=20)


def test_opaque_parameters_are_given_by_name():
    a, b = Opaque(), Opaque()
    jaxpr = one_eqn({"f": round_trip, "x": (a, b, a), "axis": AnonymousAxis(), "t": float})
    text = jaxpr_text(jaxpr, weak=True)
    assert "x=(@Opaque, @Opaque1, @Opaque)" in text and "f=@round_trip" in text
    assert set(opaque_objects(jaxpr)) == {
        "AnonymousAxis",
        "round_trip",
        "Opaque",
        "Opaque1",
        "float",
    }
    round_trip(jaxpr)
    with pytest.raises(ValueError, match=r"objects=\{'AnonymousAxis': ...\}"):
        parse_jaxpr(text)


def test_numbered_enums():
    level = enum.IntEnum("Level", "LOW HIGH")
    register_param_type(level)
    jaxpr = one_eqn({"level": level.HIGH, "levels": (level.LOW,)})
    assert "t_one[level=2 levels=(Level.LOW,)]" in str(jaxpr)
    assert "level=Level.HIGH" in jaxpr_text(jaxpr, weak=True)
    assert parse_jaxpr(str(jaxpr)) == jaxpr
    assert round_trip(jaxpr).eqns[0].params["level"] is level.HIGH


@pytest.mark.parametrize("name", ["f", "<lambda>", "jvp(f)", "vmap(jvp(<lambda>))", "float32", "sin"])
def test_names_of_functions(name):
    f, x, y, z = one_eqn(), Var(VEC), Var(VEC), Var(VEC)
    params = {"name": name, "jaxpr": f}
    eqns = [Eqn(prim("t_one"), [x], params, [y]), Eqn(prim("t_one"), [y], params, [z])]
    for jaxpr in (one_eqn(params), one_eqn({"name": name}), Jaxpr((), [x], [z], eqns)):
        assert parse_jaxpr(str(jaxpr)) == jaxpr
        round_trip(jaxpr)


def test_register_param_type():
    with pytest.raises(TypeError, match="expected an Enum, NamedTuple or dataclass"):
        register_param_type(int)
    assert register_param_type(Mode) is Mode
    with pytest.raises(ValueError, match="already stands for"):
        register_param_type(enum.Enum("Mode", "A"))


# -- nested jaxprs --------------------------------------------------------------------------------


def test_nested_jaxprs():
    jaxpr = one_eqn({"branches": (one_eqn(), chain(2)), "k": 1})
    assert str(jaxpr).split("\n") == [
        "{ lambda ; a:f32[3]. let",
        "    b:f32[3] = t_one[",
        "      branches=(",
        "        { lambda ; c:f32[3]. let d:f32[3] = t_one c in (d,) }",
        "        { lambda ; e:f32[3]. let",
        "            f:f32[3] = t_one e",
        "            g:f32[3] = t_one f",
        "          in (g,) }",
        "      )",
        "      k=1",
        "    ] a",
        "  in (b,) }",
    ]
    round_trip(jaxpr)
    assert parse_jaxpr(str(jaxpr)) == jaxpr


def test_repeated_jaxprs_are_printed_once():
    f, x, y, z = one_eqn(), Var(VEC), Var(VEC), Var(VEC)
    params = {"name": "<lambda>", "jaxpr": f}
    eqns = [Eqn(prim("t_one"), [x], params, [y]), Eqn(prim("t_one"), [y], params, [z])]
    jaxpr = Jaxpr((), [x], [z], eqns)
    assert str(jaxpr).split("\n") == [
        "let lambda = { lambda ; a:f32[3]. let b:f32[3] = t_one a in (b,) } in",
        "{ lambda ; c:f32[3]. let",
        "    d:f32[3] = t_one[name=<lambda> jaxpr=lambda] c",
        "    e:f32[3] = t_one[name=<lambda> jaxpr=lambda] d",
        "  in (e,) }",
    ]
    parsed = round_trip(jaxpr)
    assert parsed.eqns[0].params["jaxpr"] is parsed.eqns[1].params["jaxpr"]
    assert parse_jaxpr(str(jaxpr)) == jaxpr
    # A function may be called like a dtype; equal jaxprs that are different objects stay apart.
    other = Eqn(prim("t_one"), [x], {"name": "float32", "jaxpr": chain(11)}, [Var(VEC)])
    text = str(Jaxpr((), [x], [z], [*eqns, other]))
    assert "let float321 = " in text
    assert parse_jaxpr(text).eqns[2].params["jaxpr"] == chain(11)


def test_shared_jaxprs_inside_shared_jaxprs():
    inner = one_eqn()
    jaxpr = inner
    for _ in range(40):  # every level uses the next twice
        x, y, z = Var(VEC), Var(VEC), Var(VEC)
        params = {"name": "f", "jaxpr": jaxpr}
        eqns = [Eqn(prim("t_one"), [x], params, [y]), Eqn(prim("t_one"), [y], params, [z])]
        jaxpr = Jaxpr((), [x], [z], eqns)
    text = str(jaxpr)
    assert text.count("let f") == 40
    assert "let f1 = " in text and "let f39 = " in text
    # Jaxprs are compared by their texts: the structural key has exponential size here.
    assert str(parse_jaxpr(text)) == text


def test_called_jaxprs_take_the_names_of_operands():
    Primitive.instances.setdefault("jit", Primitive("jit"))
    x, y, z = Var(VEC), Var(VEC), Var(VEC)
    u, v, w = Var(VEC), Var(VEC), Var(VEC)
    inner = Jaxpr((), [u, v], [u, w, w], [Eqn(prim("t_two"), [u, v], {}, [w])])
    outs = [Var(VEC), y, z]
    call = Eqn(prim("jit"), [x, x], {"name": "f", "jaxpr": inner}, outs)
    jaxpr = Jaxpr((), [x], [y, z], [call])
    assert str(jaxpr).split("\n") == [
        "{ lambda ; a:f32[3]. let",
        "    _:f32[3] b:f32[3] c:f32[3] = jit[",
        "      name=f",
        "      jaxpr={ lambda ; a:f32[3] d:f32[3]. let",
        "          b:f32[3] = t_two a d",
        "        in (a, b, b) }",
        "    ] a a",
        "  in (b, c) }",
    ]
    round_trip(jaxpr)


def test_inner_results_are_not_called_underscore():
    # Two results that the caller drops must stay distinct inside.
    x, y = Var(VEC), Var(VEC)
    u, v, w = Var(VEC), Var(VEC), Var(VEC)
    eqns = [Eqn(prim("t_one"), [u], {}, [v]), Eqn(prim("t_one"), [v], {}, [w])]
    inner = Jaxpr((), [u], [v, w, w], eqns)
    outs = [Var(VEC), Var(VEC), y]
    call = Eqn(prim("jit"), [x], {"name": "f", "jaxpr": inner}, outs)
    jaxpr = Jaxpr((), [x], [y], [call])
    assert parse_jaxpr(str(jaxpr)) == jaxpr
    round_trip(jaxpr)


def test_jaxprs_in_structured_parameters():
    jaxpr = one_eqn({"k": Numbers((one_eqn(), 3), chain(2))})
    round_trip(jaxpr)
    round_trip(one_eqn({"k": ((one_eqn(),), one_eqn(), None)}))


# -- options --------------------------------------------------------------------------------------


def test_options():
    jaxpr = chain(2, WEAK)
    assert jaxpr_text(jaxpr, print_shapes=False) == ("{ lambda ; a. let b = t_one a; c = t_one b in (c,) }")
    assert "a:~f32[]" in jaxpr_text(jaxpr, weak=True)
    named = jaxpr_text(jaxpr, names={jaxpr.invars[0]: "x", jaxpr.outvars[0]: "a"})
    assert "{ lambda ; x:f32[]. let" in named and "b:f32[] = t_one x" in named
    assert "a:f32[] = t_one b" in named
    assert jaxpr_text(jaxpr, width=20).count("\n") == 3
    assert jaxpr_text(Jaxpr((), (), (), ()), print_effects=True).endswith("in () : {  } }")
    with pytest.raises(TypeError, match="no_such_option"):
        jaxpr_text(jaxpr, no_such_option=True)


def test_source_lines():
    jaxpr = one_eqn()
    eqns = [jaxpr.eqns[0].replace(source="file.py:3 (f)")]
    text = jaxpr_text(jaxpr.replace(eqns=eqns), source_info=True)
    assert text.endswith("in (b,) } # file.py:3 (f)")
    assert parse_jaxpr(text) == jaxpr
    silent = Eqn(prim("t_none"), [], {}, [], "file.py:4 (f)")
    assert eqn_text(silent, source_info=True) == "t_none  # file.py:4 (f)"


def test_equation_alone():
    x, y = Var(VEC), Var(VEC)
    eqn = Eqn(prim("t_two"), [x, lit(2.0)], {"k": 1}, [y])
    assert eqn_text(eqn) == repr(eqn) == "a:f32[3] = t_two[k=1] b 2.0:f32[]"


class Hiding(Primitive):
    """A primitive with a parameter that the types tell."""

    def printed_params(self, params):
        return {"axes": params["axes"]} if params["axes"] else {}

    def restored_params(self, printed, in_avals, out_avals):
        return {"axes": (), "shape": out_avals[0].shape, **printed}


def test_parameters_that_the_ordinary_form_leaves_out():
    Hiding("t_hiding")
    jaxpr = one_eqn({"axes": (), "shape": (3,)}, name="t_hiding")
    assert "b:f32[3] = t_hiding a in" in str(jaxpr)
    assert parse_jaxpr(str(jaxpr)) == jaxpr
    assert "t_hiding[axes=() shape=(3,)]" in jaxpr_text(jaxpr, weak=True)
    assert "t_hiding[axes=() shape=(3,)]" in jaxpr_text(jaxpr, custom_pp_eqn_rules=False)
    round_trip(jaxpr)


def test_excerpt():
    text = excerpt(chain(30), 15, radius=2)
    assert text.split("\n") == [
        "  { lambda ; a:f32[3]. let",
        "      ... 13 equations",
        "      o:f32[3] = t_one n",
        "      p:f32[3] = t_one o",
        ">     q:f32[3] = t_one p",
        "      r:f32[3] = t_one q",
        "      s:f32[3] = t_one r",
        "      ... 12 equations",
        "    in (be,) }",
    ]
    assert excerpt(chain(1), "out").split("\n")[-1] == ">   in (b,) }"
    assert excerpt(chain(1), "in").split("\n")[0] == "> { lambda ; a:f32[3]. let"
    assert excerpt(chain(30), "out", radius=0).count("\n") == 2


# -- mistakes in texts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{ lambda ; a:f32[]. let b:f32[] = t_one c in (b,) }", "variable c is not defined"),
        ("{ lambda ; a:f32[]. let b:f32[] = t_one b in (b,) }", "variable b is not defined"),
        ("{ lambda ; a:f32[]. let in (b,) }", "variable b is not defined"),
        ("{ lambda ; a:f32[] a:f32[]. let in (a,) }", "variable a is defined twice"),
        ("{ lambda ; a:f32[]. let a:f32[] = t_one a in (a,) }", "variable a is defined twice"),
        ("{ lambda ; a:f32[]. let b:f32[] = t_absent a in (b,) }", "no primitive named 't_absent'"),
        ("{ lambda ; a:f31[]. let in (a,) }", "'f31' is not one of"),
        ("{ lambda ; a:f32[2.5]. let in (a,) }", "expected a dimension, got '2.5'"),
        ("{ lambda ; a. let in (a,) }", "expected ';'|expected '.'"),
        ("{ lambda ; a:f32[]. let in (a,)", "expected '}', got the end of the text"),
        ("{ lambda ; a:f32[]. let in (a,) } }", "expected the end of the text, got '}'"),
        ("{ lambda ; . let in (1.5:i32[],) }", r"not a literal of type i32\[\]"),
        ("{ lambda ; . let in (1:f32[3],) }", "literal must be a scalar"),
        ("{ lambda ; . let t_none[k=1 k=2]  in () }", "parameter k is given twice"),
        ("{ lambda ; . let t_none[k=(1 2)]  in () }", "expected ',' or"),
        ("{ lambda ; . let t_none[k={a}]  in () }", "expected 'lambda', got 'a'"),
        ("{ lambda ; . let t_none[k=Absent.X]  in () }", "Absent is not a registered class"),
        ("{ lambda ; . let t_none[k=Mode.X]  in () }", "Mode has no member X"),
        ("{ lambda ; . let t_none[k=Numbers(left=1)]  in () }", "unexpected keyword argument"),
        ("{ lambda ; . let t_none[k=?]  in () }", "expected the value of a parameter"),
        ("let f = { lambda ; . let t_none[jaxpr=f]  in () } in { lambda ; . let in () }",
         "the jaxpr f contains itself"),
        (("let f = { lambda ; . let in () } in let f = { lambda ; . let in () } in "
         "{ lambda ; . let in () }"), "name f is defined twice"),
        ("{ lambda ; . let t_none[j={ lambda c:f32[]; . let in () }]  in () }",
         "parameter cannot have constants"),
        ("", "expected '{', got the end"),
    ],
)  # fmt: skip
def test_mistakes(text, message):
    with pytest.raises(ValueError, match=message):
        parse_jaxpr(text)


def test_mistakes_are_located():
    with pytest.raises(ValueError) as info:
        parse_jaxpr("{ lambda ; a:f32[].\n  let b:f32[] = t_one z\n  in (b,) }")
    assert str(info.value).split("\n") == [
        "parse_jaxpr: the variable z is not defined in line 2:",
        "  let b:f32[] = t_one z",
        "                      ^",
    ]


def test_named_scopes_show_in_jaxprs():
    def f(x):
        with fungrad.named_scope("loss"):
            y = fungrad.lax.sin(x)
            with fungrad.named_scope("inner"):
                y = fungrad.lax.cos(y)
        return fungrad.lax.neg(y)

    def notes(g, *args):
        text = fungrad.make_jaxpr(g)(*args).pretty_print(name_stack=True)
        return [line.split(" # ")[1] if " # " in line else "" for line in text.splitlines()[1:-1]]

    assert notes(f, 1.0) == ["[loss]", "[loss/inner]", ""]
    assert notes(fungrad.vmap(f), fungrad.numpy.ones(2)) == ["[loss]", "[loss/inner]", ""]
    backward = notes(fungrad.grad(f), 1.0)
    assert backward[0] == "[loss]" and "[transpose(loss)/inner]" in backward and backward[-1] == "[transpose(loss)]"
    named = fungrad.named_call(f)
    assert named.__name__ == "f" and notes(named, 1.0) == ["[f/loss]", "[f/loss/inner]", "[f]"]
    assert notes(fungrad.named_call(f, name="g"), 1.0)[2] == "[g]"
    compiled = fungrad.jit(f).lower(1.0)
    assert "# [loss/inner]" in compiled.as_text("jaxpr") and "# [loss]" in compiled.as_text("passes")
    # Names are remarks: they change neither the program nor its key.
    assert fungrad.make_jaxpr(f)(1.0) == fungrad.make_jaxpr(fungrad.named_call(f))(1.0)
    with pytest.raises(TypeError, match="named_call: fun must be a function"):
        fungrad.named_call(3)


def test_lines_survive_transformations():
    def body(c, s):
        return fungrad.lax.sin(c) * s, c

    def f(x):
        return fungrad.lax.scan(body, x, fungrad.numpy.arange(3.0))[0]

    line = body.__code__.co_firstlineno + 1
    checkpointed = fungrad.grad(fungrad.jit(fungrad.checkpoint(f)))
    for g, x in ((f, 1.0), (fungrad.grad(f), 1.0), (checkpointed, 1.0), (fungrad.vmap(fungrad.grad(f)), [1.0, 2.0])):
        jaxpr = fungrad.make_jaxpr(g)(fungrad.numpy.asarray(x))
        sources = [e.source for e in every_eqn(jaxpr) if e.primitive.name in ("sin", "cos")]
        assert sources and {(s.line, s.function.split(".")[-1]) for s in sources} == {(line, "body")}


def every_eqn(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        for sub in jaxprs_in_params(eqn.params):
            yield from every_eqn(sub)
