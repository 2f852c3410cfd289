"""Named optimizers: chains of elementary transformations, with no arithmetic of their own.

May import ``optim.base``, ``optim.combine`` and ``optim.transform``.
"""

from __future__ import annotations

from typing import Any

from fungrad.optim._naming import naming
from fungrad.optim.base import GradientTransformation, ScalarOrSchedule, identity
from fungrad.optim.combine import chain
from fungrad.optim.transform import add_decayed_weights, scale_by_adam, scale_by_learning_rate, trace


@naming("sgd")
def sgd(
    learning_rate: ScalarOrSchedule,
    momentum: float | None = None,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
) -> GradientTransformation:
    """Stochastic gradient descent, with momentum if asked for.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      momentum: decay of the running sum of gradients; None for none.
      nesterov: whether momentum looks one step ahead.
      accumulator_dtype: dtype of the running sum; default that of the parameters.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.sgd(0.1, momentum=0.9)
      >>> x = jnp.array(3.0)
      >>> state = opt.init(x)
      >>> for _ in range(100):
      ...     updates, state = opt.update(fungrad.grad(lambda x: x ** 2)(x), state)
      ...     x = optim.apply_updates(x, updates)
      >>> bool(abs(x) < 0.1)
      True
    """
    first = identity() if momentum is None else trace(momentum, nesterov, accumulator_dtype)
    return chain(first, scale_by_learning_rate(learning_rate))


@naming("adam")
def adam(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1: decay of the mean of gradients.
      b2: decay of the mean of squared gradients.
      eps: added to the root of the second moment.
      eps_root: added under the root.
      mu_dtype: dtype of the first moment; default that of the parameters.
      nesterov: whether the first moment looks one step ahead.

    References:
      Kingma and Ba, "Adam: a method for stochastic optimization", 2014.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.adam(0.1)
      >>> x = jnp.array([3.0, -2.0])
      >>> state = opt.init(x)
      >>> for _ in range(200):
      ...     updates, state = opt.update(fungrad.grad(lambda x: jnp.sum(x ** 2))(x), state)
      ...     x = optim.apply_updates(x, updates)
      >>> bool(jnp.all(jnp.abs(x) < 0.01))
      True
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        scale_by_learning_rate(learning_rate),
    )


@naming("adamw")
def adamw(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    weight_decay: float = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam with decoupled weight decay; its ``update`` needs the parameters.

    Args:
      learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov: as for ``adam``.
      weight_decay: strength of the decay, multiplied by the learning rate.
      mask: tree of bools (or a function from parameters to one): which parameters decay; default all.

    References:
      Loshchilov and Hutter, "Decoupled weight decay regularization", 2017.
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
