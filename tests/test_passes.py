"""The passes: what each rewrites and leaves, that results stay well-typed, and that running a pass twice changes
nothing more.
"""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest

import fungrad.lax  # noqa: F401 - defines the primitives that the parser looks up
from fungrad.core.avals import ShapedArray
from fungrad.core.check import check_jaxpr
from fungrad.core.ir import Eqn, Jaxpr, Literal, Var, eval_jaxpr
from fungrad.core.parsing import parse_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.jit.formulas import scalar_rules
from fungrad.jit.kernels import complexmath
from fungrad.jit.passes import PASSES, run_passes
from fungrad.jit.passes.cse import cse
from fungrad.jit.passes.dce import dce
from fungrad.jit.passes.elements import elements
from fungrad.jit.passes.fold import fold
from fungrad.jit.passes.inline import inline, inline_late
from fungrad.jit.passes.layout import layout
from fungrad.jit.passes.simplify import simplify

F32 = ShapedArray((3,), np.dtype("float32"))


class Effect(Primitive):
    """Test primitive that must run."""

    has_effects = True

    def abstract_eval(self, x):
        return x


class Call(Primitive):
    """Test primitive that calls its ``body``."""

    kind = "higher_order"
    multiple_results = True
    inline_param = "body"

    def abstract_eval(self, *avals, body):
        return body.out_avals


class Kept(Call):
    """A call that is inlined late, as checkpointed functions are."""

    inline_late = True


class Draw(Primitive):
    """Test primitive whose results must not be merged."""

    random = True

    def abstract_eval(self, x):
        return x


@pytest.fixture(scope="module")
def extra():
    made = {name: cls(name) for name, cls in (("effect_", Effect), ("call_", Call), ("kept_", Kept), ("draw_", Draw))}
    yield made
    for name in made:
        del Primitive.instances[name]


def run(pass_, text: str) -> list[str]:
    """Names of the primitives left after a pass, which must keep types and be idempotent."""
    jaxpr = parse_jaxpr(text) if isinstance(text, str) else text
    out = pass_(jaxpr)
    check_jaxpr(out)
    assert out.out_avals == jaxpr.out_avals and out.invars == jaxpr.invars
    assert pass_(out).key == out.key
    return [e.primitive.name for e in out.eqns]


def unary(name: str, x, aval=F32) -> Eqn:
    return Eqn(Primitive.instances[name], [x], {}, [Var(aval)])


# -- dce -------------------------------------------------------------------------------------------------------------


def test_dce_drops_what_is_unused_and_keeps_effects(extra):
    assert run(dce, "{ lambda ; a:f32[3]. let b:f32[3] = neg a; c:f32[3] = sin b; d:f32[3] = cos a in (d,) }") == [
        "cos"
    ]
    x = Var(F32)
    unused = Eqn(extra["effect_"], [x], {}, [Var(F32)])
    assert run(dce, Jaxpr((), [x], [x], [unused])) == ["effect_"]


# -- fold ------------------------------------------------------------------------------------------------------------


def test_fold_computes_scalars_only():
    assert run(fold, "{ lambda ; a:f32[]. let b:f32[] = add 2.0:f32[] 3.0:f32[]; c:f32[] = mul a b in (c,) }") == [
        "mul"
    ]
    x = Var(F32)
    two = Literal(2.0, ShapedArray((), np.dtype("float32")))
    wide = Eqn(Primitive.instances["broadcast_in_dim"], [two], {"shape": (3,), "broadcast_dimensions": ()}, [Var(F32)])
    assert run(fold, Jaxpr((), [x], wide.outvars, [wide])) == ["broadcast_in_dim"]


def test_fold_of_an_output():
    out = fold(parse_jaxpr("{ lambda ; . let b:f32[] = neg 3.0:f32[] in (b,) }"))
    assert not out.eqns and out.outvars[0].val == -3.0


# -- cse -------------------------------------------------------------------------------------------------------------


def test_cse_merges_equal_equations_and_swapped_operands():
    text = "{ lambda ; a:f32[3] b:f32[3]. let c:f32[3] = add a b; d:f32[3] = add b a; e:f32[3] = sub c d in (e,) }"
    assert run(cse, text) == ["add", "sub"]
    text = "{ lambda ; a:f32[3] b:f32[3]. let c:f32[3] = sub a b; d:f32[3] = sub b a; e:f32[3] = add c d in (e,) }"
    assert run(cse, text) == ["sub", "sub", "add"]


