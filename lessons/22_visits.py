# %% [markdown]
"""
# 22 · Sequences of unequal length

**Claim.** Patients have 2 to 16 visits. Networks that read one visit after the other (RNN) or look at all of them
(attention) predict what the average of the visits cannot tell; and with a mask, padding changes no prediction.

**Answers.** day 9, "Looking Forward" (visits to the doctor; "Recurrent Neural Networks and Attention"); CSCI 410, "New
Layer: Self-Attention"

A *multi-layer perceptron* has a fixed number of inputs, patients have not. An array has one length too: shorter
sequences are *padded*, and a *mask* says which visits are real. A *recurrent network* carries a state from visit to
visit and uses the same weights for each. *Attention* weighs all visits at once, by a softmax of scores that it learns.

The patients are made up: a visit is a blood value and how many days ago it was; a patient falls ill if the last value
is above the mean of the earlier ones, give or take some noise.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random

STEPS, SEEDS, HIDDEN, LONGEST = (200, 2, 16, 16) if short else (600, 4, 16, 16)


# %%
def patients(key, count, length=LONGEST):
    """Visits ``[count, length, 2]``, a mask ``[count, length]``, and whether they fall ill."""
    for_number, for_days, for_level, for_value = random.split(key, 4)
    mask = jnp.arange(length) < random.randint(for_number, (count, 1), 2, LONGEST + 1)
    days = random.exponential(for_days, (count, length)) * mask
    ago = jnp.sum(days, axis=1, keepdims=True) - jnp.cumsum(days, axis=1)
    value = random.normal(for_level, (count, 1)) + random.normal(for_value, (count, length))
    is_last = mask & ~jnp.pad(mask[:, 1:], ((0, 0), (0, 1)))
    last = jnp.sum(value * is_last, axis=1)
    earlier = jnp.mean(value, axis=1, where=mask & ~is_last)
    return jnp.stack([value, ago], axis=-1) * mask[:, :, None], mask, (last > earlier).astype(int)


# %% [markdown]
"""
Each network is written for *one* patient, `visits [length, 2]` and `mask [length]`; `vmap` makes it one for a batch.
"""


# %%
def init(key):
    keys = random.split(key, 5)
    return {
        "gru": nn.gru.init(keys[0], 2, HIDDEN),
        "embed": nn.dense.init(keys[1], 2, HIDDEN),
        "query": nn.initializers.normal(0.5)(keys[2], (2, HIDDEN)),  # of two heads
        "hidden": nn.dense.init(keys[3], 2 * HIDDEN, HIDDEN),
        "out": nn.dense.init(keys[4], HIDDEN, 2),
    }


def classify(params, summary):
    """From a vector that sums a patient up to the scores of both outcomes."""
    summary = jnp.pad(summary, (0, 2 * HIDDEN - summary.size))
    return nn.dense.apply(params["out"], nn.relu(nn.dense.apply(params["hidden"], summary)))


def average(params, visits, mask):
    return classify(params, jnp.sum(visits * mask[:, None], axis=0) / jnp.sum(mask))


def rnn(params, visits, mask):
    def step(state, visit):
        features, real = visit
        new, _ = nn.gru.step(params["gru"], state, features)
        return jnp.where(real, new, state), None  # where there is no visit, nothing happens

    return classify(params, lax.scan(step, jnp.zeros(HIDDEN), (visits, mask))[0])


def rnn_without_mask(params, visits, mask):
    return rnn(params, visits, jnp.ones_like(mask))


def attention_weights(params, visits, mask):
    """How much each head looks at each visit: ``[heads, length]``."""
    embedded = nn.relu(nn.dense.apply(params["embed"], visits))
    return nn.softmax(jnp.where(mask, params["query"] @ embedded.T, -jnp.inf), axis=-1), embedded


def attention(params, visits, mask):
    weights, embedded = attention_weights(params, visits, mask)
    return classify(params, (weights @ embedded).ravel())


# %%
def train(network, key):
    opt, batched = optim.adam(1e-2), fungrad.vmap(network, in_axes=(None, 0, 0))

    def loss(params, visits, mask, sick):
        return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(batched(params, visits, mask), sick))

    def step(state, key):
        params, opt_state = state
        updates, opt_state = opt.update(fungrad.grad(loss)(params, *patients(key, 64)), opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    params = init(key)
    return lax.scan(step, (params, opt.init(params)), random.split(random.fold_in(key, 1), STEPS))[0][0]


def predict(network, params, visits, mask):
    return jnp.argmax(fungrad.vmap(network, in_axes=(None, 0, 0))(params, visits, mask), axis=-1)


visits, mask, sick = patients(random.key(1), 3000)
longer = jnp.pad(visits, ((0, 0), (0, LONGEST), (0, 0))), jnp.pad(mask, ((0, 0), (0, LONGEST)))
number, params, right, rows = np.asarray(mask).sum(axis=1), {}, {}, []
NETWORKS = {"average": average, "RNN": rnn, "RNN without mask": rnn_without_mask, "attention": attention}
for name, network in NETWORKS.items():
    params[name] = fungrad.jit(fungrad.vmap(lambda key, n=network: train(n, key)))(random.split(random.key(0), SEEDS))
    over_seeds = fungrad.jit(fungrad.vmap(lambda p, v, m, n=network: predict(n, p, v, m), in_axes=(0, None, None)))
    found, padded = (np.asarray(over_seeds(params[name], *batch)) for batch in ((visits, mask), longer))
    right[name] = 100 * (found == np.asarray(sick))
    rows.append((name, right[name].mean(), right[name].mean(axis=1).std(), 100 * np.mean(found != padded)))
table(["summary of the visits", "accuracy [%]", "± over seeds", "changed by more padding [%]"], rows, digits=3)

# %%
fig, (left, axis) = figure(1, 2, width_ratios=[3, 2])
for name, found in right.items():
    left.plot(range(2, LONGEST + 1), [100 - found[:, number == n].mean() for n in range(2, LONGEST + 1)], label=name)
left.set(xlabel="visits", ylabel="error [%]", ylim=(0, 65))
left.legend(ncols=2)
chosen = int(np.flatnonzero(number == 12)[0])
best = fungrad.tree.map(lambda p: p[right["attention"].mean(axis=1).argmax()], params["attention"])
for head, weights in enumerate(attention_weights(best, visits[chosen], mask[chosen])[0]):
    axis.bar(np.arange(1, 13) + 0.4 * head - 0.2, weights[:12], 0.4, label=f"head {head + 1}")
axis.set(xlabel="visit of one patient", title="attention weights")
axis.legend(loc="upper left")
save(fig)

accuracy, changed = ({row[0]: row[column] for row in rows} for column in (1, 3))
claim(
    f"average {accuracy['average']:.0f} %, RNN {accuracy['RNN']:.0f} %, attention {accuracy['attention']:.0f} %; with "
    f"a mask padding changes nothing, without it {changed['RNN without mask']:.1f} % of the answers",
    min(accuracy["RNN"], accuracy["attention"]) > accuracy["average"] + 10
    and changed["RNN"] == changed["attention"] == 0 < changed["RNN without mask"],
)
