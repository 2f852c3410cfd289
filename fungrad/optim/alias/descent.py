"""Named optimizers without second moments: gradient descent, its signs, norms and noise.

May import the transformations.
"""

from __future__ import annotations

from typing import Any

from fungrad.optim._naming import naming
from fungrad.optim.base import GradientTransformationExtraArgs, MaskOrFn, ScalarOrSchedule, identity
from fungrad.optim.scaling.steps import (
    scale,
    scale_by_learning_rate,
    scale_by_optimistic_gradient,
    scale_by_polyak,
    scale_by_rprop,
    scale_by_sign,
    scale_by_trust_ratio,
)
from fungrad.optim.transforms.accumulation import ema, trace
from fungrad.optim.transforms.adding import add_decayed_weights, add_noise
from fungrad.optim.transforms.combining import chain
from fungrad.optim.transforms.masking import masked


@naming("sgd", floating=True)
def sgd(
    learning_rate: ScalarOrSchedule,
    momentum: float | None = None,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
) -> GradientTransformationExtraArgs:
    """Stochastic gradient descent: steps ``-learning_rate * g``, with momentum ``-learning_rate * t`` where
    ``t <- g + momentum * t``.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      momentum: decay of the running sum of gradients; None for none.
      nesterov: whether momentum looks one step ahead.
      accumulator_dtype: dtype of the running sum; default that of the parameters.

    References:
      Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.

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


@naming("sign_sgd", floating=True)
def sign_sgd(learning_rate: ScalarOrSchedule) -> GradientTransformationExtraArgs:
    """Steps of one size for each element, against the sign of the gradient.

    Args:
      learning_rate: step size, or a function of the number of updates so far.

    References:
      Bernstein et al., "signSGD: compressed optimisation for non-convex problems", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.sign_sgd(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> print(opt.update(2 * x, opt.init(x))[0])
      [-0.1  0.1]
    """
    return chain(scale_by_sign(), scale_by_learning_rate(learning_rate))


@naming("signum", floating=True)
def signum(
    learning_rate: ScalarOrSchedule, beta: float = 0.9, accumulator_dtype: Any = None
) -> GradientTransformationExtraArgs:
    """``sign_sgd`` with the sign of a mean of gradients.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      beta: decay of the mean.
      accumulator_dtype: dtype of the mean; default that of the parameters.

    References:
      Bernstein et al., "signSGD: compressed optimisation for non-convex problems", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.signum(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> print(opt.update(2 * x, opt.init(x))[0])
      [-0.1  0.1]
    """
    return chain(
        ema(beta, debias=False, accumulator_dtype=accumulator_dtype),
        scale_by_sign(),
        scale_by_learning_rate(learning_rate),
    )


@naming("noisy_sgd", floating=True)
def noisy_sgd(
    learning_rate: ScalarOrSchedule, eta: float = 0.01, gamma: float = 0.55, key: Any = None, *, seed: int | None = None
) -> GradientTransformationExtraArgs:
    """Gradient descent with normal noise of variance ``eta / count**gamma`` on the gradients.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      eta: variance of the noise in the first update.
      gamma: exponent with which it shrinks.
      key: a key of ``fungrad.random`` or an integer; default 0.
      seed: an integer; the old name of ``key``.

    References:
      Neelakantan et al., "Adding gradient noise improves learning for very deep networks", 2014.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim, random
      >>> opt = optim.noisy_sgd(0.1, key=random.key(0))
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
    """
    return chain(add_noise(eta, gamma, key, seed=seed), scale_by_learning_rate(learning_rate))


@naming("optimistic_gradient_descent", floating=True)
def optimistic_gradient_descent(
    learning_rate: ScalarOrSchedule, alpha: float = 1.0, beta: float = 1.0
) -> GradientTransformationExtraArgs:
    """Gradient descent that extrapolates to the next gradient, for games and other saddle point problems.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      alpha: weight of the gradient.
      beta: weight of its change.

    References:
      Mokhtari et al., "A unified analysis of extra-gradient and optimistic gradient methods for saddle point
      problems", 2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.optimistic_gradient_descent(1.0)
      >>> state = opt.init(jnp.zeros(1))
      >>> for g in (1.0, 3.0):
      ...     updates, state = opt.update(jnp.array([g]), state)
      >>> print(updates)
      [-5.]
    """
    return chain(scale_by_optimistic_gradient(alpha, beta), scale_by_learning_rate(learning_rate))


@naming("polyak_sgd", floating=True)
def polyak_sgd(
    max_learning_rate: float = 1.0,
    scaling: ScalarOrSchedule = 1.0,
    f_min: float = 0.0,
    eps: float = 0.0,
    variant: str = "sps",
) -> GradientTransformationExtraArgs:
    """Gradient descent with Polyak's step size, ``scaling * min((value - f_min) / (norm(g)**2 + eps), limit)``; its
    ``update`` needs the value of the function as ``value=``.

    Args:
      max_learning_rate: the greatest step size.
      scaling: factor of step sizes, or a function of the number of updates so far.
      f_min: the least value of the function, or a bound of it.
      eps: added to the squared norm.
      variant: ``"sps"``, or ``"sps+"`` for no steps where the value is below ``f_min``.

    Raises:
      ValueError: ``variant`` is neither.
      TypeError: ``update`` is called without ``value``.

    References:
      Loizou et al., "Stochastic Polyak step-size for SGD: an adaptive learning rate for fast convergence", 2020.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.polyak_sgd()
      >>> x = jnp.array([1.0, -2.0])
      >>> value, gradient = fungrad.value_and_grad(lambda x: jnp.sum(x ** 2))(x)
      >>> print(opt.update(gradient, opt.init(x), x, value=value)[0])
      [-0.5  1. ]
    """
    return chain(sgd(scaling), scale_by_polyak(f_min, max_learning_rate, eps, variant))


@naming("fromage", floating=True)
def fromage(learning_rate: ScalarOrSchedule, min_norm: float = 1e-6) -> GradientTransformationExtraArgs:
    """Fromage: steps with the norm of the parameter array, which then shrinks by ``1 / sqrt(1 + learning_rate**2)``;
    its ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      min_norm: the least norm of arrays and gradients.

    References:
      Bernstein et al., "On the distance between two neural networks and the stability of learning", 2020.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.fromage(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """

    def shrinking(rate: Any) -> Any:
        return 1 / (1 + rate**2) ** 0.5

    rate: Any
    decay: Any
    if callable(learning_rate):
        rate = lambda count: shrinking(learning_rate(count)) * learning_rate(count)  # noqa: E731
        decay = lambda count: shrinking(learning_rate(count)) - 1  # noqa: E731
    else:
        rate, decay = learning_rate * shrinking(learning_rate), shrinking(learning_rate) - 1
    return chain(scale_by_trust_ratio(min_norm), scale_by_learning_rate(rate), add_decayed_weights(decay))


@naming("lars", floating=True)
def lars(
    learning_rate: ScalarOrSchedule,
    weight_decay: ScalarOrSchedule = 0.0,
    weight_decay_mask: MaskOrFn = True,
    trust_coefficient: float = 0.001,
    eps: float = 0.0,
    trust_ratio_mask: MaskOrFn = True,
    momentum: float = 0.9,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """LARS: momentum whose gradients are scaled to the norm of the parameter array, for large batches; its ``update``
    needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      weight_decay: how much of the parameters is added to gradients.
      weight_decay_mask: tree of bools (or a function from parameters to one): which parameters decay; default all.
      trust_coefficient: factor of norms.
      eps: added to the norm of gradients.
      trust_ratio_mask: tree of bools (or a function from parameters to one): which gradients are scaled; default all.
      momentum: decay of the running sum.
      nesterov: whether momentum looks one step ahead.

    References:
      You et al., "Large batch training of convolutional networks", 2017.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.lars(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(
        add_decayed_weights(weight_decay, weight_decay_mask),
        masked(scale_by_trust_ratio(trust_coefficient=trust_coefficient, eps=eps), trust_ratio_mask),
        scale_by_learning_rate(learning_rate),
        trace(momentum, nesterov),
    )


@naming("rprop", floating=True)
def rprop(
    learning_rate: float,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
) -> GradientTransformationExtraArgs:
    """Rprop: a step size for each element, which grows while the sign of its gradient stays.

    As in optax, each update is the step that the gradients of the update before have led to, and the first is zero.

    Args:
      learning_rate: first step size.
      eta_minus: factor of step sizes after a change of sign.
      eta_plus: factor of step sizes without one.
      min_step_size: the least step size.
      max_step_size: the greatest step size.

    References:
      Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm", 1993.
      Igel and Huesken, "Empirical evaluation of the improved Rprop learning algorithms", 2003.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.rprop(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> state = opt.init(x)
      >>> for _ in range(2):
      ...     updates, state = opt.update(2 * x, state)
      >>> print(updates)
      [-0.1  0.1]
    """
    return chain(scale_by_rprop(learning_rate, eta_minus, eta_plus, min_step_size, max_step_size), scale(-1.0))