def test_cse_tells_zeros_apart():
    text = "{ lambda ; a:f32[]. let c:f32[] = add a 0.0:f32[]; d:f32[] = add a -0.0:f32[]; e:f32[] = sub c d in (e,) }"
    assert run(cse, text) == ["add", "add", "sub"]


def test_cse_leaves_random_draws_and_effects(extra):
    x = Var(F32)
    for name in ("draw_", "effect_"):
        first, second = unary(name, x), unary(name, x)
        assert run(cse, Jaxpr((), [x], [first.outvars[0], second.outvars[0]], [first, second])) == [name, name]


# -- elements --------------------------------------------------------------------------------------------------------

_FIRST = "slice[start_indices=(0, 0) limit_indices=(5, 1) strides=None]"
_SECOND = "slice[start_indices=(0, 1) limit_indices=(5, 2) strides=None]"


def test_elements_of_a_stack_are_what_was_stacked():
    text = f"""{{ lambda ; a:f32[5] b:f32[5]. let
        c:f32[5,2] = stack[axis=1] a b; d:f32[5,2] = mul c 2.0:f32[]; e:f32[5,1] = {_FIRST} d; f:f32[5,1] = {_SECOND} d
        g:f32[5,1] = sub e f in (g,) }}"""
    out = elements(parse_jaxpr(text))
    assert sorted(e.primitive.name for e in dce(out).eqns) == ["mul", "mul", "reshape", "reshape", "sub"]
    a, b = np.arange(5, dtype="f"), np.full(5, 3, "f")
    assert np.array_equal(eval_jaxpr(out, (), a, b)[0], ((a - b) * 2)[:, None])


def test_elements_leaves_what_is_used_whole():
    text = f"""{{ lambda ; a:f32[5,2]. let
        c:f32[5,2] = sin a; d:f32[5,1] = {_FIRST} c in (c, d) }}"""
    assert run(elements, text) == ["sin", "slice"]


def test_elements_of_broadcasts_joins_and_slices():
    text = f"""{{ lambda ; a:f32[5] b:f32[5,1] x:f32[5,4]. let
        c:f32[5,2] = broadcast_in_dim[shape=(5, 2) broadcast_dimensions=(0,)] a
        d:f32[5,2] = concatenate[dimension=1] b b
        e:f32[5,2] = slice[start_indices=(0, 1) limit_indices=(5, 3) strides=None] x
        f:f32[5,2] = add c d; g:f32[5,2] = mul f e; h:f32[5,1] = {_SECOND} g in (h,) }}"""
    out = dce(elements(parse_jaxpr(text)))
    assert all(e.outvars[0].aval.shape == (5, 1) for e in out.eqns)
    rng = np.random.default_rng(0)
    a, b, x = rng.normal(size=5).astype("f"), rng.normal(size=(5, 1)).astype("f"), rng.normal(size=(5, 4)).astype("f")
    assert np.array_equal(eval_jaxpr(out, (), a, b, x)[0], ((a[:, None] + b) * x[:, 1:3])[:, 1:])


# -- inline ----------------------------------------------------------------------------------------------------------


def test_inline_opens_calls_twice_with_fresh_variables(extra):
    a = Var(F32)
    inner = unary("sin", a)
    body = Jaxpr((), [a], inner.outvars, [inner])
    x = Var(F32)
    first = Eqn(extra["call_"], [x], {"body": body}, [Var(F32)])
    second = Eqn(extra["call_"], [first.outvars[0]], {"body": body}, [Var(F32)])
    assert run(inline, Jaxpr((), [x], second.outvars, [first, second])) == ["sin", "sin"]


def test_inline_of_a_body_that_returns_its_argument(extra):
    a = Var(F32)
    x = Var(F32)
    call = Eqn(extra["call_"], [x], {"body": Jaxpr((), [a], [a, a], [])}, [Var(F32), Var(F32)])
    out = inline(Jaxpr((), [x], call.outvars, [call]))
    assert out.outvars == (x, x) and not out.eqns


def test_late_calls_survive_until_equal_equations_are_merged(extra):
    a = Var(F32)
    inner = unary("sin", a)
    body = Jaxpr((), [a], inner.outvars, [inner])
    x = Var(F32)
    outside = unary("sin", x)
    again = Eqn(extra["kept_"], [x], {"body": body}, [Var(F32)])
    jaxpr = Jaxpr((), [x], [*outside.outvars, *again.outvars], [outside, again])
    assert run(inline, jaxpr) == ["sin", "kept_"]
    assert run(inline_late, jaxpr) == ["sin", "sin"]
    assert [e.primitive.name for e in run_passes(jaxpr).eqns] == ["sin", "sin"]


