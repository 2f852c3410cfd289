# %% [markdown]
"""
# 19 · Ensembles

**Claim.** The averaged probabilities of ten networks are right more often than the networks are on average. Snapshots
of one run are a part of that for the price of one.

**Answers.** review, "Model inference" (ten crops), "Model ensembles" ("Enjoy 2% extra performance") and "tips and
tricks" (snapshots, cyclic rates)

Networks that start from different weights and see other batches make different mistakes; an average of their
probabilities keeps what they agree on. Where each member costs a training run, *snapshot ensembles* take several
from one: the learning rate falls and is set high again (*cosine with warm restarts*), and the weights
are kept at the end of each cycle. *Test-time augmentation* averages one network over changed images instead.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random

CYCLES, STEPS, MEMBERS = 5, (60 if short else 150), (10 if short else 40)
x, y = data.sklearn("digits")
(x, y), (test_x, test_y) = data.split(random.key(0), (x / 16, y), (200, 1500), stratify=y)


# %%
def scores(params, x):
    return nn.dense.apply(params[1], nn.relu(nn.dense.apply(params[0], x)))


def loss(params, x, y):
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(scores(params, x), y))


def moved(x, right, down):
    """Images moved by whole pixels; what comes in is black."""
    images = jnp.pad(x.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    return images[:, 1 - down : 9 - down, 1 - right : 9 - right].reshape(x.shape)


MOVES = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))


def train(key, rates):
    """A run with the learning rates of all its steps: parameters after each fifth of it."""
    opt = optim.sgd(lambda count: rates[count], momentum=0.9)
    first, second, draws = random.split(key, 3)
    params = [nn.dense.init(first, 64, 64), nn.dense.init(second, 64, 10)]

    def step(state, key):
        params, opt_state = state
        pick, change = random.split(key)
        rows = random.randint(pick, (32,), 0, len(y))
        images = data.shift(change, x[rows].reshape(-1, 8, 8), 1).reshape(-1, 64)
        updates, opt_state = opt.update(fungrad.grad(loss)(params, images, y[rows]), opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), None

    def cycle(state, keys):
        state, _ = lax.scan(step, state, keys)
        return state, state[0]

    keys = random.split(draws, CYCLES * STEPS).reshape(CYCLES, STEPS)
    return lax.scan(cycle, (params, opt.init(params)), keys)[1]


# %% [markdown]
"""
All members are one program: `vmap` over keys. So are both schedules, and so are the predictions of all members at all
moments: `vmap` over the trees of parameters.
"""

# %%
time = np.arange(STEPS) / STEPS
cosine = 0.1 * (1 + np.cos(np.pi * np.arange(CYCLES * STEPS) / (CYCLES * STEPS))) / 2
restarts = np.tile(0.2 * (1 + np.cos(np.pi * time)) / 2, CYCLES)
runs = fungrad.vmap(fungrad.vmap(train, in_axes=(0, None)), in_axes=(None, 0))
params = fungrad.jit(runs)(random.split(random.key(1), MEMBERS), jnp.asarray(np.stack([cosine, restarts]), "float32"))


def probabilities(params):
    return jnp.stack([nn.softmax(scores(params, moved(test_x, *move))) for move in MOVES])


mapped = fungrad.vmap(fungrad.vmap(fungrad.vmap(probabilities)))
# [schedule, member, cycle, move, image, class]
p = np.asarray(fungrad.jit(mapped)(params))


def accuracy(p):
    return 100 * np.mean(p.argmax(-1) == np.asarray(test_y), axis=-1)


def of_groups(size):
    """Accuracies of ensembles of so many members, disjoint ones."""
    groups = p[0, : MEMBERS // size * size, -1, 0].reshape(-1, size, *p.shape[-2:])
    return accuracy(groups.mean(axis=1))


results = {
    "one network": accuracy(p[0, :, -1, 0]),
    "5 snapshots of one run with restarts": accuracy(p[1, :, :, 0].mean(axis=1)),
    "5 networks": of_groups(5),
    "10 networks": of_groups(10),
    "one network, 5 moved images": accuracy(p[0, :, -1].mean(axis=1)),
    "10 networks, 5 moved images": accuracy(p[0, :10, -1].mean(axis=(0, 1)))[None],
}
cost = {"5 networks": 5, "10 networks": 10, "10 networks, 5 moved images": 10}
rows = [(name, cost.get(name, 1), found.mean(), found.std()) for name, found in results.items()]
table(["ensemble", "training runs", "test accuracy [%]", "± over ensembles"], rows, digits=3)

# %% [markdown]
"""
The ten crops of the slide (corners and centre, flipped too) are five here: moved by a pixel to each side. A flipped
digit is no digit. The networks have been trained on moved images, else the moves would do harm.
"""

# %%
fig, (left, right) = figure(1, 2, width_ratios=[3, 2])
sizes = np.arange(1, MEMBERS // 4 + 1)
means, spread = (np.array([f(of_groups(n)) for n in sizes]) for f in (np.mean, np.std))
left.fill_between(sizes, means - spread, means + spread, alpha=0.2, linewidth=0)
left.plot(sizes, means, "o-", markersize=3, label="independent networks")
snapshots = [accuracy(p[1, :, CYCLES - n :, 0].mean(axis=1)).mean() for n in range(1, CYCLES + 1)]
left.plot(range(1, CYCLES + 1), snapshots, "s-", markersize=3, label="last snapshots of one run")
left.axhline(results["one network, 5 moved images"].mean(), color="C2", label="one network, 5 moved images")
left.set(xlabel="members", ylabel="test accuracy [%]")
left.legend()
steps = np.arange(CYCLES * STEPS)
right.plot(steps, cosine, label="cosine")
right.plot(steps, restarts, label="with warm restarts")
right.plot(STEPS * np.arange(1, CYCLES + 1) - 1, np.zeros(CYCLES), "s", color="C1", label="snapshots")
right.set(xlabel="step", title="learning rate", ylim=(None, 0.32))
right.legend(loc="upper right", ncols=1)
save(fig)

ten, five_moves = (results[name].mean() - means[0] for name in ("10 networks", "one network, 5 moved images"))
shots = snapshots[-1] - snapshots[0]
claim(
    f"ten networks gain {ten:.1f} points over one, the snapshots of one run {shots:.1f} over its last, moved images "
    f"{five_moves:.1f}",
    ten > 1 and shots > 0 and five_moves > 1,
)
