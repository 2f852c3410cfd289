# %% [markdown]
"""
# 16 · Optimizers, rates and schedules

**Claim.** With its own best learning rate each of six optimizers learns the digits about equally well. What differs is
which rate that is, and Adam forgives most: no other optimizer has as wide a range of good rates.

**Answers.** day 8 and day 9, "Optimizers" ("just use Adam ... 3e-4"); review, "Optimization methods" and "Learning rate
decay"

All of them take steps against the gradient. *Momentum* adds up past gradients. *Adagrad* and *RMSProp* divide each
coordinate by the size of its past gradients, so that the step does not depend on their scale; *Adam* does both.
*Shampoo* divides by matrices instead of numbers. A *schedule* changes the learning rate during the run.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random

STEPS, BATCH, SEEDS = (100, 64, 1) if short else (300, 64, 3)
CONSTANT = jnp.ones(STEPS)
RATES = np.logspace(-5, 1, 13 if short else 25)
OPTIMIZERS = {
    "SGD": optim.sgd,
    "momentum": lambda rate: optim.sgd(rate, momentum=0.9),
    "Adagrad": optim.adagrad,
    "RMSProp": optim.rmsprop,
    "Adam": optim.adam,
    "Shampoo": lambda rate: optim.contrib.shampoo(rate, decay=0.95, update_interval=10),
}
x, y = data.sklearn("digits")
(x, y), test = data.split(random.key(0), (x / 16, y), (0.8, 0.2), stratify=y)


# %%
def scores(params, x):
    return nn.dense.apply(params[1], nn.relu(nn.dense.apply(params[0], x)))


def loss(params, x, y):
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(scores(params, x), y))


def train(optimizer, key, rate, schedule=CONSTANT, batch=BATCH):
    """A run with ``rate * schedule[step]`` as its learning rate: the losses, and the accuracy on unseen digits."""
    opt = optimizer(lambda count: rate * schedule[count])
    first, second, draws = random.split(key, 3)
    params = [nn.dense.init(first, 64, 32), nn.dense.init(second, 32, 10)]

    def step(state, key):
        params, opt_state = state
        rows = random.randint(key, (batch,), 0, len(y))
        value, grads = fungrad.value_and_grad(loss)(params, x[rows], y[rows])
        updates, opt_state = opt.update(grads, opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), value

    (params, _), losses = lax.scan(step, (params, opt.init(params)), random.split(draws, len(schedule)))
    return losses, jnp.mean(jnp.argmax(scores(params, test[0]), axis=1) == test[1])


def over(keys, values, run):
    """``run(key, value)`` for all keys and values: one compiled program for all runs."""
    seeds = fungrad.vmap(run, in_axes=(0, None))
    return [np.asarray(out) for out in fungrad.jit(fungrad.vmap(seeds, in_axes=(None, 0)))(keys, values)]


# %% [markdown]
"""
Each row of the heat map on the left is one program that trains with 25 rates and 3 seeds at once.
"""

# %%
keys = random.split(random.key(1), SEEDS)
accuracy, rows = {}, []
for name, optimizer in OPTIMIZERS.items():
    accuracy[name] = over(keys, jnp.asarray(RATES, "float32"), lambda k, rate, o=optimizer: train(o, k, rate))[1].mean(
        1
    )
    best = accuracy[name].max()
    good = (accuracy[name] > best - 0.02).sum() * np.log10(RATES[1] / RATES[0])
    at_3e_4 = accuracy[name][np.abs(np.log10(RATES / 3e-4)).argmin()]
    rows.append((name, RATES[accuracy[name].argmax()], 100 * best, round(good, 1), 100 * at_3e_4))
table(["optimizer", "best rate", "accuracy [%]", "decades within 2 points", "accuracy at 3e-4 [%]"], rows, digits=3)

# %% [markdown]
"""
"Which rate is best? All of them!": start high, then decay. The rate of momentum SGD is set too high on purpose, so
that with a constant rate the weights keep bouncing. The last experiment tests the rule to scale the rate with the
batch size. Look at 3e-4, the dotted line: safe for Adam, but 300 steps are too few for it; there is no rate for all.
"""

# %%
time = np.arange(STEPS) / STEPS
SCHEDULES = {
    "constant": np.ones(STEPS),
    "step at 30, 60, 90 %": 0.1 ** ((time >= 0.3) * 1.0 + (time >= 0.6) + (time >= 0.9)),
    "cosine": (1 + np.cos(np.pi * time)) / 2,
    "linear": 1 - time,
    "inverse square root": 1 / np.sqrt(1 + 100 * time),
}
factors = jnp.asarray(np.stack(list(SCHEDULES.values())), "float32")
curves, _ = over(keys, factors, lambda key, schedule: train(OPTIMIZERS["momentum"], key, 0.5, schedule))

best_rates = {}
for batch in (8, 32, 128):
    losses, _ = over(keys, jnp.asarray(RATES, "float32"), lambda k, rate, b=batch: train(optim.sgd, k, rate, batch=b))
    last = np.nan_to_num(losses[:, :, -STEPS // 5 :].mean((1, 2)), nan=np.inf)
    best_rates[batch] = RATES[last.argmin()]

# %%
fig, (left, middle, right) = figure(1, 3, size=(10.0, 3.4), width_ratios=[5, 4, 2])
image = left.pcolormesh(RATES, range(6), 100 * np.stack(list(accuracy.values())), shading="nearest", vmin=0, vmax=100)
left.set(xscale="log", xlabel="learning rate", yticks=range(6), yticklabels=list(accuracy), ylim=(5.5, -0.5))
left.axvline(3e-4, color="w", linestyle=":")
left.grid(False)
fig.colorbar(image, ax=left, label="test accuracy [%]")
window = STEPS // 15
for name, curve in zip(SCHEDULES, curves, strict=True):
    smooth = np.convolve(curve.mean(0), np.ones(window) / window, "valid")
    middle.plot(np.arange(window, STEPS + 1), smooth, label=name)
middle.set(yscale="log", xlabel="step", title="training loss (momentum)", ylim=(1e-3, 2))
middle.legend(loc="lower left")
right.plot(list(best_rates), list(best_rates.values()), "o-")
right.set(xlabel="batch size", title="best rate of SGD", xticks=list(best_rates), ylim=(0, None))
save(fig)

best, decades = ({row[0]: row[column] for row in rows} for column in (2, 3))
low, high, ratio = min(best.values()), max(best.values()), best_rates[128] / best_rates[8]
claim(
    f"best rates give {low:.1f} to {high:.1f} %; good rates span {decades['Adam']} decades with Adam, {decades['SGD']} "
    f"with SGD; for 16 times the batch the best rate of SGD is {ratio:.1f} times as high",
    low > (85 if short else 94) and decades["Adam"] == max(decades.values()),
)
