"""Pass ``fold``: constant folding. Computes scalar operations on literals at compile time.

Contract: an equation whose operands are all literals and whose single result is 0-d is replaced by a literal holding
what the NumPy ``impl`` of its primitive returns. Larger results are never folded: literals are scalars, and a big
constant costs more to load than to compute. Random operations, effects and control flow are left alone.
"""

from __future__ import annotations

import numpy as np

from fungrad.core.array import narrowed
from fungrad.core.ir import Eqn, Jaxpr, Literal
from fungrad.jit.passes.sweep import Replacement, swept

_KINDS = ("elementwise", "structural", "reduction", "contraction")


def fold(jaxpr: Jaxpr) -> Jaxpr:
    """Folds scalar constants in one forward sweep."""
    with np.errstate(all="ignore"):
        return swept(jaxpr, _folded)


def _folded(eqn: Eqn) -> Replacement | None:
    if not _foldable(eqn):
        return None
    operands = [a.array._data for a in eqn.invars if type(a) is Literal]
    aval = eqn.outvars[0].aval
    return [], [Literal(narrowed(eqn.primitive.impl(*operands, **eqn.params), aval.dtype), aval)]


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
