"""The verifier of jaxprs: ``check_jaxpr`` raises where a jaxpr is malformed.

It is run by tests after each transformation and compiler pass.  A jaxpr is well formed if

- every variable is defined exactly once, before its uses;
- equations announce the types that their primitives compute, weak types included;
- constants have the types of their variables, and literals are scalars;
- parameters are hashable, and jaxprs among them are well formed and without constants.

Primitives add conditions of their own, mostly on jaxprs in their parameters, by an optional method
``check(eqn)`` that raises TypeError or ValueError.

May import ``core.ir``, ``core.primitive``, ``core.context`` and ``core.printing``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from fungrad.core.array import typeof
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AxisData, named_axis
from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var, check_hashable, jaxprs_in_params
from fungrad.core.primitive import Primitive
from fungrad.core.printing import excerpt
from fungrad.errors import JaxprTypeError

# What rules raise for operands or parameters that they do not accept.
_RULE_ERRORS = (TypeError, ValueError, LookupError, NameError, NotImplementedError, AssertionError)


def check_jaxpr(jaxpr: Jaxpr, where: str = "", *, axis_env: Sequence[AxisData] = ()) -> None:
    """Raises if ``jaxpr`` is malformed.

    Args:
      jaxpr: the program.
      where: how messages name it, such as the pass that made it.
      axis_env: named axes that the jaxpr may use, in addition to those in scope.

    Raises:
      JaxprTypeError: with the equation at fault and its neighbours.

    Example:
      >>> import fungrad
      >>> from fungrad.core.check import check_jaxpr
      >>> from fungrad.core.parsing import parse_jaxpr
      >>> wrong = parse_jaxpr("{ lambda ; a:f32[3]. let b:f32[2] = neg a in (b,) }")
      >>> check_jaxpr(wrong)  # doctest: +ELLIPSIS
      Traceback (most recent call last):
        ...
      fungrad.errors.JaxprTypeError: check_jaxpr: equation 0 (neg): result 0 has type f32[3] ...
    """
    with contextlib.ExitStack() as stack:
        for axis in axis_env:
            stack.enter_context(named_axis(axis))
        _check(jaxpr, where, set())


def _check(jaxpr: Jaxpr, where: str, checked: set[int]) -> None:
    """Checks ``jaxpr`` and the jaxprs inside, except for those whose ids are in ``checked``."""
    defined: set[Var] = set()
    _check_inputs(jaxpr, where, defined)
    for i, eqn in enumerate(jaxpr.eqns):
        _check_eqn(jaxpr, where, i, defined, checked)
        defined.update(eqn.outvars)
    for i, atom in enumerate(jaxpr.outvars):
        _check_atom(jaxpr, where, "out", f"output {i}", atom, defined)


def _fail(jaxpr: Jaxpr, where: str, at: int | str, message: str) -> NoReturn:
    place = f"check_jaxpr: {where}: " if where else "check_jaxpr: "
    source = None
    if isinstance(at, int):
        eqn = jaxpr.eqns[at]
        place += f"equation {at} ({eqn.primitive!r}): "
        source = eqn.source
    elif jaxpr.debug is not None:
        source = getattr(jaxpr.debug, "fun_name", None)
    origin = f"\nfrom {source}" if source else ""
    raise JaxprTypeError(f"{place}{message}{origin}\n{excerpt(jaxpr, at)}")


@contextlib.contextmanager
def _rule(jaxpr: Jaxpr, where: str, at: int, what: str) -> Iterator[None]:
    """Errors of a primitive's rule become errors of the equation."""
    try:
        yield
    except JaxprTypeError:
        raise
    except _RULE_ERRORS as error:
        try:
            _fail(jaxpr, where, at, f"{what}: {error}")
        except JaxprTypeError as new:
            raise new from error


def _check_inputs(jaxpr: Jaxpr, where: str, defined: set[Var]) -> None:
    for kind, variables in (("constant", jaxpr.constvars), ("input", jaxpr.invars)):
        for i, var in enumerate(variables):
            if type(var) is not Var:
                _fail(jaxpr, where, "in", f"{kind} {i} is not a variable but {var!r}")
            if var in defined:
                _fail(jaxpr, where, "in", f"{kind} {i} is the same variable as an earlier one")
            defined.add(var)
    if len(jaxpr.consts) != len(jaxpr.constvars):
        counts = f"{len(jaxpr.constvars)} constvars but {len(jaxpr.consts)} consts"
        _fail(jaxpr, where, "in", counts)
    for i, (var, const) in enumerate(zip(jaxpr.constvars, jaxpr.consts, strict=True)):
        difference = _difference(var.aval, typeof(const))
        if difference:
            _fail(jaxpr, where, "in", f"constant {i} {difference}")


