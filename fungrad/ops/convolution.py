"""Convolution: one primitive, linear in each operand, whose derivatives are convolutions.

``convolution_shapes`` has the geometry. The cotangent of the operand is a convolution of the cotangent of the result
with the kernel the other way round. That of the kernel is a convolution of the operand with the cotangent of the
result, in which batch and features have changed places; groups of features become groups of the batch.

May import ``core``, ``ops._operands``, ``ops.foundation``, ``ops.cast``, ``ops.dot``, ``ops.shape`` and the other
``ops.convolution_*``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.dimensions import least_value
from fungrad.core.primitive import Primitive, is_linear
from fungrad.ops._operands import kind_of
from fungrad.ops.cast import convert_element_type
from fungrad.ops.convolution_lowering import lower_convolution
from fungrad.ops.convolution_shapes import API, ConvDimensionNumbers, Geometry, Taps, geometry
from fungrad.ops.dot import dot_general_p
from fungrad.ops.foundation import add_zeros, inverse_permutation, reshape, transpose, zeros
from fungrad.ops.shape import pad_p, rev
from fungrad.ops.sliding import Dims, Pairs, dilated

# -- types -------------------------------------------------------------------------------------------------------------


def _result_dtype(x: ShapedArray, y: ShapedArray, preferred: np.dtype | None, api: str) -> np.dtype:
    if x.dtype != y.dtype:
        raise TypeError(
            f"{api}: lhs and rhs must have the same dtype, got {x.str_short()} and {y.str_short()}; convert one with "
            ".astype"
        )
    if preferred is None or preferred == x.dtype:
        return x.dtype
    before, after = kind_of(x.dtype), kind_of(preferred)
    same_kind = after == before or (before in "iu" and after in "iuf") or (before == "f" and after == "c")
    if not same_kind or (after == before and preferred.itemsize < x.dtype.itemsize):
        raise TypeError(
            f"{api}: preferred_element_type must be able to hold the products of dtype {x.dtype.name} (no narrower, no "
            f"simpler kind), got {preferred.name}; convert the result with .astype instead"
        )
    return preferred


def _check(x: ShapedArray, y: ShapedArray, params: dict[str, Any], api: str) -> Geometry:
    """The geometry, if the sizes fit."""
    numbers = params["dimension_numbers"]
    feature_groups, batch_groups = params["feature_group_count"], params["batch_group_count"]
    for name, count in (("feature_group_count", feature_groups), ("batch_group_count", batch_groups)):
        if count < 1:
            raise ValueError(f"{api}: {name} must be a positive integer, got {count}")
    if least_value(feature_groups) > 1 and least_value(batch_groups) > 1:
        raise ValueError(
            f"{api}: feature_group_count and batch_group_count must not both be greater than 1, got {feature_groups} "
            f"and {batch_groups}"
        )
    features, outputs = x.shape[numbers.lhs_spec[1]], y.shape[numbers.rhs_spec[0]]
    inputs, batch = y.shape[numbers.rhs_spec[1]], x.shape[numbers.lhs_spec[0]]
    if features != inputs * feature_groups:
        groups = f" times feature_group_count={feature_groups}" if feature_groups > 1 else ""
        raise ValueError(
            f"{api}: the features of lhs must be the input features of rhs{groups}, got {features} (dimension "
            f"{numbers.lhs_spec[1]} of lhs {x.str_short()}) and {inputs} (dimension {numbers.rhs_spec[1]} of rhs "
            f"{y.str_short()})"
        )
    for name, count in (("feature_group_count", feature_groups), ("batch_group_count", batch_groups)):
        if outputs % count:
            raise ValueError(
                f"{api}: the output features of rhs must be a multiple of {name}={count}, got {outputs} (dimension "
                f"{numbers.rhs_spec[0]} of rhs {y.str_short()})"
            )
    if batch % batch_groups:
        raise ValueError(
            f"{api}: the batch of lhs must be a multiple of batch_group_count={batch_groups}, got {batch} (dimension "
            f"{numbers.lhs_spec[0]} of lhs {x.str_short()})"
        )
    for d, (low, high) in enumerate(params["padding"]):
        size = dilated(x.shape[numbers.lhs_spec[2 + d]], params["lhs_dilation"][d])
        if size + low + high < 0:
            raise ValueError(
                f"{api}: padding {(low, high)} of spatial dimension {d} takes more away than there is: lhs "
                f"{x.str_short()} has {size} places along it"
            )
    return _geometry(x.shape, y.shape, params)


def check_types(
    x: ShapedArray, y: ShapedArray, *,
    api: str = API, precision: Any, preferred_element_type: np.dtype | None, **params: Any,
) -> tuple[Geometry, np.dtype]:  # fmt: skip
    """The geometry of a convolution and the dtype of its result.

    Raises:
      TypeError: dtypes are not of numbers, or differ.
      ValueError: sizes do not fit each other.
    """
    for name, operand in (("lhs", x), ("rhs", y)):
        if kind_of(operand.dtype) not in "iufc":
            raise TypeError(f"{api}: {name} must be an array of numbers, got {operand.str_short()}")
    dtype = _result_dtype(x, y, preferred_element_type, api)
    return _check(x, y, params, api), dtype


def _geometry(lhs: Dims, rhs: Dims, params: dict[str, Any]) -> Geometry:
    kept = {k: v for k, v in params.items() if k not in ("precision", "preferred_element_type")}
    return geometry(lhs, rhs, **kept)


# -- NumPy -------------------------------------------------------------------------------------------------------------

# Elements of windows that are copied at a time.
_BLOCK = 1 << 21
# Kernels of at most this many taps of single features are gone through tap by tap.
_FEW_TAPS = 128


def _ordered(
    x: np.ndarray, y: np.ndarray, g: Geometry, numbers: ConvDimensionNumbers, batch_groups: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The operands with their dimensions in the order of the geometry."""
    (n, c, *spatial), (o, i, *taps), _ = numbers
    sizes, kernel = tuple([a.operand for a in g.axes]), tuple([a.kernel for a in g.axes])
    x = x.transpose(n, *spatial, c)
    if batch_groups:
        x = x.reshape(g.groups, g.batch, *sizes, g.features)
    else:
        x = np.moveaxis(x.reshape(g.batch, *sizes, g.groups, g.features), -2, 0)
    y = y.transpose(*taps, i, o).reshape(*kernel, g.features, g.groups, g.outputs)
    return x, np.moveaxis(y, -2, 0)