# -- simplify --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("b:f32[3] = neg a; c:f32[3] = neg b", []),
        ("c:f32[3] = add a -0.0:f32[]", []),
        ("c:f32[3] = add a 0.0:f32[]", ["add"]),
        ("c:f32[3] = sub a 0.0:f32[]", []),
        ("c:f32[3] = sub a -0.0:f32[]", ["sub"]),
        ("c:f32[3] = mul a 1.0:f32[]", []),
        ("c:f32[3] = mul a 0.0:f32[]", ["mul"]),
        ("c:f32[3] = mul a -1.0:f32[]", ["neg"]),
        ("c:f32[3] = div a 1.0:f32[]", []),
        ("c:f32[3] = div a 4.0:f32[]", ["mul"]),
        ("c:f32[3] = div a 3.0:f32[]", ["div"]),
        ("b:f32[3] = neg a; c:f32[3] = add a b", ["sub"]),
        ("b:f32[3] = neg a; c:f32[3] = sub a b", ["add"]),
        ("c:f32[3] = integer_pow[y=1] a", []),
        ("c:f32[3] = integer_pow[y=5] a", ["mul", "mul", "mul"]),
        ("c:f32[3] = integer_pow[y=-2] a", ["mul", "div"]),
        ("c:f32[3] = square a", ["mul"]),
        ("c:f32[3] = max a a", []),
        ("c:f32[3] = copy a", []),
        ("b:f32[3] = rev[dimensions=(0,)] a; c:f32[3] = rev[dimensions=(0,)] b", []),
        ("c:f32[3] = slice[limit_indices=(3,) start_indices=(0,) strides=None] a", []),
        ("c:f32[3] = slice[limit_indices=(3,) start_indices=(0,) strides=(1,)] a", []),
        ("c:f32[3] = pad[padding_config=((0, 0, 0),)] a 1.0:f32[]", []),
        ("c:f32[3] = concatenate[dimension=0] a", []),
        ("b:f64[3] = convert_element_type[new_dtype=float64 weak_type=False] a; "
         "c:f32[3] = convert_element_type[new_dtype=float32 weak_type=False] b", []),
        ("b:f16[3] = convert_element_type[new_dtype=float16 weak_type=False] a; "
         "c:f32[3] = convert_element_type[new_dtype=float32 weak_type=False] b",
         ["convert_element_type", "convert_element_type"]),
    ],
)  # fmt: skip
def test_simplify(before, after):
    text = f"{{ lambda ; a:f32[3]. let {before} in (c,) }}"
    run(simplify, text)
    assert [e.primitive.name for e in dce(simplify(parse_jaxpr(text))).eqns] == after


@pytest.mark.parametrize("pass_", [simplify, fold, cse, dce, layout, run_passes])
def test_values_do_not_change(pass_):
    text = """{ lambda ; a:f32[4] b:f32[4]. let
      c:f32[4] = neg b; d:f32[4] = add a c; e:f32[4] = integer_pow[y=3] d; f:f32[4] = div e 8.0:f32[]
      g:f32[4] = mul f 1.0:f32[]; h:f32[4] = add b a; i:f32[4] = add a b; j:f32[4] = sub h i; k:f32[4] = add g j
      in (k, d) }"""
    jaxpr = parse_jaxpr(text)
    values = np.float32([0.0, -0.0, np.inf, 1.5]), np.float32([-0.0, 0.0, np.nan, 2.0])
    before = eval_jaxpr(jaxpr, [], *values)
    after = eval_jaxpr(pass_(jaxpr), [], *values)
    for x, y in zip(before, after, strict=True):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(np.signbit(x) & ~np.isnan(x), np.signbit(y) & ~np.isnan(y))


def test_select_with_a_known_predicate():
    text = "{ lambda ; a:f32[3] b:f32[3]. let c:f32[3] = select_n True:bool[] a b in (c,) }"
    out = simplify(parse_jaxpr(text))
    assert not out.eqns and out.outvars == (out.invars[1],)


