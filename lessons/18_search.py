# %% [markdown]
"""
# 18 · Searching for hyperparameters

**Claim.** Of two hyperparameters one matters far more than the other. 25 random trials try 25 values of it, a grid of
25 only five: random search wins more often than it loses, and a search that learns from its trials beats both.

**Answers.** review, "Step 1: Find LR that makes loss go down ..." and "Random search vs. grid search"; day 9, "Neural
Architecture Search", "Grid search", "Bayesian Optimization" and "KerasTuner"

*Parameters* are learned; *hyperparameters* (rate, width, regularisation ...) are chosen, by the *validation* loss. The
search is an optimization too, but of a function that is dear and has no gradient. Here a trial is a training run
with a learning rate and a weight decay. 24 x 24 of them, in one program, show the whole surface; the searches may
look at few points of it. *TPE*, a Bayesian method, draws points where good trials were denser than bad ones.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random, tune

STEPS, GRID, REPEATS = (60, 12, 20) if short else (150, 24, 60)
x, y = data.sklearn("digits")
(x, y), validation = data.split(random.key(0), (x / 16, y), (400, 400), stratify=y)
SPACE = {"rate": tune.Uniform(1e-5, 1.0, log=True), "decay": tune.Uniform(1e-6, 1e-1, log=True)}

# %% [markdown]
"""
A rate between 1 and 1e-5 must be drawn as 10^u with u uniform in [-5, 0]. (The review has e^u there, which ends at
0.0067.) Drawn uniformly from [0, 1] itself, only one of 1000 draws would be below 0.001.
"""


# %%
def scores(params, x):
    return nn.dense.apply(params[1], nn.relu(nn.dense.apply(params[0], x)))


def loss(params, x, y):
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(scores(params, x), y))


def validation_loss(trial):
    """A whole training run: from hyperparameters to a number."""
    opt = optim.adamw(trial["rate"], weight_decay=trial["decay"] / trial["rate"])
    first, second, draws = random.split(random.key(1), 3)
    params = [nn.dense.init(first, 64, 32), nn.dense.init(second, 32, 10)]

    def step(state, key):
        params, opt_state = state
        rows = random.randint(key, (32,), 0, len(y))
        updates, opt_state = opt.update(fungrad.grad(loss)(params, x[rows], y[rows]), opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), None

    (params, _), _ = lax.scan(step, (params, opt.init(params)), random.split(draws, STEPS))
    return jnp.minimum(jnp.nan_to_num(loss(params, *validation), nan=10.0), 10.0)


def values(name, shares):
    """From [0, 1] to the interval of a hyperparameter, on a logarithmic scale."""
    low, high = np.log(SPACE[name][:2])
    return np.exp(low + (high - low) * np.asarray(shares)).astype("float32")


shares = np.linspace(0, 1, GRID)
mesh = np.meshgrid(values("rate", shares), values("decay", shares), indexing="ij")
surface = fungrad.jit(fungrad.vmap(validation_loss))({"rate": mesh[0].ravel(), "decay": mesh[1].ravel()})
surface = np.asarray(surface).reshape(GRID, GRID)

# %% [markdown]
"""
Now the searches, each many times, on the measured surface: a grid (moved at random, so that the luck of where its
lines lie does not decide), random points, and Optuna's TPE. `tune.search` also takes trials that differ in shapes,
such as numbers of layers (architecture search), and ends bad ones early (`pruner="hyperband"`), as KerasTuner does.
"""


# %%
def look(rate, decay):
    """The surface at the shares (0 to 1) of two hyperparameters."""
    places = [np.clip(np.round(np.asarray(u) * (GRID - 1)).astype(int), 0, GRID - 1) for u in (rate, decay)]
    return surface[places[0], places[1]]


def by_grid(draw, side):
    rate, decay = ((np.arange(side) + draw.uniform()) / side for _ in range(2))
    return np.repeat(rate, side), np.tile(decay, side)


def by_tpe(seed, trials):
    found = tune.search(
        lambda trial: look(trial.suggest_float("rate", 0, 1), trial.suggest_float("decay", 0, 1)), trials, seed=seed
    )
    return [[trial.params[name] for trial in found.trials()] for name in SPACE]


def distances(search, repeats):
    """How far the best of a search is from the best of all, many times."""
    return np.array([look(*search(seed)).min() for seed in range(repeats)]) - surface.min()


rows, found = [], {}
for side in (3, 5):
    searches = {
        "grid": (lambda seed, s=side: by_grid(np.random.default_rng(seed), s), 2000),
        "random": (lambda seed, s=side: np.random.default_rng(seed).uniform(size=(2, s * s)), 2000),
        "TPE": (lambda seed, s=side: by_tpe(seed, s * s), REPEATS),
    }
    for name, (search, repeats) in searches.items():
        found[name] = distances(search, repeats)
        wins = np.mean(found[name][:, None] < found["grid"]) + np.mean(found[name][:, None] == found["grid"]) / 2
        rows.append((f"{name}, {side * side} trials", np.median(found[name]), 100 * wins))
table(["search", "median distance from the best loss", "wins over a grid [%]"], rows, digits=3)

# %%
of_rate, of_decay = (np.var(surface.mean(axis=axis)) / np.var(surface) for axis in (1, 0))
fig, (left, right) = figure(1, 2, width_ratios=[3, 2])
image = left.pcolormesh(*mesh, surface, norm="log", cmap="viridis_r", shading="nearest")
for name, marker in (("grid", "ks"), ("random", "ro"), ("TPE", "w^")):
    points = searches[name][0](1)
    left.plot(values("rate", points[0]), values("decay", points[1]), marker, markersize=4, label=name)
left.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="weight decay", title="25 trials of each search")
left.grid(False)
fig.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=3, facecolor="0.8", frameon=True)
fig.colorbar(image, ax=left, label="validation loss")
right.boxplot(list(found.values()), tick_labels=list(found), whis=(5, 95), showfliers=False)
right.set(title="distance from the best, 25 trials", ylim=(0, None))
save(fig)

wins = {row[0]: row[2] for row in rows}
claim(
    f"the rate alone explains {of_rate:.0%} of the variance, the decay {of_decay:.0%}; of 25 trials random search wins "
    f"{wins['random, 25 trials']:.0f} % against grids, TPE {wins['TPE, 25 trials']:.0f} %",
    of_rate > 4 * of_decay and wins["random, 25 trials"] > 50 and wins["TPE, 25 trials"] > 60,
)