def evaluate(x: np.ndarray, y: np.ndarray, g: Geometry) -> np.ndarray:
    """The convolution of ordered operands."""
    out = np.zeros(g.result_shape, x.dtype)
    if not (out.size and x.size and y.size):
        return out
    for combination in itertools.product(*[a.parts() for a in g.axes]):
        axes = tuple([p.taps for p in combination])
        if any(a.kernel == 0 or a.result == 0 for a in axes):
            continue
        part = out[(slice(None), *(p.results for p in combination))]
        kernel = y[(slice(None), *(p.kernel for p in combination))]
        _plain(_padded(x, axes), kernel, g._replace(axes=axes), part)
    return out


def _padded(x: np.ndarray, axes: Sequence[Taps]) -> np.ndarray:
    """An ordered operand, cut and surrounded by zeros so that the windows fill it."""
    config = ((0, 0, 0), (0, 0, 0), *((a.low, a.high, 0) for a in axes), (0, 0, 0))
    return np.asarray(pad_p.impl(x, np.zeros((), x.dtype), padding_config=config))


def _at_tap(x: np.ndarray, axes: Sequence[Taps], taps: Dims) -> np.ndarray:
    """The elements of a padded operand at one tap of all windows."""
    places = [
        slice(t * a.dilation, t * a.dilation + (a.result - 1) * a.stride + 1, a.stride)
        for a, t in zip(axes, taps, strict=True)
    ]
    return x[(slice(None), slice(None), *places)]


def _of_result(x: np.ndarray, axes: Sequence[Taps], result: Dims) -> np.ndarray:
    """The window of one result of a padded operand."""
    places = [
        slice(o * a.stride, o * a.stride + (a.kernel - 1) * a.dilation + 1, a.dilation)
        for a, o in zip(axes, result, strict=True)
    ]
    return x[(slice(None), slice(None), *places)]


