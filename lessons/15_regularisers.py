# %% [markdown]
"""
# 15 · Regularisers

**Claim.** A network that learns 300 digits, 30 % of them with random labels, learns the wrong labels too. L1, L2,
max-norm, dropout, noise and early stopping each prevent that; batch normalisation, for all its fame, does not.

**Answers.** CAI 4104, "Regularizing Neural Networks"; review, "Design choices: regularization" and "Early stopping:
always do this"; day 8, "Early Stopping Algorithm"

A network *overfits* when it fits what is an accident of its training set. To see that clearly, 30 % of the training
labels are drawn anew at random. *Explicit* regularisers add a term to the loss (L1, L2, both as elastic net);
*implicit* ones change the training: max-norm rescales a neuron's weights after each step, dropout silences neurons,
data augmentation changes the images, early stopping keeps the weights that were best on the *validation set*.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random

STEPS, SEEDS = (300, 3) if short else (600, 5)
EVERY, WIDTH = 20, 64
x, y = data.sklearn("digits")
(x, y), validation, test = data.split(random.key(0), (x / 16, y), (300, 200, 1297), stratify=y)
wrong = random.uniform(random.key(1), y.shape) < 0.3
y = jnp.where(wrong, random.randint(random.key(2), y.shape, 0, 10), y)

# %% [markdown]
"""
Every regulariser is a number that is harmless at some value: a factor of 0, a rate of 0, a greatest norm of
infinity. So one training function knows them all, and `vmap` maps it over this table.
"""

# %%
NONE = {"l1": 0.0, "l2": 0.0, "max_norm": np.inf, "dropout": 0.0, "noise": 0.0, "batch_norm": 0.0}
METHODS = {
    "none": {}, "L1": {"l1": 2e-3}, "L2": {"l2": 4e-3},
    "elastic net": {"l1": 1e-3, "l2": 2e-3},
    "max-norm": {"max_norm": 0.8},
    "dropout": {"dropout": 0.5},
    "augmentation (noise)": {"noise": 0.3},
    "batch norm": {"batch_norm": 1.0},
}  # fmt: skip
settings = {name: jnp.asarray([{**NONE, **m}[name] for m in METHODS.values()], "float32") for name in NONE}


# %%
def init(key):
    sizes = zip(random.split(key, 3), (64, WIDTH, WIDTH), (WIDTH, WIDTH, 10), strict=True)
    norm, running = nn.batch_norm.init(None, WIDTH)
    return {"dense": [nn.dense.init(*size) for size in sizes], "norms": [norm, norm]}, [running, running]


def scores(params, running, x, how, key=None):
    """Scores of the digits, and new running means; without a key as after training."""
    training, new = key is not None, []
    for i, old in enumerate(running):
        x = nn.dense.apply(params["dense"][i], x)
        normed, state = nn.batch_norm.apply(params["norms"][i], old, x, training=training, momentum=0.9)
        x = nn.relu(jnp.where(how["batch_norm"] > 0, normed, x))
        if training:
            x = nn.dropout(random.fold_in(key, i), x, how["dropout"])
        new.append(state)
    return nn.dense.apply(params["dense"][-1], x), new


def cross_entropy(out, y):
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(out, y))


def train(key, how):
    opt = optim.adam(3e-3)

    def loss(params, running, rows, key):
        for_noise, for_dropout = random.split(key)
        noisy = x[rows] + how["noise"] * random.normal(for_noise, (len(rows), 64))
        out, running = scores(params, running, noisy, how, for_dropout)
        weights = jnp.concatenate([layer["kernel"].ravel() for layer in params["dense"]])
        penalty = how["l1"] * jnp.sum(jnp.abs(weights)) + how["l2"] * jnp.sum(weights**2)
        return cross_entropy(out, y[rows]) + penalty, running

    def step(state, key):
        params, running, opt_state = state
        for_rows, for_loss = random.split(key)
        rows = random.randint(for_rows, (50,), 0, len(y))
        grads, running = fungrad.grad(loss, has_aux=True)(params, running, rows, for_loss)
        updates, opt_state = opt.update(grads, opt_state)
        params = optim.apply_updates(params, updates)
        for layer in params["dense"]:  # max-norm: the weights incoming to a neuron, rescaled after the step
            layer["kernel"] *= jnp.minimum(1, how["max_norm"] / jnp.linalg.norm(layer["kernel"], axis=0))
        return (params, running, opt_state), None

    def look(state, key):
        state, _ = lax.scan(step, state, random.split(key, EVERY))
        out = {"validation": cross_entropy(scores(*state[:2], validation[0], how)[0], validation[1])}
        for name, (images, labels) in {"training": (x, y), "test": test}.items():
            out[name] = jnp.mean(jnp.argmax(scores(*state[:2], images, how)[0], 1) == labels)
        return state, out

    params, running = init(key)
    keys = random.split(random.fold_in(key, 1), STEPS // EVERY)
    return lax.scan(look, (params, running, opt.init(params)), keys)[1]


over_seeds = fungrad.vmap(train, in_axes=(0, None))
curves = fungrad.jit(fungrad.vmap(over_seeds, in_axes=(None, 0)))(random.split(random.key(3), SEEDS), settings)
curves = {name: np.asarray(curve) for name, curve in curves.items()}  # [method, seed, look]

# %%
results = {name: (curves["training"][i, :, -1], curves["test"][i, :, -1]) for i, name in enumerate(METHODS)}
best = curves["validation"][0].argmin(axis=1)  # early stopping looks back at the run without anything
results["early stopping"] = tuple(curves[name][0, np.arange(SEEDS), best] for name in ("training", "test"))
rows = [(name, 100 * fit.mean(), 100 * test.mean(), 100 * test.std()) for name, (fit, test) in results.items()]
table(["regulariser", "training accuracy [%]", "test accuracy [%]", "± over seeds"], rows, digits=3)

# %% [markdown]
"""
A slip in the review: it scales the outputs "by dropout probability p" at test time. It must be the probability to
*keep* a neuron, 1 - p; or, as `nn.dropout` does, what is kept is divided by 1 - p in training, and that is all.
"""

# %%
fig, (left, right) = figure(1, 2, size=(9.0, 3.8), width_ratios=[3, 2])
for part, (label, shift) in enumerate((("training labels (30 % random)", 0.2), ("test digits", -0.2))):
    values = 100 * np.array([result[part] for result in results.values()])
    left.barh(np.arange(9) + shift, values.mean(1), 0.38, xerr=values.std(1), color=f"C{1 - part}", label=label)
left.set(yticks=range(9), yticklabels=list(results), xlim=(50, 101), ylim=(8.6, -0.6), xlabel="accuracy [%]")
fig.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=2)
steps = EVERY * np.arange(1, STEPS // EVERY + 1)
for i, colour in ((0, "k"), (2, "C2"), (5, "C4"), (7, "C3")):
    right.plot(steps, curves["validation"][i].mean(0), color=colour, label=list(METHODS)[i])
mean = curves["validation"][0].mean(0)
right.plot(steps[mean.argmin()], mean.min(), "ko", mfc="w", label="early stopping")
right.set(xlabel="step", title="validation loss", ylim=(0.4, 1.6))
right.legend()
save(fig)

gain = {name: 100 * np.mean(test - results["none"][1]) for name, (_, test) in results.items()}
helped = [gain[name] for name in results if name not in ("none", "batch norm")]
dropped = nn.dropout(random.key(4), jnp.ones(100_000), 0.9)
none, norm = 100 * results["none"][1].mean(), gain["batch norm"]
claim(
    f"{none:.0f} % without, gains of {min(helped):.0f} to {max(helped):.0f} points; batch norm {norm:+.0f}; "
    f"mean of ones after dropout of 90 %: {dropped.mean():.2f}",
    min(helped) > 2 and norm < 1 and abs(dropped.mean() - 1) < 0.1,
)
