"""Questions about the tracing that is going on, and data of jaxprs, under the names of ``jax.extend.core``.

May import ``core``.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, is_array_like
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, Trace, Tracer, running, state
from fungrad.core.ir import Atom, Eqn, Jaxpr, Var
from fungrad.core.primitive import Primitive
from fungrad.transforms.batching import BatchTrace

array_types: frozenset[type] = frozenset({np.ndarray, np.generic, Array})
"""Types of arrays that functions take."""


class OpaqueTraceState:
    """The transformation that is running: equal to another one exactly if that is the same run."""

    __slots__ = ("_trace",)

    def __init__(self, trace: Trace):
        self._trace = weakref.ref(trace)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpaqueTraceState) and self._trace == other._trace

    def __hash__(self) -> int:
        return hash(self._trace)


def get_opaque_trace_state(convention: str | None = None) -> OpaqueTraceState:
    """The transformation that is running, as something that can only be compared.

    Libraries with mutable objects ask, to see whether an object belongs to the transformation that changes it.

    Args:
      convention: ignored.

    Example:
      >>> import fungrad
      >>> from fungrad.extend.core import get_opaque_trace_state
      >>> before = get_opaque_trace_state()
      >>> fungrad.jit(lambda x: x if get_opaque_trace_state() == before else x + 1)(1)
      Array(2, dtype=int32, weak_type=True)
    """
    return OpaqueTraceState(state.trace)


def find_top_trace(xs: Sequence[Any] = ()) -> Trace:
    """The transformation that is running."""
    return state.trace  # type: ignore[no-any-return]


@contextlib.contextmanager
def take_current_trace() -> Iterator[Trace]:
    """Gives the running transformation, outside of which the block runs."""
    trace = state.trace
    with running(EVAL):
        yield trace


class TraceTag:
    """A mark of one run of a transformation."""

    __slots__ = ()


def set_current_trace(trace: Trace, check_leaks: bool = False) -> running:
    """A context in which operations are interpreted by ``trace``."""
    return running(trace)


def _stack() -> Iterator[Trace]:
    trace = state.trace
    while trace is not None:
        yield trace
        trace = trace.parent


def unsafe_am_i_under_a_jit_DO_NOT_USE() -> bool:  # noqa: N802
    """Whether operations are being recorded."""
    return any(type(trace).__name__ == "JaxprTrace" for trace in _stack())


def unsafe_am_i_under_a_vmap_DO_NOT_USE() -> bool:  # noqa: N802
    """Whether a function is being mapped."""
    return any(isinstance(trace, BatchTrace) for trace in _stack())


def unsafe_get_axis_names_DO_NOT_USE() -> list[Any]:  # noqa: N802
    """Names of the mapped axes in scope."""
    return [axis.name for axis in state.axis_env]


def nonempty_axis_env_DO_NOT_USE() -> bool:  # noqa: N802
    """Whether a mapped axis is in scope."""
    return bool(state.axis_env)


def valid_jaxtype(x: Any) -> bool:
    """Whether ``x`` is an array or a scalar.

    Example:
      >>> from fungrad.extend.core import valid_jaxtype
      >>> valid_jaxtype(1.0), valid_jaxtype("one")
      (True, False)
    """
    return is_array_like(x)


def concrete_or_error(force: Callable[[Any], Any] | None, val: Any, context: str = "") -> Any:
    """``force(val)``, where ``val`` must be known.

    Args:
      force: a conversion such as ``int``, or None.
      val: anything.
      context: what the value is for, for the message.

    Raises:
      fungrad.errors.ConcretizationTypeError: the value is traced.
    """
    if isinstance(val, Tracer):
        val = val._concrete(context or getattr(force, "__name__", "concrete_or_error"))
    return val if force is None else force(val)


def mapped_aval(size: int, axis: int | None, aval: ShapedArray) -> ShapedArray:
    """The type of one example of a batch of type ``aval``."""
    return aval if axis is None else aval.dec_rank(size, axis)


def unmapped_aval(size: int, axis: int | None, aval: ShapedArray, explicit_mesh_axis: Any = None) -> ShapedArray:
    """The type of a batch of ``size`` examples of type ``aval``."""
    return aval if axis is None else aval.inc_rank(size, axis)


def primal_dtype_to_tangent_dtype(primal_dtype: Any) -> Any:
    """The dtype of tangents: the same for floating point and complex numbers, ``float0`` for others."""
    dtype = np.dtype(primal_dtype)
    return dtype if dtypes.is_inexact(dtype) else dtypes.float0


# -- data of jaxprs ----------------------------------------------------------------------------------------------------


class Effect:
    """The class of effects of JAX's equations; here an equation has effects or has none."""


Effects = frozenset
no_effects: frozenset = frozenset()


class DropVar(Var):
    """A result that nobody reads; none is made here, every result has a variable."""

    __slots__ = ()


def gensym(suffix: str = "") -> Callable[[ShapedArray], Var]:
    """A function from types to new variables."""
    return Var


def new_jaxpr_eqn(
    invars: Sequence[Atom],
    outvars: Sequence[Var],
    primitive: Primitive,
    params: dict[str, Any],
    effects: Any = no_effects,
    source_info: Any = None,
    ctx: Any = None,
) -> Eqn:
    """An equation, with JAX's order of arguments; ``effects`` and ``ctx`` follow from the primitive."""
    return Eqn(primitive, invars, params, outvars, source_info)


class _IsJaxpr(type):
    """Jaxprs are instances: there is one class of them."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Jaxpr)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, Jaxpr)


class ClosedJaxpr(metaclass=_IsJaxpr):
    """A jaxpr with the values of its constvars: ``ClosedJaxpr(jaxpr, consts)`` is a `Jaxpr`, as every jaxpr has them.

    Example:
      >>> import fungrad
      >>> from fungrad.extend.core import ClosedJaxpr, jaxpr_as_fun
      >>> jaxpr = fungrad.make_jaxpr(lambda x: x + 1)(2)
      >>> jaxpr_as_fun(ClosedJaxpr(jaxpr.jaxpr, jaxpr.consts))(5)
      [Array(6, dtype=int32, weak_type=True)]
    """

    def __new__(cls, jaxpr: Jaxpr, consts: Sequence[Any] = ()) -> Jaxpr:  # type: ignore[misc]
        """``jaxpr`` with the constants ``consts``."""
        if len(consts) != len(jaxpr.constvars):
            raise ValueError(
                f"ClosedJaxpr: the jaxpr has {len(jaxpr.constvars)} constvars, got {len(consts)} constants"
            )
        return jaxpr if not consts and not jaxpr.consts else jaxpr.replace(consts=list(consts))


class Token:
    """A token of JAX's runtime; effects happen in the order of the program here."""


class AbstractToken:
    """The type of a `Token`."""
