"""Products with, and diagonals of, matrices of second derivatives.

May import ``fungrad.numpy``, ``fungrad.flatten_util`` and ``transforms``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.flatten_util import ravel_pytree
from fungrad.transforms.api import grad, jvp
from fungrad.transforms.mapping import vmap


def hvp(loss: Callable[..., Any], v: Any, params: Any, inputs: Any, targets: Any) -> Any:
    """The product of the Hessian of a loss with a vector.

    Args:
      loss: ``loss(params, inputs, targets)``, a scalar.
      v: vector with as many elements as ``params``.
      params: tree of arrays.
      inputs: handed to the loss.
      targets: handed to the loss.

    Returns:
      A tree like ``params``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> loss = lambda w, x, y: jnp.sum(w ** 3)
      >>> print(optim.second_order.hvp(loss, jnp.ones(2), jnp.array([1.0, 2.0]), None, None))
      [ 6. 12.]
    """
    unravel = ravel_pytree(params)[1]

    def of_params(p: Any) -> Any:
        return loss(p, inputs, targets)

    return jvp(grad(of_params), (params,), (unravel(v),))[1]


def hessian_diag(loss: Callable[..., Any], params: Any, inputs: Any, targets: Any) -> Array:
    """The diagonal of the Hessian of a loss, by one product for each element.

    Args:
      loss: ``loss(params, inputs, targets)``, a scalar.
      params: tree of arrays.
      inputs: handed to the loss.
      targets: handed to the loss.

    Returns:
      A vector with as many elements as ``params``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> loss = lambda w, x, y: jnp.sum(w ** 3)
      >>> print(optim.second_order.hessian_diag(loss, jnp.array([1.0, 2.0]), None, None))
      [ 6. 12.]
    """
    flat = ravel_pytree(params)[0]

    def element(v: Any) -> Any:
        return jnp.vdot(v, ravel_pytree(hvp(loss, v, params, inputs, targets))[0])

    return vmap(element)(jnp.eye(flat.size, dtype=flat.dtype))


def fisher_diag(negative_log_likelihood: Callable[..., Any], params: Any, inputs: Any, targets: Any) -> Array:
    """The diagonal of the empirical Fisher information: squared gradients.

    Args:
      negative_log_likelihood: ``f(params, inputs, targets)``, a scalar.
      params: tree of arrays.
      inputs: handed to the function.
      targets: handed to the function.

    Returns:
      A vector with as many elements as ``params``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> loss = lambda w, x, y: jnp.sum(w ** 2)
      >>> print(optim.second_order.fisher_diag(loss, jnp.array([1.0, 2.0]), None, None))
      [ 4. 16.]
    """
    return jnp.square(ravel_pytree(grad(negative_log_likelihood)(params, inputs, targets))[0])


__all__ = ["fisher_diag", "hessian_diag", "hvp"]

publish(globals(), __name__, __all__)
