# %% [markdown]
"""
# 05 · Rolling downhill

**Claim.** Gradient descent converges exactly while the learning rate is below 2/λ, λ being the greatest curvature; and
gradients of random batches are right on average, with noise that falls with the root of their size.

**Answers.** review, "Optimizing the loss function: gradient descent"; day 8, "Improving Gradient Descent", "Stochastic
Gradient Descent", "What size should the batch be?", "Further Improvements" and "AdaM"

A neuron without activation, ŷ = w·x + b, is *linear regression* (with a sigmoid, logistic regression). Its loss is
the *mean squared error*, and its *loss landscape* a bowl over the weights. The *gradient* points uphill: for
3 x1² + x2² at (1, 1) it is [6, 2]. A step against it, times the *learning rate*, goes downhill if it is not too long.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, optim, random

assert fungrad.grad(lambda x: 3 * x[0] ** 2 + x[1] ** 2)(jnp.ones(2)).tolist() == [6.0, 2.0]

x, y = data.sklearn("diabetes")  # progress of a disease, from body measurements; here two of ten
x, y = x[:, [2, 8]] / x.std(0)[0], (y - y.mean()) / y.std()
x = x.at[:, 1].multiply(0.4)  # another unit: the bowl becomes a valley


def loss(w, x=x, y=y):
    return jnp.mean((x @ w - y) ** 2)


# %% [markdown]
"""
By hand, dL/dw_k is the mean of 2 (ŷ - y) x_k over the examples. `vmap(grad(...))` gives one gradient per example; that
of a *batch* is the mean over its rows. The mean over all batches is the mean over all examples.
"""

# %%
w0 = jnp.array([-1.0, 2.5])
per_example = fungrad.vmap(fungrad.grad(loss), (None, 0, 0))(w0, x[:, None], y[:, None])
by_hand = np.mean(2 * np.asarray(x @ w0 - y)[:, None] * np.asarray(x), axis=0)
np.testing.assert_allclose(fungrad.grad(loss)(w0), by_hand, rtol=1e-5)

SIZES = np.array([1, 4, 16, 64, 256])
draws = 500 if short else 4000
bias, noise = [], []
for size in SIZES.tolist():
    batches = random.randint(random.key(size), (draws, size), 0, len(y))
    gradients = per_example[batches].mean(1)
    noise.append(float(jnp.linalg.norm(gradients.std(0))))
    bias.append(float(jnp.linalg.norm(gradients.mean(0) - by_hand)) / noise[-1] * draws**0.5)

# %% [markdown]
"""
Descent is a loop, `scan`, and a function of the learning rate; so `vmap` runs it with 200 rates at once. Momentum
keeps a running sum of gradients (the mass of the ball); Adam, written out here as on the slide, also divides by the
root of a running mean of their squares.
"""


# %%
def descend(update, state, steps=60, batch=None):
    """The path of w."""

    def step(carry, key):
        w, state = carry
        rows = slice(None) if batch is None else random.randint(key, (batch,), 0, len(y))
        change, state = update(fungrad.grad(loss)(w, x[rows], y[rows]), state)
        return (w + change, state), w

    (w, _), path = lax.scan(step, (w0, state), random.split(random.key(1), steps))
    return jnp.vstack([path, w])


def plain(rate, **options):
    return descend(lambda g, state: (-rate * g, state), (), **options)


def momentum(g, change, rate=0.05, alpha=0.8):
    change = alpha * change - rate * g
    return change, change


def adam_by_hand(g, state, rate=0.2, b1=0.9, b2=0.999):
    t, m, v = state
    t, m, v = t + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    return -rate * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + 1e-8), (t, m, v)


limit = 2 / float(jnp.linalg.eigvalsh(fungrad.hessian(loss)(w0)).max())
rates = np.linspace(0.02, 1.3, 200) * limit
ends = fungrad.jit(fungrad.vmap(lambda rate: loss(plain(rate, steps=80)[-1])))(rates)
best = jnp.linalg.lstsq(x, y)[0]
adam = optim.adam(0.2)
paths = {
    f"rate {0.1 * limit:.2f}": plain(0.1 * limit),
    f"rate {0.97 * limit:.2f}, just below 2/λ": plain(0.97 * limit),
    f"rate {1.03 * limit:.2f}, just above 2/λ": plain(1.03 * limit),
    "batches of 8": plain(0.1 * limit, batch=8),
    "momentum": descend(momentum, jnp.zeros(2)),
    "Adam by hand": descend(adam_by_hand, (0, jnp.zeros(2), jnp.zeros(2))),
    "optim.adam": descend(adam.update, adam.init(w0)),
}
table(["descent", "loss above the best, first", "after 20 steps", "after 60"],
      [(name, *(float(loss(path[i]) - loss(best)) for i in (0, 20, 60))) for name, path in paths.items()],
      digits=2)  # fmt: skip

# %%
fig, (land, middle, right) = figure(1, 3, size=(11.0, 3.6), width_ratios=(1.5, 1, 1))
a, b = np.meshgrid(np.linspace(-1.6, 2.2, 80), np.linspace(-1.2, 3.4, 80))
height = fungrad.vmap(loss)(np.stack([a.ravel(), b.ravel()], 1)).reshape(a.shape)
levels = np.geomspace(float(loss(best)) * 1.02, float(height.max()), 14)
land.contour(a, b, height, levels=levels, colors="0.8", linewidths=0.8)
for (name, path), color in zip(paths.items(), ("C0", "C1", "C3", "C7", "C2", "C4")):
    land.plot(*path[:40].T, ".-", markersize=3, linewidth=0.9, color=color, label=name)
land.plot(*best, "k*")
land.set(xlim=(-1.6, 2.2), ylim=(-1.2, 3.4), xlabel="w1", ylabel="w2", title="Forty steps on the loss landscape")
land.legend(fontsize=6.5, loc="upper right")
middle.semilogy(rates, ends)
middle.axvline(limit, color="C3", linestyle=":", label="2/λ")
middle.set(xlabel="learning rate", ylabel="loss after 80 steps", title="200 rates in one vmap", ylim=(0.3, 1e9))
middle.legend()
right.loglog(SIZES, noise, "o-", label="measured")
right.loglog(SIZES, noise[0] / np.sqrt(SIZES), "k:", label="1/√size")
right.set(xlabel="batch size", ylabel="spread of the gradient", title="Noise of batches")
right.legend()
save(fig)
small, above = float(ends[rates < 0.99 * limit].max()), float(ends[rates > 1.05 * limit].min())
same = float(jnp.abs(paths["Adam by hand"] - paths["optim.adam"]).max())
fall = noise[0] / noise[-1]
claim(f"rates below 2/λ = {limit:.2f} end under {small:.2f}, above over {above:.0g}; batch gradients are right within "
      f"{max(bias):.1f} standard errors, and their noise falls {fall:.0f}-fold from 1 to 256 (√256 = 16)",
      small < 2 and above > 10 * small and max(bias) < 4 and 13 < fall < 19 and same < 1e-5)  # fmt: skip
