"""Geometry of convolutions: which dimension means what, and which elements meet.

A convolution is one formula along each spatial axis: result ``o`` and tap ``k`` of the kernel meet element
``(o * stride + k * dilation - low) / spread`` of the operand, if the division leaves no rest. ``Taps`` holds these
numbers for one axis. Where the operand is spread (``lhs_dilation``), results with the same rest see a part of the taps:
``Taps.parts`` takes the axis apart into plain convolutions, so that nobody multiplies by the zeros between.

May import ``core``, ``ops.sliding`` and ``ops._operands``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

from fungrad.core.dimensions import max_size
from fungrad.core.printing import register_param_type
from fungrad.ops.sliding import Dims, Pairs, dilated, named_padding

API = "fungrad.lax.conv_general_dilated"


@register_param_type
class ConvDimensionNumbers(NamedTuple):
    """What the dimensions of the arrays of a convolution are.

    Attributes:
      lhs_spec: positions of batch, features, and spatial dimensions in the operand.
      rhs_spec: positions of output features, input features, and spatial dimensions in the kernel.
      out_spec: positions of batch, features, and spatial dimensions in the result.
    """

    lhs_spec: Dims
    rhs_spec: Dims
    out_spec: Dims


ConvGeneralDilatedDimensionNumbers = ConvDimensionNumbers | tuple[str, str, str] | None
"""What functions accept as ``dimension_numbers``."""


# -- one axis ----------------------------------------------------------------------------------------------------------


class Taps(NamedTuple):
    """One spatial axis of a convolution.

    Attributes:
      operand, kernel, result: sizes.
      stride: distance of the windows of neighbouring results.
      dilation: distance of neighbouring taps.
      low: by how much the first window begins before the operand.
      spread: distance of neighbouring elements of the operand.
    """

    operand: int
    kernel: int
    result: int
    stride: int = 1
    dilation: int = 1
    low: int = 0
    spread: int = 1

    @property
    def high(self) -> int:
        """By how much the last window ends behind the operand, which is not spread."""
        return (self.result - 1) * self.stride + (self.kernel - 1) * self.dilation - self.low - (self.operand - 1)

    def parts(self) -> list[Part]:
        """Plain convolutions, without spread, that together are this one: one for each rest of the results."""
        spread, stride, dilation = self.spread, self.stride, self.dilation
        period, tap_period = spread // math.gcd(stride, spread), spread // math.gcd(dilation, spread)
        found = []
        for rest in range(min(period, self.result)):
            results = -(-(self.result - rest) // period)
            first = next((t for t in range(tap_period) if not (rest * stride + t * dilation - self.low) % spread), None)
            taps = 0 if first is None or first >= self.kernel else -(-(self.kernel - first) // tap_period)
            at = 0 if first is None else (rest * stride + first * dilation - self.low) // spread
            steps = stride // math.gcd(stride, spread), dilation // math.gcd(dilation, spread)
            inner = Taps(self.operand, taps, results, *steps, -at)
            found.append(Part(inner, rest, period, first or 0, tap_period))
        return found


class Part(NamedTuple):
    """A plain convolution along one axis that makes every ``step``-th result from every ``tap_step``-th tap.

    Attributes:
      taps: the convolution.
      first, step: which results.
      tap_first, tap_step: which taps.
    """

    taps: Taps
    first: int
    step: int
    tap_first: int
    tap_step: int

    @property
    def results(self) -> slice:
        """Where the results are."""
        return slice(self.first, self.first + (self.taps.result - 1) * self.step + 1, self.step)

    @property
    def kernel(self) -> slice:
        """Where the taps are."""
        return slice(self.tap_first, self.tap_first + max(0, self.taps.kernel - 1) * self.tap_step + 1, self.tap_step)


# -- the whole ---------------------------------------------------------------------------------------------------------


class Geometry(NamedTuple):
    """A convolution of arrays whose dimensions are in a fixed order: operand ``[groups, batch, *spatial, features]``,
    kernel ``[groups, *spatial, features, outputs]``, result ``[batch, *spatial, groups, outputs]``.

    Attributes:
      groups: number of convolutions side by side.
      batch, features, outputs: sizes, of each group.
      axes: the spatial axes.
    """

    groups: int
    batch: int
    features: int
    outputs: int
    axes: tuple[Taps, ...]

    @property
    def operand_shape(self) -> Dims:
        """Shape of the operand."""
        return (self.groups, self.batch, *(a.operand for a in self.axes), self.features)

    @property
    def kernel_shape(self) -> Dims:
        """Shape of the kernel."""
        return (self.groups, *(a.kernel for a in self.axes), self.features, self.outputs)

    @property
    def result_shape(self) -> Dims:
        """Shape of the result."""
        return (self.batch, *(a.result for a in self.axes), self.groups, self.outputs)

    @property
    def terms(self) -> int:
        """Terms in the sum of a result."""
        return self.features * math.prod(a.kernel for a in self.axes)


def geometry(
    lhs: Sequence[int],
    rhs: Sequence[int],
    window_strides: Dims,
    padding: Pairs,
    lhs_dilation: Dims,
    rhs_dilation: Dims,
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
) -> Geometry:
    """The geometry of a convolution of operands with the given shapes, whose arguments have been checked."""
    (n, c, *lhs_axes), (o, i, *rhs_axes), _ = dimension_numbers
    groups = feature_group_count * batch_group_count
    axes = []
    for d, (a, b) in enumerate(zip(lhs_axes, rhs_axes, strict=True)):
        low, high = padding[d]
        room = dilated(lhs[a], lhs_dilation[d]) + low + high - dilated(rhs[b], rhs_dilation[d])
        result = max_size(0, room // window_strides[d] + 1)
        axes.append(Taps(lhs[a], rhs[b], result, window_strides[d], rhs_dilation[d], low, lhs_dilation[d]))
    return Geometry(groups, lhs[n] // batch_group_count, rhs[i], rhs[o] // groups, tuple(axes))


# -- arguments ---------------------------------------------------------------------------------------------------------


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: ConvDimensionNumbers | Sequence[str] | None
) -> ConvDimensionNumbers:
    """The dimensions of a convolution as positions.

    Args:
      lhs_shape: shape of the operand.
      rhs_shape: shape of the kernel.
      dimension_numbers: ``(lhs, rhs, out)``, a string for each array with one letter for each dimension: ``N`` batch
        and ``C`` features of operand and result, ``I`` input and ``O`` output features of the kernel, any other letters
        the spatial dimensions, whose order is that in the kernel. None means ``("NC...", "OI...", "NC...")``. A
        ``ConvDimensionNumbers`` is returned as it is.

    Raises:
      TypeError: it is none of these, or does not fit the shapes.

    Example:
      >>> conv_dimension_numbers((1, 8, 8, 3), (3, 3, 3, 16), ("NHWC", "HWIO", "NHWC"))
      ConvDimensionNumbers(lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2))
    """
    return parsed_numbers("fungrad.lax.conv_dimension_numbers", lhs_shape, rhs_shape, dimension_numbers)


def parsed_numbers(api: str, lhs_shape: Sequence[int], rhs_shape: Sequence[int], numbers: Any) -> ConvDimensionNumbers:
    """See ``conv_dimension_numbers``."""
    ndim = len(lhs_shape)
    if len(rhs_shape) != ndim:
        raise TypeError(
            f"{api}: lhs and rhs must have the same number of dimensions, got shapes {tuple(lhs_shape)} and "
            f"{tuple(rhs_shape)}"
        )
    if ndim < 2:
        raise TypeError(
            f"{api}: lhs and rhs must have a batch and a feature dimension at least, got shapes {tuple(lhs_shape)} and "
            f"{tuple(rhs_shape)}"
        )
    if isinstance(numbers, ConvDimensionNumbers):
        for spec in numbers:
            if sorted(spec) != list(range(ndim)):
                raise TypeError(
                    f"{api}: each entry of dimension_numbers must be a permutation of the {ndim} dimensions, got "
                    f"{numbers}"
                )
        return ConvDimensionNumbers(*[tuple(map(operator.index, spec)) for spec in numbers])
    if numbers is None:
        order = tuple(range(ndim))
        return ConvDimensionNumbers(order, order, order)
    strings = isinstance(numbers, (tuple, list)) and len(numbers) == 3 and all(isinstance(s, str) for s in numbers)
    if not strings:
        raise TypeError(
            f"{api}: dimension_numbers must be None, three strings such as ('NHWC', 'HWIO', 'NHWC'), or a "
            f"ConvDimensionNumbers, got {numbers!r}"
        )
    return permutations(api, numbers, ndim)


def permutations(api: str, numbers: Sequence[str], ndim: int | None = None) -> ConvDimensionNumbers:
    """Three strings as positions.

    Raises:
      TypeError: letters are missing, repeated or different.
    """
    lhs, rhs, out = numbers
    for name, spec, letters in (("lhs", lhs, "NC"), ("rhs", rhs, "OI"), ("out", out, "NC")):
        if len(set(spec)) != len(spec) or not set(letters) <= set(spec):
            raise TypeError(
                f"{api}: the string of dimension_numbers for {name} must have the letters {letters[0]} and "
                f"{letters[1]} and no letter twice, got {spec!r}"
            )
        if ndim is not None and len(spec) != ndim:
            raise TypeError(
                f"{api}: the strings of dimension_numbers must have one letter for each of the {ndim} dimensions of "
                f"the operands, got {spec!r} for {name}"
            )
    spatial = [s for s in rhs if s not in "OI"]
    if not set(spatial) == set(lhs) - set("NC") == set(out) - set("NC"):
        raise TypeError(
            f"{api}: the strings of dimension_numbers must have the same letters for the spatial dimensions, got "
            f"{tuple(numbers)}"
        )
    return ConvDimensionNumbers(
        (lhs.index("N"), lhs.index("C"), *map(lhs.index, spatial)),
        (rhs.index("O"), rhs.index("I"), *map(rhs.index, spatial)),
        (out.index("N"), out.index("C"), *map(out.index, spatial)),
    )


def counts(api: str, name: str, values: Any, count: int) -> Dims:
    """A positive integer for each spatial dimension, 1 if ``values`` is None.

    Raises:
      TypeError: it is no sequence of integers.
      ValueError: there are too few or too many, or one is not positive.
    """
    if values is None:
        return (1,) * count
    try:
        found = tuple([operator.index(v) for v in values])
    except TypeError:
        raise TypeError(
            f"{api}: {name} must be a sequence of integers, one for each spatial dimension, got {values!r}"
        ) from None
    if len(found) != count or any(v < 1 for v in found):
        raise ValueError(
            f"{api}: {name} must have one positive integer for each of the {count} spatial dimensions, got {found}"
        )
    return found


def pairs(api: str, padding: Any, count: int) -> Pairs:
    """A pair (low, high) for each spatial dimension.

    Raises:
      ValueError: ``padding`` is no sequence of pairs of integers, or there are too few or too many.
    """
    try:
        found = tuple([(operator.index(low), operator.index(high)) for low, high in padding])
    except (TypeError, ValueError):
        raise ValueError(
            f"{api}: padding must be 'VALID', 'SAME', 'SAME_LOWER' or pairs (low, high) of integers, got {padding!r}"
        ) from None
    if len(found) != count:
        raise ValueError(
            f"{api}: padding must have a pair (low, high) for each of the {count} spatial dimensions, got {found}"
        )
    return found


def resolved_padding(
    api: str, padding: Any, operand: Sequence[int], kernel: Sequence[int], strides: Dims, spread: Dims, dilation: Dims
) -> Pairs:
    """Padding of any form as pairs, for spatial dimensions of the given sizes.

    Raises:
      TypeError, ValueError: there is no such padding, or a name is given for a spread operand.
    """
    if not isinstance(padding, str):
        return pairs(api, padding, len(operand))
    if any(b != 1 for b in spread):
        raise ValueError(
            f"{api}: padding={padding!r} is not defined with lhs_dilation {spread}; give pairs (low, high), or call "
            "conv_transpose"
        )
    sizes = [dilated(k, w) for k, w in zip(kernel, dilation, strict=True)]
    return named_padding(api, padding, operand, sizes, strides)


def transposed_padding(api: str, kernel: int, stride: int, padding: Any) -> tuple[int, int]:
    """Padding along one axis of a transposed convolution: of ``"SAME"``, ``"VALID"``, or a pair of the convolution that
    it transposes; ``kernel`` is the extent of the kernel, dilation included.

    Raises:
      TypeError, ValueError: there is no such padding.
    """
    if isinstance(padding, str):
        kind = padding.upper()
        if kind == "SAME":
            total = kernel + stride - 2
            low = kernel - 1 if stride > kernel - 1 else -(-total // 2)
        elif kind == "VALID":
            total = kernel + stride - 2 + max(kernel - stride, 0)
            low = kernel - 1
        else:
            raise ValueError(f"{api}: padding must be 'SAME', 'VALID' or pairs (low, high), got {padding!r}")
        return low, total - low
    ((low, high),) = pairs(api, [padding], 1)
    return kernel - 1 - low, kernel - 1 - high


# -- public functions of shapes ----------------------------------------------------------------------------------------


def _placed(numbers: ConvDimensionNumbers, shape: Sequence[int]) -> Dims:
    """A shape (batch, features, spatial) with the dimensions where those of the result are."""
    out = [0] * len(shape)
    for place, n in zip(numbers.out_spec, shape, strict=True):
        out[place] = int(n)
    return tuple(out)


def conv_general_permutations(dimension_numbers: Sequence[str]) -> tuple[Dims, Dims, Dims]:
    """The layouts of a convolution as permutations: where batch, features and spatial dimensions are.

    Args:
      dimension_numbers: three strings, as in ``conv_dimension_numbers``.

    Raises:
      TypeError: letters are missing, repeated or different.

    Example:
      >>> conv_general_permutations(("NHWC", "HWIO", "NHWC"))
      ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
    """
    api = "fungrad.lax.conv_general_permutations"
    strings = isinstance(dimension_numbers, (tuple, list)) and all(isinstance(s, str) for s in dimension_numbers)
    if not strings or len(dimension_numbers) != 3:
        raise TypeError(f"{api}: dimension_numbers must be three strings, got {dimension_numbers!r}")
    return tuple(permutations(api, dimension_numbers))  # type: ignore[return-value]


def conv_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    strides: Sequence[int],
    pads: str | Sequence[tuple[int, int]],
    batch_group_count: int = 1,
) -> Dims:
    """Shape of the result of a convolution in the layouts ``("NC...", "OI...", "NC...")``.

    Args:
      lhs_shape: shape of the operand.
      rhs_shape: shape of the kernel.
      strides: one for each spatial dimension.
      pads: a name or pairs, as in ``conv_general_dilated``.
      batch_group_count: number of groups of the batch.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``.

    Example:
      >>> conv_shape_tuple((1, 3, 8, 8), (16, 3, 3, 3), (2, 2), "SAME")
      (1, 16, 4, 4)
    """
    api = "fungrad.lax.conv_shape_tuple"
    order = parsed_numbers(api, lhs_shape, rhs_shape, None)
    spatial = _windows(api, lhs_shape[2:], rhs_shape[2:], strides, pads)
    if batch_group_count < 1 or lhs_shape[0] % batch_group_count:
        raise ValueError(f"{api}: batch_group_count must divide the batch {lhs_shape[0]}, got {batch_group_count}")
    return _placed(order, [lhs_shape[0] // batch_group_count, rhs_shape[0], *spatial])


def _windows(api: str, operand: Sequence[int], kernel: Sequence[int], strides: Any, padding: Any) -> list[int]:
    """How many windows there are along each axis."""
    steps = counts(api, "window_strides", strides, len(operand))
    ones = (1,) * len(operand)
    pads = resolved_padding(api, padding, operand, kernel, steps, ones, ones)
    return [
        max(0, (n + low + high - k) // s + 1) for n, k, s, (low, high) in zip(operand, kernel, steps, pads, strict=True)
    ]


def conv_general_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dimension_numbers: Sequence[str],
) -> Dims:
    """Shape of the result of a convolution.

    Args:
      lhs_shape: shape of the operand.
      rhs_shape: shape of the kernel.
      window_strides: one for each spatial dimension.
      padding: a name or pairs, as in ``conv_general_dilated``.
      dimension_numbers: as in ``conv_general_dilated``.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``.

    Example:
      >>> conv_general_shape_tuple((1, 8, 8, 3), (3, 3, 3, 16), (2, 2), "SAME", ("NHWC", "HWIO", "NHWC"))
      (1, 4, 4, 16)
    """
    api = "fungrad.lax.conv_general_shape_tuple"
    numbers = parsed_numbers(api, lhs_shape, rhs_shape, dimension_numbers)
    operand = [lhs_shape[d] for d in numbers.lhs_spec[2:]]
    kernel = [rhs_shape[d] for d in numbers.rhs_spec[2:]]
    spatial = _windows(api, operand, kernel, window_strides, padding)
    return _placed(numbers, [lhs_shape[numbers.lhs_spec[0]], rhs_shape[numbers.rhs_spec[0]], *spatial])


def conv_transpose_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dimension_numbers: Sequence[str],
) -> Dims:
    """Shape of the result of ``conv_transpose``, without dilation of the kernel.

    Args:
      lhs_shape: shape of the operand.
      rhs_shape: shape of the kernel.
      window_strides: one for each spatial dimension.
      padding: ``"SAME"``, ``"VALID"`` or pairs, as in ``conv_transpose``.
      dimension_numbers: as in ``conv_transpose``.

    Raises:
      TypeError, ValueError: as ``conv_transpose``.

    Example:
      >>> conv_transpose_shape_tuple((1, 4, 4, 3), (3, 3, 3, 16), (2, 2), "SAME", ("NHWC", "HWIO", "NHWC"))
      (1, 8, 8, 16)
    """
    api = "fungrad.lax.conv_transpose_shape_tuple"
    numbers = parsed_numbers(api, lhs_shape, rhs_shape, dimension_numbers)
    operand = [lhs_shape[d] for d in numbers.lhs_spec[2:]]
    kernel = [rhs_shape[d] for d in numbers.rhs_spec[2:]]
    strides = counts(api, "window_strides", window_strides, len(operand))
    if isinstance(padding, str):
        pads = tuple([transposed_padding(api, k, s, padding) for k, s in zip(kernel, strides, strict=True)])
    else:
        pads = pairs(api, padding, len(operand))
    spatial = [
        (n - 1) * s + low + high - k + 2 for n, k, s, (low, high) in zip(operand, kernel, strides, pads, strict=True)
    ]
    return _placed(numbers, [lhs_shape[numbers.lhs_spec[0]], rhs_shape[numbers.rhs_spec[0]], *spatial])
