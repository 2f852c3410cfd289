# %% [markdown]
"""
# 13 · The second descent

**Claim.** The test error rises to a peak where there are as many parameters as examples, and falls again beyond it.
Wide layers of random features end below all narrow ones, though they fit their training data exactly.

**Answers.** day 8, day 9 and CSCI 410, "Bias-Variance Tradeoff" and "Overparameterization"; CAI 4104, "Phenomenon:
Double Descent" and "Bias and Variance"

*Bias* is the error of the average model, made by models too simple for the truth; *variance* is how much a model
depends on the data it happened to see. Classically, more parameters trade one for the other: choose the middle.
But with more parameters p than examples n many solutions fit exactly, and least squares (like gradient descent
from zero) takes the one with the smallest weights. At p = n there is just one solution, and it bends wildly
through the noise.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, random

fungrad.config.update("enable_x64", True)


# %% [markdown]
"""
One program for all widths: of a matrix of features, those beyond p are set to zero, and the least-squares solution
of smallest norm gives them no weight. So `vmap` maps over p as over seeds. First polynomials of degree p - 1, fitted to
20 noisy points of a curve, many times.
"""

# %%
N, SETS = 20, 20 if short else 50
degrees = jnp.arange(1, 61)
grid = jnp.linspace(-0.95, 0.95, 101)


def curve(t):
    return jnp.sin(4 * t) + 0.5 * t


def legendre(t):
    """Legendre polynomials, in the order of their degree."""
    return jnp.asarray(np.polynomial.legendre.legvander(np.asarray(t), 59)) / jnp.sqrt(1 + jnp.arange(60))


t = jnp.linspace(-1, 1, N)
T, G = legendre(t), legendre(grid)


def fit_polynomial(p, noise):
    mask = jnp.arange(60) < p
    return G @ (mask * jnp.linalg.lstsq(T * mask, curve(t) + 0.3 * noise)[0])


noises = random.normal(random.key(0), (SETS, N))
fits = fungrad.vmap(fungrad.vmap(fit_polynomial, (None, 0)), (0, None))(degrees, noises)  # [p, set, point]
bias2 = np.mean((np.asarray(fits.mean(1)) - np.asarray(curve(grid))) ** 2, -1)
variance = np.mean(np.var(np.asarray(fits), 1), -1)

# %% [markdown]
"""
Then one hidden layer of random, untrained weights (*random features*) and a trained last layer, on 100 examples of
MNIST-1D, from 4 units to 1600. The *effective dimension* says how many directions the units of a layer really
span: wide layers are redundant.
"""

# %%
WIDTHS = np.array([10, 40, 80, 100, 125, 200, 1600] if short else
                  [4, 10, 20, 40, 60, 80, 90, 100, 110, 125, 150, 200, 400, 800, 1600])  # fmt: skip
(x, y), (x_test, y_test) = data.mnist1d(num_samples=1000)
one_hot, one_hot_test = (jnp.where(jnp.arange(10) == label[:, None], 1.0, 0.0) for label in (y, y_test))


def random_features(key, width):
    choose, weights, phases = random.split(key, 3)
    rows = random.choice(choose, len(x), (100,), replace=False)
    mask = (jnp.arange(WIDTHS[-1]) < width) / jnp.sqrt(width)
    W = random.normal(weights, (40, WIDTHS[-1])) * 40**-0.5
    b = random.uniform(phases, (WIDTHS[-1],), maxval=2 * np.pi)
    hidden, hidden_test = (mask * jnp.cos(2 * a @ W + b) for a in (x[rows], x_test))
    w = jnp.linalg.lstsq(hidden, one_hot[rows])[0]
    gram = hidden @ hidden.T
    training = jnp.mean((hidden @ w - one_hot[rows]) ** 2)
    return training, jnp.mean((hidden_test @ w - one_hot_test) ** 2), jnp.trace(gram) ** 2 / jnp.sum(gram**2)


keys = random.split(random.key(1), 2 if short else 6)
sweep = fungrad.vmap(fungrad.vmap(random_features, (None, 0)), (0, None))
training, test, dimension = (np.median(np.asarray(a), 0) for a in sweep(keys, jnp.asarray(WIDTHS)))
table(["units", "units / examples", "training error", "test error", "effective dimension"],
      [(int(w), w / 100, *row) for w, *row in zip(WIDTHS, training, test, dimension)], digits=3)  # fmt: skip

# %%
fig, axes = figure(1, 3, size=(11.0, 3.5))
axes[0].plot(grid, curve(grid), color="0.7", linewidth=4)
for p, color in ((3, "C0"), (20, "C3"), (60, "C2")):
    axes[0].plot(grid, fits[p - 1, 0], color=color, linewidth=1, label=f"{p} parameters")
axes[0].plot(t, curve(t) + 0.3 * noises[0], "k.", markersize=4)
axes[0].set(title=f"Polynomials through {N} points", ylim=(-3, 4))
axes[0].legend(loc="upper left")
axes[1].semilogy(degrees, bias2, label="bias²")
axes[1].semilogy(degrees, variance, label="variance")
axes[1].semilogy(degrees, bias2 + variance, "k", linewidth=0.8, label="sum")
axes[1].axvline(N, color="C3", linestyle=":")
axes[1].set(title="Polynomials: bias and variance", xlabel="parameters", ylim=(1e-5, 1e4))
axes[1].legend()
axes[2].loglog(WIDTHS / 100, test, ".-", label="test")
axes[2].loglog(WIDTHS / 100, np.maximum(training, 1e-4), ".-", label="training")
axes[2].axvline(1, color="C3", linestyle=":")
axes[2].set(title="Random features on MNIST-1D", xlabel="units / examples", ylabel="squared error", ylim=(1e-3, None))
axes[2].legend()
save(fig)
peak, small = WIDTHS[np.argmax(test)], test[WIDTHS < 90].min()
polynomial_peak = int(degrees[np.argmax(variance)])
claim(f"the peak is at {peak} units for 100 examples ({test.max():.0f}), at {polynomial_peak} parameters for {N}; "
      f"the best small layer has {small:.3f}, the widest {test[-1]:.3f}",
      peak == 100 and abs(polynomial_peak - N) <= 1 and test[-1] < small and training[-1] < 1e-10)  # fmt: skip
