"""Which sharding an array has been given: a note beside the array.

Arrays are whole in the memory of this process however they are sharded, so a sharding changes nothing about them; only
those that have been given one are in the table.

May import ``config`` and ``core.array``.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from fungrad.config import watch
from fungrad.core.array import Array, ArrayImpl, another, wrap_unchecked

# By identity, since arrays do not hash; the weak reference says whether it is still the same array.
_placements: dict[int, tuple[weakref.ref, Any]] = {}
# Those of them that results are to follow.
_followed: set[int] = set()


class Following:
    """How results follow operands that have been put somewhere; see ``shards.following``, which sets the functions.

    Attributes:
      is_everywhere: whether an array with a sharding is where all arrays of the process are.
      check_same_devices: refuses shardings on different devices.
      operation: the results of an operation where its operands are.
      program: the results of a program where its arguments are.
    """

    is_everywhere: Callable[[Any], bool] = staticmethod(lambda sharding: False)
    check_same_devices: Callable[..., None]
    operation: Callable[..., Any]
    program: Callable[..., Any]


following = Following()


def placed(x: Array, sharding: Any) -> Array:
    """``x`` as another array with this sharding, which its type says too along explicit axes; traced values stay."""
    if type(x) is not ArrayImpl:
        return x
    aval = x.aval.plain()
    if hasattr(sharding, "of_type"):
        aval = aval.update(sharding=sharding)
    out = wrap_unchecked(x._data, aval)
    key = id(out)

    def forget(_: Any) -> None:
        _placements.pop(key, None)
        if key in _followed:
            _followed.discard(key)
            if not _followed:
                watch.note_placed(False)

    _placements[key] = (weakref.ref(out, forget), sharding)
    if not following.is_everywhere(sharding):
        _followed.add(key)
        if not watch.placed:
            watch.note_placed(True)
    return out


def unplaced(x: Any) -> Any:
    """``x`` as another array of which nobody has said where it is."""
    return another(x) if placement(x) is not None else x


def placement(x: Any) -> Any:
    """The sharding that ``x`` has been given, or None."""
    found = _placements.get(id(x))
    return found[1] if found is not None and found[0]() is x else None
