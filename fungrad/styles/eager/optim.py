"""``torch.optim``: optimizers that keep parameters and change them in place, over ``fungrad.optim``.

May import ``styles.eager.tensor``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fungrad import optim
from fungrad.styles.eager.tensor import Tensor


class Optimizer:
    """The base class: holds parameters and the state that belongs to each.

    A subclass gives a transformation of ``fungrad.optim`` for a rate of one; ``step`` multiplies its updates by the
    rate in ``param_groups``, which a scheduler may change.

    Attributes:
      param_groups: a list with one dict: the parameters and the rate.
      state: what the transformation keeps for each parameter, by its place in the list.
    """

    def __init__(self, params: Iterable[Any], lr: float, transformation: Any):
        params = list(params)
        if not params:
            raise ValueError("optimizer got an empty parameter list")
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        if lr < 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        self.param_groups: list[dict[str, Any]] = [{"params": params, "lr": lr}]
        self.state: dict[int, Any] = {}
        self._transformation = transformation

    def zero_grad(self) -> None:
        """Forgets the gradients; without it they add up from step to step."""
        for p in self.param_groups[0]["params"]:
            p.grad = None

    def step(self, closure: Callable | None = None) -> Any:
        """Changes the parameters that have a gradient, in place.

        Args:
          closure: computes the loss anew and returns it.
        """
        loss = closure() if closure is not None else None
        rate = self.param_groups[0]["lr"]
        for i, p in enumerate(self.param_groups[0]["params"]):
            if p.grad is None:
                continue
            if i not in self.state:
                self.state[i] = self._transformation.init(p._value)
            update, self.state[i] = self._transformation.update(p.grad._value, self.state[i], p._value)
            p._value = p._value + rate * update
        return loss


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> w = torch.tensor(1.0, requires_grad=True)
      >>> optimizer = torch.optim.SGD([w], lr=0.5)
      >>> (w * w).backward()
      >>> optimizer.step()
      >>> w
      tensor(0., requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        descent = optim.sgd(1.0, momentum or None, nesterov)
        super().__init__(
            params, lr, optim.chain(optim.add_decayed_weights(weight_decay), descent) if weight_decay else descent
        )


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015); ``weight_decay`` is added to the gradient."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ):
        adam = (optim.amsgrad if amsgrad else optim.adam)(1.0, *betas, eps)
        super().__init__(
            params, lr, optim.chain(optim.add_decayed_weights(weight_decay), adam) if weight_decay else adam
        )


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(params, lr, optim.adamw(1.0, *betas, eps, weight_decay=weight_decay))


class RMSprop(Optimizer):
    """RMSProp (Hinton's lecture 6e, 2012)."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, momentum: float = 0.0
    ):
        super().__init__(params, lr, optim.rmsprop(1.0, alpha, eps, eps_in_sqrt=False, momentum=momentum or None))


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011)."""

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, eps: float = 1e-10):
        super().__init__(params, lr, optim.adagrad(1.0, 0.0, eps))


class _Scheduler:
    """Multiplies the first rate of an optimizer by a factor that depends on the number of steps."""

    def __init__(self, optimizer: Optimizer, factor: Callable[[int], float]):
        self.optimizer, self.last_epoch, self._factor = optimizer, 0, factor
        self.base_lr = optimizer.param_groups[0]["lr"]
        optimizer.param_groups[0]["lr"] = self.base_lr * factor(0)

    def step(self) -> None:
        """To be called once per epoch, after the optimizer's ``step``."""
        self.last_epoch += 1
        self.optimizer.param_groups[0]["lr"] = self.base_lr * self._factor(self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """The rate now."""
        return [self.optimizer.param_groups[0]["lr"]]


class lr_scheduler:  # noqa: N801 - a module there
    """Schedules: ``LambdaLR``, ``StepLR``, ``ExponentialLR``, ``CosineAnnealingLR``.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> optimizer = torch.optim.SGD([torch.tensor(1.0, requires_grad=True)], lr=1.0)
      >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
      >>> rates = []
      >>> for _ in range(4):
      ...   rates += scheduler.get_last_lr()
      ...   scheduler.step()
      >>> rates
      [1.0, 1.0, 0.1, 0.1]
    """

    @staticmethod
    def LambdaLR(optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> _Scheduler:  # noqa: N802
        """A factor that is a function of the epoch."""
        return _Scheduler(optimizer, lr_lambda)

    @staticmethod
    def StepLR(optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> _Scheduler:  # noqa: N802
        """``gamma`` times the rate every ``step_size`` epochs."""
        return _Scheduler(optimizer, lambda epoch: gamma ** (epoch // step_size))

    @staticmethod
    def ExponentialLR(optimizer: Optimizer, gamma: float) -> _Scheduler:  # noqa: N802
        """``gamma`` times the rate every epoch."""
        return _Scheduler(optimizer, lambda epoch: gamma**epoch)

    @staticmethod
    def CosineAnnealingLR(optimizer: Optimizer, T_max: int) -> _Scheduler:  # noqa: N802
        """Down to zero along half a cosine in ``T_max`` epochs."""
        schedule = optim.cosine_decay_schedule(1.0, T_max)
        return _Scheduler(optimizer, lambda epoch: float(schedule(epoch)))
