"""Jaxprs that need nothing of the process that made them.

A program that is to be kept has no calls: functions with rules of their own (derivatives, maps, checkpoints) have done
what those are for, and only their bodies remain. What is left consists of primitives of the library, whose parameters
are plain values.

May import ``core``, ``transforms`` and ``jit``.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Collection, Iterable
from typing import Any

from fungrad.core.ir import Eqn, Jaxpr, Var, jaxprs_in_params, subjaxprs
from fungrad.core.primitive import Primitive
from fungrad.core.printing import opaque_objects
from fungrad.jit.passes.dce import dce
from fungrad.jit.passes.inline import inline, inline_late
from fungrad.ops.resharding import sharding_constraint_p


def portable(jaxpr: Jaxpr) -> Jaxpr:
    """A jaxpr of the same values without calls; constants stay attached."""
    found = jaxpr.memo.get("portable")
    if found is None:
        flat = _without_devices(inline_late(inline(jaxpr)))
        found = flat.replace(eqns=[_with_portable_params(e) for e in flat.eqns], debug=None)
        found = jaxpr.memo["portable"] = dce(found)
    return found  # type: ignore[no-any-return]


def _without_devices(jaxpr: Jaxpr) -> Jaxpr:
    """The jaxpr without constraints of where values are: those name devices of this process."""
    alias: dict[Any, Any] = {}
    eqns = []
    for eqn in jaxpr.eqns:
        ins = [alias.get(a, a) if type(a) is Var else a for a in eqn.invars]
        if eqn.primitive is sharding_constraint_p:
            alias[eqn.outvars[0]] = ins[0]
        else:
            eqns.append(eqn.replace(invars=ins))
    if not alias:
        return jaxpr
    return jaxpr.replace(eqns=eqns, outvars=[alias.get(a, a) if type(a) is Var else a for a in jaxpr.outvars])


def _with_portable_params(eqn: Eqn) -> Eqn:
    if not any(True for _ in jaxprs_in_params(eqn.params)):
        return eqn.replace(source=None)
    return eqn.replace(params={k: _portable_param(v) for k, v in eqn.params.items()}, source=None)


def _portable_param(value: Any) -> Any:
    if isinstance(value, Jaxpr):
        return portable(value)
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple([_portable_param(v) for v in value])
    return value


def homes(jaxpr: Jaxpr) -> set[str]:
    """The modules of the library that define the primitives of a jaxpr."""
    found = {eqn.primitive.home for eqn in jaxpr.eqns if eqn.primitive.home is not None}
    for inner in subjaxprs(jaxpr):
        found |= homes(inner)
    return found


def load_homes(modules: Iterable[str]) -> None:
    """Imports modules of the library, as far as they exist, so that their primitives do."""
    for module in modules:
        if module.startswith("fungrad."):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(module)


def check_portable(jaxpr: Jaxpr, name: str, allowed: Collection[str]) -> None:
    """Raises unless another process can run a portable jaxpr.

    Args:
      jaxpr: a result of ``portable``.
      name: of the function, for messages.
      allowed: names of primitives of the user's that the other process will define too.

    Raises:
      NotImplementedError: something in it is a Python function or has effects.
      ValueError: it applies a primitive that is not the library's.
    """
    for eqn in jaxpr.eqns:
        primitive = eqn.primitive
        for inner in jaxprs_in_params(eqn.params):
            check_portable(inner, name, allowed)
        if primitive.has_effects or opaque_objects_of(eqn):
            what = "has an effect outside of the program" if primitive.has_effects else "calls a Python function"
            raise NotImplementedError(
                f"fungrad.export: {name} cannot be exported because its operation {primitive.name} {what}, which "
                "another process does not have; leave callbacks, prints and checks out of exported functions "
                "(checkify turns checks into results)"
            )
        if not _is_known(primitive) and primitive.name not in allowed:
            raise ValueError(
                f"fungrad.export: {name} cannot be exported because its primitive {primitive.name} is not one of the "
                "library; if every process that reads the function defines it alike, pass disabled_checks="
                f"[fungrad.export.DisabledSafetyCheck.custom_call({primitive.name!r})]"
            )


def opaque_objects_of(eqn: Eqn) -> bool:
    """Whether the parameters of an equation have a value without a text."""
    return bool(opaque_objects(Jaxpr((), list(dict.fromkeys([a for a in eqn.invars if type(a) is Var])), (), [eqn])))


def _is_known(primitive: Primitive) -> bool:
    return primitive.built_in and Primitive.instances.get(primitive.name) is primitive