def _plain(x: np.ndarray, y: np.ndarray, g: Geometry, out: np.ndarray) -> None:
    """Writes the convolution of a padded operand without spread."""
    rank = len(g.axes)
    results, taps = [a.result for a in g.axes], [a.kernel for a in g.axes]
    if g.features == 1 and g.outputs == 1 and math.prod(taps) <= _FEW_TAPS and g.groups > 1:
        # Nothing is shared between features: sums of products, element by element.
        for k in np.ndindex(*taps):
            value = np.moveaxis(_at_tap(x, g.axes, k)[..., 0], 0, -1) * y[(slice(None), *k, 0, 0)]
            out[..., 0] += value
        return
    if math.prod(results) <= math.prod(taps):
        # Few results and large kernels, as for the gradient of a kernel: a product for each result.
        inner = tuple(range(2, rank + 3))
        other = tuple(range(1, rank + 2))
        for o in np.ndindex(*results):
            made = _product(_of_result(x, g.axes, o), y, (inner, other), ((0,), (0,)))
            out[(slice(None), *o)] = np.moveaxis(made, 0, 1)
        return
    kernel = y.reshape(g.groups, g.terms, g.outputs)
    step, line = g.axes[0].stride, max(1, g.batch * g.groups * math.prod(results[1:]) * g.terms)
    lines = max(1, _BLOCK // line)
    batch = max(1, g.batch * _BLOCK // line) if lines == 1 else g.batch
    strides = (
        x.strides[0], x.strides[1], *(x.strides[2 + d] * a.stride for d, a in enumerate(g.axes)),
        *(x.strides[2 + d] * a.dilation for d, a in enumerate(g.axes)), x.strides[-1],
    )  # fmt: skip
    for n, first in itertools.product(range(0, g.batch, batch), range(0, results[0], lines)):
        here = min(lines, results[0] - first)
        some = x[:, n : n + batch, first * step :]
        shape = (g.groups, some.shape[1], here, *results[1:], *taps, g.features)
        windows = np.lib.stride_tricks.as_strided(some, shape, strides, writeable=False)
        rows = windows.reshape(g.groups, -1, g.terms)
        made = _product(rows, kernel, ((2,), (1,)), ((0,), (0,)))
        made = made.reshape(g.groups, some.shape[1], here, *results[1:], g.outputs)
        out[n : n + batch, first : first + here] = np.moveaxis(made, 0, -2)


def _product(x: np.ndarray, y: np.ndarray, contracting: tuple[Dims, Dims], batch: tuple[Dims, Dims]) -> np.ndarray:
    if x.dtype.kind in "iu":
        # No narrow integer is multiplied in a wider one here: sums wrap in their own dtype.
        order = [batch[0], [d for d in range(x.ndim) if d not in (*batch[0], *contracting[0])], contracting[0]]
        rows = x.transpose([d for group in order for d in group])
        inner = math.prod(x.shape[d] for d in contracting[0])
        made = np.matmul(rows.reshape(x.shape[0], -1, inner), y.reshape(y.shape[0], inner, y.shape[-1]))
        return made.reshape(x.shape[0], *(x.shape[d] for d in order[1]), y.shape[-1])
    made = dot_general_p.impl(
        x, y, dimension_numbers=(contracting, batch), precision=None, preferred_element_type=x.dtype
    )
    return np.asarray(made)


def _wide(dtype: np.dtype) -> np.dtype:
    """The dtype in which sums of products are accumulated."""
    return np.dtype(np.float32) if kind_of(dtype) == "f" and dtype.itemsize < 4 else dtype


# -- derivatives -------------------------------------------------------------------------------------------------------


def _sizes(shape: Dims, spec: Dims) -> Dims:
    return tuple([shape[d] for d in spec[2:]])


def _swapped(spec: Dims) -> Dims:
    return (spec[1], spec[0], *spec[2:])


def _padding_of_operand(lhs: Dims, rhs: Dims, out: Dims, params: dict[str, Any]) -> Pairs:
    """Padding of the convolution that is the cotangent of the operand."""
    found = []
    for n, k, m, s, (low, _), b, w in zip(
        lhs, rhs, out, params["window_strides"], params["padding"], params["lhs_dilation"], params["rhs_dilation"],
        strict=True,
    ):  # fmt: skip
        before = dilated(k, w) - 1 - low
        found.append((before, dilated(n, b) + dilated(k, w) - 1 - dilated(m, s) - before))
    return tuple(found)


def _padding_of_kernel(lhs: Dims, rhs: Dims, out: Dims, params: dict[str, Any]) -> Pairs:
    """Padding of the convolution that is the cotangent of the kernel."""
    found = []
    for n, k, m, s, (low, _), b, w in zip(
        lhs, rhs, out, params["window_strides"], params["padding"], params["lhs_dilation"], params["rhs_dilation"],
        strict=True,
    ):  # fmt: skip
        found.append((low, dilated(k, w) - 1 + dilated(m, s) - dilated(n, b) - low))
    return tuple(found)


def _merged(x: Any, source: int, target: int) -> Any:
    """Dimension ``source`` becomes the outer part of dimension ``target``, counted without ``source``."""
    order = [d for d in range(x.aval.ndim) if d != source]
    shape = [x.aval.shape[d] for d in order]
    order.insert(target, source)
    shape[target] *= x.aval.shape[source]
    return reshape(transpose(x, order), shape)


def _split(x: Any, dim: int, outer: int) -> Any:
    """Dimension ``dim`` becomes two, the first of size ``outer``."""
    shape = list(x.aval.shape)
    shape[dim : dim + 1] = [outer, shape[dim] // outer]
    return reshape(x, shape)


class ConvGeneralDilated(Primitive):
    """Convolution of an operand with a kernel; linear in each with the other fixed."""

    kind = "contraction"
    quiet = True

    def abstract_eval(
        self, x: ShapedArray, y: ShapedArray, *,
        dimension_numbers: ConvDimensionNumbers, **params: Any,
    ) -> ShapedArray:  # fmt: skip
        g, dtype = check_types(x, y, dimension_numbers=dimension_numbers, **params)
        shape = [0] * x.ndim
        sizes = (g.batch, g.groups * g.outputs, *(a.result for a in g.axes))
        for d, n in zip(dimension_numbers.out_spec, sizes, strict=True):
            shape[d] = n
        return ShapedArray(tuple(shape), dtype)

    def impl(
        self, x: np.ndarray, y: np.ndarray, *,
        dimension_numbers: ConvDimensionNumbers, precision: Any, preferred_element_type: np.dtype | None, **params: Any,
    ) -> np.ndarray:  # fmt: skip
        dtype = x.dtype if preferred_element_type is None else preferred_element_type
        g = _geometry(x.shape, y.shape, {"dimension_numbers": dimension_numbers, **params})
        x, y = _ordered(x, y, g, dimension_numbers, params["batch_group_count"] > 1)
        wide = _wide(dtype)
        out = evaluate(x.astype(wide, copy=False), y.astype(wide, copy=False), g)
        n, c, *spatial = dimension_numbers.out_spec
        out = out.reshape(g.batch, *(a.result for a in g.axes), g.groups * g.outputs)
        out = out.transpose(inverse_permutation((n, *spatial, c)))
        return np.ascontiguousarray(out.astype(dtype, copy=False)).reshape(out.shape)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (x, y), (dx, dy) = primals, tangents
        out = self.bind(x, y, **params)
        zero = Zero(out.aval.tangent())
        left = zero if type(dx) is Zero else self.bind(dx, y, **params)
        right = zero if type(dy) is Zero else self.bind(x, dy, **params)
        return out, add_zeros(left, right)

    def transpose(self, ct: Any, x: Any, y: Any, **params: Any) -> Sequence[Any]:
        if is_linear(x):
            return self._to_operand(ct, x.aval, y, **params), None
        return None, self._to_kernel(ct, x, y.aval, **params)

    def _to_operand(
        self, ct: Any, aval: ShapedArray, y: Any, *, dimension_numbers: ConvDimensionNumbers, feature_group_count: int,
        batch_group_count: int, **params: Any,
    ) -> Any:  # fmt: skip
        """Cotangent of the operand."""
        if 0 in (ct.aval.size, y.aval.size, aval.size):
            return zeros(aval)
        lhs, rhs, out = dimension_numbers
        sizes = _sizes(aval.shape, lhs), _sizes(y.aval.shape, rhs), _sizes(ct.aval.shape, out)
        groups = feature_group_count * batch_group_count
        if groups > 1:
            # Groups of what were output features are groups of input features.
            y = _merged(_split(y, rhs[0], groups), rhs[0], rhs[1])
        made = self.bind(
            ct,
            convert_element_type(rev(y, rhs[2:]), ct.aval.dtype),
            dimension_numbers=ConvDimensionNumbers(out, _swapped(rhs), lhs),
            window_strides=params["lhs_dilation"],
            padding=_padding_of_operand(*sizes, params),
            lhs_dilation=params["window_strides"],
            rhs_dilation=params["rhs_dilation"],
            feature_group_count=groups,
            batch_group_count=1,
            precision=params["precision"],
            preferred_element_type=params["preferred_element_type"],
        )
        made = convert_element_type(made, aval.dtype)
        if batch_group_count > 1:
            made = _merged(_split(made, lhs[1], batch_group_count), lhs[1], lhs[0])
        return made

    def _to_kernel(
        self, ct: Any, x: Any, aval: ShapedArray, *, dimension_numbers: ConvDimensionNumbers, feature_group_count: int,
        batch_group_count: int, **params: Any,
    ) -> Any:  # fmt: skip
        """Cotangent of the kernel."""
        if 0 in (ct.aval.size, x.aval.size, aval.size):
            return zeros(aval)
        lhs, rhs, out = dimension_numbers
        sizes = _sizes(x.aval.shape, lhs), _sizes(aval.shape, rhs), _sizes(ct.aval.shape, out)
        made = self.bind(
            convert_element_type(x, ct.aval.dtype),
            ct,
            dimension_numbers=ConvDimensionNumbers(_swapped(lhs), _swapped(out), _swapped(rhs)),
            window_strides=params["rhs_dilation"],
            padding=_padding_of_kernel(*sizes, params),
            lhs_dilation=params["lhs_dilation"],
            rhs_dilation=params["window_strides"],
            feature_group_count=batch_group_count,
            batch_group_count=feature_group_count,
            precision=params["precision"],
            preferred_element_type=params["preferred_element_type"],
        )
        return convert_element_type(made, aval.dtype)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, dimension_numbers: ConvDimensionNumbers,
        feature_group_count: int, batch_group_count: int, **params: Any,
    ) -> tuple[Any, int]:  # fmt: skip
        (x, y), (dx, dy) = args, dims
        lhs, rhs, out = dimension_numbers

        def bind(x: Any, y: Any, feature_groups: int, batch_groups: int) -> Any:
            return self.bind(
                x, y, dimension_numbers=dimension_numbers, feature_group_count=feature_groups,
                batch_group_count=batch_groups, **params,
            )  # fmt: skip

        if axis.size == 0:
            shapes = [list(v.aval.shape) for v in (x, y)]
            for shape, d in zip(shapes, (dx, dy), strict=True):
                if d is not None:
                    del shape[d]
            avals = [ShapedArray(tuple(s), v.aval.dtype) for s, v in zip(shapes, (x, y), strict=True)]
            one = self.abstract_eval(
                *avals, dimension_numbers=dimension_numbers, feature_group_count=feature_group_count,
                batch_group_count=batch_group_count, **params,
            )  # fmt: skip
            return zeros(ShapedArray((0, *one.shape), one.dtype)), 0
        if dx is not None and dy is not None:
            # Each example has a kernel of its own: it is a group.
            y = _merged(y, dy, rhs[0])
            if batch_group_count > 1:
                made = bind(_merged(x, dx, lhs[0]), y, 1, batch_group_count * axis.size)
            else:
                made = bind(_merged(x, dx, lhs[1]), y, feature_group_count * axis.size, 1)
            return _split(made, out[1], axis.size), out[1]
        if dx is not None:
            if batch_group_count == 1:
                x = _merged(x, dx, lhs[0])
            else:
                # Groups stay outside of examples.
                at = lhs[0] + (dx <= lhs[0])
                x = _split(x, at, batch_group_count)
                x = _merged(x, dx + (dx > at), lhs[0] + 1)
                x = _merged(x, lhs[0], lhs[0])
            made = bind(x, y, feature_group_count, batch_group_count)
            return _split(made, out[0], axis.size), out[0]
        groups = feature_group_count * batch_group_count
        if groups == 1:
            made = bind(x, _merged(y, dy, rhs[0]), 1, 1)
            return _split(made, out[1], axis.size), out[1]
        at = rhs[0] + (dy <= rhs[0])
        y = _split(y, at, groups)
        y = _merged(y, dy + (dy > at), rhs[0] + 1)
        y = _merged(y, rhs[0], rhs[0])
        made = bind(x, y, feature_group_count, batch_group_count)
        made = _split(_split(made, out[1], groups), out[1] + 1, axis.size)
        return _merged(made, out[1], out[1] + 1), out[1]

    def lower(
        self, ctx: Any, x: Any, y: Any, *,
        dimension_numbers: ConvDimensionNumbers, precision: Any, preferred_element_type: np.dtype | None, **params: Any,
    ) -> Any:  # fmt: skip
        dtype = x.dtype if preferred_element_type is None else preferred_element_type
        g = _geometry(x.shape, y.shape, {"dimension_numbers": dimension_numbers, **params})
        return lower_convolution(ctx, x, y, g, dimension_numbers, params["batch_group_count"] > 1, dtype, _wide(dtype))

    def printed_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters worth printing: those that ask for something."""
        return {name: value for name, value in params.items() if value is not None}

    def restored_params(self, printed: dict[str, Any], in_avals: Any, out_avals: Any) -> dict[str, Any]:
        """All parameters, from those that are printed."""
        return {"precision": None, "preferred_element_type": None, **printed}


conv_general_dilated_p = ConvGeneralDilated("conv_general_dilated")
