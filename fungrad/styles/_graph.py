"""What the styles with hidden graphs share: boxes around arrays, and the graph of what was done to them.

An operation on boxes is a function of ``fungrad`` applied to their arrays.  Where the style wants a derivative the
function runs under ``fungrad.vjp``, and a ``Node`` keeps what goes backwards; so the primitives, their rules and the
numbers are those of the functional style.  Which operations are recorded, and who holds the nodes, is up to the style.

May import ``fungrad``'s public modules.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

import fungrad
import fungrad.numpy as jnp
from fungrad import tree

_order = itertools.count()


class Box:
    """An array in a style: the base class of its tensors.

    A subclass says by what an operation is differentiated (``_tracked``), and keeps the node of a result
    (``_remember``).
    """

    __slots__ = ("_value", "__weakref__")
    __array_priority__ = 1000
    _value: Any
    # The class of results of operations on boxes of this kind.
    _result: ClassVar[type[Box]]

    @staticmethod
    def _tracked(inputs: Sequence[Box]) -> list[Box]:
        """Those of the inputs by which an operation is differentiated; none if it is not recorded."""
        raise NotImplementedError

    @staticmethod
    def _remember(node: Node, results: list[Box]) -> None:
        """Keeps the node that has made these."""
        raise NotImplementedError

    def _begin(self, value: Any) -> None:
        """Holds an array, with nothing recorded of it."""
        self._value = value

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self._value.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        return self._value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._value.ndim

    def numpy(self) -> np.ndarray:
        """The numbers as a NumPy array."""
        return np.asarray(self._value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self._value, dtype)

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __int__(self) -> int:
        return int(self._value)

    def __index__(self) -> int:
        return self._value.__index__()

    def __float__(self) -> float:
        return float(self._value)

    def __format__(self, spec: str) -> str:
        return format(self._value, spec) if spec else str(self)

    def __iter__(self) -> Any:
        return iter([self[i] for i in range(len(self))])

    def __getitem__(self, index: Any) -> Any:
        plain = tree.map(lambda i: i._value if isinstance(i, Box) else i, index, is_leaf=lambda i: i is None)
        return apply(lambda x: x[plain], (self,), name="getitem")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        ours = getattr(jnp, ufunc.__name__, None)
        if method != "__call__" or kwargs or ours is None:
            return NotImplemented
        return apply(ours, inputs, name=ufunc.__name__)


def _operators() -> None:
    """Gives ``Box`` the operators of arrays."""
    binary = {
        "add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply, "truediv": jnp.true_divide, "pow": jnp.power,
        "floordiv": jnp.floor_divide, "mod": jnp.remainder, "matmul": jnp.matmul,
    }  # fmt: skip
    for name, fun in binary.items():
        setattr(Box, f"__{name}__", lambda self, other, fun=fun: apply(fun, (self, other)))
        setattr(Box, f"__r{name}__", lambda self, other, fun=fun: apply(fun, (other, self)))
    comparisons = {
        "lt": jnp.less, "le": jnp.less_equal, "gt": jnp.greater, "ge": jnp.greater_equal, "eq": jnp.equal,
        "ne": jnp.not_equal,
    }  # fmt: skip
    for name, fun in comparisons.items():
        setattr(Box, f"__{name}__", lambda self, other, fun=fun: apply(fun, (self, other)))
    Box.__hash__ = object.__hash__  # type: ignore[method-assign]
    unary: dict[str, Callable] = {"neg": jnp.negative, "abs": jnp.abs, "pos": jnp.positive}
    for name, one in unary.items():
        setattr(Box, f"__{name}__", lambda self, fun=one: apply(fun, (self,)))


class Node:
    """One recorded operation.

    Attributes:
      name: what was applied, for people.
      fun: the function of the recorded inputs alone, with everything else in it; returns a list of arrays.
      inputs: the boxes that it is differentiated by.
      values: their arrays at that time.
      sources: the nodes that had made them, where the boxes know.
      pull: from the list of cotangents of the results to those of the inputs; None once it is used up.
      outs: types of the results.
      order: later operations have greater numbers.
      hooks: functions of the cotangent of a result, by its place, that run before it goes on.
    """

    __slots__ = ("name", "fun", "inputs", "values", "sources", "pull", "outs", "order", "hooks")

    def __init__(self, name: str, fun: Callable, inputs: list[Box], pull: Callable, outs: list[Any]):
        self.name, self.fun, self.inputs, self.outs = name, fun, inputs, outs
        self.values = [b._value for b in inputs]
        self.sources = [getattr(b, "_made_by", None) for b in inputs]
        self.pull: Callable | None = pull
        self.order = next(_order)
        self.hooks: dict[int, list[Callable]] = {}

    def free(self) -> None:
        """Lets go of the arrays; the node stays in the graph, and can be gone back through no more."""
        self.pull, self.fun = None, _freed
        self.inputs, self.values = [], []

    def nbytes(self) -> int:
        """Bytes of the arrays that the operation keeps alive: those of its inputs and results."""
        return sum(v.nbytes for v in self.values) + sum(a.size * a.dtype.itemsize for a in self.outs)


def _freed(*_: Any) -> Any:
    raise RuntimeError("what the operation needs was freed")


def unbox(x: Any) -> Any:
    """The tree with arrays in the place of boxes."""
    return tree.map(lambda a: a._value if isinstance(a, Box) else a, x)


def boxes_in(x: Any) -> list[Box]:
    """The boxes in a tree, each once."""
    return list({id(a): a for a in tree.leaves(x) if isinstance(a, Box)}.values())


def box(value: Any, kind: type[Box]) -> Box:
    """A new tensor of a style, with nothing recorded of it."""
    out = kind._result.__new__(kind._result)
    out._begin(value)
    return out


def apply(fun: Callable, args: Sequence[Any], kwargs: dict[str, Any] | None = None, name: str = "") -> Any:
    """Applies a function of arrays to trees of boxes, and records it if the style wants to.

    Args:
      fun: returns an array, or a tree of them.
      args: boxes, arrays, numbers, trees of them.
      kwargs: options.
      name: for people; that of the function by default.
    """
    leaves, structure = tree.flatten((list(args), kwargs or {}))
    found = {id(a): a for a in leaves if isinstance(a, Box)}
    if not found:
        return fun(*args, **(kwargs or {}))
    kind = type(next(iter(found.values())))
    inputs = kind._tracked([b for b in found.values() if jnp.issubdtype(b.dtype, jnp.inexact)])
    if not inputs:
        plain_args, plain_kwargs = unbox(tree.unflatten(structure, leaves))
        return tree.map(lambda value: box(value, kind), fun(*plain_args, **plain_kwargs))
    values = [a._value if isinstance(a, Box) else a for a in leaves]
    places = [[i for i, a in enumerate(leaves) if a is b] for b in inputs]
    out_structure: Any = None

    def of_inputs(*arrays: Any) -> list[Any]:
        nonlocal out_structure
        filled = list(values)
        for where, array in zip(places, arrays, strict=True):
            for i in where:
                filled[i] = array
        plain_args, plain_kwargs = tree.unflatten(structure, filled)
        outs, out_structure = tree.flatten(fun(*plain_args, **plain_kwargs))
        return outs

    outs, pull = fungrad.vjp(of_inputs, *[b._value for b in inputs])
    results = [box(o, kind) for o in outs]
    name = name or getattr(fun, "__name__", "function")
    kind._remember(Node(name, of_inputs, inputs, pull, [o.aval for o in outs]), results)
    return tree.unflatten(out_structure, results)


def zero_cotangent(aval: Any) -> Any:
    """What comes back to a result that nobody has used."""
    if jnp.issubdtype(aval.dtype, jnp.inexact):
        return jnp.zeros(aval.shape, aval.dtype)
    return np.zeros(aval.shape, fungrad.float0)


def pull_arrays(node: Node, cotangents: Sequence[Any]) -> list[Any]:
    """Goes back through a node with arrays."""
    assert node.pull is not None
    cts = [zero_cotangent(a) if ct is None else ct for a, ct in zip(node.outs, cotangents, strict=True)]
    return list(node.pull(cts))


def pull_boxes(node: Node, cotangents: Sequence[Any]) -> list[Any]:
    """Goes back through a node with boxes, by an operation that can be recorded itself."""
    for b, value in zip(node.inputs, node.values, strict=True):
        if b._value is not value:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: an "
                f"operand of {node.name}"
            )
    known = [i for i, ct in enumerate(cotangents) if ct is not None]

    def backward(cts: Sequence[Any], *inputs: Any) -> tuple[Any, ...]:
        full = [zero_cotangent(a) for a in node.outs]
        for i, ct in zip(known, cts, strict=True):
            full[i] = ct
        return fungrad.vjp(node.fun, *inputs)[1](full)

    return list(apply(backward, ([cotangents[i] for i in known], *node.inputs), name=f"backward of {node.name}"))


def sweep(
    seeds: Iterable[tuple[Box, Any]],
    creator: Callable[[Box], tuple[Node, int] | None],
    sources: Callable[[Node], Sequence[tuple[Node, int] | None]],
    pull: Callable[[Node, Sequence[Any]], list[Any]],
    add: Callable[[Any, Any], Any],
) -> dict[int, tuple[Box, Any]]:
    """Goes back through a graph, from the last operation to the first.

    Args:
      seeds: results with their cotangents.
      creator: the node that made a result, and which of its results it is; None for what no recorded operation made.
      sources: the same for the inputs of a node, as they were when it was recorded.
      pull: goes back through one node; a cotangent that is None is zero.
      add: adds cotangents.

    Returns:
      By identity, the boxes with the cotangents that have reached them, those in the middle included.
    """
    reached: dict[int, tuple[Box, Any]] = {}
    waiting: dict[int, tuple[Node, list[Any]]] = {}
    heap: list[int] = []
    boxes: dict[tuple[int, int], int] = {}  # results of nodes, by the node and the place

    def arrive(b: Box, ct: Any, made: tuple[Node, int] | None) -> None:
        if ct is None:
            return
        if made is not None:
            node, i = made
            if node.order not in waiting:
                waiting[node.order] = (node, [None] * len(node.outs))
                heapq.heappush(heap, -node.order)
            cts = waiting[node.order][1]
            cts[i] = ct if cts[i] is None else add(cts[i], ct)
            ct = cts[i]
            boxes[node.order, i] = id(b)
        elif id(b) in reached:
            ct = add(reached[id(b)][1], ct)
        reached[id(b)] = (b, ct)

    for b, ct in seeds:
        arrive(b, ct, creator(b))
    while heap:
        node, cts = waiting.pop(-heapq.heappop(heap))
        for i, hooks in node.hooks.items():
            for hook in hooks:
                cts[i] = cts[i] if cts[i] is None else hook(cts[i])
            if cts[i] is not None:
                key = boxes[node.order, i]
                reached[key] = (reached[key][0], cts[i])
        for b, ct, made in zip(node.inputs, pull(node, cts), sources(node), strict=True):
            arrive(b, ct, made)
    return reached


def lift(fun: Callable, kind: type[Box], name: str = "") -> Callable:
    """A function of arrays as one of boxes and arrays, whose results are boxes.

    Args:
      fun: function of arrays.
      kind: the tensors of the style.
      name: under which it is known there.
    """

    @functools.wraps(fun)
    def lifted(*args: Any, **kwargs: Any) -> Any:
        out = apply(fun, args, kwargs, name)
        return tree.map(lambda a: a if isinstance(a, Box) else box(jnp.asarray(a), kind), out)

    if name:
        lifted.__name__ = lifted.__qualname__ = name
    return lifted


_operators()
