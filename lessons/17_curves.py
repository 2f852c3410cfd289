# %% [markdown]
"""
# 17 · Reading learning curves

**Claim.** Ten common faults of training leave ten different traces in the learning curves; each is made here on
purpose, measured by a number, and gone after its cure.

**Answers.** review, "Monitor learning curves", "Overfitting vs. underfitting", "More debugging" (eight curves) and the
"sanity check"; day 8, "Batch Size and Learning Rate"; day 9, "How to use the Validation Set"

Look at *both* curves, training and validation loss. Training loss high: the network does not learn (rate, first
weights, capacity). Training loss low and validation loss high: it does not *generalize* (too few examples, wrong
labels). Noise and steps tell of batches and schedules. The data are MNIST-1D, digits as lines of 40 numbers.
"""

# %%
import tempfile
from pathlib import Path

import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random, train

STEPS, BATCH, WIDTH, N = (150 if short else 400), 64, 64, 3000
(x, y), _ = data.mnist1d()
x, y, val_x, val_y, random_numbers = x[:N], y[:N], x[N:], y[N:], np.random.default_rng(0)

# %% [markdown]
"""
A run is described by arrays: which examples a step sees, how many of them and of the neurons count, labels, rates.
So healthy and sick runs are one program, mapped by `vmap` over the descriptions. A number gives each fault away.
"""


# %%
def init(scale=1.0):
    he = nn.initializers.variance_scaling(2 * scale**2, "fan_in", "normal")
    sizes = zip(random.split(random.key(1), 3), (40, WIDTH, WIDTH), (WIDTH, WIDTH, 10), strict=True)
    return [nn.dense.init(*size, kernel_init=he) for size in sizes]


def losses(params, x, y, width=WIDTH):
    for layer in params[:-1]:
        x = jnp.where(jnp.arange(WIDTH) < width, nn.relu(nn.dense.apply(layer, x)), 0)
    return optim.softmax_cross_entropy_with_integer_labels(nn.dense.apply(params[-1], x), y)


def run(how):
    opt = optim.sgd(lambda count: how["rates"][count], momentum=0.9)

    def training_loss(params, rows):
        counted = jnp.arange(BATCH) < how["batch"]
        return jnp.mean(losses(params, x[rows], how["labels"][rows], how["width"]), where=counted)

    def step(state, rows):
        params, opt_state = state
        loss, grads = fungrad.value_and_grad(training_loss)(params, rows)
        updates, opt_state = opt.update(grads, opt_state)
        validation_loss = jnp.mean(losses(params, val_x, val_y, how["width"]))
        return (optim.apply_updates(params, updates), opt_state), (loss, validation_loss)

    params = init(how["init"])
    return lax.scan(step, (params, opt.init(params)), how["rows"])[1]


constant, healthy_rows = np.ones(STEPS), random_numbers.integers(0, N, (STEPS, BATCH))
early = np.where(np.arange(STEPS) < STEPS // 10, 0.05, 5e-5)
few = random_numbers.integers(0, 100, (STEPS, BATCH))
by_class = np.argsort(np.asarray(y), kind="stable")[np.linspace(0, N - 1, STEPS * BATCH).astype(int)]
HEALTHY = {"rates": 0.05 * constant, "init": 1.0, "width": WIDTH, "batch": BATCH, "labels": y, "rows": healthy_rows}
SICK = {
    "rate too high": {"rates": 3 * constant},
    "rate too low": {"rates": 3e-4 * constant},
    "decayed too early": {"rates": early},
    "batch too small": {"batch": 2, "rates": 0.01 * constant},
    "weights too small at first": {"init": 0.1},
    "weights too large at first": {"init": 5.0},
    "underfitting: 2 neurons": {"width": 2},
    "overfitting: 100 examples": {"rows": few},
    "labels of other examples": {"labels": random_numbers.permutation(np.asarray(y)), "rows": few},
    "sorted by class": {"rows": by_class.reshape(STEPS, BATCH)},
}
stacked = {name: jnp.asarray(np.stack([{**HEALTHY, **s}[name] for s in [{}, *SICK.values()]])) for name in HEALTHY}
training, validation = (np.asarray(out) for out in fungrad.jit(fungrad.vmap(run))(stacked))


def fall(curve, *parts):
    """By how much a curve falls between two parts of the run."""
    before, after = (np.mean(curve[int(part * STEPS) :][: STEPS // 25]) for part in parts)
    return max(0.01, before - after)


last = STEPS // 10
symptoms = [
    ("highest training loss", lambda t, v: t.max(), "lower the rate"),
    ("training loss at the end", lambda t, v: t[-last:].mean(), "raise the rate"),
    ("fall after a fifth of the steps", lambda t, v: fall(v, 0.2, 0.95), "decay later"),
    ("training loss, change per step", lambda t, v: np.abs(np.diff(t[-last:])).mean(), "larger batches"),
    ("fall in the first steps", lambda t, v: fall(v, 0, 0.08), "He initialisation"),
    ("first loss (ln 10 = 2.3)", lambda t, v: t[0], "He initialisation"),
    ("training loss at the end", lambda t, v: t[-last:].mean(), "a larger network"),
    ("gap at the end", lambda t, v: (v - t)[-last:].mean(), "more examples"),
    ("lowest validation loss", lambda t, v: v.min(), "look at the data"),
    ("validation loss, its range", lambda t, v: np.ptp(v[STEPS // 2 :]), "shuffle"),
]
rows = [
    (name, symptom, float(number(t, v)), float(number(training[0], validation[0])), cure)
    for name, (symptom, number, cure), t, v in zip(SICK, symptoms, training[1:], validation[1:], strict=True)
]
table(["fault", "symptom", "sick", "cured", "cure"], rows, digits=3)

# %% [markdown]
"""
The sanity check before all others: two mini-batches must be learned by heart. `train.fit` runs a step over batches; a
callback writes the event files that TensorBoard shows (`tensorboard --logdir runs`), whatever the framework.
"""


# %%
def step(params, batch):
    loss, grads = fungrad.value_and_grad(lambda p: jnp.mean(losses(p, *batch)))(params)
    return fungrad.tree.map(lambda p, g: p - 0.1 * g, params, grads), loss


batches = data.batches(random.key(4), (x[: 2 * BATCH], y[: 2 * BATCH]), BATCH, epochs=300)
with tempfile.TemporaryDirectory() as folder:
    writer = train.TensorBoardWriter(folder)
    fit = train.fit(fungrad.jit(step), init(), batches, callbacks=[writer], progress=False)
    print("event file:", *[f"{file.stat().st_size} bytes" for file in Path(folder).glob("*tfevents*")])
    writer.close()

# %%
fig, axes = figure(2, 5, size=(11.0, 4.4), sharex=True)
for axis, name, t, v in zip(axes.flat, SICK, training[1:], validation[1:], strict=True):
    axis.plot(validation[0], color="0.8", label="validation, healthy")
    axis.plot(t, color="C0", linewidth=0.8, label="training")
    axis.plot(v, color="C1", label="validation")
    axis.set_title(name, fontsize=9)
    axis.set_ylim(0, 4)
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
save(fig)

apart, loss = min(max(sick / cured, cured / sick) for _, _, sick, cured, _ in rows), fit.history["loss"][-1]
claim(
    f"each symptom is at least {apart:.1f} times as strong as in health; two mini-batches: loss {loss:.3f}",
    apart > 1.3 and loss < 0.05,
)
