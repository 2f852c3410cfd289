"""The functions of convolution: general, transposed, patches, and kernels of their own at every place.

May import ``core``, ``ops._operands``, ``ops.cast``, ``ops.dot``, ``ops.foundation``, ``ops.shape`` and the other
``ops.convolution*``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import brief
from fungrad.core.array import Array
from fungrad.ops._operands import lift, lift_pair, scalar_array
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq
from fungrad.ops.convolution import check_types, conv_general_dilated_p
from fungrad.ops.convolution_shapes import (
    API,
    ConvDimensionNumbers,
    counts,
    pairs,
    parsed_numbers,
    resolved_padding,
    transposed_padding,
)
from fungrad.ops.dot import canonical_precision, dot_general
from fungrad.ops.foundation import broadcast_in_dim, inverse_permutation, reshape, transpose
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import iota, rev
from fungrad.ops.sliding import Dims, dilated

# The layouts of `conv_transpose` by number of dimensions.
_CHANNELS_LAST = {2: ("NC", "IO"), 3: ("NHC", "HIO"), 4: ("NHWC", "HWIO"), 5: ("NHWDC", "HWDIO")}


def _count(api: str, name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{api}: {name} must be an integer, got {brief(value)}") from None


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvDimensionNumbers | Sequence[str] | None = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Array:
    """Convolution (cross-correlation: kernels are not turned) over any number of spatial dimensions.

    Args:
      lhs: array with a batch dimension, a feature dimension and n spatial dimensions.
      rhs: kernel of the same dtype with a dimension of input features, one of output features and n spatial dimensions.
      window_strides: n integers: distance of the windows of neighbouring results.
      padding: ``"VALID"`` (windows are inside), ``"SAME"`` (as many results as elements, divided by the stride; what is
        odd goes to the high end), ``"SAME_LOWER"``, or n pairs (low, high) of zeros on either end; negative numbers
        take elements away.
      lhs_dilation: n integers: distance of neighbouring elements of ``lhs``, with zeros between (transposed
        convolution); 1 if None.
      rhs_dilation: n integers: distance of neighbouring elements of the kernel (atrous convolution); 1 if None.
      dimension_numbers: the layouts, such as ``("NHWC", "HWIO", "NHWC")``, see ``conv_dimension_numbers``;
        ``("NCHW", "OIHW", "NCHW")`` if None.
      feature_group_count: number of groups into which the features of operand and result are divided, each with a part
        of the kernel of its own; as many as features for depthwise convolution.
      batch_group_count: the same for the batch of the operand and the features of the result.
      precision: accepted for compatibility, see ``Precision``.
      preferred_element_type: dtype of the result, in which sums are accumulated; default that of the operands. Sums of
        half-precision products are accumulated in float32 in any case.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      An array with dimensions in the order of the third layout.

    Raises:
      TypeError: dtypes differ, dimensions do not fit the layouts, or an argument has the wrong form.
      ValueError: sizes do not fit each other, the groups or the padding.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> x, w = np.ones((1, 5, 5, 3), np.float32), np.ones((3, 3, 3, 2), np.float32)
      >>> y = lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
      >>> y[0, :, :, 0]
      Array([[12., 18., 18., 18., 12.],
             [18., 27., 27., 27., 18.],
             [18., 27., 27., 27., 18.],
             [18., 27., 27., 27., 18.],
             [12., 18., 18., 18., 12.]], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(
            conv_general_dilated, out_sharding, "fungrad.lax.conv_general_dilated", lhs, rhs,
            window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, feature_group_count,
            batch_group_count, precision, preferred_element_type
        )
    return _general(
        API, lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, feature_group_count,
        batch_group_count, precision, preferred_element_type, out_sharding,
    )  # fmt: skip


def _general(
    api: str, lhs: Any, rhs: Any, window_strides: Any, padding: Any, lhs_dilation: Any = None, rhs_dilation: Any = None,
    dimension_numbers: Any = None, feature_group_count: Any = 1, batch_group_count: Any = 1, precision: Any = None,
    preferred_element_type: Any = None, out_sharding: Any = None,
) -> Array:  # fmt: skip
    """``conv_general_dilated`` for the function that is called ``api``."""
    lhs, rhs = lift(lhs, f"{api}: lhs"), lift(rhs, f"{api}: rhs")
    numbers = parsed_numbers(api, lhs.aval.shape, rhs.aval.shape, dimension_numbers)
    count = lhs.aval.ndim - 2
    strides = counts(api, "window_strides", window_strides, count)
    spread = counts(api, "lhs_dilation", lhs_dilation, count)
    dilation = counts(api, "rhs_dilation", rhs_dilation, count)
    operand = [lhs.aval.shape[d] for d in numbers.lhs_spec[2:]]
    kernel = [rhs.aval.shape[d] for d in numbers.rhs_spec[2:]]
    pads = resolved_padding(api, padding, operand, kernel, strides, spread, dilation)
    if preferred_element_type is not None:
        preferred_element_type = dtypes.canonicalize_dtype(preferred_element_type, f"{api}: preferred_element_type")
    params = {
        "window_strides": strides,
        "padding": pads,
        "lhs_dilation": spread,
        "rhs_dilation": dilation,
        "dimension_numbers": numbers,
        "feature_group_count": _count(api, "feature_group_count", feature_group_count),
        "batch_group_count": _count(api, "batch_group_count", batch_group_count),
        "precision": canonical_precision(api, precision),
        "preferred_element_type": preferred_element_type,
    }
    if api != API:
        # The primitive names the function that it stands for.
        check_types(lhs.aval, rhs.aval, api=api, **params)
    return conv_general_dilated_p.bind(lhs, rhs, **params)


def conv(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Array:
    """Convolution in the layouts ``("NCHW", "OIHW", "NCHW")``, for any number of spatial dimensions.

    Args:
      lhs: array ``[batch, features, *spatial]``.
      rhs: kernel ``[outputs, features, *spatial]``.
      window_strides, padding, precision, preferred_element_type: as in ``conv_general_dilated``.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.conv(np.ones((1, 1, 4), np.float32), np.ones((1, 1, 2), np.float32), (1,), "VALID")
      Array([[[2., 2., 2.]]], dtype=float32)
    """
    return _general(
        "fungrad.lax.conv", lhs, rhs, window_strides, padding, precision=precision,
        preferred_element_type=preferred_element_type,
    )  # fmt: skip


def conv_with_general_padding(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Array:
    """Convolution in the layouts ``("NCHW", "OIHW", "NCHW")`` with dilations.

    Args:
      lhs: array ``[batch, features, *spatial]``.
      rhs: kernel ``[outputs, features, *spatial]``.
      window_strides, padding, lhs_dilation, rhs_dilation, precision, preferred_element_type: as in
        ``conv_general_dilated``.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> x, w = np.float32([[[1, 2, 3]]]), np.float32([[[1, 1]]])
      >>> lax.conv_with_general_padding(x, w, (1,), ((0, 0),), (2,), None)
      Array([[[1., 2., 2., 3.]]], dtype=float32)
    """
    return _general(
        "fungrad.lax.conv_with_general_padding", lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation,
        precision=precision, preferred_element_type=preferred_element_type,
    )  # fmt: skip


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvDimensionNumbers | Sequence[str] | None = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
) -> Array:
    """Transposed convolution: results are closer together than elements, by ``strides``.

    Args:
      lhs: array with a batch dimension, a feature dimension and n spatial dimensions.
      rhs: kernel, as in ``conv_general_dilated``.
      strides: n integers: how many results there are per element.
      padding: ``"SAME"`` or ``"VALID"``: the padding of the convolution that this one transposes; or pairs (low, high)
        of zeros around the spread operand.
      rhs_dilation: distance of neighbouring elements of the kernel.
      dimension_numbers: the layouts; ``("NHWC", "HWIO", "NHWC")`` if None.
      transpose_kernel: whether the kernel is turned, and its features are exchanged: then this is the derivative of the
        convolution with that kernel.
      precision, preferred_element_type: as in ``conv_general_dilated``.
      use_consistent_padding: whether pairs too are the padding of the convolution that this one transposes.

    Returns:
      An array with dimensions in the order of the third layout.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``; there is no default layout for that many dimensions.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> x, w = np.float32([1, 2, 3]).reshape(1, 3, 1), np.float32([1, 10]).reshape(2, 1, 1)
      >>> lax.conv_transpose(x, w, (2,), "VALID")[0, :, 0]
      Array([10.,  1., 20.,  2., 30.,  3.], dtype=float32)
    """
    api = "fungrad.lax.conv_transpose"
    lhs, rhs = lift(lhs, f"{api}: lhs"), lift(rhs, f"{api}: rhs")
    ndim = lhs.aval.ndim
    if dimension_numbers is None:
        if ndim not in _CHANNELS_LAST and ndim == rhs.aval.ndim:
            raise ValueError(
                f"{api}: there are default layouts for up to 3 spatial dimensions; give dimension_numbers for lhs "
                f"{lhs.aval.str_short()}"
            )
        data, kernel = _CHANNELS_LAST.get(ndim, ("NC", "IO"))
        dimension_numbers = (data, kernel, data) if ndim == rhs.aval.ndim else None
    numbers = parsed_numbers(api, lhs.aval.shape, rhs.aval.shape, dimension_numbers)
    steps = counts(api, "strides", strides, ndim - 2)
    dilation = counts(api, "rhs_dilation", rhs_dilation, ndim - 2)
    sizes = [dilated(rhs.aval.shape[d], w) for d, w in zip(numbers.rhs_spec[2:], dilation, strict=True)]
    if isinstance(padding, str):
        pads = tuple([transposed_padding(api, k, s, padding) for k, s in zip(sizes, steps, strict=True)])
    else:
        pads = pairs(api, padding, ndim - 2)
        if use_consistent_padding:
            pads = tuple([transposed_padding(api, k, s, p) for k, s, p in zip(sizes, steps, pads, strict=True)])
    if transpose_kernel:
        rhs = rev(rhs, numbers.rhs_spec[2:])
        o, i, *spatial = numbers.rhs_spec
        numbers = ConvDimensionNumbers(numbers.lhs_spec, (i, o, *spatial), numbers.out_spec)
    return _general(
        api, lhs, rhs, (1,) * (ndim - 2), pads, steps, dilation, numbers, precision=precision,
        preferred_element_type=preferred_element_type,
    )  # fmt: skip


# -- patches -----------------------------------------------------------------------------------------------------------


def conv_general_dilated_patches(
    lhs: Any,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Sequence[str] | ConvDimensionNumbers | None = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Array:
    """The windows of a convolution: all elements that a result sees, along the feature dimension.

    Args:
      lhs: array with a batch dimension, a feature dimension and n spatial dimensions.
      filter_shape: n integers: the size of the windows, in the order of the layout of kernels.
      window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, precision, preferred_element_type: as in
        ``conv_general_dilated``.

    Returns:
      An array like the result of a convolution, whose features are the elements of a window: features of ``lhs``
      outside, positions in the window inside.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.conv_general_dilated_patches(np.float32([[[1, 2, 3, 4]]]), (2,), (1,), "VALID")
      Array([[[1., 2., 3.],
              [2., 3., 4.]]], dtype=float32)
    """
    api = "fungrad.lax.conv_general_dilated_patches"
    lhs = lift(lhs, f"{api}: lhs")
    window = counts(api, "filter_shape", filter_shape, lhs.aval.ndim - 2)
    numbers = parsed_numbers(api, lhs.aval.shape, (1, 1, *window), dimension_numbers)
    return _patches(
        api, lhs, window, window_strides, padding, lhs_dilation, rhs_dilation, numbers, precision,
        preferred_element_type,
    )  # fmt: skip


def _patches(
    api: str, lhs: Array, window: Dims, window_strides: Any, padding: Any, lhs_dilation: Any, rhs_dilation: Any,
    numbers: ConvDimensionNumbers, precision: Any, preferred_element_type: Any = None,
) -> Array:  # fmt: skip
    """``conv_general_dilated_patches`` for the function that is called ``api``."""
    size = math.prod(window)
    features = lhs.aval.shape[numbers.lhs_spec[1]]
    if features == 0:
        return _general(
            api, lhs, _zeros(lhs, numbers, (0, 0, *window)), window_strides, padding, lhs_dilation, rhs_dilation,
            numbers, preferred_element_type=preferred_element_type,
        )  # fmt: skip
    # One output for each tap, which is 1 there and 0 elsewhere.
    rows, columns = (broadcast_in_dim(iota(np.int32, size), (size, size), (d,)) for d in (0, 1))
    unit = convert_element_type(eq(rows, columns), lhs.aval.dtype)
    taps = broadcast_in_dim(unit, (features, size, size), (1, 2))
    kernel = reshape(taps, (features * size, 1, *window))
    kernel = transpose(kernel, inverse_permutation(numbers.rhs_spec))
    return _general(
        api, lhs, kernel, window_strides, padding, lhs_dilation, rhs_dilation, numbers, features, precision=precision,
        preferred_element_type=preferred_element_type,
    )  # fmt: skip


def _zeros(like: Array, numbers: ConvDimensionNumbers, shape: Sequence[int]) -> Array:
    """A kernel of zeros of shape (outputs, inputs, spatial)."""
    kernel = broadcast_in_dim(scalar_array(0, like.aval.dtype), tuple(shape), ())
    return transpose(kernel, inverse_permutation(numbers.rhs_spec))


def conv_general_dilated_local(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Sequence[str] | ConvDimensionNumbers | None = None,
    precision: Any = None,
) -> Array:
    """Convolution with a kernel of its own at every place (a locally connected layer).

    Args:
      lhs: array with a batch dimension, a feature dimension and n spatial dimensions.
      rhs: the kernels: spatial dimensions are those of the result, and input features are the elements of a window, in
        the order of ``conv_general_dilated_patches``.
      window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, precision: as in ``conv_general_dilated``.
      filter_shape: n integers: the size of the windows.

    Returns:
      An array with dimensions in the order of the third layout.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``; the kernels do not fit the windows.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> x = np.float32([[[1, 2, 3, 4]]])
      >>> kernels = np.float32([[[1, 1, 1], [10, 20, 30]]])
      >>> lax.conv_general_dilated_local(x, kernels, (1,), "VALID", (2,))
      Array([[[ 21.,  62., 123.]]], dtype=float32)
    """
    api = "fungrad.lax.conv_general_dilated_local"
    lhs, rhs = lift_pair("conv_general_dilated_local", lift(lhs, f"{api}: lhs"), lift(rhs, f"{api}: rhs"))
    window = counts(api, "filter_shape", filter_shape, lhs.aval.ndim - 2)
    numbers = parsed_numbers(api, lhs.aval.shape, rhs.aval.shape, dimension_numbers)
    patches = _patches(api, lhs, window, window_strides, padding, lhs_dilation, rhs_dilation, numbers, precision)
    _, rhs_spec, out = numbers
    wanted = [patches.aval.shape[out[1]], *(patches.aval.shape[d] for d in out[2:])]
    got = [rhs.aval.shape[d] for d in rhs_spec[1:]]
    if wanted != got:
        raise ValueError(
            f"{api}: rhs must have {wanted[0]} input features (the elements of a window) and spatial dimensions "
            f"{tuple(wanted[1:])} (those of the result), got {got[0]} and {tuple(got[1:])} in rhs "
            f"{rhs.aval.str_short()}"
        )
    dimensions = (((out[1],), (rhs_spec[1],)), (out[2:], rhs_spec[2:]))
    levels = canonical_precision(api, precision)
    made = dot_general(patches, rhs, dimensions, levels)
    # Spatial dimensions come first, then batch and outputs.
    count = len(out) - 2
    return transpose(made, inverse_permutation((*out[2:], out[0], out[1]))) if count or out != (0, 1) else made


