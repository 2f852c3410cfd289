"""Which sharding an array has been given: a note beside the array.

Arrays are whole in the memory of this process however they are sharded, so a sharding changes nothing about them; only
those that have been given one are in the table.

May import ``core.array``.
"""

from __future__ import annotations

import weakref
from typing import Any

from fungrad.core.array import Array, ArrayImpl, wrap_unchecked

# By identity, since arrays do not hash; the weak reference says whether it is still the same array.
_placements: dict[int, tuple[weakref.ref, Any]] = {}


def placed(x: Array, sharding: Any) -> Array:
    """``x`` as another array with this sharding, which its type says too along explicit axes; traced values stay."""
    if type(x) is not ArrayImpl:
        return x
    aval = x.aval.plain()
    if hasattr(sharding, "of_type"):
        aval = aval.update(sharding=sharding)
    out = wrap_unchecked(x._data, aval)
    key = id(out)
    _placements[key] = (weakref.ref(out, lambda _: _placements.pop(key, None)), sharding)
    return out


def placement(x: Any) -> Any:
    """The sharding that ``x`` has been given, or None."""
    found = _placements.get(id(x))
    return found[1] if found is not None and found[0]() is x else None
