"""Calls of traced functions that use references: what those hold is passed, and what comes out is stored.

May import ``core.array``, ``core.refs`` and ``core.tree``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.refs import Ref, RefFrame, contents, store


def call_with_refs(
    frame: RefFrame,
    out_tree: Any,
    leaves: Sequence[Any],
    names: Sequence[str],
    name: str,
    run: Callable[[list[Any]], Sequence[Any]],
    api: str = "jit",
) -> Any:
    """The result of a call.

    Args:
      frame: the references that the traced function uses.
      out_tree: structure of its result.
      leaves: of the arguments, references among them.
      names: how messages call them.
      name: of the function.
      run: from arrays, those of the references included, to the results and what the references hold in the end.
      api: the transformation.

    Raises:
      ValueError: a reference is passed twice, or is both passed and closed over.
    """
    seen: dict[int, int] = {}
    for i in frame.args:
        if id(leaves[i]) in seen:
            raise ValueError(
                f"fungrad.{api}: only one reference to a mutable array may be passed as an argument to a function, "
                f"but when calling {name} the mutable array reference of type {leaves[i].aval.str_short()} appeared "
                f"at both {names[seen[id(leaves[i])]]} and {names[i]}"
            )
        seen[id(leaves[i])] = i
    for ref in frame.closed:
        if id(ref) in seen:
            raise ValueError(
                f"fungrad.{api}: when calling {name}, a mutable array reference of type {ref.aval.str_short()} was "
                f"both closed over and passed as the argument {names[seen[id(ref)]]}"
            )
    refs = [*[leaves[i] for i in frame.args], *frame.closed]
    written = [*frame.args_written, *frame.written]
    given = [contents(x) if isinstance(x, Ref) else as_array(x) for x in [*leaves, *frame.closed]]
    outs = run(given)
    n = len(outs) - len(refs)
    for ref, value, changed in zip(refs, outs[n:], written, strict=True):
        if changed:
            store(ref, value)
    return tree.unflatten(out_tree, outs[:n])
