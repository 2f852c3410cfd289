"""Named optimizers with a mean of gradients and a mean of their squares: Adam and its relatives.

May import the transformations.
"""

from __future__ import annotations

from typing import Any

from fungrad.optim._naming import naming
from fungrad.optim.base import GradientTransformationExtraArgs, MaskOrFn, ScalarOrSchedule
from fungrad.optim.scaling.moments import (
    scale_by_adam,
    scale_by_adamax,
    scale_by_adan,
    scale_by_amsgrad,
    scale_by_belief,
    scale_by_lion,
    scale_by_novograd,
    scale_by_radam,
    scale_by_yogi,
)
from fungrad.optim.scaling.steps import scale_by_learning_rate, scale_by_optimistic_gradient, scale_by_trust_ratio
from fungrad.optim.transforms.adding import add_decayed_weights
from fungrad.optim.transforms.combining import chain


@naming("adam", floating=True)
def adam(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Adam: steps ``-learning_rate * m_hat / (sqrt(v_hat + eps_root) + eps)``, where ``m_hat`` and ``v_hat`` are means
    of gradients and of their squares, corrected for their start at zero.

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


@naming("nadam", floating=True)
def nadam(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
) -> GradientTransformationExtraArgs:
    """``adam`` with Nesterov's momentum.

    Args:
      learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov: as for ``adam``.

    References:
      Dozat, "Incorporating Nesterov momentum into Adam", 2016.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.nadam(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)


@naming("adamw", floating=True)
def adamw(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    weight_decay: ScalarOrSchedule = 1e-4,
    mask: MaskOrFn | None = None,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Adam with decoupled weight decay; its ``update`` needs the parameters.

    Args:
      learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov: as for ``adam``.
      weight_decay: strength of the decay, multiplied by the learning rate; a number or a function of the number of
        updates so far.
      mask: tree of bools (or a function from parameters to one): which parameters decay; default all.

    References:
      Loshchilov and Hutter, "Decoupled weight decay regularization", 2017.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.adamw(0.1, mask={'w': True, 'b': False})
      >>> params = {'w': jnp.ones((2, 2)), 'b': jnp.ones(2)}
      >>> updates, state = opt.update(params, opt.init(params), params)
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@naming("nadamw", floating=True)
def nadamw(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    weight_decay: ScalarOrSchedule = 1e-4,
    mask: MaskOrFn | None = None,
    *,
    nesterov: bool = True,
) -> GradientTransformationExtraArgs:
    """``adamw`` with Nesterov's momentum.

    Args:
      learning_rate, b1, b2, eps, eps_root, mu_dtype, weight_decay, mask, nesterov: as for ``adamw``.

    References:
      Loshchilov and Hutter, "Decoupled weight decay regularization", 2017. Dozat, "Incorporating Nesterov momentum into
      Adam", 2016.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.nadamw(0.1)
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [-0.147  0.147]
    """
    return adamw(learning_rate, b1, b2, eps, eps_root, mu_dtype, weight_decay, mask, nesterov=nesterov)


@naming("adamax", floating=True)
def adamax(
    learning_rate: ScalarOrSchedule, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> GradientTransformationExtraArgs:
    """Adam with the infinity norm: the mean of gradients over their decaying maximum.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1: decay of the mean of gradients.
      b2: decay of the maximum.
      eps: added to magnitudes.

    References:
      Kingma and Ba, "Adam: a method for stochastic optimization", 2014, section 7.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.adamax(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
      >>> print(jnp.round(updates, 4))
      [-0.1  0.1]
    """
    return chain(scale_by_adamax(b1, b2, eps), scale_by_learning_rate(learning_rate))


@naming("adamaxw", floating=True)
def adamaxw(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: ScalarOrSchedule = 1e-4,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """``adamax`` with decoupled weight decay; its ``update`` needs the parameters.

    Args:
      learning_rate, b1, b2, eps: as for ``adamax``.
      weight_decay, mask: as for ``adamw``.

    References:
      Loshchilov and Hutter, "Decoupled weight decay regularization", 2017.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> tx = optim.adamaxw(0.1)
      >>> params, grads = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates.round(3))
      [-0.1  0.1]
    """
    return chain(
        scale_by_adamax(b1, b2, eps), add_decayed_weights(weight_decay, mask), scale_by_learning_rate(learning_rate)
    )


@naming("amsgrad", floating=True)
def amsgrad(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformationExtraArgs:
    """Adam with the greatest second moment so far.

    Args:
      learning_rate, b1, b2, eps, eps_root, mu_dtype: as for ``adam``.
      bias_correction_mu: whether the first moment is corrected for its start at zero.
      bias_correction_nu: whether the second moment is.

    References:
      Reddi et al., "On the convergence of Adam and beyond", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.amsgrad(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
    """
    return chain(
        scale_by_amsgrad(b1, b2, eps, eps_root, mu_dtype, bias_correction_mu, bias_correction_nu),
        scale_by_learning_rate(learning_rate),
    )


@naming("adabelief", floating=True)
def adabelief(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-16,
    eps_root: float = 1e-16,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """AdaBelief: Adam with the mean of squared distances of gradients from their mean, so that steps are long where
    gradients are as expected.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1: decay of the mean of gradients.
      b2: decay of the mean of squared distances.
      eps: added to the root.
      eps_root: added to the second moment.
      nesterov: whether the first moment looks one step ahead.

    References:
      Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients", 2020.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.adabelief(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
    """
    return chain(scale_by_belief(b1, b2, eps, eps_root, nesterov=nesterov), scale_by_learning_rate(learning_rate))


@naming("adan", floating=True)
def adan(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.98,
    b2: float = 0.92,
    b3: float = 0.99,
    eps: float = 1e-8,
    eps_root: float = 1e-8,
    weight_decay: ScalarOrSchedule = 0.0,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """Adan: Nesterov's momentum from means of gradients and of their differences; its ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1: decay of the mean of gradients.
      b2: decay of the mean of differences of gradients.
      b3: decay of the mean of squares.
      eps: added to the root.
      eps_root: added under the root.
      weight_decay, mask: as for ``adamw``.

    References:
      Xie et al., "Adan: adaptive Nesterov momentum algorithm for faster optimizing deep models", 2022.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.adan(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(
        scale_by_adan(b1, b2, b3, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@naming("yogi", floating=True)
def yogi(
    learning_rate: ScalarOrSchedule, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-3
) -> GradientTransformationExtraArgs:
    """Yogi: Adam with a second moment that moves by a bounded amount in each step.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1: decay of the mean of gradients.
      b2: decay of the second moment.
      eps: added to the root.

    References:
      Zaheer et al., "Adaptive methods for nonconvex optimization", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.yogi(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
    """
    return chain(scale_by_yogi(b1, b2, eps), scale_by_learning_rate(learning_rate))


@naming("radam", floating=True)
def radam(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    threshold: float = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Rectified Adam: momentum alone at first, later Adam with a factor for the variance of its second moment.

    Args:
      learning_rate, b1, b2, eps, eps_root, nesterov: as for ``adam``.
      threshold: how many values the second moment must effectively average to be used.

    References:
      Liu et al., "On the variance of the adaptive learning rate and beyond", 2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.radam(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
      >>> print(jnp.round(updates, 4))
      [-0.2  0.4]
    """
    return chain(
        scale_by_radam(b1, b2, eps, eps_root, threshold, nesterov=nesterov), scale_by_learning_rate(learning_rate)
    )


@naming("novograd", floating=True)
def novograd(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.25,
    eps: float = 1e-6,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
) -> GradientTransformationExtraArgs:
    """NovoGrad: Adam with one second moment for each parameter array; its ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1: decay of the sum of scaled gradients.
      b2: decay of the mean of squared norms.
      eps: added to the root.
      eps_root: added under the root.
      weight_decay: how much of the parameters is added to scaled gradients.

    References:
      Ginsburg et al., "Stochastic gradient methods with layer-wise adaptive moments for training of deep networks",
      2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.novograd(0.1)
      >>> x = jnp.array([3.0, -4.0])
      >>> updates, state = opt.update(x, opt.init(x), x)
      >>> print(jnp.round(updates, 4))
      [-0.06  0.08]
    """
    return chain(scale_by_novograd(b1, b2, eps, eps_root, weight_decay), scale_by_learning_rate(learning_rate))


@naming("lamb", floating=True)
def lamb(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    eps_root: float = 0.0,
    weight_decay: ScalarOrSchedule = 0.0,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """LAMB: AdamW whose step for each parameter array has the norm of the array, for large batches; its ``update``
    needs the parameters.

    Args:
      learning_rate, b1, b2, eps, eps_root: as for ``adam``.
      weight_decay, mask: as for ``adamw``.

    References:
      You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", 2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.lamb(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_trust_ratio(),
        scale_by_learning_rate(learning_rate),
    )


@naming("lion", floating=True)
def lion(
    learning_rate: ScalarOrSchedule,
    b1: float = 0.9,
    b2: float = 0.99,
    mu_dtype: Any = None,
    weight_decay: ScalarOrSchedule = 1e-3,
    mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """Lion: the sign of momentum, with weight decay; its ``update`` needs the parameters. Learning rates are about a
    tenth, and decays about ten times, those of ``adamw``.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      b1: weight of the mean of gradients in the update.
      b2: decay of the mean.
      mu_dtype: dtype of the mean; default that of the parameters.
      weight_decay, mask: as for ``adamw``.

    References:
      Chen et al., "Symbolic discovery of optimization algorithms", 2023.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.lion(0.1, weight_decay=0.0)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
      >>> print(updates)
      [-0.1  0.1]
    """
    return chain(
        scale_by_lion(b1, b2, mu_dtype), add_decayed_weights(weight_decay, mask), scale_by_learning_rate(learning_rate)
    )


@naming("optimistic_adam", floating=True)
def optimistic_adam(
    learning_rate: float,
    optimism: float | None = None,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
) -> GradientTransformationExtraArgs:
    """Adam with optimistic gradients, whose learning rate must be a number; ``optimistic_adam_v2`` takes schedules.

    Args:
      learning_rate: step size.
      optimism: weight of the change of gradients; default the learning rate.
      b1, b2, eps, eps_root, mu_dtype, nesterov: as for ``adam``.

    References:
      Daskalakis et al., "Training GANs with optimism", 2017.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.optimistic_adam(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        scale_by_optimistic_gradient(learning_rate, learning_rate if optimism is None else optimism),
        scale_by_learning_rate(1.0),
    )


@naming("optimistic_adam_v2", floating=True)
def optimistic_adam_v2(
    learning_rate: ScalarOrSchedule,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    mu_dtype: Any = None,
    nesterov: bool = True,
) -> GradientTransformationExtraArgs:
    """Adam with optimistic gradients, for games and other saddle point problems.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      alpha: weight of the gradient.
      beta: weight of its change.
      b1, b2, eps, eps_root, mu_dtype, nesterov: as for ``adam``.

    References:
      Daskalakis et al., "Training GANs with optimism", 2017.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.optimistic_adam_v2(0.1)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        scale_by_optimistic_gradient(alpha, beta),
        scale_by_learning_rate(learning_rate),
    )