def _difference(announced: ShapedArray, actual: ShapedArray) -> str:
    """How two types differ, an empty text if they do not."""
    if announced is actual:
        return ""
    if announced.strip_weak_type() is actual.strip_weak_type():
        weak, strong = ("value", "variable") if actual.weak_type else ("variable", "value")
        return f"differs in weak type only: the {weak} is weak and the {strong} is not"
    texts = actual.short(weak=True), announced.short(weak=True)
    return f"has type {texts[0]} but its variable has type {texts[1]}"


def _check_atom(
    jaxpr: Jaxpr, where: str, at: int | str, what: str, atom: Atom, defined: set[Var]
) -> None:
    if type(atom) is Literal:
        if atom.aval.shape or atom.array.aval is not atom.aval:
            _fail(jaxpr, where, at, f"{what} is not a scalar literal but {atom!r}")
    elif type(atom) is not Var:
        _fail(jaxpr, where, at, f"{what} is neither a variable nor a literal but {atom!r}")
    elif atom not in defined:
        definition = _definition(jaxpr, atom)
        _fail(jaxpr, where, at, f"{what}, of type {atom.aval.str_short()}, {definition}")


def _definition(jaxpr: Jaxpr, var: Var) -> str:
    for i, eqn in enumerate(jaxpr.eqns):
        if var in eqn.outvars:
            return f"is used before its definition by equation {i} ({eqn.primitive!r})"
    return "is not defined in this jaxpr"


def _check_eqn(jaxpr: Jaxpr, where: str, at: int, defined: set[Var], checked: set[int]) -> None:
    eqn = jaxpr.eqns[at]
    if not isinstance(eqn.primitive, Primitive):
        _fail(jaxpr, where, at, f"{eqn.primitive!r} is not a primitive")
    for i, atom in enumerate(eqn.invars):
        _check_atom(jaxpr, where, at, f"operand {i}", atom, defined)
    # Before the parameters are hashed, which fails without an explanation for malformed jaxprs.
    _check_subjaxprs(jaxpr, where, at, checked)
    with _rule(jaxpr, where, at, "parameters"):
        check_hashable(eqn.primitive, eqn.params)
    seen: set[Any] = set()
    for i, var in enumerate(eqn.outvars):
        if type(var) is not Var:
            _fail(jaxpr, where, at, f"result {i} is not a variable but {var!r}")
        if var in defined or var in seen:
            _fail(jaxpr, where, at, f"result {i} is a variable that is already defined")
        seen.add(var)
    _check_results(jaxpr, where, at, eqn)
    rule = getattr(eqn.primitive, "check", None)
    if rule is not None:
        with _rule(jaxpr, where, at, "the primitive's own check"):
            rule(eqn)


def _check_subjaxprs(jaxpr: Jaxpr, where: str, at: int, checked: set[int]) -> None:
    eqn = jaxpr.eqns[at]
    for name, value in eqn.params.items():
        subjaxprs = list(jaxprs_in_params({name: value}))
        for i, sub in enumerate(subjaxprs):
            label = name if len(subjaxprs) == 1 else f"{name}[{i}]"
            if sub.constvars or sub.consts:
                _fail(
                    jaxpr,
                    where,
                    at,
                    f"the jaxpr in parameter {label} has {len(sub.constvars)} constants; "
                    "jaxprs in parameters take captured values as operands",
                )
            if id(sub) not in checked:
                checked.add(id(sub))
                inside = f"{eqn.primitive!r} (equation {at}), parameter {label}"
                _check(sub, f"{where}: in {inside}" if where else f"in {inside}", checked)


def _check_results(jaxpr: Jaxpr, where: str, at: int, eqn: Eqn) -> None:
    with _rule(jaxpr, where, at, "abstract_eval rejects the operands"):
        out = eqn.primitive.abstract(tuple([a.aval for a in eqn.invars]), eqn.params)
    avals = out if eqn.primitive.multiple_results else (out,)
    if len(avals) != len(eqn.outvars):
        _fail(jaxpr, where, at, f"the primitive has {len(avals)} results, not {len(eqn.outvars)}")
    for i, (var, aval) in enumerate(zip(eqn.outvars, avals, strict=True)):
        difference = _difference(var.aval, aval)
        if difference:
            _fail(jaxpr, where, at, f"result {i} {difference}")