def test_shape_algebra():
    text = """{ lambda ; a:f32[2,3]. let
      b:f32[3,2] = transpose[permutation=(1, 0)] a; c:f32[2,3] = transpose[permutation=(1, 0)] b
      d:f32[6] = reshape[dimensions=None new_sizes=(6,)] c; e:f32[2,3] = reshape[dimensions=None new_sizes=(2, 3)] d
      in (e,) }"""
    out = dce(simplify(parse_jaxpr(text)))
    assert not out.eqns and out.outvars == out.invars


# -- layout ----------------------------------------------------------------------------------------------------------


def test_layout_moves_transposes_into_products_and_reductions():
    text = """{ lambda ; a:f32[5,2] b:f32[5,3]. let
      c:f32[2,5] = transpose[permutation=(1, 0)] a
      d:f32[2,3] = dot_general[dimension_numbers=(([1], [0]), ([], []))] c b
      e:f32[3,2] = transpose[permutation=(1, 0)] d; f:f32[2] = reduce_sum[axes=(0,)] e
      in (f,) }"""
    out = dce(layout(parse_jaxpr(text)))
    check_jaxpr(out)
    assert [e.primitive.name for e in out.eqns] == ["dot_general", "reduce_sum"]
    # The transposed product is the product the other way round.
    assert out.eqns[0].outvars[0].aval.shape == (3, 2)
    assert out.eqns[1].params["axes"] == (0,)


def test_layout_swaps_the_sides_of_a_product_that_is_transposed():
    text = """{ lambda ; a:f32[4,5,2] b:f32[4,5,3]. let
      c:f32[4,2,3] = dot_general[dimension_numbers=(([1], [1]), ([0], [0]))] a b
      d:f32[4,3,2] = transpose[permutation=(0, 2, 1)] c in (d,) }"""
    out = dce(layout(parse_jaxpr(text)))
    check_jaxpr(out)
    assert [e.primitive.name for e in out.eqns] == ["dot_general"] and out.eqns[0].invars == out.invars[::-1]


def test_layout_keeps_a_product_that_is_also_used_untransposed():
    text = """{ lambda ; a:f32[5,2] b:f32[5,3]. let
      c:f32[2,3] = dot_general[dimension_numbers=(([0], [0]), ([], []))] a b
      d:f32[3,2] = transpose[permutation=(1, 0)] c in (d, c) }"""
    assert run(layout, text) == ["dot_general", "transpose"]


def test_layout_transposes_what_is_left_of_a_reduction():
    text = """{ lambda ; a:f32[2,3,4]. let
      b:f32[4,2,3] = transpose[permutation=(2, 0, 1)] a; c:f32[4,3] = reduce_max[axes=(1,)] b in (c,) }"""
    out = layout(parse_jaxpr(text))
    check_jaxpr(out)
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(np.asarray(eval_jaxpr(out, [], x)[0]), x.transpose(2, 0, 1).max(1))


# -- the whole list --------------------------------------------------------------------------------------------------


def test_every_pass_leaves_a_valid_program():
    text = """{ lambda ; a:f32[5,2] b:f32[5,3]. let
      c:f32[2,5] = transpose[permutation=(1, 0)] a
      d:f32[2,3] = dot_general[dimension_numbers=(([1], [0]), ([], []))] c b
      e:f32[2,3] = neg d; f:f32[2,3] = neg e; g:f32[] = reduce_sum[axes=(0, 1)] f; h:f32[] = mul 2.0:f32[] 3.0:f32[]
      i:f32[] = mul g h in (i,) }"""
    seen = []

    def after(name, jaxpr):
        check_jaxpr(jaxpr, name)
        seen.append(name)

    out = run_passes(parse_jaxpr(text), after)
    assert seen == [name for name, _ in PASSES]
    assert [e.primitive.name for e in out.eqns] == ["dot_general", "reduce_sum", "mul"]


def test_rules_of_the_compiler_are_those_of_primitives():
    """A rule for a name that no primitive has would never be used."""
    importlib.import_module("fungrad.scipy.special")  # has primitives of its own
    functions = {"log2", "log10", "hypot", "sinpi", "cospi", "random_loggamma"}  # what rules of primitives call
    assert set(scalar_rules.TABLE) - functions <= set(Primitive.instances)
    assert set(complexmath.RULES) <= set(Primitive.instances)


def test_modules_name_their_passes_as_textbooks_do():
    for name, step in PASSES:
        first = importlib.import_module(step.__module__).__doc__.splitlines()[0]
        assert re.match(r"Pass ``\w+``: [-a-z ]+\. [A-Z]", first), f"{name}: {first}"
