"""TensorFlow's optimizers, which change variables, over ``fungrad.optim``; the models of Keras use them too.

May import ``fungrad``'s public modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fungrad import optim


class Optimizer:
    """The base class.

    A subclass gives a transformation of ``fungrad.optim`` for a rate of one; its updates are multiplied by the rate.

    Attributes:
      learning_rate: the rate, or a function of the number of steps; may be changed.
      iterations: steps made.
    """

    def __init__(self, learning_rate: Any, transformation: Any):
        self.learning_rate: Any = learning_rate
        self.iterations = 0
        self.transformation = transformation
        self._states: dict[int, tuple[Any, Any]] = {}

    def rate(self) -> Any:
        """The rate of this step."""
        return self.learning_rate(self.iterations) if callable(self.learning_rate) else self.learning_rate

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> None:
        """Changes variables in place.

        Args:
          grads_and_vars: pairs, as ``zip(gradients, variables)`` makes them; a gradient of None leaves its variable.

        Raises:
          ValueError: no variable has a gradient.
          TypeError: something is no variable.

        Example:
          >>> from fungrad.styles import tape as tf
          >>> v = tf.Variable(1.0)
          >>> with tf.GradientTape() as t:
          ...   loss = v * v
          >>> tf.optimizers.SGD(0.25).apply_gradients(zip(t.gradient(loss, [v]), [v]))
          >>> v
          <Variable 'Variable' shape=() dtype=float32, numpy=0.5>
        """
        pairs = list(grads_and_vars)
        for _, v in pairs:
            if not hasattr(v, "assign"):
                raise TypeError(f"apply_gradients: expected variables, got {type(v).__name__}")
        given = [(g, v) for g, v in pairs if g is not None]
        if not given:
            raise ValueError(f"No gradients provided for any variable: {[v.name for _, v in pairs]}")
        rate = self.rate()
        for g, v in given:
            state = self._states[id(v)][1] if id(v) in self._states else self.transformation.init(v._value)
            update, state = self.transformation.update(g._value, state, v._value)
            self._states[id(v)] = (v, state)
            v._value = v._value + rate * update
        self.iterations += 1


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted."""

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False):
        super().__init__(learning_rate, optim.sgd(1.0, momentum or None, nesterov))


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015)."""

    def __init__(self, learning_rate: Any = 1e-3, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7):
        super().__init__(learning_rate, optim.adam(1.0, beta_1, beta_2, epsilon))


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
    ):
        super().__init__(learning_rate, optim.adamw(1.0, beta_1, beta_2, epsilon, weight_decay=weight_decay))


class RMSprop(Optimizer):
    """RMSProp (Hinton's lecture 6e, 2012)."""

    def __init__(self, learning_rate: Any = 1e-3, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7):
        super().__init__(learning_rate, optim.rmsprop(1.0, rho, epsilon, momentum=momentum or None))


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011)."""

    def __init__(self, learning_rate: Any = 1e-3, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7):
        super().__init__(learning_rate, optim.adagrad(1.0, initial_accumulator_value, epsilon))


class schedules:  # noqa: N801 - a module there
    """Rates that change: functions of the number of steps, for ``learning_rate``."""

    @staticmethod
    def ExponentialDecay(  # noqa: N802
        initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
    ) -> Callable:
        """The rate times a power of ``decay_rate``."""
        return optim.exponential_decay(initial_learning_rate, decay_steps, decay_rate, staircase=staircase)

    @staticmethod
    def CosineDecay(initial_learning_rate: float, decay_steps: int, alpha: float = 0.0) -> Callable:  # noqa: N802
        """Half a cosine."""
        return optim.cosine_decay_schedule(initial_learning_rate, decay_steps, alpha)
