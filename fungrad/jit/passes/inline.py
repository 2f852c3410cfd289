"""Pass ``inline``: inline expansion. Replaces calls of jaxprs by their bodies.

Contract: afterwards no equation is a call. Calls are equations of a primitive with an attribute ``inline_param`` (the
name of the parameter that holds the body: nested ``jit``, functions with custom derivative rules) or ``expansion`` (a
function from the types of the operands and the parameters to the body, or None where there is none: primitives that
users have defined by a function), and a ``cond`` whose predicate is a literal. Calls that exist to keep two
computations of one value apart (``inline_late``: checkpointed functions) are left to ``inline_late``, which runs after
common subexpressions have been merged. Values and the order of effects are unchanged.
"""

from __future__ import annotations

from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var, substitute


def inline(jaxpr: Jaxpr) -> Jaxpr:
    """Inlines every call except those of ``inline_late`` primitives."""
    return _inline(jaxpr, late=False)


def inline_late(jaxpr: Jaxpr) -> Jaxpr:
    """Inlines all remaining calls."""
    return _inline(jaxpr, late=True)


def _inline(jaxpr: Jaxpr, late: bool) -> Jaxpr:
    if not any(_body(eqn, late) is not None for eqn in jaxpr.eqns):
        return jaxpr
    eqns: list[Eqn] = []
    env: dict[Atom, Atom] = {}
    _copy(jaxpr, env, eqns, late, fresh=False)
    return jaxpr.rewritten(eqns, env)


def _body(eqn: Eqn, late: bool) -> tuple[Jaxpr, tuple[Atom, ...]] | None:
    """The jaxpr that ``eqn`` calls and its operands, if it is to be inlined now."""
    primitive = eqn.primitive
    param = getattr(primitive, "inline_param", None)
    if param is not None and (late or not getattr(primitive, "inline_late", False)):
        return eqn.params[param], eqn.invars[: len(eqn.params[param].invars)]
    expand = getattr(primitive, "expansion", None)
    if expand is not None:
        body = expand(tuple([a.aval for a in eqn.invars]), eqn.params)
        return None if body is None else (body, eqn.invars)
    if primitive.name == "cond" and type(eqn.invars[0]) is Literal:
        branches = eqn.params["branches"]
        return branches[min(max(int(eqn.invars[0].val), 0), len(branches) - 1)], eqn.invars[1:]
    return None


def _copy(jaxpr: Jaxpr, env: dict[Atom, Atom], eqns: list[Eqn], late: bool, fresh: bool) -> None:
    """Appends the equations of ``jaxpr`` under ``env``; with ``fresh``, its variables get new names."""
    for eqn in jaxpr.eqns:
        eqn = substitute(eqn, env)
        call = _body(eqn, late)
        if call is None:
            if fresh:
                outvars = [Var(v.aval) for v in eqn.outvars]
                env.update(zip(eqn.outvars, outvars, strict=True))
                eqn = eqn.replace(outvars=outvars)
            eqns.append(eqn)
            continue
        body, operands = call
        # A body may occur several times in the program: its variables are renamed at every use.
        inner: dict[Atom, Atom] = dict(zip(body.invars, operands, strict=True))
        _copy(body, inner, eqns, late, fresh=True)
        env.update(zip(eqn.outvars, [inner.get(a, a) for a in body.outvars], strict=True))
