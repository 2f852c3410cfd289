"""Effects that happen only for some examples of a batch.

Where examples take different branches, all branches run on all examples and each takes its own result; and
a loop goes on for examples that are done as long as one is not. A print or a callback must not happen for
the others, so before such a program is mapped its effects are made to depend on a condition.

May import ``core`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.core.context import state
from fungrad.core.ir import Atom, Jaxpr, Literal, Var
from fungrad.core.source import attributed
from fungrad.core.staging import DebugInfo, trace_flat

CONDITION = ShapedArray((), np.dtype(bool))


def when_jaxpr(jaxpr: Jaxpr) -> Jaxpr:
    """A jaxpr without constants with a boolean as a further first input: its effects happen only if that holds.

    Raises:
      NotImplementedError: there is an effect for which that is impossible.
    """
    key = ("when", state.axis_env)
    if key not in jaxpr.memo:
        avals = [CONDITION, *jaxpr.in_avals]
        name = jaxpr.debug.fun_name if jaxpr.debug else "jaxpr"
        staged = trace_flat(lambda on, *xs: eval_when(jaxpr, on, *xs), avals, DebugInfo(name, (), "vmap"))
        jaxpr.memo[key] = staged
    return jaxpr.memo[key]


def eval_when(jaxpr: Jaxpr, condition: Any, *args: Any) -> list[Any]:
    """Applies a jaxpr without constants in the current context, its effects only if the condition holds."""
    env: dict[Var, Any] = dict(zip(jaxpr.invars, args, strict=True))

    def read(a: Atom) -> Any:
        return a.array if isinstance(a, Literal) else env[a]

    for eqn in jaxpr.eqns:
        operands: Sequence[Any] = [read(a) for a in eqn.invars]
        with attributed(eqn.source):
            if eqn.has_effects:
                out = eqn.primitive.bind_when(condition, operands, eqn.params)
            else:
                out = eqn.primitive.bind(*operands, **eqn.params)
        if eqn.primitive.multiple_results:
            env.update(zip(eqn.outvars, out, strict=True))
        else:
            env[eqn.outvars[0]] = out
    return [read(a) for a in jaxpr.outvars]
