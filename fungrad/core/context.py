"""The tracing context: which transformation interprets an operation now.

There is one current trace per thread, and the named axes in scope. ``Primitive.bind`` hands every operation to the
current trace; a trace recognises its own tracers by identity and treats everything else as a constant, so nested
transformations cannot confuse each other's values.  While a rule is looked up the current trace is None: a rule that
applies an operation must first say where (``with running(parent)``, or assign ``state.trace``, which ``bind``
restores).

May import ``core.array``, ``core.avals``, ``core.source`` and the error classes.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fungrad.config import config, watch
from fungrad.core import transfers
from fungrad.core.array import Array, ArrayImpl, as_array, wrap
from fungrad.core.float_errors import SILENT, silence, unsilence
from fungrad.core.hitypes import tracer_attribute
from fungrad.core.nonfinite import examine
from fungrad.core.placement import following
from fungrad.core.source import Source, api_boundary, current_source
from fungrad.core.tree import known_leaf_types
from fungrad.errors import UnboundAxisNameError, UnexpectedTracerError, concretization_error_class

if TYPE_CHECKING:
    from fungrad.core.primitive import Primitive


class AxisData(NamedTuple):
    """A mapped axis: its name (a unique object if the user gave none), its size, the axes of a mesh that divide it
    as the types of the mapped arguments say (as in a specification of a sharding), those that are to divide it where a
    function of examples says how they are divided, and whether it is an axis of a mesh itself."""

    name: Hashable
    size: int
    entry: Any = None
    spmd: Any = None
    of_mesh: bool = False


class ManualAxis(AxisData):
    """An axis of a mesh over which a function of shards is mapped, with a check of what varies along it.

    What is the same for all members of such an axis is one value, also for derivatives inside of the function.
    """

    __slots__ = ()


def manual_axis(name: Hashable, size: int, checked: bool) -> AxisData:
    """The axis for a function of shards."""
    return (ManualAxis if checked else AxisData)(name, size, of_mesh=True)


class _State(threading.local):
    """Per-thread context; the class attributes are its initial values."""

    trace: Any = None  # set to EVAL below
    axis_env: tuple[AxisData, ...] = ()
    # Whether staging evaluates operations on known values instead of recording them.
    fold: bool = False


state = _State()


class Trace:
    """One run of a transformation: interprets operations on its own tracers, and forwards all others to its parent.

    The library's own traces define ``process``. Traces of users, which are like JAX's, define ``process_primitive``;
    their tracers set ``_trace`` and define ``aval``.

    Attributes:
      parent: the trace that was current when this one was made.
      alive: false once the transformation has returned.
      label: what is being run, for messages, as in ``grad of loss``.
    """

    __slots__ = ("parent", "alive", "label", "source", "__weakref__")
    # Whether operations are recorded, also those on known values, instead of computed.
    stages = False
    # Whether its tracers are values with tangents.
    differentiates = False

    def __init__(self, parent: Trace | None = None, label: str = ""):
        # A trace of a user knows its parent by JAX's name, or is made where it will be used.
        self.parent: Any = parent or getattr(self, "parent_trace", None) or state.trace
        self.alive = True
        self.label = label
        self.source: Source | None = None

    @property
    def main(self) -> Trace:
        """What the traces of one run have in common: JAX's tag, or the trace."""
        return getattr(self, "tag", self)

    def bind(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Applies ``primitive`` with this as the current trace, which it still is afterwards."""
        state.trace = None
        try:
            return self.process(primitive, args, params)
        finally:
            state.trace = self

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Applies ``primitive``; called with no current trace, may set ``state.trace`` freely."""
        state.trace = self.parent
        return primitive.process_in(self, args, params)

    def process_primitive(self, primitive: Any, tracers: Sequence[Any], params: dict[str, Any], /) -> Any:
        """Applies ``primitive`` to values of which some are tracers of this trace; called with the parent as current
        trace. Traces of users define it."""
        raise NotImplementedError(f"{type(self).__name__} must define process_primitive")

    def process_custom_jvp_call(
        self, primitive: Any, fun: Any, jvp: Any, tracers: Sequence[Any], /, *, symbolic_zeros: bool
    ) -> Any:
        """Applies a function with a rule for forward mode, given as wrapped functions of leaves."""
        raise NotImplementedError(
            f"{type(self).__name__} must override process_custom_jvp_call to handle custom_jvp primitives"
        )

    def full_raise(self, x: Any) -> Any:
        """``x``: every value may be given to every trace."""
        return x

    def read_ref(self, ref: Any) -> Any:
        """The contents of a reference (``core.refs``): they are in the trace in which it was made."""
        if ref._owner is self and self.alive:
            return ref._value
        if ref._owner is self or self.parent is None:
            raise dead_reference_error(ref)
        return self.parent.read_ref(ref)

    def write_ref(self, ref: Any, value: Any) -> None:
        """Replaces the contents; a reference from outside takes only what means something there."""
        if ref._owner is self and self.alive:
            ref._value = value
            return
        if ref._owner is self or self.parent is None:
            raise dead_reference_error(ref)
        if isinstance(value, Tracer) and value._trace is self:
            if self.differentiates and ref._kind == "no_grad_no_remat":
                self.parent.write_ref(ref, value.primal)  # type: ignore[attr-defined]
                return
            raise ValueError(
                "performing a set/swap operation with a differentiated value on a non-differentiated array reference "
                f"of type {ref.aval.str_short()}. Move the array reference to be an argument of the differentiated "
                "function, or write fungrad.lax.stop_gradient(value)"
            )
        self.parent.write_ref(ref, value)


class Tracer(Array):
    """A value inside a transformation: an array with a type but, in general, no contents.

    Attributes:
      aval: its type.
    """

    __slots__ = ("_trace", "aval")
    _trace: Trace

    def __init_subclass__(cls) -> None:
        known_leaf_types.add(cls)

    def _concrete(self, what: str) -> np.ndarray:
        """The ndarray behind the tracer where the transformation has one; raises otherwise."""
        raise concretization_error_class(what)(
            f"{what} of a {type(self).__name__}: the transformation {type(self._trace).__name__} knows no value"
        )

    def origin(self) -> str:
        """Where the value came from, for messages."""
        return ""

    def __getattr__(self, name: str) -> Any:
        return tracer_attribute(self, name)

    def _leak_check(self) -> None:
        if not self._trace.alive:
            raise leaked_tracer_error(self)

    @api_boundary
    def __iter__(self) -> Iterator[Any]:
        if not self.aval.shape:
            raise TypeError("fungrad.Array.__iter__: iteration over a 0-d array")
        return iter([self[i] for i in range(self.aval.shape[0])])

    def __repr__(self) -> str:
        return f"{type(self).__name__}<{self.aval.short(weak=True)}>"

    def __format__(self, spec: str) -> str:
        return repr(self) if not spec else format(self._concrete("format()")[()], spec)

    def __reduce__(self) -> Any:
        self._concrete("pickle")
        raise AssertionError("internal error: a tracer gave its value away")

    def __dlpack__(self, **kwargs: Any) -> Any:
        self._concrete("__dlpack__()")
        raise AssertionError("internal error: a tracer gave its value away")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # the CPU

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: dict) -> Array:
        return self


