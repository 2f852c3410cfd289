"""Functions that are wrapped in transformations of arguments and results; `fungrad.extend.linear_util` exports them.

May import ``core.source``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fungrad.core.source import function_name


class StoreException(Exception):  # noqa: N818 - JAX's name
    """An auxiliary result was asked for before the function was called, or given twice."""


_EMPTY = object()


class Store:
    """A place for one auxiliary result."""

    __slots__ = ("_value", "_may_repeat")

    def __init__(self, may_repeat: bool = False) -> None:
        self._value: Any = _EMPTY
        self._may_repeat = may_repeat

    def store(self, value: Any) -> None:
        """Keeps ``value``."""
        if self._value is not _EMPTY and not (self._may_repeat and self._value == value):
            raise StoreException("Store occupied: the wrapped function has been called before")
        self._value = value

    @property
    def val(self) -> Any:
        """What has been kept."""
        if self._value is _EMPTY:
            raise StoreException("Store empty: the wrapped function has not been called yet")
        return self._value

    def __bool__(self) -> bool:
        return self._value is not _EMPTY


class WrappedFun:
    """A function with transformations around it.

    Attributes:
      f: the function itself.
      call_wrapped: the function with all transformations.
    """

    __slots__ = ("f", "f_transformed", "transforms", "stores", "params", "debug_info")

    def __init__(
        self, f: Callable, f_transformed: Callable, transforms: tuple, stores: tuple, params: tuple, debug_info: Any
    ):
        self.f, self.f_transformed, self.transforms = f, f_transformed, transforms
        self.stores, self.params, self.debug_info = stores, params, debug_info

    @property
    def __name__(self) -> str:
        return function_name(self.f)

    def wrap(self, gen: Callable, static_args: tuple, store: Store | None) -> WrappedFun:
        """The function with one more transformation around it."""
        given = static_args if store is None else (store, *static_args)
        return WrappedFun(
            self.f,
            functools.partial(gen, self.f_transformed, *given),
            ((gen, static_args), *self.transforms),
            (store, *self.stores),
            self.params,
            self.debug_info,
        )

    def call_wrapped(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function with its transformations."""
        return self.f_transformed(*args, **kwargs)

    def __repr__(self) -> str:
        return f"WrappedFun({self.__name__}, {len(self.transforms)} transformations)"

    def __hash__(self) -> int:
        return hash((self.f, self.transforms, self.params))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WrappedFun) and (self.f, self.transforms, self.params) == (
            other.f,
            other.transforms,
            other.params,
        )


def wrap_init(f: Callable, params: dict[str, Any] | None = None, *, debug_info: Any = None) -> WrappedFun:
    """A function to which transformations can be added.

    Args:
      f: the function.
      params: keyword arguments for every call.
      debug_info: kept as an attribute.
    """
    params = params or {}
    return WrappedFun(f, functools.partial(f, **params) if params else f, (), (), tuple(params.items()), debug_info)


def transformation2(gen: Callable, fun: WrappedFun | None = None, *static_args: Any) -> Any:
    """Makes a transformation of ``gen(f, *static_args, *args, **kwargs)``, which calls ``f`` itself.

    Returns:
      A function from a `WrappedFun` (and static arguments) to one; applied at once if ``fun`` is given.
    """
    if fun is None:
        return functools.wraps(gen)(functools.partial(transformation2, gen))
    return fun.wrap(gen, static_args, None)


def transformation_with_aux2(
    gen: Callable, fun: WrappedFun | None = None, *static_args: Any, use_eq_store: bool = False
) -> Any:
    """As `transformation2`, for ``gen(f, store, *static_args, *args, **kwargs)``, which calls ``store.store(aux)``.

    Returns:
      A function from a `WrappedFun` to a pair of one and of a function that returns the auxiliary result.
    """
    if fun is None:
        return functools.wraps(gen)(functools.partial(transformation_with_aux2, gen, use_eq_store=use_eq_store))
    store = Store(use_eq_store)
    return fun.wrap(gen, static_args, store), lambda: store.val


def transformation(gen: Callable, fun: WrappedFun | None = None, *static_args: Any) -> Any:
    """Makes a transformation of a generator, which yields arguments, is sent the result, and yields the new one."""

    def around(f: Callable, *args: Any, **kwargs: Any) -> Any:
        steps = gen(*args, **kwargs)
        inner, keywords = next(steps)
        return steps.send(f(*inner, **keywords))

    made = functools.wraps(gen)(functools.partial(transformation2, around))
    return made if fun is None else made(fun, *static_args)


def transformation_with_aux(gen: Callable, fun: WrappedFun | None = None, *static_args: Any) -> Any:
    """As `transformation`, for a generator that yields a pair of the new result and an auxiliary one at last."""

    def around(f: Callable, store: Store, *args: Any, **kwargs: Any) -> Any:
        steps = gen(*args, **kwargs)
        inner, keywords = next(steps)
        out, aux = steps.send(f(*inner, **keywords))
        store.store(aux)
        return out

    made = functools.wraps(gen)(functools.partial(transformation_with_aux2, around))
    return made if fun is None else made(fun, *static_args)


def merge_linear_aux(aux1: Callable[[], Any], aux2: Callable[[], Any]) -> tuple[bool, Any]:
    """Which of two alternatives has been called: a pair of whether it is the first, and its auxiliary result."""
    try:
        out1 = aux1()
    except StoreException:
        return False, aux2()
    try:
        aux2()
    except StoreException:
        return True, out1
    raise StoreException("both stores occupied")


def cache(call: Callable, *, explain: Callable | None = None) -> Callable:
    """Remembers results of ``call(fun, *args)`` by the wrapped function and the arguments."""
    known: dict[Any, Any] = {}

    @functools.wraps(call)
    def cached(fun: WrappedFun, *args: Any) -> Any:
        key = (fun, args)
        found = known.get(key)
        if found is None:
            out = call(fun, *args)
            known[key] = (out, fun.stores)
            return out
        out, stores = found
        for mine, theirs in zip(fun.stores, stores, strict=True):
            if mine is not None and mine is not theirs and not mine:
                mine.store(theirs.val)
        return out

    cached.cache_clear = known.clear  # type: ignore[attr-defined]
    return cached
