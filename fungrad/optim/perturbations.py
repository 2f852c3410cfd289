"""``fungrad.optim.perturbations``: derivatives of piecewise constant functions, by random perturbations.

May import ``core``, ``numpy``, ``random``, ``transforms``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core import tree as trees
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.ops.cast import stop_gradient
from fungrad.optim.tree.randomness import random_like
from fungrad.transforms.mapping import vmap

__all__ = ["Gumbel", "Normal", "make_perturbed_fun"]


class Normal:
    """Normally distributed noise.

    Example:
      >>> from fungrad import optim, random
      >>> optim.perturbations.Normal().sample(random.key(0), (2,)).shape
      (2,)
    """

    def sample(self, key: Any, sample_shape: Sequence[int] = (), dtype: Any = float) -> Array:
        """Random numbers.

        Args:
          key: a random key.
          sample_shape: how many.
          dtype: floating dtype.
        """
        return random.normal(key, tuple(sample_shape), dtype)

    def log_prob(self, inputs: Any) -> Array:
        """Logarithms of the density, less a constant."""
        return -0.5 * jnp.square(inputs)


class Gumbel:
    """Noise of the Gumbel distribution, with which the argmax of logits is a categorical sample.

    Example:
      >>> from fungrad import optim, random
      >>> optim.perturbations.Gumbel().sample(random.key(0), (2,)).shape
      (2,)
    """

    def sample(self, key: Any, sample_shape: Sequence[int] = (), dtype: Any = float) -> Array:
        """Random numbers.

        Args:
          key: a random key.
          sample_shape: how many.
          dtype: floating dtype.
        """
        return random.gumbel(key, tuple(sample_shape), dtype)

    def log_prob(self, inputs: Any) -> Array:
        """Logarithms of the density."""
        return -inputs - jnp.exp(-inputs)


def make_perturbed_fun(
    fun: Callable[..., Any],
    num_samples: int = 1000,
    sigma: Any = 0.1,
    noise: Any = Gumbel(),  # noqa: B008 (it has no state)
    use_baseline: bool = True,
) -> Callable[..., Any]:
    """The mean of a function over random perturbations of its argument: smooth, even if the function is not.

    Values are means over samples, and derivatives are those of the logarithm of the density, weighted with the values;
    ``fun`` itself is never differentiated.

    References: Berthet et al., https://arxiv.org/abs/2002.08676; Foerster et al., https://arxiv.org/abs/1802.05098.

    Args:
      fun: function of a tree of floating arrays to a tree of arrays.
      num_samples: how many samples the mean is of.
      sigma: size of the perturbations.
      noise: an object with the methods ``sample(key, sample_shape, dtype)`` and ``log_prob(x)``, such as ``Normal()``.
      use_baseline: subtract the unperturbed value from the weights: the mean derivative is the same, its variance is
        less.

    Returns:
      A function ``(key, x) -> mean``, differentiable in ``x`` any number of times.

    Raises:
      TypeError: ``fun`` is no function, or ``noise`` lacks a method.
      ValueError: ``num_samples`` is less than 1.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn, optim, random
      >>> soft = optim.perturbations.make_perturbed_fun(lambda x: nn.one_hot(jnp.argmax(x), 3), sigma=1.0)
      >>> soft(random.key(0), jnp.array([1.0, 2.0, 0.0])).sum().round(4)
      Array(1., dtype=float32)
      >>> fungrad.jacobian(soft, argnums=1)(random.key(0), jnp.array([1.0, 2.0, 0.0])).shape
      (3, 3)
    """
    api = "fungrad.optim.perturbations.make_perturbed_fun"
    if num_samples < 1:
        raise ValueError(f"{api}: num_samples must be at least 1, got {num_samples}")
    if not (hasattr(noise, "sample") and hasattr(noise, "log_prob")):
        raise TypeError(f"{api}: noise must have the methods sample and log_prob, got {type(noise).__name__}")

    def perturbed(key: Any, x: Any) -> Any:
        x = trees.map(jnp.asarray, x)
        baseline = fun(trees.map(stop_gradient, x)) if use_baseline else None

        def one(key: Any, x: Any) -> Any:
            sampled = random_like(key, x, noise.sample)
            shifted = trees.map(lambda v, z: stop_gradient(v + sigma * z), x, sampled)
            # The sample as a function of x, for what has been shifted is fixed.
            seen = trees.map(lambda v, y: (y - v) / sigma, x, shifted)
            log_density = sum([jnp.sum(noise.log_prob(z)) for z in trees.leaves(seen)], start=0)
            # 1, with the derivatives of the density.
            weight = jnp.exp(log_density - stop_gradient(log_density))
            out = trees.map(lambda v: weight * v, fun(shifted))
            if not use_baseline:
                return out
            return trees.map(lambda v, b: v + (1 - weight) * b, out, baseline)

        samples = vmap(one, in_axes=(0, None))(random.split(key, num_samples), x)
        return trees.map(lambda v: jnp.mean(v, 0), samples)

    return perturbed


publish(globals(), __name__, __all__, early=("make_perturbed_fun",))