class EvalTrace(Trace):
    """The bottom of every stack: runs operations at once through their ``impl``."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "EVAL"  # there is one

    def bind(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        return evaluate(primitive, args, params)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        state.trace = self
        return evaluate(primitive, args, params)


EVAL = EvalTrace(None, "eager evaluation")
_State.trace = EVAL


def _is_staging() -> bool:
    """Whether operations are recorded instead of computed; also unknown while a rule of a transformation runs."""
    trace = state.trace
    while trace is not None and not trace.stages:
        trace = trace.parent
    return trace is not None or state.trace is None


transfers.register(is_staging=_is_staging)

_new = object.__new__

# So many entries are kept per primitive; emptied when full (shapes that never come again must not pile up).
_PREPARED_LIMIT = 4096


def evaluate(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """Runs an operation on concrete arrays.

    This is the path of every eager operation that has no shorter one (``core.evaluation``): one and two operands are
    written out, since comprehensions and calls cost more here than small arrays take to compute.
    """
    n = len(args)
    if n == 1:
        (a,) = args
        if type(a) is not ArrayImpl:
            if primitive.is_high_in(params):
                return primitive.expanded(args, params)
            a = _require_concrete(primitive, a)
        key: tuple = (a.aval,)
        operands: tuple = (a._data,)
    elif n == 2:
        a, b = args
        if type(a) is not ArrayImpl or type(b) is not ArrayImpl:
            if primitive.is_high_in(params):
                return primitive.expanded(args, params)
            a, b = _require_concrete(primitive, a), _require_concrete(primitive, b)
        key = (a.aval, b.aval)
        operands = (a._data, b._data)
    else:
        return _evaluate_many(primitive, args, params)
    if params:
        key = (key, *params.items())
    try:
        found = primitive.prepared.get(key)
    except TypeError:  # parameters that do not hash are left to `abstract` to report
        found = None
    if found is None:
        return _evaluate_new(primitive, args, params, key)
    aval, function = found
    if primitive.quiet:
        token = silence(SILENT)
        try:
            data = function(*operands)
        finally:
            unsilence(token)
    else:
        data = function(*operands)
    # `wrap`, written out; the first result of every type has been checked.
    if type(data) is not np.ndarray:
        data = np.asarray(data)
    out = _new(ArrayImpl)
    out._data = data
    out.aval = aval
    if watch.slow:
        if config.check_results:
            examine(primitive, (a,) if n == 1 else (a, b), [out], params)
        if watch.placed or primitive.kind == "higher_order":
            (out,) = following.operation(primitive, (a,) if n == 1 else (a, b), params, [out])
    return out


def _evaluate_new(primitive: Primitive, args: Sequence[Any], params: dict[str, Any], key: tuple) -> Any:
    """``evaluate`` for types seen for the first time, which are prepared for the next time."""
    out = _evaluate_many(primitive, args, params)
    if not primitive.multiple_results and not primitive.is_high_in(params) and not primitive.uses_axis_names:
        avals = tuple([a.aval if isinstance(a, Array) else as_array(a).aval for a in args])
        if any([a.placement is not None for a in avals]) and key not in primitive.memo:
            return out  # a type that another program may not accept
        if len(primitive.prepared) >= _PREPARED_LIMIT:
            primitive.prepared.clear()
        primitive.prepared[key] = (out.aval, primitive.specialized(avals, params))
    return out


def _evaluate_many(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """``evaluate`` for any number of operands and results, and for types seen for the first time."""
    if primitive.is_high_in(params):
        return primitive.expanded(args, params)
    arrays = [a if type(a) is ArrayImpl else _require_concrete(primitive, a) for a in args]
    aval = primitive.abstract(tuple([a.aval for a in arrays]), params)
    token = silence(SILENT)
    try:
        data = primitive.impl(*[a._data for a in arrays], **params)
    finally:
        unsilence(token)
    if primitive.multiple_results:
        outs = [wrap(d, a) for d, a in zip(data, aval, strict=True)]
    else:
        outs = [wrap(data, aval)]
    if config.check_results:
        examine(primitive, arrays, outs, params)
    if watch.placed or watch.constraints and primitive.kind == "higher_order":
        outs = following.operation(primitive, arrays, params, outs)
    return outs if primitive.multiple_results else outs[0]


def _require_concrete(primitive: Primitive, x: Any) -> Any:
    if type(x) is ArrayImpl:
        return x
    if isinstance(x, Tracer):
        raise leaked_tracer_error(x, f"was used by {primitive.name}")
    x = as_array(x, f"fungrad: operand of {primitive.name}")
    if not isinstance(x, Array):
        raise primitive.not_an_array(x.aval)
    return x if type(x) is ArrayImpl else x._concrete(primitive.name)


def leaked_tracer_error(tracer: Tracer, how: str = "was used") -> UnexpectedTracerError:
    """The error for a tracer whose transformation has finished (or runs elsewhere)."""
    trace = tracer._trace
    where = f", called at {trace.source}" if trace.source is not None else ""
    origin = tracer.origin()
    return UnexpectedTracerError(
        f"A tracer of type {tracer.aval.str_short()} {how} after {trace.label or 'its transformation'} had finished"
        f"{where}.{' ' + origin if origin else ''} A function given to a transformation must not store its "
        "intermediate values outside (a global, an attribute, a list of an enclosing scope): return them instead. "
        "`with fungrad.checking_leaks():` shows where it escapes."
    )


def dead_reference_error(ref: Any) -> UnexpectedTracerError:
    """The error for a reference whose transformation has finished, or does not surround the place of its use."""
    return UnexpectedTracerError(
        f"A reference of type {ref.aval.str_short()} was used outside of {ref._owner.label or 'the transformation'} in "
        "which it had been made. Return its contents (fungrad.freeze(ref), ref[...]), or make the reference outside "
        "and let the function write to it."
    )


# -- current trace ------------------------------------------------------------------------------------------------


class running:  # noqa: N801 - a context manager reads best in lower case
    """Makes ``trace`` the current trace within a ``with`` block."""

    __slots__ = ("trace", "before")

    def __init__(self, trace: Trace):
        self.trace = trace

    def __enter__(self) -> None:
        self.before = state.trace
        state.trace = self.trace

    def __exit__(self, *error: Any) -> None:
        state.trace = self.before


class transformation:  # noqa: N801
    """Runs the body of a transformation under its new trace, which is dead afterwards."""

    __slots__ = ("trace", "before")

    def __init__(self, trace: Trace):
        self.trace = trace

    def __enter__(self) -> Any:
        self.before = state.trace
        state.trace = self.trace
        return self.trace

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        state.trace = self.before
        self.trace.alive = False


class _NoExecution(Trace):
    """Refuses every operation."""

    __slots__ = ()

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        what = params["name"] if primitive.name == "jit" else primitive.name
        raise RuntimeError(f"fungrad.no_execution: {what} was to be executed inside of a block in which nothing may be")


@contextlib.contextmanager
def no_execution(value: bool = True) -> Iterator[None]:
    """Raises ``RuntimeError`` where an operation would be executed inside a ``with`` block; tracing is allowed.

    Args:
      value: whether to raise.

    Example:
      >>> import fungrad
      >>> with fungrad.no_execution():
      ...     jaxpr = fungrad.make_jaxpr(lambda x: x + 1.0)(2.0)
    """
    with running(_NoExecution(state.trace, "no_execution")) if value else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def ensure_compile_time_eval() -> Iterator[None]:
    """A context in which operations on known values are evaluated at once, also while a function is being traced.

    Operations on values that are known, such as shapes and constants, then give numbers that Python can use; operations
    on traced arguments are traced as always.

    Returns:
      A context manager.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> @fungrad.jit
      ... def f(x):
      ...   with fungrad.ensure_compile_time_eval():
      ...     n = int(jnp.sum(jnp.arange(3)))
      ...   return jnp.full((n,), x)
      >>> f(1.0)
      Array([1., 1., 1.], dtype=float32, weak_type=True)
    """
    before = state.fold
    state.fold = True
    try:
        yield
    finally:
        state.fold = before


def current_trace() -> Trace:
    """The trace that interprets operations now."""
    return state.trace


def staging() -> bool:
    """Whether operations are recorded now: values are known that results computed from them are not."""
    trace = state.trace
    while trace is not None and not trace.stages:
        trace = trace.parent
    return trace is not None and not state.fold


def mark_call_site(trace: Trace) -> None:
    """Remembers the user's line that started the transformation of ``trace``."""
    trace.source = current_source(skip=3)


