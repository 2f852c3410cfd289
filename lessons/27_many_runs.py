# %% [markdown]
"""
# 27 · A hundred seeds and every example by itself

**Claim.** A hundred runs that differ in nothing but the seed differ in accuracy by more than many a reported
improvement; and the gradient of each single example tells which labels are wrong.

**Answers.** day 8, "E[grad] = grad" and non-determinism of SGD; day 9, "General Tips" ("use the scientific method")

`grad` of one example's loss is a function of one example. `vmap` makes it one of a batch: the *gradients per example*,
which a framework that adds gradients up while it goes backwards does not have. Their mean is the gradient of the batch
(SGD is unbiased). An example whose gradient stays large after training contradicts the others: look at its label.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random

STEPS, SEEDS = (100, 20) if short else (250, 100)
x, y = data.sklearn("digits")
(x, y), test = data.split(random.key(0), (x / 16, y), (1000, 797), stratify=y)
wrong = np.zeros(len(y), bool)
wrong[np.random.default_rng(0).choice(len(y), 30, replace=False)] = True
labels = jnp.where(jnp.asarray(wrong), (y + 1 + random.randint(random.key(1), y.shape, 0, 9)) % 10, y)


# %%
def init(key):
    first, second = random.split(key)
    return [nn.dense.init(first, 64, 32), nn.dense.init(second, 32, 10)]


def scores(params, x):
    return nn.dense.apply(params[1], nn.relu(nn.dense.apply(params[0], x)))


def loss(params, x, y):
    """Of one example, or the mean over a batch."""
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(scores(params, x), y))


def train(key):
    opt = optim.adam(5e-3)

    def step(state, key):
        params, opt_state = state
        rows = random.randint(key, (64,), 0, len(labels))
        updates, opt_state = opt.update(fungrad.grad(loss)(params, x[rows], labels[rows]), opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    params = init(key)
    (params, _), _ = lax.scan(step, (params, opt.init(params)), random.split(random.fold_in(key, 1), STEPS))
    return params, jnp.mean(jnp.argmax(scores(params, test[0]), axis=1) == test[1])


networks, accuracy = fungrad.jit(fungrad.vmap(train))(random.split(random.key(2), SEEDS))
accuracy = 100 * np.asarray(accuracy)

# %% [markdown]
"""
One of the networks, and all its gradients: 1000 examples, 2410 numbers each.
"""

# %%
params = fungrad.tree.map(lambda p: p[0], networks)
each = fungrad.jit(fungrad.vmap(fungrad.grad(loss), in_axes=(None, 0, 0)))(params, x, labels)
whole = fungrad.grad(loss)(params, x, labels)
apart = max(
    float(jnp.max(jnp.abs(e.mean(0) - w))) for e, w in zip(*map(fungrad.tree.leaves, (each, whole)), strict=True)
)
norms = np.asarray(fungrad.vmap(optim.global_norm)(each))
suspects = np.argsort(norms)[::-1][:30]
found = int(wrong[suspects].sum())
pairs = np.abs(accuracy[:, None] - accuracy)[np.triu_indices(SEEDS, 1)]
rows = [
    ("mean of seeds", accuracy.mean()),
    ("standard deviation", accuracy.std()),
    ("best minus worst", np.ptp(accuracy)),
    ("median difference of two seeds", np.median(pairs)),
]
table(["accuracy of the same network", "%"], rows, digits=3)

# %%
fig, (left, right) = figure(1, 2, width_ratios=[1, 1])
left.hist(accuracy, bins=20, color="C0")
left.set(xlabel="test accuracy [%]", ylabel="runs", title=f"{SEEDS} seeds, one program")
bins = np.geomspace(max(norms.min(), 1e-4), norms.max(), 40)
parts = {"right labels": norms[~wrong], "wrong labels": norms[wrong]}
right.hist(list(parts.values()), bins=bins, stacked=True, color=["C0", "C3"], label=list(parts))
right.set(xscale="log", yscale="symlog", xlabel="norm of the gradient of an example", ylabel="examples")
right.legend()
save(fig)

spread = np.ptp(accuracy)
claim(
    f"the best of {SEEDS} seeds is {spread:.1f} points above the worst; of the 30 examples with the largest gradients "
    f"{found} have wrong labels (3 % have); mean of gradients and gradient of the mean differ by {apart:.0e}",
    spread > 1 and found >= (10 if short else 20) and apart < 1e-4,
)
