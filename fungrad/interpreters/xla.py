"""What programs for JAX take from ``jax.interpreters.xla``: evaluation of a primitive by its own code."""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core.context import EVAL, running
from fungrad.core.primitive import Primitive
from fungrad.core.public_names import publish
from fungrad.jit.front.api import jit

__all__ = ["Backend", "apply_primitive", "canonicalize_dtype_handlers"]

canonicalize_dtype_handlers: dict[type, Any] = {np.ndarray: np.asarray}
"""Conversions of users' types: nothing here reads them; what is to be an array has a method ``__array__``."""


class Backend:
    """The type of JAX's clients; nothing is an instance."""


def apply_primitive(prim: Primitive, *args: Any, **params: Any) -> Any:
    """Evaluates a primitive by its compiled code: an implementation for primitives whose lowering is a function.

    Example:
      >>> import functools, fungrad, fungrad.numpy as jnp
      >>> from fungrad.extend.core import Primitive
      >>> from fungrad.interpreters import mlir, xla
      >>> half_p = Primitive("doc_half")
      >>> _ = half_p.def_impl(functools.partial(xla.apply_primitive, half_p))
      >>> _ = half_p.def_abstract_eval(lambda x: x)
      >>> _ = mlir.register_lowering(half_p, mlir.lower_fun(lambda x: x / 2, multiple_results=False))
      >>> half_p.bind(3.0)
      Array(1.5, dtype=float32, weak_type=True)
    """
    if getattr(prim, "expansion", None) is None:
        raise NotImplementedError(
            f"fungrad.interpreters.xla.apply_primitive: {prim} has no lowering that is a function; register "
            "mlir.lower_fun(f) for it, or an implementation with def_impl"
        )
    with running(EVAL):
        return jit(lambda *xs: prim.bind(*xs, **params))(*args)


publish(globals(), __name__, __all__)
