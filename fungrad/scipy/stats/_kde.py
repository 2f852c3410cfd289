"""Estimates of densities with Gaussian kernels.

May import ``core``, ``ops``, ``transforms``, ``fungrad.numpy``, ``fungrad.random``, ``scipy.special`` and ``stats``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core.array import Array
from fungrad.core.source import api_class
from fungrad.core.tree_registration import register_pytree_node_class
from fungrad.nn.normalization import logsumexp
from fungrad.numpy import linalg
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.scipy import special
from fungrad.scipy.stats._base import operands
from fungrad.transforms.mapping import vmap

_API = "gaussian_kde"


@api_class
@register_pytree_node_class
class gaussian_kde:  # noqa: N801  SciPy's name
    """Density of a sample, estimated with a Gaussian kernel at each point.

    An estimate is a tree of its arrays, so that functions of estimates can be compiled, mapped and differentiated.

    Args:
      dataset: real array of shape ``[n]``, or ``[d, n]`` for ``n`` points in ``d`` dimensions.
      bw_method: how wide the kernels are: ``"scott"`` (the default), ``"silverman"``, a number (the factor of the
        standard deviation of the sample), or a function of the estimate that returns one.
      weights: vector of ``n`` weights of the points; default equal.

    Raises:
      TypeError: ``dataset`` or ``weights`` is not real.
      ValueError: there are fewer than two numbers, ``weights`` does not fit, or there is no such method.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy import stats
      >>> kde = stats.gaussian_kde(jnp.array([0.0, 1.0, 1.5]))
      >>> print(kde(jnp.array([1.0])).round(3))
      [0.43]
    """

    neff: Array
    dataset: Array
    weights: Array
    covariance: Array
    inv_cov: Array

    def __init__(self, dataset: Any, bw_method: str | float | Callable[..., Any] | None = None, weights: Any = None):
        if weights is None:
            (points,) = operands(_API, dataset=dataset)
        else:
            points, weights = operands(_API, dataset=dataset, weights=weights)
        points = jnp.atleast_2d(points)
        if points.ndim != 2 or points.size < 2:
            raise ValueError(
                f"fungrad.scipy.stats.gaussian_kde: dataset must be a vector or matrix of at least two numbers, got "
                f"{points.aval.str_short()}"
            )
        d, n = points.shape
        if weights is None:
            weights = jnp.full((n,), 1 / n, points.dtype)
        else:
            weights = jnp.atleast_1d(weights)
            if weights.shape != (n,):
                raise ValueError(
                    f"fungrad.scipy.stats.gaussian_kde: weights must be a vector of length {n}, one for each point of "
                    f"dataset, got {weights.aval.str_short()}"
                )
            weights = weights / jnp.sum(weights)
        self.dataset, self.weights = points, weights
        self.neff = 1 / jnp.sum(weights**2)
        if bw_method is None or bw_method == "scott":
            factor: Any = self.neff ** (-1 / (d + 4))
        elif bw_method == "silverman":
            factor = (self.neff * (d + 2) / 4) ** (-1 / (d + 4))
        elif callable(bw_method):
            factor = bw_method(self)
        elif isinstance(bw_method, (int, float)) or isinstance(bw_method, Array) and not bw_method.ndim:
            factor = bw_method
        else:
            raise ValueError(
                "fungrad.scipy.stats.gaussian_kde: bw_method must be 'scott', 'silverman', a number or a function, got "
                f"{bw_method!r}"
            )
        spread = jnp.atleast_2d(jnp.cov(points, rowvar=True, bias=False, aweights=weights))
        self.covariance = spread * factor**2
        self.inv_cov = linalg.inv(spread) / factor**2

    def tree_flatten(self) -> tuple[tuple[Any, ...], None]:
        """The arrays of the estimate."""
        return (self.neff, self.dataset, self.weights, self.covariance, self.inv_cov), None

    @classmethod
    def tree_unflatten(cls, aux_data: None, children: Any) -> gaussian_kde:
        """The estimate made of the arrays."""
        kde = cls.__new__(cls)
        kde.neff, kde.dataset, kde.weights, kde.covariance, kde.inv_cov = children
        return kde

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return self.dataset.shape[0]

    @property
    def n(self) -> int:
        """Number of points."""
        return self.dataset.shape[1]

    def _points(self, points: Any) -> Array:
        (x,) = operands(f"{_API}.evaluate", points=points)
        x = jnp.atleast_2d(x)
        if x.shape[0] != self.d and x.shape == (1, self.d):
            x = x.reshape(self.d, 1)
        if x.ndim != 2 or x.shape[0] != self.d:
            raise ValueError(
                f"fungrad.scipy.stats.gaussian_kde.evaluate: points must have the shape [{self.d}, m], one row for "
                f"each dimension of the sample, got {x.aval.str_short()}"
            )
        return x

    def _log_kernels(self, points: Array) -> Array:
        """Logarithms of the weighted kernels, ``[m, n]``."""
        root = linalg.cholesky(self.covariance)
        whiten = lambda x: triangular_solve(root, x, left_side=True, lower=True)  # noqa: E731
        ours, theirs = whiten(self.dataset), whiten(points)
        squares = jnp.sum((theirs[:, :, None] - ours[:, None, :]) ** 2, axis=0)
        scale = jnp.sum(jnp.log(jnp.diagonal(root))) + 0.5 * self.d * math.log(2 * math.pi)
        return jnp.log(self.weights) - scale - 0.5 * squares

    def evaluate(self, points: Any) -> Array:
        """The density at points.

        Args:
          points: array of shape ``[m]`` or ``[d, m]``.

        Returns:
          A vector of length ``m``.

        Raises:
          ValueError: the points have another number of dimensions than the sample.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.stats import gaussian_kde
          >>> kde = gaussian_kde(jnp.array([-1.0, 0.0, 0.5, 2.0]))
          >>> print(kde.evaluate(jnp.array([0.0, 3.0])).round(4))
          [0.2685 0.0643]
        """
        return jnp.sum(jnp.exp(self._log_kernels(self._points(points))), axis=1)

    __call__ = evaluate
    pdf = evaluate

    def logpdf(self, x: Any) -> Array:
        """The logarithm of the density at points, as ``evaluate``.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.stats import gaussian_kde
          >>> kde = gaussian_kde(jnp.array([-1.0, 0.0, 0.5, 2.0]))
          >>> print(kde.logpdf(0.0).round(4))
          [-1.3148]
        """
        return logsumexp(self._log_kernels(self._points(x)), axis=1)

    def integrate_gaussian(self, mean: Any, cov: Any) -> Array:
        """The integral of the density times that of a normal distribution.

        Args:
          mean: vector of length ``d``.
          cov: matrix of shape ``[d, d]``.

        Raises:
          ValueError: the shapes do not fit.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.stats import gaussian_kde
          >>> kde = gaussian_kde(jnp.array([-1.0, 0.0, 0.5, 2.0]))
          >>> print(kde.integrate_gaussian(0.0, 1.0).round(4))
          0.2211
        """
        mean, cov = operands(f"{_API}.integrate_gaussian", mean=mean, cov=cov)
        mean, cov = jnp.atleast_1d(jnp.squeeze(mean)), jnp.atleast_2d(cov)
        for name, x, shape in (("mean", mean, (self.d,)), ("cov", cov, (self.d, self.d))):
            if x.shape != shape:
                raise ValueError(
                    f"fungrad.scipy.stats.gaussian_kde.integrate_gaussian: {name} must have the shape {shape}, got "
                    f"{x.shape}"
                )
        return self._convolved(self.covariance + cov, mean)

    def _convolved(self, covariance: Array, mean: Array) -> Array:
        root = linalg.cholesky(covariance)
        white = triangular_solve(root, self.dataset - mean[:, None], left_side=True, lower=True)
        scale = (2 * math.pi) ** (0.5 * self.d) * jnp.prod(jnp.diagonal(root))
        return jnp.sum(jnp.exp(-0.5 * jnp.sum(white**2, axis=0)) * self.weights) / scale

    def integrate_box_1d(self, low: Any, high: Any) -> Array:
        """The probability of an interval, of an estimate in one dimension.

        Args:
          low: lower end.
          high: upper end.

        Raises:
          ValueError: the sample has several dimensions, or an end is not a number.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.stats import gaussian_kde
          >>> kde = gaussian_kde(jnp.array([-1.0, 0.0, 0.5, 2.0]))
          >>> print(kde.integrate_box_1d(-1.0, 1.0).round(4))
          0.4952
        """
        low, high = operands(f"{_API}.integrate_box_1d", low=low, high=high)
        api = "fungrad.scipy.stats.gaussian_kde.integrate_box_1d"
        if self.d != 1:
            raise ValueError(f"{api}: the dataset has {self.d} dimensions, and intervals are for one")
        for name, x in (("low", low), ("high", high)):
            if x.ndim:
                raise ValueError(f"{api}: {name} must be a number, got {x.aval.str_short()}")
        width = jnp.sqrt(self.covariance[0, 0])
        ends = [special.ndtr((x - self.dataset[0]) / width) for x in (low, high)]
        return jnp.sum(self.weights * (ends[1] - ends[0]))

    def integrate_kde(self, other: gaussian_kde) -> Array:
        """The integral of the product of two densities.

        Args:
          other: an estimate of as many dimensions.

        Raises:
          TypeError: ``other`` is no estimate.
          ValueError: it has another number of dimensions.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.stats import gaussian_kde
          >>> kde = gaussian_kde(jnp.array([-1.0, 0.0, 0.5, 2.0]))
          >>> print(kde.integrate_kde(kde).round(4))
          0.1924
        """
        api = "fungrad.scipy.stats.gaussian_kde.integrate_kde"
        if not isinstance(other, gaussian_kde):
            raise TypeError(f"{api}: other must be a gaussian_kde, got {type(other).__name__}")
        if other.d != self.d:
            raise ValueError(f"{api}: other has {other.d} dimensions, and the dataset {self.d}")
        covariance = self.covariance + other.covariance
        each = vmap(lambda point: self._convolved(covariance, point), in_axes=1)(other.dataset)
        return jnp.sum(each * other.weights)

    def resample(self, key: Any, shape: Any = ()) -> Array:
        """Points drawn from the estimated density.

        Args:
          key: a random key.
          shape: shape of the draw.

        Returns:
          An array of shape ``(d, *shape)``.

        Example:
          >>> import fungrad
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.stats import gaussian_kde
          >>> kde = gaussian_kde(jnp.array([-1.0, 0.0, 0.5, 2.0]))
          >>> kde.resample(fungrad.random.key(0), (5,)).shape
          (1, 5)
        """
        choice_key, noise_key = random.split(key)
        chosen = random.choice(choice_key, self.n, shape=shape, p=self.weights)
        noise = random.multivariate_normal(
            noise_key, jnp.zeros(self.d, self.covariance.dtype), self.covariance, shape=shape, dtype=self.dataset.dtype
        )
        return self.dataset[:, chosen] + jnp.moveaxis(noise, -1, 0)

    def integrate_box(self, low_bounds: Any, high_bounds: Any, maxpts: Any = None) -> NoReturn:
        """Not available."""
        raise NotImplementedError(
            "fungrad.scipy.stats.gaussian_kde.integrate_box: only one dimension is supported; use integrate_box_1d"
        )

    def set_bandwidth(self, bw_method: Any = None) -> NoReturn:
        """Not available: estimates do not change."""
        raise NotImplementedError(
            "fungrad.scipy.stats.gaussian_kde.set_bandwidth: make another gaussian_kde with bw_method"
        )
