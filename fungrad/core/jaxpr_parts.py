"""Parts of jaxprs, and of lists of their variables: what passes and the rules of loops and branches cut them with.

May import ``core.ir``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var, jaxprs_in_params, substitute

T = TypeVar("T")


def split_list(xs: Sequence[T], *sizes: int) -> list[list[T]]:
    """Consecutive parts of ``xs`` of the given sizes, and the rest."""
    parts, start = [], 0
    for n in sizes:
        parts.append(list(xs[start : start + n]))
        start += n
    return [*parts, list(xs[start:])]


def chosen(xs: Iterable[T], mask: Sequence[bool]) -> list[T]:
    """The elements of ``xs`` where ``mask`` is true."""
    return [x for x, on in zip(xs, mask, strict=True) if on]


def memoised(jaxpr: Jaxpr, key: Hashable, make: Callable[[], T]) -> T:
    """``make()``, kept with ``jaxpr``."""
    if key not in jaxpr.memo:
        jaxpr.memo[key] = make()
    return jaxpr.memo[key]


def closed(jaxpr: Jaxpr) -> tuple[list[Any], Jaxpr]:
    """The constants of a jaxpr, and the jaxpr with them as leading inputs."""
    return list(jaxpr.consts), jaxpr.with_consts_as_inputs()


def makers(jaxpr: Jaxpr) -> dict[Atom, Eqn]:
    """The equation that makes a variable, for those that one does."""
    return {v: eqn for eqn in jaxpr.eqns for v in eqn.outvars}


def uses(jaxpr: Jaxpr) -> Counter[Atom]:
    """How often equations and outputs read a variable."""
    return Counter([a for atoms in (*[eqn.invars for eqn in jaxpr.eqns], jaxpr.outvars) for a in atoms])


def inlined(jaxpr: Jaxpr, operands: Sequence[Atom]) -> tuple[list[Eqn], list[Atom]]:
    """The equations of a jaxpr without constants on some operands, with fresh variables for what they make, and what
    its outputs are then: a jaxpr may be used several times in a program."""
    env: dict[Any, Atom] = dict(zip(jaxpr.invars, operands, strict=True))
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        fresh = [Var(v.aval) for v in eqn.outvars]
        eqns.append(substitute(eqn, env).replace(outvars=fresh))
        env.update(zip(eqn.outvars, fresh, strict=True))
    return eqns, [env.get(a, a) for a in jaxpr.outvars]


def used_inputs(jaxpr: Jaxpr) -> list[bool]:
    """Which inputs some equation or output of a jaxpr reads."""
    read = {a for eqn in jaxpr.eqns for a in eqn.invars} | set(jaxpr.outvars)
    return [v in read for v in jaxpr.invars]


def dependent(jaxpr: Jaxpr, inputs: Iterable[Var]) -> set[Var]:
    """The variables that depend on some of the inputs; those of equations with effects are taken to."""
    found = set(inputs)
    for eqn in jaxpr.eqns:
        if eqn.has_effects or any(a in found for a in eqn.invars if type(a) is Var):
            found.update(eqn.outvars)
    return found


def slice_of(jaxpr: Jaxpr, invars: Sequence[Var], outvars: Sequence[Atom]) -> Jaxpr:
    """The part of a jaxpr that computes ``outvars`` from ``invars``."""
    needed = {a for a in outvars if type(a) is Var}
    eqns: list[Eqn] = []
    for eqn in reversed(jaxpr.eqns):
        if any(v in needed for v in eqn.outvars):
            needed.update(a for a in eqn.invars if type(a) is Var)
            eqns.append(eqn)
    return Jaxpr((), invars, outvars, eqns[::-1])


def plain_jaxpr(jaxpr: Jaxpr) -> Jaxpr:
    """The same computation without what types and operations say of meshes: compiled programs know none.

    The jaxpr itself if nothing is said.
    """
    return memoised(jaxpr, "plain", lambda: _without_meshes(jaxpr) if _names_meshes(jaxpr) else jaxpr)


def _names_meshes(jaxpr: Jaxpr) -> bool:
    variables = [*jaxpr.constvars, *jaxpr.invars, *[v for eqn in jaxpr.eqns for v in eqn.outvars]]
    if any(v.aval.placement is not None or v.aval.vma for v in variables):
        return True
    return any(
        eqn.primitive.types_only or any(_names_meshes(j) for j in jaxprs_in_params(eqn.params)) for eqn in jaxpr.eqns
    )


def _without_meshes(jaxpr: Jaxpr) -> Jaxpr:
    env: dict[Atom, Atom] = {}

    def new(v: Var) -> Var:
        aval = v.aval.plain() if isinstance(v.aval, ShapedArray) else v.aval
        env[v] = made = Var(aval)
        return made

    def read(a: Atom) -> Atom:
        return env[a] if type(a) is Var else Literal(a.val, a.aval.plain())  # type: ignore[union-attr]

    constvars, invars = [new(v) for v in jaxpr.constvars], [new(v) for v in jaxpr.invars]
    eqns = []
    for eqn in jaxpr.eqns:
        if eqn.primitive.types_only:
            env[eqn.outvars[0]] = read(eqn.invars[0])
            continue
        params = {k: _plain_value(p) for k, p in eqn.params.items()}
        ins = [read(a) for a in eqn.invars]
        eqns.append(eqn.replace(invars=ins, params=params, outvars=[new(v) for v in eqn.outvars]))
    return Jaxpr(constvars, invars, [read(a) for a in jaxpr.outvars], eqns, jaxpr.consts, jaxpr.debug)


def _plain_value(value: Any) -> Any:
    if isinstance(value, Jaxpr):
        return plain_jaxpr(value)
    if isinstance(value, ShapedArray):
        return value.plain()
    if type(value) is tuple:
        return tuple([_plain_value(v) for v in value])
    return value
