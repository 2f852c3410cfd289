# %% [markdown]
"""
# 04 · Check the gradient before you trust it

**Claim.** Of the four gradients in the slide's backward pass, three are wrong; finite differences say which, and the
repaired ones are those of `grad`. The wrong ones drive the training loss to zero all the same, and learn little.

**Answers.** review, "Training our two-layer neural network in code, using backpropagation"

A gradient written by hand is a claim about a function, and can be tested: move a weight a little and see how the loss
changes. The *central difference* (L(w + h) - L(w - h)) / 2h is the derivative up to terms in h². It needs two forward
passes per weight, so it is no way to train, but it is how to find an error in a backward pass.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import nn
from fungrad.test_util import check_grads

fungrad.config.update("enable_x64", True)  # differences need digits
rng = np.random.default_rng(0)
X, X_new = rng.normal(size=(100, 4)), rng.normal(size=(1000, 4))
Y, Y_new = (np.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3] for x in (X, X_new))
START = {"W1": rng.random((4, 8)), "b1": rng.random((1, 8)), "W2": rng.random((8, 1)), "b2": rng.random((1, 1))}


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def slide(p):
    """The backward pass as it is printed."""
    Z = X.dot(p["W1"]) + p["b1"]
    H = sigmoid(Z)
    Y_curr = H.dot(p["W2"]) + p["b2"]
    d_Y = 2 * (Y_curr - Y) / len(X)
    d_H = d_Y.dot(p["W2"].T)
    d_W2 = H.T.dot(d_Y)
    d_b2 = d_Y
    d_Z = d_H * sigmoid(Z) * (1 - sigmoid(Z))
    d_X = d_Z.dot(p["W1"].T)
    d_W1 = d_X.T.dot(d_Z)
    d_b1 = d_Y
    return {"W1": d_W1, "b1": d_b1, "W2": d_W2, "b2": d_b2}


def repaired(p):
    """What a row of the batch adds to b is its own d_Z, and the weights W1 meet the inputs X, not their gradients."""
    H = sigmoid(X.dot(p["W1"]) + p["b1"])
    d_Y = 2 * (H.dot(p["W2"]) + p["b2"] - Y) / len(X)
    d_Z = d_Y.dot(p["W2"].T) * H * (1 - H)
    return {"W1": X.T.dot(d_Z), "b1": d_Z.sum(0, keepdims=True), "W2": H.T.dot(d_Y), "b2": d_Y.sum(0, keepdims=True)}


def loss(p):
    return jnp.mean((nn.sigmoid(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"] - Y) ** 2)


# %% [markdown]
"""
Finite differences, one weight at a time: `vmap` evaluates the loss at all moved points at once. `check_grads` is the
library's own test of `grad`, along random directions and in both modes.
"""


# %%
def differences(name, h=1e-5):
    """Central differences by every element of one parameter."""
    steps = h * np.eye(START[name].size).reshape(-1, *START[name].shape)
    at = fungrad.vmap(lambda step: loss({**START, name: START[name] + step}))
    return np.asarray((at(steps) - at(-steps)) / (2 * h)).reshape(START[name].shape)


check_grads(loss, (START,), order=1)
by_grad = fungrad.grad(loss)(START)
hand = {"slide": slide(START), "repaired": repaired(START)}
rows, wrong = [], {}
for name in START:
    numeric = differences(name)
    error = {}
    for program, gradients in hand.items():
        same_shape = gradients[name].shape == numeric.shape
        error[program] = np.max(np.abs(gradients[name] - numeric)) / np.max(np.abs(numeric)) if same_shape else np.inf
    error["grad"] = np.max(np.abs(by_grad[name] - numeric)) / np.max(np.abs(numeric))
    wrong[name] = error
    rows.append((name, str(numeric.shape), str(hand["slide"][name].shape), error["slide"], error["repaired"],
                 error["grad"]))  # fmt: skip
table(["by", "shape", "slide's shape", "slide's error", "repaired", "grad"], rows, digits=2)

# %% [markdown]
"""
Why would nobody notice? NumPy *broadcasts*: b2 of shape (1, 1) less d_b2 of shape (100, 1) has the shape (100, 1). From
the first step on every example has biases of its own, and adjusting these alone makes the training loss vanish. For
new data there are no such biases (below: their mean), and little has been learned.
"""


# %%
def train(gradients, steps, rate=0.1):
    def mse(p, x, y):
        return np.mean((sigmoid(x @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"] - y) ** 2)

    p, losses = dict(START), []
    for _ in range(steps):
        p = {name: p[name] - rate * g for name, g in gradients(p).items()}
        for_all = {name: w.mean(0, keepdims=True) if name[0] == "b" else w for name, w in p.items()}
        losses.append((mse(p, X, Y), mse(for_all, X_new, Y_new)))
    return np.array(losses)


curves = {program: train(gradients, 1000 if short else 4000) for program, gradients in
          (("slide", slide), ("repaired", repaired))}  # fmt: skip
fig, axes = figure(1, 3, size=(9.5, 3.3), width_ratios=(1, 1, 2.2))
for ax, (program, gradients) in zip(axes, hand.items()):
    ratio = np.log10(np.abs(gradients["W1"] / differences("W1") - 1))
    image = ax.imshow(ratio, cmap="magma_r", vmin=-9, vmax=1, aspect="auto")
    ax.set(title=f"{program}: error of dL/dW1", xticks=[], yticks=[])
    ax.grid(False)
fig.colorbar(image, ax=axes[:2], location="bottom", label="log10 of the relative error")
for (program, losses), color in zip(curves.items(), ("C3", "C0")):
    axes[2].plot(losses[:, 0], color=color, linestyle="--", label=f"{program}, training")
    axes[2].plot(losses[:, 1], color=color, label=f"{program}, new data")
axes[2].set(xlabel="step", ylabel="mean squared error", yscale="log", title="The wrong gradient fits its own data best")
axes[2].legend()
save(fig)
(fitted, missed), (_, learned) = (losses[-1] for losses in curves.values())
bad = [name for name, error in wrong.items() if error["slide"] > 1e-3]
claim(f"{', '.join(bad)} are wrong; trained with them: {fitted:.0e} on its data, but {missed:.2f} on new data "
      f"(repaired: {learned:.2f})",
      bad == ["W1", "b1", "b2"] and max(e[k] for e in wrong.values() for k in ("repaired", "grad")) < 1e-6
      and fitted < 0.02 and missed > 1.5 * learned)  # fmt: skip
