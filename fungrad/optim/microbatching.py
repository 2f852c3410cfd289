"""Functions of batches too large for memory: part by part, with results added up, averaged or joined.

May import ``fungrad.numpy``, ``fungrad.lax`` and ``transforms``.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import tree as pytree
from fungrad.core.arguments import index, shown
from fungrad.core.public_names import publish
from fungrad.core.source import api_class
from fungrad.transforms.api import value_and_grad
from fungrad.transforms.inspection import eval_shape
from fungrad.transforms.mapping import vmap


@api_class
@dataclasses.dataclass(frozen=True)
class Accumulator:
    """How results of parts become one.

    Attributes:
      init: from a result (only its shapes and dtypes count) to the state before the first part.
      update: ``update(state, result, i)`` gives the state after part ``i``.
      finalize: from the last state to the result.
      aggregate: from results along a first axis to one.
    """

    init: Callable[[Any], Any]
    update: Callable[[Any, Any, Any], Any]
    finalize: Callable[[Any], Any]
    aggregate: Callable[[Any], Any]


class AccumulationType(enum.Enum):
    """The accumulators that are known by name.

    Attributes:
      MEAN: the mean over all parts.
      SUM: the sum.
      RUNNING_MEAN: the mean over the parts so far, for a number of parts known only at run time.
      CONCAT: results joined along the first axis.
    """

    MEAN = enum.auto()
    SUM = enum.auto()
    RUNNING_MEAN = enum.auto()
    CONCAT = enum.auto()


def _check_floating(api: str, value: Any) -> None:
    if not jnp.issubdtype(value.dtype, jnp.inexact):
        raise TypeError(
            f"fungrad.optim.microbatching: {api} needs results of floating-point numbers, got {value.dtype}; use SUM"
        )


def _leafwise(init: Any, update: Any, finalize: Any, aggregate: Any) -> Accumulator:
    return Accumulator(
        lambda value: pytree.map(init, value),
        lambda state, value, i: pytree.map(lambda s, v: update(s, v, i), state, value),
        lambda state: pytree.map(finalize, state),
        lambda values: pytree.map(aggregate, values),
    )


def _zeros(value: Any) -> Any:
    return jnp.zeros(value.shape, value.dtype)


def _named(kind: Any, parts: int) -> Accumulator:
    """An accumulator from its name."""
    if isinstance(kind, Accumulator):
        return kind
    if kind is AccumulationType.SUM:
        return _leafwise(_zeros, lambda s, v, i: s + v, lambda s: s, lambda v: jnp.sum(v, axis=0))
    if kind is AccumulationType.CONCAT:
        return _leafwise(
            lambda v: jnp.zeros((parts, *v.shape), v.dtype),
            lambda s, v, i: s.at[i].set(v),
            lambda s: jnp.swapaxes(s, 0, 1).reshape(-1, *s.shape[2:]),
            lambda v: v,
        )
    if kind in (AccumulationType.MEAN, AccumulationType.RUNNING_MEAN):

        def start(value: Any) -> Any:
            _check_floating(kind.name, value)
            return _zeros(value)

        if kind is AccumulationType.MEAN:
            return _leafwise(start, lambda s, v, i: s + v, lambda s: s / parts, lambda v: jnp.mean(v, axis=0))

        def running(s: Any, v: Any, i: Any) -> Any:
            before = jnp.asarray(i / (i + 1)).astype(v.dtype)
            return s * before + v * (1 - before)

        return _leafwise(start, running, lambda s: s, lambda v: jnp.mean(v, axis=0))
    raise TypeError(
        "fungrad.optim.microbatching: accumulator must be an Accumulator or an AccumulationType, or a tree of them, "
        f"got {shown(kind)}"
    )


def _accumulator(kinds: Any, parts: int) -> Accumulator:
    """One accumulator from a tree of them, each for a subtree of the results."""
    each = pytree.map(lambda kind: _named(kind, parts), kinds)
    return Accumulator(
        lambda value: pytree.map(lambda a, v: a.init(v), each, value),
        lambda state, value, i: pytree.map(lambda a, s, v: a.update(s, v, i), each, state, value),
        lambda state: pytree.map(lambda a, s: a.finalize(s), each, state),
        lambda values: pytree.map(lambda a, v: a.aggregate(v), each, values),
    )


def reshape_batch_axis(tree: Any, microbatch_size: int, axis: int = 0) -> Any:
    """Divides the axis of a batch into parts: element ``i`` goes to part ``i % number_of_parts``.

    Args:
      tree: tree of arrays.
      microbatch_size: size of a part.
      axis: the axis of examples.

    Returns:
      A tree of arrays with an axis of parts before the axis of examples.

    Raises:
      ValueError: the size of the axis is no multiple of that of a part.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> print(optim.microbatching.reshape_batch_axis(jnp.arange(6), 3))
      [[0 2 4]
       [1 3 5]]
    """

    def divided(x: Any) -> Any:
        x = jnp.asarray(x)
        parts, rest = divmod(x.shape[axis], microbatch_size)
        if rest:
            raise ValueError(
                f"fungrad.optim.microbatching: the batch has {x.shape[axis]} examples, which is no multiple of "
                f"microbatch_size = {microbatch_size}"
            )
        shape = (*x.shape[:axis], microbatch_size, parts, *x.shape[axis + 1 :])
        return jnp.swapaxes(x.reshape(shape), axis, axis + 1)

    return pytree.map(divided, tree)


def _as_tuple(value: Any) -> tuple:
    return (value,) if isinstance(value, (int, str)) else tuple(value)


def microbatch(
    fun: Callable[..., Any],
    argnums: int | Sequence[int],
    microbatch_size: int | None,
    accumulator: Any = AccumulationType.SUM,
    *,
    argnames: str | Sequence[str] = (),
    in_axes: int | Sequence[int] = 0,
    num_real_microbatches: Any = None,
) -> Callable[..., Any]:
    """A function of a batch, computed part by part.

    Args:
      fun: the function.
      argnums: positions of the arguments that are batches.
      microbatch_size: number of examples in a part; None for the function as it is.
      accumulator: how results of parts become one: an ``AccumulationType`` or ``Accumulator``, or a tree of them for
        subtrees of the result.
      argnames: names of keywords that are batches.
      in_axes: axes of examples, one for each of these arguments, or one for all.
      num_real_microbatches: how many parts to compute, an integer that may be traced; default all.

    Returns:
      A function with the arguments of ``fun``.

    Raises:
      ValueError: batches have different numbers of examples, or no multiple of ``microbatch_size``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> f = optim.microbatch(lambda x: jnp.sum(x ** 2), 0, microbatch_size=2)
      >>> print(f(jnp.arange(4.0)))
      14.0
    """
    if microbatch_size is None:
        return fun
    size = index("fungrad.optim.microbatch", "microbatch_size", microbatch_size, 1)
    positions, names = _as_tuple(argnums), _as_tuple(argnames)
    axes = (in_axes,) * (len(positions) + len(names)) if isinstance(in_axes, int) else tuple(in_axes)

    def microbatched(*args: Any, **kwargs: Any) -> Any:
        batches = [*[args[i] for i in positions], *[kwargs[name] for name in names]]
        sizes = {jnp.shape(x)[axis] for axis, batch in zip(axes, batches, strict=True) for x in pytree.leaves(batch)}
        if len(sizes) != 1:
            raise ValueError(f"fungrad.optim.microbatch: batches must have one number of examples, got {sorted(sizes)}")
        divided = [reshape_batch_axis(b, size, axis) for axis, b in zip(axes, batches, strict=True)]
        parts = sizes.pop() // size
        total = _accumulator(accumulator, parts)

        def part(i: Any) -> Any:
            taken = [
                pytree.map(lambda x: lax.dynamic_index_in_dim(x, i, axis, keepdims=False), batch)  # noqa: B023
                for axis, batch in zip(axes, divided, strict=True)
            ]
            arguments, keywords = list(args), dict(kwargs)
            for position, value in zip(positions, taken, strict=False):
                arguments[position] = value
            keywords.update(zip(names, taken[len(positions) :], strict=True))
            return fun(*arguments, **keywords)

        state = total.init(eval_shape(part, 0))
        bound = parts if num_real_microbatches is None else num_real_microbatches
        return total.finalize(lax.fori_loop(0, bound, lambda i, s: total.update(s, part(i), i), state))

    return microbatched


def micro_vmap(
    fun: Callable[..., Any],
    in_axes: int | Sequence[Any] = 0,
    out_axes: Any = 0,
    *,
    microbatch_size: int | None = None,
    vmap_fn: Callable[..., Any] = vmap,
    accumulator: Any = AccumulationType.CONCAT,
    num_real_microbatches: Any = None,
) -> Callable[..., Any]:
    """``vmap`` part by part, whose results may be added up as they come.

    Args:
      fun: function of one example.
      in_axes: axes of examples of the arguments, None for those that all share.
      out_axes: must be 0.
      microbatch_size: number of examples in a part; None for all at once.
      vmap_fn: what maps a part; default ``vmap``.
      accumulator: as for ``microbatch``.
      num_real_microbatches: as for ``microbatch``.

    Returns:
      A function of batches; keywords are batches along their first axes.

    Raises:
      NotImplementedError: ``out_axes`` is not 0.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> f = optim.microbatching.micro_vmap(lambda x: x ** 2, microbatch_size=2)
      >>> print(f(jnp.arange(4.0)))
      [0. 1. 4. 9.]
    """
    if out_axes != 0:
        raise NotImplementedError(
            f"fungrad.optim.microbatching.micro_vmap: out_axes must be 0, got {out_axes!r}; "
            "move the axis of the results"
        )
    axes = (in_axes,) if isinstance(in_axes, int) else tuple(in_axes)

    def reduced(*args: Any, kwargs: Any) -> Any:
        # Keywords are a batch too: the first argument.
        out = vmap_fn(lambda keywords, *rest: fun(*rest, **keywords), (0, *axes), 0)(kwargs, *args)
        return _accumulator(accumulator, jnp.shape(pytree.leaves(out)[0])[0]).aggregate(out)

    positions = [i for i, axis in enumerate(axes) if axis is not None]
    batched = microbatch(
        reduced,
        positions,
        microbatch_size,
        accumulator,
        argnames="kwargs",
        in_axes=(*[axes[i] for i in positions], 0),
        num_real_microbatches=num_real_microbatches,
    )
    return lambda *args, **kwargs: batched(*args, kwargs=kwargs)


class Aux(NamedTuple):
    """What ``micro_grad`` returns of each example.

    Attributes:
      values: of the function.
      metrics: what ``metrics_fn`` makes of gradients.
      aux: what the function returns besides its value.
    """

    values: Any
    metrics: Any
    aux: Any


def micro_grad(
    fun: Callable[..., Any],
    has_aux: bool = False,
    argnums: int | Sequence[int] = 0,
    *,
    batch_argnums: int | Sequence[int] = 1,
    keep_batch_dim: bool = True,
    microbatch_size: int | None = None,
    accumulator: Any = AccumulationType.SUM,
    transform_fn: Callable[[Any], Any] = lambda gradient: gradient,
    metrics_fn: Callable[[Any], Any] = lambda gradient: None,
    num_real_microbatches: Any = None,
) -> Callable[..., tuple[Any, Aux]]:
    """Gradients of single examples, transformed one by one (clipped, say) and then added up, part by part.

    Args:
      fun: function of parameters and examples that returns a scalar (and something else if ``has_aux``).
      has_aux: whether it does.
      argnums: positions of the parameters.
      batch_argnums: positions of the batches.
      keep_batch_dim: whether the function gets each example with an axis of size 1.
      microbatch_size: number of examples in a part; None for all at once.
      accumulator: what to do with transformed gradients, as for ``microbatch``.
      transform_fn: function of the gradient of an example.
      metrics_fn: function of the gradient of an example, to return for each.
      num_real_microbatches: as for ``microbatch``.

    Returns:
      A function that returns the accumulated gradients, and an ``Aux`` of arrays with one element for each example.

    References:
      Abadi et al., "Deep learning with differential privacy", 2016.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> loss = lambda w, x: jnp.sum(w * x)
      >>> total, aux = optim.microbatching.micro_grad(loss, microbatch_size=2)(2.0, jnp.arange(4.0))
      >>> print(total, aux.values)
      6.0 [0. 2. 4. 6.]
    """
    positions = _as_tuple(batch_argnums)
    with_aux = fun if has_aux else lambda *args, **kwargs: (fun(*args, **kwargs), None)
    both = value_and_grad(with_aux, argnums, has_aux=True)

    def one(*args: Any, **kwargs: Any) -> tuple[Any, Aux]:
        (value, aux), gradient = both(*args, **kwargs)
        return transform_fn(gradient), Aux(value, metrics_fn(gradient), aux)

    def batched(*args: Any, **kwargs: Any) -> tuple[Any, Aux]:
        axes = [0 if i in positions else None for i in range(len(args))]
        mapped = micro_vmap(
            one,
            axes,
            microbatch_size=microbatch_size,
            accumulator=(accumulator, AccumulationType.CONCAT),
            num_real_microbatches=num_real_microbatches,
        )
        if keep_batch_dim:
            args = tuple(
                [pytree.map(lambda x: jnp.expand_dims(x, 1), a) if i in positions else a for i, a in enumerate(args)]
            )
        return mapped(*args, **kwargs)

    return batched


__all__ = ["AccumulationType", "Accumulator", "micro_grad", "micro_vmap", "microbatch", "reshape_batch_axis"]

publish(globals(), __name__, __all__, early=["micro_grad", "micro_vmap", "microbatch"])
