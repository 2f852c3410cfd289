"""``fungrad.styles.eager``: PyTorch's style over fungrad's primitives.

A tensor with ``requires_grad`` remembers every operation that it is part of; ``backward`` goes back through them and
adds to ``.grad``.  ``import fungrad.styles.eager as torch`` runs programs of that style:

  >>> from fungrad.styles import eager as torch
  >>> w = torch.tensor([1.0, -1.0], requires_grad=True)
  >>> optimizer = torch.optim.SGD([w], lr=0.1)
  >>> for _ in range(50):
  ...   optimizer.zero_grad()
  ...   loss = ((w - 3.0) ** 2).sum()
  ...   loss.backward()
  ...   optimizer.step()
  >>> w
  tensor([3.    , 2.9999], requires_grad=True)

The file holds no code.
"""

from fungrad.numpy import bfloat16, float16, float32, float64, int32, int64
from fungrad.styles.eager import autograd, functions, nn, optim
from fungrad.styles.eager.functions import *  # noqa: F403
from fungrad.styles.eager.tensor import Tensor, enable_grad, is_grad_enabled, no_grad, set_grad_enabled

float = float32
double = float64
long = int64
