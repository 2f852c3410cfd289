"""Digests of jaxprs: names by which another process finds what was derived from an equal one.

Two jaxprs have one digest exactly if they have the same structure, types (weak ones included), literals and parameters:
what can be told of them without the objects of this process. Where that is not all there is to know, because a
primitive or a parameter was made by the user's code, or the library's primitives have been changed, there is none.

May import ``core.primitive``.
"""

from __future__ import annotations

import enum
import hashlib
import marshal
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Jaxpr, Literal, Var
from fungrad.core.primitive import Primitive

# Values that are written as they are. Their subclasses are not: types are compared exactly.
_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})


class _NoDigestError(Exception):
    """Something has no name that another process would understand."""


def digest(jaxpr: Jaxpr, *more: Any) -> str | None:
    """A hexadecimal digest of a jaxpr without constants and of more values; None where there is none.

    Args:
      jaxpr: the function.
      *more: plain Python values, tuples of such, dtypes and types of the library.

    Example:
      >>> import fungrad
      >>> jaxpr = fungrad.make_jaxpr(lambda x: 2.0 * x)(1.0)
      >>> digest(jaxpr) == digest(fungrad.make_jaxpr(lambda y: 2.0 * y)(5.0))
      True
      >>> digest(jaxpr) == digest(jaxpr, "something else")
      False
    """
    if Primitive.altered or jaxpr.consts or jaxpr.has_effects:
        return None
    try:
        return hashlib.sha256(_bytes((_jaxpr(jaxpr), _form(more)))).hexdigest()
    except _NoDigestError:
        return None


def _bytes(form: Any) -> bytes:
    # Version 2 has no references between objects, so that equal values give equal bytes. What comes here is made of
    # values of the types in `_PLAIN` and tuples: everything else `_form` refuses.
    return marshal.dumps(form, 2)


def _jaxpr(jaxpr: Jaxpr) -> bytes:
    """The digest of the structure of a jaxpr."""
    found = jaxpr.memo.get("digest")
    if found is None:
        found = jaxpr.memo["digest"] = hashlib.sha256(_bytes(_structure(jaxpr))).digest()
    return found  # type: ignore[no-any-return]


def _structure(jaxpr: Jaxpr) -> tuple:
    if jaxpr.consts:
        raise _NoDigestError
    number: dict[Var, int] = {}
    avals: dict[ShapedArray, tuple] = {}

    def aval(a: ShapedArray) -> tuple:
        known = avals.get(a)
        if known is None:
            known = avals[a] = _form(a)
        return known

    def atom(a: Any) -> Any:
        return number[a] if type(a) is Var else (aval(a.aval), a.key[1])

    for v in jaxpr.invars:
        number[v] = len(number)
    eqns = []
    for eqn in jaxpr.eqns:
        primitive = eqn.primitive
        if not primitive.built_in:
            raise _NoDigestError
        # Calls are replaced by their bodies; their rules for transformations have been applied.
        body = getattr(primitive, "inline_param", None)
        params: tuple
        if body is not None:
            params = (body, _jaxpr(eqn.params[body]))
        else:
            params = tuple([(name, _form(eqn.params[name])) for name in sorted(eqn.params)]) if eqn.params else ()
        ins = tuple([atom(a) for a in eqn.invars])
        for v in eqn.outvars:
            number[v] = len(number)
        eqns.append((primitive.name, ins, params, tuple([aval(v.aval) for v in eqn.outvars])))
    return (
        tuple([aval(v.aval) for v in jaxpr.invars]),
        tuple(eqns),
        tuple([atom(a) for a in jaxpr.outvars]),
    )


def _form(value: Any) -> Any:
    """A value as one of the plain types, or as a tuple that begins with the kind of what it stands for."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple:
        return ("tuple", *map(_form, value))
    if kind is ShapedArray:
        return ("aval", value.shape, _form(value.dtype), value.weak_type)
    if kind is Jaxpr:
        return ("jaxpr", _jaxpr(value))
    if kind is Literal:
        return ("literal", _form(value.aval), value.key[1])
    if isinstance(value, np.dtype):
        if value.names is None and value.subdtype is None and value.metadata is None:
            return ("dtype", type(value).__module__, value.name, value.str, value.itemsize)
    elif isinstance(value, np.generic):
        if value.dtype.names is None and not value.dtype.hasobject:
            return ("scalar", _form(value.dtype), value.tobytes())
    elif isinstance(value, enum.Enum):
        if _is_ours(kind):
            return ("enum", kind.__module__, kind.__qualname__, value.name)
    elif isinstance(value, tuple):
        if _is_ours(kind) and hasattr(kind, "_fields"):
            return ("record", kind.__module__, kind.__qualname__, *map(_form, value))
    elif isinstance(value, slice):
        return ("slice", _form(value.start), _form(value.stop), _form(value.step))
    elif isinstance(value, Primitive) and value.built_in:
        return ("primitive", value.name)
    raise _NoDigestError


def _is_ours(kind: type) -> bool:
    """Whether a class belongs to the package, so that its source is part of the version."""
    return kind.__module__.startswith("fungrad.") and "<locals>" not in kind.__qualname__