# -- named axes -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def named_axis(axis: AxisData) -> Iterator[None]:
    """Brings a mapped axis into scope."""
    before = state.axis_env
    state.axis_env = (*before, axis)
    try:
        yield
    finally:
        state.axis_env = before


def axis_size(name: Hashable, api: str) -> int:
    """Size of the innermost axis called ``name``.

    Raises:
      UnboundAxisNameError: no axis in scope has that name.
    """
    for axis in reversed(state.axis_env):
        if axis.name == name:
            return axis.size
    bound = [a.name for a in state.axis_env if not isinstance(a.name, AnonymousAxis)]
    scope = f"axis names in scope: {bound}" if bound else "no axis is named here"
    if any(a.of_mesh for a in state.axis_env):
        advice = "Name one of these: in shard_map they are the axes of its mesh, in pmap and vmap the one of axis_name"
    else:
        advice = f"Name the mapped axis: vmap(f, axis_name={name!r})"
    raise UnboundAxisNameError(f"fungrad.lax.{api}: unbound axis name {name!r}; {scope}. {advice}")


class AnonymousAxis:
    """The name of a mapped axis to which the user gave none.

    No operation can refer to such an axis, so all of them are equal: what was derived for one serves for the others.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is AnonymousAxis

    def __hash__(self) -> int:
        return hash(AnonymousAxis)

    def __repr__(self) -> str:
        return "<unnamed axis>"


# -- leaks ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def checking_leaks(enable: bool = True) -> Iterator[None]:
    """Raises as soon as a transformation finishes while something still refers to one of its tracers.

    Slow (it runs the garbage collector after every transformation): for finding a leak, not for production.

    Example:
      >>> import fungrad
      >>> seen = []
      >>> with fungrad.checking_leaks():
      ...     fungrad.jit(lambda x: seen.append(x))(1.0)
      Traceback (most recent call last):
          ...
      fungrad.errors.UnexpectedTracerError: ...
    """
    with config.override("check_tracer_leaks", enable):
        yield


def report_leaks(trace: Trace) -> None:
    """Raises if tracers of the finished ``trace`` are still referred to; call with no local reference to one left."""
    gc.collect()
    leaked = [x for x in gc.get_referrers(trace) if isinstance(x, Tracer)]
    if not leaked:
        return
    holders = []
    for tracer in leaked[:3]:
        for holder in gc.get_referrers(tracer):
            if holder is not leaked and not isinstance(holder, Tracer) and type(holder).__name__ != "frame":
                holders.append(f"  {tracer!r} is held by a {type(holder).__name__}: {_short(holder)}")
    raise UnexpectedTracerError(
        f"{len(leaked)} tracer(s) of {trace.label} outlived it:\n" + "\n".join(holders[:6])
        + "\nReturn the values from the function instead of storing them."
    )


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 120 else text[:117] + "..."


