"""Arguments of the functions of ``fungrad.random``: keys, shapes, dtypes and parameters of distributions.

May import ``core``, ``ops`` and ``random.implementations``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.config import config, watch
from fungrad.core import dtypes
from fungrad.core.arguments import brief, shown
from fungrad.core.array import Array, as_array, is_array_like, typeof
from fungrad.core.dimensions import sizes_of
from fungrad.core.key_types import identify
from fungrad.core.key_uses import use
from fungrad.core.transfers import number_to_device
from fungrad.ops._operands import kind_of, scalar_array
from fungrad.ops.cast import at_full_width, convert_element_type
from fungrad.ops.foundation import Dims
from fungrad.ops.random_bits import random_unwrap, random_wrap
from fungrad.ops.shape import broadcast_shapes, broadcast_to_rank
from fungrad.random.implementations import default_prng_impl

# -- keys --------------------------------------------------------------------------------------------------------------


def any_keys(api: str, key: Any, name: str = "key") -> tuple[Array, bool]:
    """An array of typed keys, and whether it was given as raw words.

    Raises:
      TypeError: the argument is neither an array of keys nor uint32 words of shape ``[..., 2]``.
    """
    if isinstance(key, Array) and dtypes.is_key(key.aval.dtype):
        return key, False
    if not is_array_like(key) or isinstance(key, (bool, int, float, complex)):
        hint = f"; make one with fungrad.random.key({key if type(key) is int else 0})"
        raise TypeError(
            f"fungrad.random.{api}: {name} must be a random key, got {shown(key)}{hint}"
        )
    aval = typeof(key)
    if dtypes.is_key(aval.dtype):
        return as_array(key), False
    impl = default_prng_impl()
    inner = tuple(impl.key_shape)
    if aval.dtype != dtypes.uint32 or aval.ndim < len(inner) or aval.shape[aval.ndim - len(inner) :] != inner:
        raise TypeError(
            f"fungrad.random.{api}: {name} must be a random key made by fungrad.random.key, split or fold_in, or the "
            f"words of one (of {impl.name}) as uint32[{','.join(map(str, inner))}], got {aval.str_short()}"
        )
    if config.legacy_prng_key != "allow" or config.enable_custom_prng:
        _raw_key(f"fungrad.random.{api}: {name}")
    return random_wrap(as_array(key), identify(impl)), True


def _raw_key(what: str) -> None:
    """Says what the options want to be said of raw keys."""
    if config.legacy_prng_key == "error":
        raise ValueError(
            f"{what} is a raw key, an array of uint32, which the option legacy_prng_key='error' forbids; make keys "
            "with fungrad.random.key"
        )
    if config.legacy_prng_key == "warn":
        warnings.warn(f"{what} is a raw key, an array of uint32; make keys with fungrad.random.key", stacklevel=4)
    else:
        warnings.warn(
            f"{what} is a raw key, which is taken for one of {config.default_prng_impl}; make keys with "
            "fungrad.random.key",
            FutureWarning,
            stacklevel=4,
        )


def returned_keys(keys: Array, raw: bool) -> Array:
    """Keys in the form in which a key was given."""
    return random_unwrap(keys) if raw and not config.enable_custom_prng else keys


def one_key(api: str, key: Any) -> tuple[Array, bool]:
    """A single typed key, and whether it was given as raw words.

    Raises:
      TypeError: the argument is not a key.
      ValueError: it is an array of several keys.
    """
    keys, raw = any_keys(api, key)
    if config.debug_key_reuse and api not in ("fold_in", "clone"):
        use(key, f"fungrad.random.{api}")
    if keys.aval.shape:
        raise ValueError(
            f"fungrad.random.{api}: expected a single key, got an array of keys of shape {keys.aval.shape}; use one of "
            f"them, or fungrad.vmap over the keys"
        )
    return keys, raw


# -- shapes ------------------------------------------------------------------------------------------------------------


def shape_of(api: str, shape: Any, name: str = "shape") -> Dims:
    """A shape argument as a tuple; an int stands for one dimension.

    Raises:
      TypeError: it is not a sequence of ints.
      ValueError: a size is negative.
    """
    sizes = shape if isinstance(shape, Sequence) or np.ndim(shape) else (shape,)
    try:
        dims = sizes_of(sizes)
    except TypeError:
        raise TypeError(
            f"fungrad.random.{api}: {name} must be an int or a sequence of ints, got {brief(shape)}; sizes must be "
            "known when the function is traced"
        ) from None
    if any(n < 0 for n in dims):
        raise ValueError(f"fungrad.random.{api}: {name} must not have negative sizes, got {dims}")
    return dims


def common_shape(api: str, shape: Any, **parameters: Array) -> Dims:
    """Shape of a draw: the ``shape`` argument, or that to which the parameters broadcast if it is None.

    Raises:
      ValueError: the parameters do not broadcast to ``shape``.
    """
    shapes = [p.aval.shape for p in parameters.values()]
    listed = ", ".join(f"{name}: {s}" for name, s in zip(parameters, shapes, strict=True))
    try:
        found = broadcast_shapes(*shapes) if shapes else ()
    except (TypeError, ValueError):
        raise ValueError(f"fungrad.random.{api}: the shapes of the parameters do not broadcast ({listed})") from None
    if shape is None:
        return found
    dims = shape_of(api, shape)
    if not _broadcasts_to(found, dims):
        raise ValueError(
            f"fungrad.random.{api}: shape {dims} must be one that the parameters broadcast to ({listed}); pass None "
            f"for {found}, or add leading dimensions to it"
        )
    return dims


def _broadcasts_to(shape: Dims, target: Dims) -> bool:
    return len(shape) <= len(target) and all(
        n in (1, t) for n, t in zip(reversed(shape), reversed(target), strict=False)
    )


# -- dtypes ------------------------------------------------------------------------------------------------------------

_KINDS = {
    "f": "a floating",
    "fc": "a floating or complex",
    "u": "an unsigned integer",
    "iu": "an integer",
    "ifc": "a signed",
}


def dtype_of(api: str, dtype: Any, kinds: str, default: np.dtype) -> np.dtype:
    """A dtype argument of one of the given kinds (letters as in ``ops._operands``).

    Raises:
      ValueError: the dtype is of another kind.
    """
    if dtype is None:
        return default
    found = dtypes.canonicalize_dtype(dtype, f"fungrad.random.{api}")
    if kind_of(found) not in kinds:
        raise ValueError(
            f"fungrad.random.{api}: dtype must be {_KINDS[kinds]} dtype, got {dtypes.display_name(found)}"
        )
    return found


# -- parameters --------------------------------------------------------------------------------------------------------


def parameter(api: str, name: str, x: Any, dtype: np.dtype) -> Array:
    """A real parameter of a distribution in the dtype of the draw.

    Raises:
      TypeError: it is not a real array or scalar.
    """
    if type(x) in (int, float, bool):
        if watch.transfers:
            number_to_device(x, typeof(x))
        return scalar_array(x, dtype)
    array = as_array(at_full_width(x, dtype), f"fungrad.random.{api}: {name}")
    if kind_of(array.aval.dtype) not in "biuf":
        raise TypeError(f"fungrad.random.{api}: {name} must be real, got {array.aval.str_short()}")
    return convert_element_type(array, dtype)


def check_lossless(api: str, name: str, x: Any, dtype: np.dtype) -> None:
    """Raises unless a parameter can be converted to the dtype of the draw by promotion; Python numbers always can.

    Raises:
      TypePromotionError: the dtype of the parameter is wider.
    """
    if not is_array_like(x) or typeof(x).weak_type:
        return
    own = typeof(x).dtype
    if kind_of(own) in "biuf" and dtypes.promote_types(own, dtype) != dtype:
        raise dtypes.TypePromotionError(
            f"fungrad.random.{api}: {name} has dtype {dtypes.display_name(own)}, which the dtype of the draw, "
            f"{dtypes.display_name(dtype)}, does not hold; convert it with .astype, or draw in a wider dtype"
        )


def against(x: Array, shape: Dims) -> Array:
    """A parameter that broadcasts to ``shape``, ready for elementwise operations: 0-d, or of its rank."""
    return broadcast_to_rank(x, len(shape)) if x.aval.shape else x
