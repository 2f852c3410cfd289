"""Why ``jit`` traced a function again: the difference between a call and the nearest known one.

May import ``core`` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.core.source import current_source
from fungrad.core.treedef import structure_text


def log(message: str, *args: Any) -> None:
    """What `log_compiles` and `explain_cache_misses` write, to the logger `fungrad.jit`."""
    import logging

    logging.getLogger("fungrad.jit").warning(message, *args)


def explain_miss(name: str, key: tuple, known: Sequence[tuple], leaf_names: Sequence[str]) -> None:
    """Logs what differs between ``key`` and the nearest of the ``known`` keys.

    A key is ``(tree, avals, configuration)``, followed by static values and mapped axes if there are any.
    """
    where = current_source()
    head = f"TRACING CACHE MISS: fungrad.jit traces {name}" + (f" (called at {where})" if where is not None else "")
    why = nearest_differences(key, known, leaf_names) if known else "first call: it was never seen before"
    log("%s: %s", head, why)


def nearest_differences(key: tuple, known: Sequence[tuple], leaf_names: Sequence[str]) -> str:
    """What differs between a dispatch key and the nearest of those known before, as text."""
    if not known:
        return "first call"
    nearest = min((differences(key, other, leaf_names) for other in known), key=_distance)
    return "; ".join(text for _, text in nearest)


def parts_of(key: tuple) -> tuple:
    """Structure, types, configuration, static arguments and named axes of a dispatch key, which leaves the last two out
    where there are none."""
    return (*key, (), ())[:5]


def _distance(found: list[tuple[int, str]]) -> int:
    return sum(weight for weight, _ in found)


def differences(key: tuple, other: tuple, leaf_names: Sequence[str]) -> list[tuple[int, str]]:
    """What differs between two dispatch keys, the second one known before: pairs of a weight and a text."""
    out = []
    treedef, avals, settings, static, axes = parts_of(key)
    old_treedef, old_avals, old_settings, old_static, old_axes = parts_of(other)
    if treedef != old_treedef:
        new, old = structure_text(treedef), structure_text(old_treedef)
        out.append((100, f"the tree of the arguments is {new}, before {old}"))
    elif len(avals) == len(old_avals):
        for leaf, new, old in zip(leaf_names, avals, old_avals, strict=True):
            if new is not old:
                weight, text = _aval_difference(new, old)
                out.append((weight, f"argument {leaf} {text}"))
    before = dict(old_static)
    for where, value in static:
        if where in before and before[where] != value:
            what = f"argument {where!r}" if isinstance(where, str) else f"argument number {where}"
            out.append((3, f"static {what} is {value!r}, before {before[where]!r}"))
    if {w for w, _ in static} != set(before):
        out.append((10, "other static arguments are passed, or the same by keyword instead of position"))
    if settings != old_settings:
        out.append((10, "the configuration differs (width, promotion, debugging or index checks)"))
    if axes != old_axes:
        out.append((10, f"it is called under other mapped axes: {axes}, before {old_axes}"))
    return out or [(0, "the arguments are equal to known ones, but the function closes over traced values")]


def _aval_difference(new: Any, old: Any) -> tuple[int, str]:
    if new.shape != old.shape:
        return 4, f"has shape {new.shape}, before {old.shape}"
    if new.dtype != old.dtype:
        return 3, f"has dtype {new.dtype.name}, before {old.dtype.name}"
    weak = "weakly typed (it comes from a Python scalar)"
    return 1, f"is {weak if new.weak_type else 'strongly typed'}, before {weak if old.weak_type else 'strongly typed'}"
