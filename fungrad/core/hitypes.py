"""Types of users' own: values that are no arrays, and flow through transformations as one value of one type.

A subclass of ``HiType`` is the type, ``register_hitype`` says which Python class has values of it. Such a value is a
leaf of trees; ``jit`` and the other transformations see a tracer whose ``aval`` is the type, and only primitives that
know the type take it (``fungrad.experimental.hijax``). The types answer what ``ShapedArray`` answers too: what the
tangents are, what zero and a sum are, what one example of a batch is, and which arrays a value is made of. Those
arrays are what is compiled (``core.lojax``).

May import ``core.avals`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NoReturn

from fungrad.core.avals import AbstractValue

# Classes with values of such types: few, and compared by identity, since a class may have no hash.
_hi_classes: list[type] = []


def is_hi_class(cls: type) -> bool:
    """Whether the instances of a class are values of such types."""
    return any([cls is known for known in _hi_classes])


class MappingSpec:
    """How a value of a type of one's own is mapped: what an axis number is for an array. Base class."""

    __slots__ = ()


class HiPspec:
    """How a value of a type of one's own is divided among devices: what a partition spec is for an array."""

    def to_lo(self) -> tuple[Any, ...]:
        """The partition specs of the arrays that make up a value."""
        raise _must_override(self, "to_lo", "shard_map")

    def to_tangent_spec(self) -> HiPspec:
        """The spec of a tangent."""
        raise _must_override(self, "to_tangent_spec", "the derivative of shard_map")

    def to_ct_spec(self) -> HiPspec:
        """The spec of a cotangent."""
        raise _must_override(self, "to_ct_spec", "the derivative of shard_map")


def _must_override(x: Any, method: str, purpose: str) -> NotImplementedError:
    return NotImplementedError(f"{purpose} requires {type(x).__name__} to implement the `{method}` method")


class aval_method:  # noqa: N801 - JAX's name
    """A method of traced values of a type: ``get = aval_method(get_fun)`` in the class of the type.

    Args:
      fun: called with the traced value and what the method is called with.
    """

    def __init__(self, fun: Callable[..., Any]):
        self.fun = fun


class aval_property:  # noqa: N801
    """A property of traced values of a type, computed by ``fget(value)``."""

    def __init__(self, fget: Callable[[Any], Any]):
        self.fget = fget


def tracer_attribute(tracer: Any, name: str) -> Any:
    """The attribute of a traced value that its type defines.

    Raises:
      AttributeError: it defines none of that name.
    """
    aval = tracer.aval
    found = getattr(type(aval), name, None) if isinstance(aval, HiType) else None
    if type(found) is aval_method:
        return partial(found.fun, tracer)
    if type(found) is aval_property:
        return found.fget(tracer)
    own = getattr(type(tracer), name, None)
    if isinstance(own, property) and own.fget is not None:
        # Python asks here after a property has raised AttributeError; once more, for its message.
        return own.fget(tracer)
    what = ""
    if isinstance(aval, HiType):
        what = f": in transformations a value of type {aval.str_short()} is taken apart by primitives only"
    raise AttributeError(f"{type(tracer).__name__!r} object has no attribute {name!r}{what}")


