"""Named optimizers that divide by roots of sums or means of squares, without a mean of gradients.

May import the transformations.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.optim._naming import naming
from fungrad.optim.base import GradientTransformationExtraArgs, MaskOrFn, ScalarOrSchedule, identity
from fungrad.optim.scaling.squares import (
    scale_by_adadelta,
    scale_by_factored_rms,
    scale_by_rms,
    scale_by_rss,
    scale_by_sm3,
    scale_by_stddev,
)
from fungrad.optim.scaling.steps import scale, scale_by_learning_rate, scale_by_param_block_rms
from fungrad.optim.transforms.accumulation import ema, trace
from fungrad.optim.transforms.adding import add_decayed_weights
from fungrad.optim.transforms.clipping import clip_by_block_rms
from fungrad.optim.transforms.combining import chain


@naming("adagrad", floating=True)
def adagrad(
    learning_rate: ScalarOrSchedule, initial_accumulator_value: float = 0.1, eps: float = 1e-7
) -> GradientTransformationExtraArgs:
    """AdaGrad: steps ``-learning_rate * g / sqrt(s + eps)``, where ``s`` is the sum of all squared gradients.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      initial_accumulator_value: the sum before the first update.
      eps: added under the root.

    References:
      Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", 2011.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.adagrad(1.0, initial_accumulator_value=0.0)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
      >>> print(updates)
      [-1.  1.]
    """
    return chain(scale_by_rss(initial_accumulator_value, eps), scale_by_learning_rate(learning_rate))


@naming("adadelta", floating=True)
def adadelta(
    learning_rate: ScalarOrSchedule | None = None,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: ScalarOrSchedule = 0.0,
    weight_decay_mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """AdaDelta: steps with the units of the parameters, from means of squared gradients and squared updates; its
    ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far; None for updates as they are, which are
        not negated.
      rho: decay of both means.
      eps: added under both roots.
      weight_decay: how much of the parameters is added to gradients.
      weight_decay_mask: tree of bools (or a function from parameters to one): which parameters decay; default all.

    References:
      Zeiler, "ADADELTA: an adaptive learning rate method", 2012.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.adadelta(1.0)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x), x)
    """
    return chain(
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_adadelta(rho, eps),
        scale_by_learning_rate(learning_rate),
    )


@naming("adafactor", floating=True)
def adafactor(
    learning_rate: ScalarOrSchedule | None = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: float = 0.8,
    decay_offset: int = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: float | None = 1.0,
    momentum: float | None = None,
    dtype_momentum: Any = jnp.float32,
    weight_decay_rate: ScalarOrSchedule | None = None,
    eps: float = 1e-30,
    factored: bool = True,
    weight_decay_mask: MaskOrFn | None = None,
) -> GradientTransformationExtraArgs:
    """Adafactor: RMSProp whose second moments of large matrices are products of means over rows and columns; its
    ``update`` needs the parameters.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      min_dim_size_to_factor: parameters with two axes of at least this size are factored.
      decay_rate: exponent of the decay of means, which is ``1 - count ** -decay_rate``.
      decay_offset: the number of updates at which counting starts, for finetuning.
      multiply_by_parameter_scale: whether steps are multiplied by the root mean square of the parameter array.
      clipping_threshold: the greatest root mean square of an update before that; None for no limit.
      momentum: decay of a mean of updates; None for none.
      dtype_momentum: dtype of this mean.
      weight_decay_rate: how much of the parameters is subtracted in each update; None for nothing.
      eps: added to squared gradients.
      factored: whether to keep products of means at all.
      weight_decay_mask: tree of bools (or a function from parameters to one): which parameters decay; default all.

    References:
      Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.adafactor(0.1)
      >>> state = opt.init(jnp.ones((256, 512)))
      >>> print(state[0].v_row.shape, state[0].v_col.shape, state[0].v.shape)
      (256,) (512,) (1,)
    """
    parts = [scale_by_factored_rms(factored, decay_rate, decay_offset, min_dim_size_to_factor, eps)]
    if clipping_threshold is not None:
        parts.append(clip_by_block_rms(clipping_threshold))
    if learning_rate is not None:
        parts.append(scale_by_learning_rate(learning_rate, flip_sign=False))
    if multiply_by_parameter_scale:
        parts.append(scale_by_param_block_rms())
    if momentum is not None:
        parts.append(ema(momentum, debias=False, accumulator_dtype=dtype_momentum))
    if weight_decay_rate is not None:
        parts.append(add_decayed_weights(weight_decay_rate, weight_decay_mask))
    return chain(*parts, scale(-1))


@naming("rmsprop", floating=True)
def rmsprop(
    learning_rate: ScalarOrSchedule,
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: float | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> GradientTransformationExtraArgs:
    """RMSProp: steps ``-learning_rate * g / sqrt(v + eps)``, where ``v`` is a mean of squared gradients.

    Args:
      learning_rate: step size, or a function of the number of updates so far.
      decay: of the mean.
      eps: added under the root, or to it.
      initial_scale: the mean before the first update.
      eps_in_sqrt: whether ``eps`` is added under the root.
      centered: whether to divide by the standard deviation of gradients.
      momentum: decay of a running sum of updates; None for none.
      nesterov: whether momentum looks one step ahead.
      bias_correction: whether means are corrected for their start at zero.

    References:
      Hinton, "Overview of mini-batch gradient descent", lecture 6 of "Neural networks for machine learning", 2012.
      Graves, "Generating sequences with recurrent neural networks", 2013.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.rmsprop(0.1, decay=0.0)
      >>> x = jnp.array([1.0, -2.0])
      >>> updates, state = opt.update(2 * x, opt.init(x))
      >>> print(updates)
      [-0.1  0.1]
    """
    scaling = scale_by_stddev if centered else scale_by_rms
    return chain(
        scaling(decay, eps, initial_scale, eps_in_sqrt, bias_correction),
        scale_by_learning_rate(learning_rate),
        identity() if momentum is None else trace(momentum, nesterov),
    )


@naming("sm3", floating=True)
def sm3(learning_rate: float, momentum: float = 0.9) -> GradientTransformationExtraArgs:
    """SM3: AdaGrad that keeps sums of squares for rows and columns in place of elements.

    Args:
      learning_rate: step size.
      momentum: decay of the mean of scaled gradients.

    References:
      Anil et al., "Memory-efficient adaptive optimization", 2019.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.sm3(0.1)
      >>> [sums.shape for sums in opt.init(jnp.ones((3, 5)))[0].mu]
      [(3,), (5,)]
    """
    return chain(scale_by_sm3(momentum), scale(-learning_rate))
