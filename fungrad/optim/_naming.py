"""Errors of optimizers: named after what the user wrote, not after the transformations that it is made of.

May import ``core`` and ``optim.base``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import numpy as np

from fungrad.core import tree
from fungrad.core.arguments import REFUSALS, inside, shown
from fungrad.core.array import is_array_like
from fungrad.core.dtypes import issubdtype
from fungrad.core.source import filter_exception
from fungrad.core.treedef import differences, open_treedef, open_value, raise_mismatch
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
)


def _is_library_state(x: Any) -> bool:
    """Whether ``x`` is of a class that the library's transformations keep their state in."""
    return isinstance(x, tuple) and hasattr(x, "_fields") and type(x).__module__.startswith("fungrad.optim.")


def named(name: str, transformation: GradientTransformation, floating: bool = False) -> GradientTransformationExtraArgs:
    """``transformation`` as ``fungrad.optim.<name>``: errors of its ``init`` and ``update`` say so, and what is wrong.

    Nothing is examined before something fails, except that parameters are arrays.

    Args:
      name: the public name.
      transformation: what is named.
      floating: whether parameters must be floating-point or complex numbers.
    """
    api = f"fungrad.optim.{name}"

    def init(params: Params) -> OptState:
        try:
            _check_arrays(api, "params", params, floating)
            try:
                return transformation.init(params)
            except REFUSALS as error:
                failure = error
            _reword(failure, api)
        except Exception as error:
            filter_exception(error)
            raise

    def update(updates: Updates = None, state: OptState = None, params: Params | None = None, **extra: Any) -> tuple:
        try:
            try:
                return transformation.update(updates, state, params, **extra)
            except REFUSALS as error:
                if not inside(error):
                    raise
                failure = error
            # Outside of the handler, so that what is found to be wrong is all that is printed.
            _examine(api, transformation, updates, state, params)
            _reword(failure, api)
        except Exception as error:
            filter_exception(error)
            raise

    init.__qualname__, update.__qualname__ = f"{api}.init", f"{api}.update"
    return GradientTransformationExtraArgs(init, update)


def _reword(error: Exception, api: str) -> NoReturn:
    text = str(error)
    if inside(error) and text.startswith("fungrad"):
        error.args = (f"{api}: {text.partition(': ')[2]}", *error.args[1:])
    raise error


def _is_state(x: Any) -> bool:
    if _is_library_state(x):
        return True
    return type(x) in (tuple, list) and any(map(_is_state, x))


def _check_arrays(api: str, name: str, values: Any, floating: bool = False) -> None:
    for path, leaf in tree.flatten_with_path(values)[0]:
        if not is_array_like(leaf) and not (hasattr(leaf, "shape") and hasattr(leaf, "dtype")):
            raise TypeError(f"{api}: {name}{tree.keystr(path)} must be an array or a scalar, got {shown(leaf)}")
        if floating and not _is_inexact(leaf):
            raise TypeError(
                f"{api}: {name}{tree.keystr(path)} must be of floating-point or complex numbers, got {shown(leaf)}; "
                "convert it, or leave it out with fungrad.optim.masked or fungrad.optim.partition"
            )


def _is_inexact(x: Any) -> bool:
    return issubdtype(x.dtype if hasattr(x, "dtype") else np.result_type(x), np.inexact)


_ORDER = "call update(updates, state, params)"