class HiType(AbstractValue):
    """A type of one's own. Subclasses are hashable and say what the methods below say; only those are needed that the
    transformations in use ask for.

    Example:
      >>> from dataclasses import dataclass
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad.experimental.hijax import HiType, ShapedArray, VJPHiPrimitive, register_hitype
      >>> @dataclass(frozen=True)
      ... class Meters:
      ...   value: fungrad.Array
      >>> @dataclass(frozen=True)
      ... class MetersTy(HiType):
      ...   def lo_ty(self):
      ...     return [ShapedArray((), jnp.dtype('float32'))]
      ...   def lower_val(self, x):
      ...     return [x.value]
      ...   def raise_val(self, value):
      ...     return Meters(value)
      >>> register_hitype(Meters, lambda x: MetersTy())
      >>> fungrad.jit(lambda x: x)(Meters(jnp.float32(2.0)))
      Meters(value=Array(2., dtype=float32))
    """

    is_high: ClassVar[bool] = True
    compound: ClassVar[bool] = True
    has_qdd: ClassVar[bool] = False
    weak_type: ClassVar[bool] = False
    inexact: ClassVar[bool] = True

    # -- what subclasses define ----------------------------------------------------------------------------------------

    def __hash__(self) -> int:
        raise _must_override(self, "__hash__", "equality of types")

    def __eq__(self, other: object) -> bool:
        raise _must_override(self, "__eq__", "equality of types")

    def lo_ty(self) -> list[Any]:
        """The types of the arrays that make up a value."""
        raise _must_override(self, "lo_ty", "lowering (e.g. under jit)")

    def lower_val(self, hi_val: Any) -> list[Any]:
        """The arrays that make up a value."""
        raise _must_override(self, "lower_val", "lowering values (e.g. under jit)")

    def raise_val(self, *lo_vals: Any) -> Any:
        """The value made up of these arrays."""
        raise _must_override(self, "raise_val", "raising lowered values (e.g. under jit)")

    def to_tangent_aval(self) -> Any:
        """The type of tangents: such a type, or that of an array."""
        raise _must_override(self, "to_tangent_aval", "autodiff")

    def to_ct_aval(self) -> Any:
        """The type of cotangents."""
        return self.to_tangent_aval()

    def vspace_zero(self) -> Any:
        """Zero, where values are tangents."""
        raise _must_override(self, "vspace_zero", "use as a tangent/cotangent type")

    def vspace_add(self, x: Any, y: Any) -> Any:
        """The sum of two values, where values are tangents."""
        raise _must_override(self, "vspace_add", "use as a tangent/cotangent type")

    def dec_rank(self, size: int | None, spec: Any) -> Any:
        """The type of one example of ``size``, where this is that of all, mapped as ``spec`` says."""
        raise _must_override(self, "dec_rank", "vmap")

    def inc_rank(self, size: int | None, spec: Any) -> Any:
        """The opposite of ``dec_rank``."""
        raise _must_override(self, "inc_rank", "vmap")

    def leading_axis_spec(self) -> Any:
        """The spec by which ``scan`` maps values."""
        raise _must_override(self, "leading_axis_spec", "scan")

    def shard(self, mesh: Any, manual_axes: frozenset, check_vma: bool, spec: HiPspec) -> Any:
        """The type of what one device sees of a value."""
        raise _must_override(self, "shard", "shard_map")

    def unshard(self, mesh: Any, check_vma: bool, spec: HiPspec) -> Any:
        """The opposite of ``shard``."""
        raise _must_override(self, "unshard", "shard_map")

    def nospec(self, mesh: Any, check_vma: bool, all_names: tuple) -> HiPspec:
        """The spec of a value that is the same everywhere."""
        raise _must_override(self, "nospec", "autodiff through shard_map")

    def str_short(self, short_dtypes: bool = False, **_: Any) -> str:
        """The type in short, as printed in jaxprs."""
        return repr(self)

    # -- what follows --------------------------------------------------------------------------------------------------

    def tangent(self) -> Any:
        """The type of tangents."""
        return self.to_tangent_aval()

    def strip_weak_type(self) -> Any:
        """The type itself."""
        return self

    normalize = strip_weak_type

    def update(self, *, weak_type: bool | None = None) -> Any:
        """The type itself, which is never weak."""
        return self

    def short(self, *, weak: bool = False) -> str:
        """As `ShapedArray.short`: the type in short."""
        return self.str_short()


class MutableHiType(HiType):
    """A type of values that change. Such types can be defined, and values of them not registered: what changes is
    held by references (`fungrad.new_ref`) here."""

    has_qdd: ClassVar[bool] = True


def register_hitype(val_cls: type, typeof_fn: Callable[[Any], HiType]) -> None:
    """Makes the instances of a class values of a type of one's own.

    The class gets the property ``aval``, the type of a value.

    Args:
      val_cls: the class; its instances must not be nodes of pytrees.
      typeof_fn: from an instance to its type.

    Raises:
      TypeError: the class has an attribute ``aval`` of its own.
    """
    registered = is_hi_class(val_cls)
    if not registered and hasattr(val_cls, "aval"):
        raise TypeError(
            f"fungrad.experimental.hijax.register_hitype: {val_cls.__name__} has an attribute `aval` already, by which "
            "values say what type they have; give it another name"
        )

    def aval(self: Any) -> HiType:
        found = typeof_fn(self)
        if isinstance(found, MutableHiType):
            refuse_mutable(found)
        return found

    val_cls.aval = property(aval)  # type: ignore[attr-defined]
    if not registered:
        _hi_classes.append(val_cls)


def refuse_mutable(aval: Any) -> NoReturn:
    """Raises, since values of a type must not change."""
    raise NotImplementedError(
        f"fungrad.experimental.hijax: values of {type(aval).__name__}, a MutableHiType, cannot be given to "
        "transformations; hold what changes in a reference (fungrad.new_ref)"
    )
