"""Pass ``fold``: constant folding. Computes scalar operations on literals at compile time.

Contract: an equation whose operands are all literals and whose single result is 0-d is replaced by a literal holding
what the NumPy ``impl`` of its primitive returns. Larger results are never folded: literals are scalars, and a big
constant costs more to load than to compute. Random operations, effects and control flow are left alone.
"""

from __future__ import annotations

import numpy as np

from fungrad.core.array import narrowed
from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var, substitute

_KINDS = ("elementwise", "structural", "reduction", "contraction")


def fold(jaxpr: Jaxpr) -> Jaxpr:
    """Folds scalar constants in one forward sweep."""
    env: dict[Var, Atom] = {}
    eqns: list[Eqn] = []
    with np.errstate(all="ignore"):
        for eqn in jaxpr.eqns:
            eqn = substitute(eqn, env)
            if _foldable(eqn):
                operands = [a.array._data for a in eqn.invars if type(a) is Literal]
                aval = eqn.outvars[0].aval
                value = narrowed(eqn.primitive.impl(*operands, **eqn.params), aval.dtype)
                env[eqn.outvars[0]] = Literal(value, aval)
            else:
                eqns.append(eqn)
    if not env:
        return jaxpr
    return jaxpr.rewritten(eqns, env)


def _foldable(eqn: Eqn) -> bool:
    primitive = eqn.primitive
    return (
        primitive.kind in _KINDS
        and not primitive.multiple_results
        and not primitive.random
        and eqn.outvars[0].aval.shape == ()
        and eqn.outvars[0].aval.dtype.names is None
        and eqn.outvars[0].aval.dtype.itemsize > 0
        and all(type(a) is Literal for a in eqn.invars)
        and not eqn.has_effects
    )