def _examine(api: str, transformation: GradientTransformation, updates: Any, state: Any, params: Any) -> None:
    """Raises what is wrong with the arguments of an update that has failed, if that can be seen."""
    if _is_state(updates) and not _is_state(state):
        raise TypeError(
            f"{api}: the arguments of update are swapped: updates is an optimizer state, and state is "
            f"{'None' if state is None else 'not'}; {_ORDER}"
        ) from None
    if state is None:
        raise TypeError(f"{api}: state is None; make it with init(params) and {_ORDER}") from None
    if updates is None:
        raise TypeError(f"{api}: updates is None; pass the gradients: {_ORDER}") from None
    _check_arrays(api, "updates", updates)
    if params is not None:
        _check_arrays(api, "params", params)
        if _is_made_for(state, transformation, params):
            _check_updates(api, updates, params)
        match(api, "params", tree.structure(updates), params, "Parameters must have the structure of the updates.")
    try:
        expected = transformation.init(updates)
    except REFUSALS:
        return
    if _outline(state) != _outline(expected):
        raise TypeError(
            f"{api}: state must be that of this optimizer, {_outline(expected)}, got {_outline(state)}; make it with "
            "init(params)"
        ) from None
    hint = "The state was made for other parameters: make it with init(params)."
    match(api, "state", tree.structure(expected), state, hint)
    for (path, new), old in zip(tree.flatten_with_path(expected)[0], tree.leaves(state), strict=True):
        if getattr(old, "shape", ()) != new.shape:
            raise ValueError(
                f"{api}: state{tree.keystr(path)} has shape {getattr(old, 'shape', ())}, but the update has shape "
                f"{new.shape}: the state was made for other parameters; make it with init(params)"
            ) from None


def _is_made_for(state: Any, transformation: GradientTransformation, params: Any) -> bool:
    """Whether a state is one for these parameters, as far as structures and shapes say."""
    try:
        expected = transformation.init(params)
    except REFUSALS:
        return False
    if _outline(state) != _outline(expected) or tree.structure(state) != tree.structure(expected):
        return False
    pairs = zip(tree.leaves(expected), tree.leaves(state), strict=True)
    return all(getattr(a, "shape", ()) == getattr(b, "shape", ()) for a, b in pairs)


def _check_updates(api: str, updates: Any, params: Any) -> None:
    """Raises what is wrong with updates for parameters that fit the state."""
    match(api, "updates", tree.structure(params), updates, "updates must have the structure of params.")
    for (path, new), old in zip(tree.flatten_with_path(updates)[0], tree.leaves(params), strict=True):
        if np.shape(new) != np.shape(old):
            raise ValueError(
                f"{api}: updates{tree.keystr(path)} has shape {np.shape(new)}, but the parameter has shape "
                f"{np.shape(old)}; an update must have the shape of its parameter"
            )


def match(
    api: str, name: str, structure: Any, value: Any, hint: str, is_leaf: Callable[[Any], bool] | None = None
) -> None:
    """Raises ValueError, which names the place, unless a tree has a structure."""
    if tree.structure(value, is_leaf=is_leaf) != structure:
        raise_mismatch(
            differences(structure, value, open_treedef, open_value, prefix=False), api=api, name=name, hint=hint
        )


def _outline(state: Any) -> str:
    """The classes of a state: of a chain those of its parts."""
    if type(state) in (tuple, list):
        return f"({', '.join(map(_outline, state))})"
    return type(state).__name__


Maker = TypeVar("Maker", bound=Callable[..., GradientTransformation])


def naming(name: str, floating: bool = False) -> Callable[[Maker], Maker]:
    """Decorator: the transformations that a function returns are named after it.

    Args:
      name: the public name.
      floating: whether parameters must be floating-point or complex numbers.
    """

    def decorate(make: Maker) -> Maker:
        @functools.wraps(make)
        def made(*args: Any, **kwargs: Any) -> GradientTransformationExtraArgs:
            return named(name, make(*args, **kwargs), floating)

        return made  # type: ignore[return-value]

    return decorate


def match_prefix(api: str, name: str, prefix: Any, full_name: str, full: Any) -> None:
    """Raises ValueError, which names the place, unless a tree is one down to its leaves of another."""
    structure = tree.structure(prefix)
    try:
        tree.flatten_up_to(structure, full)
    except ValueError:
        hint = f"{name} must have the structure of the {full_name}, or one value for a whole subtree of them."
        found = differences(structure, full, open_treedef, open_value, prefix=True)
        raise_mismatch(found, api=api, name=f"{name} does not fit {full_name}; {full_name}", hint=hint)
