"""``jax._src.dtypes``."""

from typing import Any

import numpy as np

from fungrad.compat.rows import Row, adapter, alias


def _to_complex_dtype(dtype: Any) -> np.dtype:
    return np.result_type(dtype, np.complex64)


class ExtendedDType:
    """The base of JAX's own dtypes; libraries derive dtypes from it that carry a meaning of their own."""


NAMES: dict[str, Row] = {
    "DType": alias("numpy:dtype", "flax"),
    "ExtendedDType": adapter(ExtendedDType, "flax"),
    "TypePromotionError": alias("fungrad.errors:TypePromotionError", "equinox"),
    "extended": alias("fungrad.dtypes:extended", "flax"),
    "finfo": alias("fungrad.numpy:finfo", "flax"),
    "supports_inf": adapter(lambda dtype: bool(np.isinf(np.asarray(np.inf).astype(dtype))), "tinygp"),
    "to_complex_dtype": adapter(_to_complex_dtype, "tinygp"),
}
