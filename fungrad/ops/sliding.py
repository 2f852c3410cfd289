"""Windows that slide over an array: their geometry, checks, and how NumPy goes through them.

A reduction over windows has one result per position of the window. ``Sliding`` says where the windows are; everything
else is derived from it. In an order that is the same everywhere (row-major within the window), position ``k`` of all
windows together is one strided slice of the padded operand, which is how eager code works.

May import ``core``, ``ops._operands`` and ``ops.shape``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.core.dimensions import as_size, max_size
from fungrad.ops.shape import pad_p

Dims = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]

# Windows of at most this many elements are combined in one go, larger ones along one dimension after the other.
DIRECT = 32


class Sliding(NamedTuple):
    """Where windows lie on an operand.

    Attributes:
      operand: its shape.
      window_dimensions: size of the window along each dimension.
      window_strides: distance of neighbouring windows.
      padding: how many positions the windows reach beyond either end; negative: by how many they stay inside.
      base_dilation: distance of neighbouring elements of the operand; the places between hold nothing.
      window_dilation: distance of neighbouring elements of a window.
    """

    operand: Dims
    window_dimensions: Dims
    window_strides: Dims
    padding: Pairs
    base_dilation: Dims
    window_dilation: Dims

    @property
    def result(self) -> Dims:
        """Shape of the result."""
        return tuple(
            [
                max_size(0, (dilated(n, b) + low + high - dilated(k, w)) // s + 1)
                for n, k, s, (low, high), b, w in zip(*self, strict=True)
            ]
        )

    @property
    def count(self) -> int:
        """Elements per window."""
        return math.prod(self.window_dimensions)

    @property
    def positions(self) -> Iterator[Dims]:
        """The positions within a window, in row-major order."""
        return itertools.product(*[range(k) for k in self.window_dimensions])

    @property
    def params(self) -> dict[str, Any]:
        """As parameters of a primitive."""
        return {name: getattr(self, name) for name in self._fields[1:]}

    @property
    def filled(self) -> bool:
        """Whether some windows have places without an element of the operand."""
        return any(low > 0 or high > 0 for low, high in self.padding) or max(self.base_dilation, default=1) > 1

    def undilated(self) -> Sliding:
        """The same windows on an operand that has been spread by ``base_dilation``."""
        shape = tuple([dilated(n, b) for n, b in zip(self.operand, self.base_dilation, strict=True)])
        return self._replace(operand=shape, base_dilation=(1,) * len(shape))

    def along(self, d: int) -> Sliding:
        """The windows restricted to dimension ``d``: of size 1, and nothing moved, in all others."""

        def only(values: Sequence[Any], other: Any) -> Any:
            return tuple([v if e == d else other for e, v in enumerate(values)])

        return Sliding(
            self.operand,
            only(self.window_dimensions, 1),
            only(self.window_strides, 1),
            only(self.padding, (0, 0)),
            only(self.base_dilation, 1),
            only(self.window_dilation, 1),
        )

    def one_by_one(self) -> Iterator[Sliding]:
        """Windows along single dimensions that make up these, one after the other, from the last dimension on."""
        shape = list(self.operand)
        for d in reversed(range(len(shape))):
            step = self._replace(operand=tuple(shape)).along(d)
            if step.result != step.operand or self.window_dimensions[d] > 1 or self.padding[d] != (0, 0):
                yield step
            shape[d] = step.result[d]

    def widened(self, dim: int) -> dict[str, Any]:
        """Parameters for an operand with one more dimension at ``dim``."""

        def insert(values: Sequence[Any], x: Any) -> Any:
            return (*values[:dim], x, *values[dim:])

        return {name: insert(v, (0, 0) if name == "padding" else 1) for name, v in self.params.items()}


def dilated(n: int, step: int) -> int:
    """Extent of ``n`` elements at distance ``step``."""
    return (n - 1) * step + 1 if n else 0


def sliding(operand: Sequence[int], **params: Any) -> Sliding:
    """The windows that the parameters of a primitive describe."""
    return Sliding(tuple(operand), **params)


# -- arguments ---------------------------------------------------------------------------------------------------------


def window_params(
    api: str,
    shape: Dims,
    window_dimensions: Any,
    window_strides: Any,
    padding: Any,
    base_dilation: Any,
    window_dilation: Any,
) -> dict[str, Any]:
    """The parameters of a primitive from the arguments of ``api``, with defaults filled in and checked.

    Raises:
      TypeError: a sequence has not one entry per dimension, or an entry is not positive.
      ValueError: ``padding`` is a name that does not exist.
    """
    window = _counts(api, "window_dimensions", window_dimensions, shape)
    ones = (1,) * len(shape)
    strides = ones if window_strides is None else _counts(api, "window_strides", window_strides, shape)
    base = ones if base_dilation is None else _counts(api, "base_dilation", base_dilation, shape)
    spread = ones if window_dilation is None else _counts(api, "window_dilation", window_dilation, shape)
    if isinstance(padding, str):
        sizes = [dilated(k, w) for k, w in zip(window, spread, strict=True)]
        pads = named_padding(api, padding, shape, sizes, strides)
    else:
        pads = _pairs(api, padding, shape)
    return {
        "window_dimensions": window,
        "window_strides": strides,
        "padding": pads,
        "base_dilation": base,
        "window_dilation": spread,
    }


def _counts(api: str, name: str, values: Any, shape: Dims) -> Dims:
    counts = tuple([int(v) for v in values])
    if len(counts) != len(shape):
        raise TypeError(
            f"{api}: {name} must have one entry for each of the {len(shape)} dimensions of the operand of shape "
            f"{shape}, got {counts}"
        )
    if any(v <= 0 for v in counts):
        raise TypeError(f"{api}: every entry of {name} must be positive, got {counts}")
    return counts


def _pairs(api: str, padding: Any, shape: Dims) -> Pairs:
    try:
        pairs = tuple([(int(low), int(high)) for low, high in padding])
    except (TypeError, ValueError):
        raise TypeError(
            f"{api}: padding must be 'VALID', 'SAME', 'SAME_LOWER' or pairs (low, high) of integers, got {padding!r}"
        ) from None
    if len(pairs) != len(shape):
        raise ValueError(
            f"{api}: padding must have one pair for each of the {len(shape)} dimensions of the operand of shape "
            f"{shape}, got {pairs}"
        )
    return pairs


def named_padding(api: str, name: str, shape: Sequence[int], window: Sequence[int], strides: Sequence[int]) -> Pairs:
    """What ``"VALID"``, ``"SAME"`` and ``"SAME_LOWER"`` stand for.

    ``SAME`` gives ``ceil(n / stride)`` windows; what is odd goes to the high end, for ``SAME_LOWER`` to the low end.

    Raises:
      ValueError: there is no such padding.
    """
    kind = name.upper()
    if kind == "VALID":
        return ((0, 0),) * len(shape)
    if kind not in ("SAME", "SAME_LOWER"):
        raise ValueError(f"{api}: padding must be 'VALID', 'SAME', 'SAME_LOWER' or pairs (low, high), got {name!r}")
    pairs = []
    for n, k, s in zip(shape, window, strides, strict=True):
        total = max_size(0, (-(-n // s) - 1) * s + k - n)
        less, more = as_size(total // 2), as_size(total - total // 2)
        pairs.append((less, more) if kind == "SAME" else (more, less))
    return tuple(pairs)


def result_aval(x: ShapedArray, params: dict[str, Any]) -> ShapedArray:
    """Type of the reduction of ``x`` over windows."""
    return ShapedArray(sliding(x.shape, **params).result, x.dtype, x.weak_type)


# -- public functions of shapes ----------------------------------------------------------------------------------------


def padtype_to_pads(
    in_shape: Sequence[int], window_shape: Sequence[int], window_strides: Sequence[int], padding: str
) -> list[tuple[int, int]]:
    """The pairs (low, high) of padding that a name stands for.

    Args:
      in_shape: shape of the operand.
      window_shape: size of the window, dilation included.
      window_strides: distance of neighbouring windows.
      padding: ``"VALID"``, ``"SAME"`` or ``"SAME_LOWER"``.

    Raises:
      ValueError: there is no such padding.

    Example:
      >>> padtype_to_pads((10,), (3,), (2,), "SAME")
      [(0, 1)]
    """
    return list(named_padding("fungrad.lax.padtype_to_pads", padding, in_shape, window_shape, window_strides))


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Dims:
    """Shape of the result of ``reduce_window``.

    Raises:
      TypeError, ValueError: as ``reduce_window``.

    Example:
      >>> reduce_window_shape_tuple((8, 8), (3, 3), (2, 2), ((1, 1), (1, 1)))
      (4, 4)
    """
    shape = tuple(operand_shape)
    params = window_params(
        "fungrad.lax.reduce_window_shape_tuple",
        shape,
        window_dimensions,
        window_strides,
        padding,
        base_dilation,
        window_dilation,
    )
    return sliding(shape, **params).result


# -- NumPy -------------------------------------------------------------------------------------------------------------


def padded(x: np.ndarray, s: Sliding, fill: Any) -> np.ndarray:
    """``x`` spread and padded, so that all windows of ``s`` are inside."""
    config = tuple([(low, high, b - 1) for (low, high), b in zip(s.padding, s.base_dilation, strict=True)])
    if not any(any(c) for c in config):
        return x
    return np.asarray(pad_p.impl(x, np.asarray(fill, x.dtype), padding_config=config))


def slices_at(s: Sliding, k: Dims) -> tuple[slice, ...]:
    """Which elements of the padded operand stand at position ``k`` of the windows."""
    return tuple(
        [
            slice(p * w, p * w + (n - 1) * step + 1, step)
            for p, w, n, step in zip(k, s.window_dilation, s.result, s.window_strides, strict=True)
        ]
    )
