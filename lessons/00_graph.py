# %% [markdown]
"""
# 00 · The graph behind a gradient

**Claim.** One walk backwards over the computation graph gives every derivative: where a value is used twice, the two
paths add up, so that de/db = c + d.

**Answers.** day 8 and CSCI 410, "Computation Graph" and "Compute Graph for a Single Layer"

A *computation graph* has a node for every intermediate value and an edge for every use of one. Computing the
values in order is the *forward pass*. The *backward pass* goes through the same graph in reverse and gives each
node the derivative of the result with respect to it: the *upstream gradient* of the node behind it times the
*local gradient* of the operation between them. That is the chain rule; the algorithm is *backpropagation*.
"""

# %%
import numpy as np
from _kit import claim, save, table

import fungrad
import fungrad.numpy as jnp
from fungrad import nn

# %% [markdown]
"""
The graph of the slides has three operations. By hand: e = c d, so de/dc = d and de/dd = c. The value a is used
once, by c. The value b is used twice, by c and by d, and its derivative is the sum over both uses.
"""


# %%
def e(a, b):
    c = a + b
    d = b + 1
    return c * d


def backward_by_hand(a, b):
    c, d = a + b, b + 1  # forward
    de_dc, de_dd = d, c  # backward: local gradients of the product, times de/de = 1
    return de_dc * 1, de_dc * 1 + de_dd * 1


# %% [markdown]
"""
A layer of a network is such a graph too, only its values are arrays: z = W a + b, then an activation, then a loss. The
backward pass multiplies with the transposed matrix: for dL/dz = g, the chain rule says dL/dW = g aᵀ, dL/db = g and
dL/da = Wᵀ g.
"""


# %%
def layer_loss(W, b, a, y):
    z = W @ a + b
    return jnp.sum((nn.sigmoid(z) - y) ** 2)


def layer_backward_by_hand(W, b, a, y):
    h = 1 / (1 + np.exp(-(W @ a + b)))
    dL_dh = 2 * (h - y)
    g = dL_dh * h * (1 - h)  # upstream gradient times the local one, the slope of the sigmoid
    return np.outer(g, a), g, W.T @ g


W, bias = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]]), np.array([0.5, -1.0])
x, y = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0])

# %% [markdown]
"""
`grad` takes a function and returns the function that computes its gradient: it records the graph while the function
runs, and walks back over it. Nobody has written that walk for these functions.
"""

# %%
rows = []
for a, b in [(2.0, 1.0), (0.0, 3.0), (-1.5, 0.5)]:
    hand, auto = backward_by_hand(a, b), fungrad.grad(e, argnums=(0, 1))(a, b)
    rows.append((f"de/da = d at a={a}, b={b}", hand[0], float(auto[0])))
    rows.append((f"de/db = c + d at a={a}, b={b}", hand[1], float(auto[1])))

hand = layer_backward_by_hand(W, bias, x, y)
auto = fungrad.grad(layer_loss, argnums=(0, 1, 2))(W, bias, x, y)
for name, by_hand, by_grad in zip(("dL/dW", "dL/db", "dL/da"), hand, auto, strict=True):
    rows.append((f"{name} of the layer, largest", np.abs(by_hand).max(), np.abs(by_grad).max()))
table(["derivative", "by hand", "by grad"], rows)

# %% [markdown]
"""
The picture: values of the forward pass are blue, derivatives of the result orange. Follow the orange numbers
from right to left. From b, two arrows leave, and ∂ = 2 + 3 = 5.
"""

# %%
save(fungrad.draw(e, 2.0, 1.0), fungrad.draw(layer_loss, W, bias, x, y))
worst = max(float(np.max(np.abs(h - g))) for h, g in zip(hand, auto, strict=True))
worst = max(worst, *(abs(by_hand - by_grad) for _, by_hand, by_grad in rows))
claim(f"by hand and by grad differ by at most {worst:.0e}, also for b, which is used twice", worst < 1e-6)
