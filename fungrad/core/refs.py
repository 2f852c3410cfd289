"""``Ref``: a mutable array, and how reads and writes of one pass through transformations.

A reference belongs to the trace in which it was made, and holds an immutable array: a write replaces it.  Where a
function that is being staged reads or writes a reference from outside, the staged function gets the contents as a
further operand and returns what they are in the end (its *discharged* form, in which there are no references); whoever
runs the staged function passes the contents and stores the result.  So compiled code updates in place what nobody else
holds, and derivatives and batches need no rules for references.

May import ``core.array``, ``core.avals``, ``core.context``, ``core.placement`` and the error classes.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fungrad.core.array import Array, ArrayImpl, as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import Trace, state
from fungrad.core.placement import placed, placement
from fungrad.core.source import api_class
from fungrad.errors import UnexpectedTracerError


class AbstractRef:
    """Type of a reference.

    Attributes:
      inner_aval: type of the contents.
    """

    __slots__ = ("inner_aval",)
    is_ref = True
    is_high = False
    compound = False
    placement = property(lambda self: self.inner_aval.placement)
    vma = property(lambda self: self.inner_aval.vma)

    def __init__(self, inner_aval: ShapedArray):
        self.inner_aval = inner_aval

    shape = property(lambda self: self.inner_aval.shape)
    dtype = property(lambda self: self.inner_aval.dtype)
    ndim = property(lambda self: self.inner_aval.ndim)
    size = property(lambda self: self.inner_aval.size)
    weak_type = property(lambda self: self.inner_aval.weak_type)
    sharding = property(lambda self: self.inner_aval.sharding)

    def str_short(self, **_: Any) -> str:
        """The type in short, such as ``Ref{f32[3]}``."""
        return f"Ref{{{self.inner_aval.str_short()}}}"

    def short(self, **_: Any) -> str:
        """``str_short``, as types of arrays have it."""
        return self.str_short()

    def __repr__(self) -> str:
        return self.str_short()

    def __eq__(self, other: object) -> bool:
        return type(other) is AbstractRef and other.inner_aval is self.inner_aval

    def __hash__(self) -> int:
        return hash((AbstractRef, self.inner_aval))


@api_class
class Ref:
    """A mutable array.

    Made by ``new_ref``. ``ref[index]`` reads and ``ref[index] = value`` writes, with NumPy's indexing; ``ref[...]`` is
    everything. A reference is no array: operations take what has been read of it.

    Functions given to ``jit``, to loops and branches may read and write references that they close over or get as
    arguments; ``vmap`` maps references that are arguments. A reference that a function makes itself is its own affair:
    the function can be transformed like any other.

    Attributes:
      aval: its type.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> ref = fungrad.new_ref(jnp.zeros(3))
      >>> @fungrad.jit
      ... def count():
      ...   ref[1] += 1.0
      >>> count(); count()
      >>> ref
      Ref([0., 2., 0.], dtype=float32)
    """

    __slots__ = ("aval", "_value", "_owner", "_state", "_kind", "__weakref__")

    def __init__(self, aval: AbstractRef, value: Any, owner: Trace, passed: bool = False, kind: str | None = None):
        self.aval = aval
        self._value = value
        self._owner = owner
        # "own", "passed" (it stands for one from outside), "frozen" or "freed".
        self._state = "passed" if passed else "own"
        self._kind = kind

    def __copy__(self) -> Ref:
        # Two references never share their contents: what one writes, the other must not see.
        return new_ref(read(self), kind=self._kind)

    def __deepcopy__(self, memo: dict) -> Ref:
        return self.__copy__()

    def __reduce__(self) -> tuple:
        return functools.partial(new_ref, kind=self._kind), (read(self),)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the contents."""
        return self.aval.inner_aval.shape

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the contents."""
        return self.aval.inner_aval.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.aval.inner_aval.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def weak_type(self) -> bool:
        """Whether the dtype of what is read is weak."""
        return self.aval.inner_aval.weak_type

    @property
    def sharding(self) -> Any:
        """Where the contents are."""
        return read(self).sharding

    @property
    def committed(self) -> bool:
        """True: as in JAX."""
        return True

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("fungrad.Ref: len() of unsized object")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Array:
        return get(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        swap(self, index, value, "ref_set")

    @property
    def at(self) -> _At:
        """``ref.at[index]`` is part of the reference, which is read and written like a reference."""
        return _At(self)

    def addupdate(self, x: Any, idx: Any = ()) -> None:
        """Adds ``x`` to the elements at ``idx``."""
        addupdate(self, idx, x)

    def unsafe_buffer_pointer(self) -> int:
        """The address of the contents in memory."""
        return int(contents(self)._concrete("unsafe_buffer_pointer()").ctypes.data)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self.aval.str_short()} is a reference and no array: read it first, ref[...]")

    def __iter__(self) -> Iterator[Any]:
        return iter(get(self, ...))

    def __repr__(self) -> str:
        try:
            value = read(self)
        except UnexpectedTracerError:
            return f"<{self.aval.str_short()} that belongs to a finished transformation>"
        text = repr(value)
        return "Ref" + text.removeprefix("Array") if type(value) is ArrayImpl else f"Ref({text})"


class _At:
    """What ``ref.at`` is."""

    __slots__ = ("_ref",)

    def __init__(self, ref: Ref | TransformedRef):
        self._ref = ref

    def __getitem__(self, index: Any) -> TransformedRef:
        check_bounds(self._ref, index, "get")
        return TransformedRef(self._ref, index)

    def __repr__(self) -> str:
        return f"{self._ref!r}.at"


class TransformedRef:
    """Part of a reference: ``ref.at[index]``. Reads and writes go to the reference.

    Attributes:
      ref: what it is part of, a reference or itself a part.
      index: which part.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> ref = fungrad.new_ref(jnp.zeros(5))
      >>> middle = ref.at[1:4]
      >>> middle[0] = 1.0
      >>> middle.at[1:][...] += 2.0
      >>> ref, middle.shape
      (Ref([0., 1., 2., 2., 0.], dtype=float32), (3,))
    """

    __slots__ = ("ref", "index")

    def __init__(self, ref: Ref | TransformedRef, index: Any):
        self.ref = ref
        self.index = index

    @property
    def aval(self) -> AbstractRef:
        """Its type."""
        return AbstractRef(read(self).aval)

    shape = property(lambda self: self.aval.shape)
    dtype = property(lambda self: self.ref.dtype)
    ndim = property(lambda self: self.aval.ndim)
    size = property(lambda self: self.aval.size)
    weak_type = property(lambda self: self.ref.weak_type)
    at = Ref.at

    def __len__(self) -> int:
        return len(read(self))  # type: ignore[arg-type]

    def __getitem__(self, index: Any) -> Array:
        return get(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        swap(self, index, value, "ref_set")

    def addupdate(self, x: Any, idx: Any = ()) -> None:
        """Adds ``x`` to the elements at ``idx``."""
        addupdate(self, idx, x)

    __array__ = Ref.__array__
    __iter__ = Ref.__iter__

    def __repr__(self) -> str:
        return f"{self.ref!r}.at[{self.index!r}]"


class Binding:
    """What a reference from outside is within one trace."""

    __slots__ = ("ref", "value", "var", "written")

    def __init__(self, ref: Ref, value: Any, var: Any = None):
        self.ref = ref
        self.value = value
        self.var = var
        self.written = False


class RefFrame:
    """The references that a staged function touches.

    Attributes:
      closed: those that it closes over, in the order in which their contents are the last operands.
      written: which of them it writes to.
      args: positions of its arguments that are references.
      args_written: which of them it writes to.
      backward: whether it hands references from outside to functions with rules for reverse mode, which use them
        when the derivative is taken, after it has returned.
    """

    def __init__(self) -> None:
        self.closed: list[Ref] = []
        self.written: list[bool] = []
        self.args: list[int] = []
        self.args_written: list[bool] = []
        self.backward = False

    def __bool__(self) -> bool:
        return bool(self.closed or self.args or self.backward)


class RefsUsedError(Exception):
    """A function that was traced without regard to references uses some.

    Attributes:
      refs: the references.
      records: what it, or several, were traced to, if somebody may want that.
    """

    def __init__(self, refs: Sequence[Ref], records: Sequence[Any] = ()):
        super().__init__(f"internal error: references used in a place that does not thread them: {refs}")
        self.refs = list(refs)
        self.records = list(records)


class BackwardRefsError(NotImplementedError):
    """A function that is staged within a derivative hands references to rules for reverse mode.

    These need the references themselves, so whoever can runs the function as Python does instead.
    """

    def __init__(self, api: str, name: str):
        super().__init__(
            f"fungrad.{api}: {name} hands a reference to a function with rules for reverse mode, whose derivative is "
            "taken; that is possible in functions given to jit, checkpoint and scan, and in the branch that cond takes "
            f"where its predicate is known, but not in {api} here"
        )


def note_backward(refs: Sequence[Ref | TransformedRef]) -> None:
    """Notes in the traces up to those of the references that rules for reverse mode get them."""
    for each in refs:
        ref: Any = each
        while isinstance(ref, TransformedRef):
            ref = ref.ref
        trace = state.trace
        while trace is not None and (trace is not ref._owner or ref._state == "passed"):
            frame = getattr(trace, "frame", None)
            if frame is not None:
                frame.backward = True
            if trace is ref._owner:
                break
            trace = trace.parent


def check_distinct(refs: Sequence[Ref | TransformedRef], where: str) -> None:
    """Raises ValueError if a reference is there twice."""
    seen: dict[int, Any] = {id(r): r for r in refs}
    if len(seen) < len(refs):
        raise ValueError(
            f"fungrad.{where}: only one reference to a mutable array may be passed as an argument to a function, but "
            "one appears twice"
        )


def differentiating() -> bool:
    """Whether what is run now is being differentiated."""
    trace = state.trace
    while trace is not None:
        if trace.differentiates:
            return True
        trace = trace.parent
    return False


# -- contents ---------------------------------------------------------------------------------------------------------


def contents(ref: Ref) -> Array:
    """The array in the reference, as the current trace sees it; the very object that the reference holds."""
    trace: Trace = state.trace
    if ref._state in ("freed", "frozen"):
        raise ValueError(
            f"{ref.aval.str_short()} was used after it had been {ref._state} (fungrad."
            f"{'freeze' if ref._state == 'frozen' else 'free_ref'}); use the array that freeze returned, or make a new "
            "reference"
        )
    return trace.read_ref(ref)


def read(ref: Ref | TransformedRef) -> Array:
    """The contents as a value that stays what it is."""
    if isinstance(ref, TransformedRef):
        whole = read(ref.ref)
        return whole if _is_whole(ref.index) else whole[ref.index]  # type: ignore[index]
    value = contents(ref)
    if type(value) is ArrayImpl:
        # Another array object, since the one in the reference may be given away by a call.
        where = placement(value)
        copy = wrap_unchecked(value._data, ref.aval.inner_aval)
        return copy if where is None else placed(copy, where)
    return value


def store(ref: Ref | TransformedRef, value: Array) -> None:
    """Replaces the contents."""
    if isinstance(ref, TransformedRef):
        index, whole = ref.index, read(ref.ref)
        store(ref.ref, value if _is_whole(index) else whole.at[index].set(value, mode=_write_mode(index)))  # type: ignore[attr-defined]
        return
    if ref._state in ("freed", "frozen"):
        contents(ref)
    if type(value) is ArrayImpl:
        # Another array object, as in `read`: calls that update the reference in place use up the one that it holds.
        value = wrap_unchecked(value._data, value.aval)
    state.trace.write_ref(ref, value)


def passed(value: Any, aval: AbstractRef) -> Ref:
    """A reference in the current trace that stands for an argument."""
    return Ref(aval, value, state.trace, passed=True)


@contextlib.contextmanager
def bound(refs: Sequence[Ref], values: Sequence[Any]) -> Iterator[list[Binding]]:
    """Lets references be these values within the current trace, which stages a function."""
    trace = state.trace
    before = dict(trace.bindings)
    made = [Binding(r, v) for r, v in zip(refs, values, strict=True)]
    here = {id(b.ref): b for b in made}
    trace.bindings.update(here)
    try:
        yield made
    finally:
        # What else was met meanwhile is from outside of the whole trace, which must tell its caller.
        met = {key: b for key, b in trace.bindings.items() if key not in here}
        trace.bindings = {**met, **before}


# -- operations -------------------------------------------------------------------------------------------------------


def check_ref(ref: Any, api: str) -> Ref | TransformedRef:
    """Raises unless ``ref`` is a reference or part of one."""
    if not isinstance(ref, (Ref, TransformedRef)):
        raise ValueError(
            f"fungrad.ref.{api.removeprefix('ref_')}: Can only call `{api}` on a `Ref`: got {ref!r} of type "
            f"{type(ref).__name__}."
        )
    return ref


def _is_whole(index: Any) -> bool:
    if isinstance(index, tuple):
        return not index or (len(index) == 1 and index[0] is Ellipsis)
    return index is None or index is Ellipsis


def _found(ref: Any, idx: Any, api: str) -> tuple[Array, Array]:
    """The contents of a reference and what of them is at an index, for an operation on references."""
    check_ref(ref, api)
    check_bounds(ref, idx, api.removeprefix("ref_"))
    whole = read(ref)
    return whole, whole if _is_whole(idx) else whole[idx]  # type: ignore[index]


def get(ref: Ref | TransformedRef, idx: Any = None) -> Array:
    """Reads a reference: the same as ``ref[idx]``.

    Args:
      ref: the reference.
      idx: a NumPy index; None or ``...`` for everything.

    Returns:
      An array.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> ref = fungrad.new_ref(jnp.arange(5))
      >>> fungrad.ref.get(ref, slice(1, 3))
      Array([1, 2], dtype=int32)
    """
    return _found(ref, idx, "ref_get")[1]


def swap(ref: Ref | TransformedRef, idx: Any, value: Any, _api: str = "ref_swap") -> Array:
    """Writes to a reference and returns what was there before.

    Args:
      ref: the reference.
      idx: a NumPy index; None or ``...`` for everything.
      value: array with the shape of ``ref[idx]`` and the dtype of the reference.

    Raises:
      ValueError: the shape or dtype is another.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> ref = fungrad.new_ref(jnp.arange(5))
      >>> fungrad.ref.swap(ref, 3, 10)
      Array(3, dtype=int32)
      >>> ref
      Ref([ 0,  1,  2, 10,  4], dtype=int32)
    """
    old, before = _found(ref, idx, _api)
    new = _checked(ref, before, value, "swap")
    store(ref, new if _is_whole(idx) else old.at[idx].set(new, mode=_write_mode(idx)))  # type: ignore[attr-defined]
    return before


def set(ref: Ref | TransformedRef, idx: Any, value: Any) -> None:
    """Writes to a reference: the same as ``ref[idx] = value``.

    Args:
      ref: the reference.
      idx: a NumPy index; None or ``...`` for everything.
      value: array with the shape of ``ref[idx]`` and the dtype of the reference.

    Raises:
      ValueError: the shape or dtype is another.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> ref = fungrad.new_ref(jnp.zeros(3))
      >>> fungrad.ref.set(ref, 1, 10.0)
      >>> ref
      Ref([ 0., 10.,  0.], dtype=float32)
    """
    swap(ref, idx, value, "ref_set")


def addupdate(ref: Ref | TransformedRef, idx: Any, x: Any) -> None:
    """Adds to elements of a reference; elements that ``idx`` names several times get every term.

    Args:
      ref: the reference.
      idx: a NumPy index; None or ``...`` for everything.
      x: array with the shape of ``ref[idx]`` and the dtype of the reference.

    Raises:
      ValueError: the shape or dtype is another.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> ref = fungrad.new_ref(jnp.zeros(3))
      >>> fungrad.ref.addupdate(ref, jnp.array([1, 1]), jnp.ones(2))
      >>> ref
      Ref([0., 2., 0.], dtype=float32)
    """
    old, before = _found(ref, idx, "ref_addupdate")
    term = _checked(ref, before, x, "addupdate")
    whole = _is_whole(idx)
    store(ref, old + term if whole else old.at[idx].add(term, mode=_write_mode(idx)))  # type: ignore[attr-defined, operator]


def _write_mode(idx: Any) -> str | None:
    """The mode of a write: integers that are known only at run time are moved inside, as a read moves them.

    So a write goes to the place that a read with the same index reads, and ``swap`` returns what it has replaced.
    Beside an array of positions they are positions like the others, which are dropped if they are outside.
    """
    at_run_time = False
    for part in idx if isinstance(idx, tuple) else (idx,):
        if isinstance(part, Array) and not isinstance(part, ArrayImpl) and not part.aval.shape:
            if part.aval.dtype.kind not in "iu":
                return None
            at_run_time = True
        elif not (part is None or part is Ellipsis or isinstance(part, slice) or _known_integer(part) is not None):
            return None
    return "clip" if at_run_time else None


def _checked(ref: Ref | TransformedRef, before: Array, value: Any, api: str) -> Array:
    """``value`` as an array that may take the place of ``before``."""
    if isinstance(value, Ref):
        raise ValueError(
            f"fungrad.ref.{api}: Invalid value for `{api}`: a reference cannot hold a reference; read it first, "
            "ref[...]"
        )
    x = as_array(value, f"fungrad.ref.{api}: value")
    dtype = ref.aval.inner_aval.dtype
    kinds = {np.dtype(dtype).kind, x.aval.dtype.kind}
    if x.aval.weak_type and x.aval.dtype != dtype and (len(kinds) == 1 or kinds <= {"i", "u"} or _both_float(dtype, x)):
        x = x.astype(dtype)  # type: ignore[attr-defined]
    if x.aval.dtype != dtype:
        raise ValueError(
            f"fungrad.ref.{api}: Invalid dtype for `{api}`. Ref dtype: {dtype}. Value dtype: "
            f"{x.aval.dtype}. Convert the value with .astype({np.dtype(dtype).name!r})."
        )
    if x.aval.shape != before.aval.shape:
        raise ValueError(
            f"fungrad.ref.{api}: Invalid shape for `{api}`. Ref shape: {ref.shape}. Expected shape: "
            f"{before.aval.shape}. Value shape: {x.aval.shape}. Broadcast the value first."
        )
    return x


def check_bounds(ref: Ref | TransformedRef, idx: Any, api: str) -> None:
    """Raises where a known integer of an index is out of range: it would be clamped in a read and lost in a write."""
    parts = [p for p in (idx if isinstance(idx, tuple) else (idx,)) if p is not None]
    known = [_known_integer(p) for p in parts]
    if all(i is None for i in known):
        return
    counts = [0 if p is Ellipsis else _indexed_dims(p) for p in parts]
    dim = 0
    for part, i, n in zip(parts, known, counts, strict=True):
        if i is not None and dim < ref.ndim and not -ref.shape[dim] <= i < ref.shape[dim]:
            raise ValueError(
                f"fungrad.ref.{api}: Out of bound indexer: idx={i} for dimension {dim} of {ref.aval.str_short()}, "
                f"which has size {ref.shape[dim]}"
            )
        dim += ref.ndim - sum(counts) if part is Ellipsis else n


def _known_integer(part: Any) -> int | None:
    if isinstance(part, ArrayImpl):
        part = part._data
    if isinstance(part, (bool, np.bool_)) or not isinstance(part, (int, np.integer, np.ndarray)):
        return None
    return int(part) if np.ndim(part) == 0 and np.asarray(part).dtype.kind in "iu" else None


def _indexed_dims(part: Any) -> int:
    """How many dimensions a part of an index takes."""
    dtype = getattr(part, "dtype", np.dtype(type(part)) if isinstance(part, bool) else None)
    return int(np.ndim(part)) if dtype == np.bool_ else 1


def _both_float(dtype: Any, x: Array) -> bool:
    return ShapedArray((), dtype).inexact and x.aval.inexact and x.aval.dtype.kind != "c"


def new_ref(init_val: Any, *, memory_space: Any = None, kind: str | None = None) -> Ref:
    """Makes a reference to a mutable array.

    Args:
      init_val: array or scalar: the contents at first.
      memory_space: must be None.
      kind: ``"no_grad_no_remat"`` for a reference that takes values which are being differentiated, without their
        derivatives.

    Returns:
      The reference.

    Raises:
      TypeError: ``init_val`` is no array or scalar.

    Example:
      >>> import fungrad
      >>> def f(x):
      ...   ref = fungrad.new_ref(0.0)
      ...   ref[...] = x * x
      ...   return ref[...]
      >>> print(fungrad.grad(f)(3.0))
      6.0
    """
    if memory_space is not None:
        raise NotImplementedError(
            f"fungrad.new_ref: memory_space must be None, there is one memory; got {memory_space!r}"
        )
    if isinstance(init_val, Ref):
        raise TypeError(
            "fungrad.new_ref: init_val must be an array or a scalar, got a reference; references cannot hold "
            "references: read it first, ref[...]"
        )
    value = as_array(init_val, "fungrad.new_ref: init_val")
    if type(value) is ArrayImpl:
        where = placement(value)
        value = wrap_unchecked(value._data, value.aval)
        value = value if where is None else placed(value, where)
    return Ref(AbstractRef(value.aval), value, state.trace, kind=kind)


def empty_ref(ty: Any, memory_space: Any = None) -> Ref:
    """Makes a reference whose contents are not set; they are zeros here.

    Args:
      ty: anything with ``shape`` and ``dtype``, such as ``ShapeDtypeStruct``.
      memory_space: must be None.

    Example:
      >>> import fungrad
      >>> fungrad.empty_ref(fungrad.ShapeDtypeStruct((2,), "float32")).shape
      (2,)
    """
    aval = ShapedArray(tuple(ty.shape), ty.dtype)
    return new_ref(wrap_unchecked(np.zeros(aval.shape, aval.dtype), aval), memory_space=memory_space)


def freeze(ref: Ref) -> Array:
    """Ends the life of a reference and returns what it holds.

    Args:
      ref: a reference made by the function that freezes it.

    Raises:
      ValueError: it comes from outside of the function that is being transformed, or has been frozen before.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> ref = fungrad.new_ref(jnp.arange(3))
      >>> ref[1] = 100
      >>> fungrad.freeze(ref)
      Array([  0, 100,   2], dtype=int32)
    """
    value = read(_own(ref, "freeze"))
    ref._state = "frozen"
    ref._value = None
    return value


def free_ref(ref: Ref) -> tuple:
    """Ends the life of a reference.

    Args:
      ref: a reference made by the function that frees it.

    Raises:
      ValueError: it comes from outside of the function that is being transformed, or its life has ended.

    Example:
      >>> import fungrad
      >>> fungrad.free_ref(fungrad.new_ref(1.0))
      ()
    """
    contents(_own(ref, "free_ref"))
    ref._state = "freed"
    ref._value = None
    return ()


def _own(ref: Any, api: str) -> Ref:
    ref = check_ref(ref, api)
    if ref._state == "passed" or ref._owner is not state.trace:
        raise ValueError(
            f"fungrad.{api}: a reference can only be ended where it was made, but {ref.aval.str_short()} comes from "
            "outside of the function that is being transformed; return from the function first"
        )
    return ref
