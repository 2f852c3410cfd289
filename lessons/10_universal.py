# %% [markdown]
"""
# 10 · Universal, like many others

**Claim.** Steep sigmoids are steps, and N steps approximate a function with an error that falls like 1/N. So do trees
and wavelets of N numbers, and piecewise polynomials do far better; without an activation a network is a line.

**Answers.** CSCI 410, "Why do they work so well?", "Intuition", "Approximating functions with step functions" (figures
13, 14, 18, 19) and "Neural Networks are not the only Universal Function Approximator"

That networks are *universal approximators* means: for every continuous function and every ε there are weights with an
error below ε. The theorem says that weights *exist*, not how to find them, and nothing about new data. The proof on the
slides takes a sigmoid with large weights, which is a step, and puts steps of chosen heights side by side.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random

t = jnp.linspace(0, 1, 2001)


def target(t):
    return 0.2 + 0.4 * t**2 + 0.3 * t * jnp.sin(15 * t) + 0.05 * jnp.cos(50 * t)


# %% [markdown]
"""
By construction, without training: hidden unit i has the weight 10,000 and jumps at i/N; the weight behind it is the
difference between the target's values left and right of the jump.
"""


# %%
def steps(n, steepness=1e4):
    """A network of one hidden layer with n sigmoids: its output at t."""
    edges = jnp.arange(n) / n
    heights = target(edges + 0.5 / n)
    jumps = jnp.diff(heights, prepend=0.0)
    hidden = nn.sigmoid(steepness * (t[:, None] - edges)).at[:, 0].set(1.0)
    return hidden @ jumps


def tree(n):
    """A regression tree of n leaves, split where it helps most."""
    values, leaves = np.asarray(target(t)), [(0, len(t))]

    def gain(leaf):
        a, b = leaf
        part, k = values[a:b], np.arange(1, b - a)
        left, total = np.cumsum(part)[:-1], part.sum()
        gains = left**2 / k + (total - left) ** 2 / (b - a - k) - total**2 / (b - a)
        return (gains.max(), a + 1 + int(gains.argmax())) if b - a > 1 else (-1.0, a)

    while len(leaves) < n:
        best = max(leaves, key=lambda leaf: gain(leaf)[0])
        middle = gain(best)[1]
        leaves[leaves.index(best) : leaves.index(best) + 1] = [(best[0], middle), (middle, best[1])]
    return np.concatenate([np.full(b - a, values[a:b].mean()) for a, b in leaves])


def haar(n):
    """The n greatest coefficients of a wavelet transform on 2048 points."""
    grid = (jnp.arange(2048) + 0.5) / 2048
    values, details = np.asarray(target(grid)), []
    while len(values) > 1:
        details.append((values[::2] - values[1::2]) / np.sqrt(2))
        values = (values[::2] + values[1::2]) / np.sqrt(2)
    sizes = np.sort(np.abs(np.concatenate([*details, values])))
    details = [np.where(np.abs(d) >= sizes[-n], d, 0) for d in details]
    for d in details[::-1]:
        values = np.stack([values + d, values - d], 1).ravel() / np.sqrt(2)
    return np.interp(t, grid, values)


def cubic(n):
    """Piecewise cubic polynomials of n coefficients in all, each fitted by least squares."""
    pieces = np.array_split(np.arange(len(t)), max(1, n // 4))
    fit = [np.polynomial.Polynomial.fit(t[p], target(t[p]), 3)(np.asarray(t[p])) for p in pieces]
    return np.concatenate(fit)


# %% [markdown]
"""
And by training: the theorem promises weights for a network with n hidden units, Adam has to find them. Without an
activation the network is a line however wide it is: linear regression.
"""


# %%
def trained(n, activation=jnp.tanh, count=300 if short else 3000):
    def predict(p, t):
        return nn.dense.apply(p[1], activation(nn.dense.apply(p[0], t[:, None])))[:, 0]

    first, second, third = random.split(random.key(0), 3)
    params = nn.dense.init(first, 1, n), nn.dense.init(second, n, 1)
    params[0]["kernel"] = params[0]["kernel"] * 20
    params[0]["bias"] = -params[0]["kernel"][0] * random.uniform(third, (n,))
    opt = optim.adam(optim.cosine_decay_schedule(0.01, count))

    def step(state, _):
        params, opt_state = state
        gradient = fungrad.grad(lambda p: jnp.mean((predict(p, t[::20]) - target(t[::20])) ** 2))(params)
        updates, opt_state = opt.update(gradient, opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    run = fungrad.jit(lambda start: lax.scan(step, (start, opt.init(start)), length=count)[0][0])
    return predict(run(params), t)


NUMBERS = (4, 20, 100, 400)
METHODS = {"sigmoid steps": steps, "tree": tree, "Haar wavelets": haar, "piecewise cubics": cubic,
           "trained tanh": trained, "trained, no activation": lambda n: trained(n, lambda z: z)}  # fmt: skip
fits = {name: [np.asarray(method(n)) for n in NUMBERS] for name, method in METHODS.items()}
errors = {name: np.array([np.sqrt(np.mean((f - target(t)) ** 2)) for f in fit]) for name, fit in fits.items()}
table(["rms error with", *(f"N = {n}" for n in NUMBERS)], [(name, *e) for name, e in errors.items()], digits=2)

# %%
fig, axes = figure(1, 3, size=(11.0, 3.5))
for ax, i in zip(axes, (0, 2)):
    ax.plot(t, target(t), color="0.6", linewidth=3, label="function")
    ax.plot(t, fits["sigmoid steps"][i], color="C3", linewidth=1, label="sigmoid steps")
    ax.set(title=f"Approximation (N={NUMBERS[i]})", xlabel="x")
    ax.legend()
for name, e in errors.items():
    axes[2].loglog(NUMBERS, e, ".-", label=name)
axes[2].loglog(NUMBERS, 0.6 / np.array(NUMBERS), "k:", label="1/N")
axes[2].set(title="Error", xlabel="N: steps, leaves, coefficients, units", ylabel="rms error")
axes[2].legend(fontsize=6.5)
save(fig)
order = np.log(errors["sigmoid steps"][1] / errors["sigmoid steps"][3]) / np.log(NUMBERS[3] / NUMBERS[1])
line = np.sqrt(np.mean((np.polynomial.Polynomial.fit(t, target(t), 1)(np.asarray(t)) - target(t)) ** 2))
claim(f"the error of steps falls like N^-{order:.2f}, to {errors['sigmoid steps'][3]:.4f}; no activation stays at "
      f"{errors['trained, no activation'].min():.3f}, that of the best line {line:.3f}",
      0.85 < order < 1.15 and errors["piecewise cubics"][2] < errors["sigmoid steps"][2]
      and errors["trained, no activation"].min() > 0.99 * line)  # fmt: skip
