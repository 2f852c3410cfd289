"""Functions that are wrapped in transformations of arguments and results (``jax.extend.linear_util``).

Example:
  >>> from fungrad.extend import linear_util as lu
  >>> @lu.transformation
  ... def doubled(x):
  ...     y = yield (2 * x,), {}
  ...     yield y + 1
  >>> doubled(lu.wrap_init(lambda x: x * x)).call_wrapped(3)
  37
"""

from fungrad.core.linear_util import (
    StoreException,
    WrappedFun,
    cache,
    merge_linear_aux,
    transformation,
    transformation2,
    transformation_with_aux,
    transformation_with_aux2,
    wrap_init,
)
from fungrad.core.public_names import publish

__all__ = [
    "StoreException",
    "WrappedFun",
    "cache",
    "merge_linear_aux",
    "transformation",
    "transformation2",
    "transformation_with_aux",
    "transformation_with_aux2",
    "wrap_init",
]

publish(globals(), __name__, __all__)
