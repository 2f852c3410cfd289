"""Random keys that are used twice, reported with both places (``fungrad.debug_key_reuse``).

A key is known by the array that holds it, or by its tracer; an array made of it by indexing is another one.  Compiled
functions use up the keys that their programs use up.

May import ``core``.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

from fungrad.core.array import Array
from fungrad.core.ir import Jaxpr
from fungrad.core.source import current_source
from fungrad.errors import KeyReuseError


class _Use(NamedTuple):
    key: weakref.ref[Any]
    api: str
    place: str


_uses: dict[int, _Use] = {}


def use(key: Any, api: str) -> None:
    """Notes that a key has been used up.

    Args:
      key: an array or tracer; other values are not followed.
      api: the function that uses it.

    Raises:
      KeyReuseError: it has been used before.
    """
    if not isinstance(key, Array):
        return
    source = current_source(2)
    place = "an unknown line" if source is None else f"{source.file}:{source.line}"
    number = id(key)
    before = _uses.get(number)
    if before is not None and before.key() is key:
        raise KeyReuseError(
            f"{api}: the random key was used before, by {before.api} at {before.place}, and is used again at {place}, "
            "so the results depend on each other; make keys for both with fungrad.random.split, or say that equal "
            "numbers are wanted with fungrad.random.clone"
        )
    _uses[number] = _Use(weakref.ref(key, lambda _: _uses.pop(number, None)), api, place)


def used_operands(jaxpr: Jaxpr) -> frozenset[int]:
    """Positions of the operands of a program whose keys it uses up."""
    found = jaxpr.memo.get("used keys")
    if found is None:
        found = jaxpr.memo["used keys"] = _used_operands(jaxpr)
    return found  # type: ignore[no-any-return]


def _used_operands(jaxpr: Jaxpr) -> frozenset[int]:
    places = {id(v): i for i, v in enumerate(jaxpr.invars)}
    found: set[int] = set()
    for eqn in jaxpr.eqns:
        spent: set[int] = {0} if eqn.primitive.uses_keys else set()
        for inner in _programs(eqn.params.values()):
            # Operands of loops and branches begin with those that their bodies do not have.
            shift = len(eqn.invars) - len(inner.invars)
            spent |= {i + shift for i in used_operands(inner) if i + shift >= 0}
        found |= {places[id(eqn.invars[i])] for i in spent if i < len(eqn.invars) and id(eqn.invars[i]) in places}
    return frozenset(found)


def _programs(values: Any) -> Sequence[Jaxpr]:
    found: list[Jaxpr] = []
    for value in values:
        if isinstance(value, Jaxpr):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += [v for v in value if isinstance(v, Jaxpr)]
    return found
