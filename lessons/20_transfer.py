# %% [markdown]
"""
# 20 · Transfer learning

**Claim.** With few labels, a new head on the frozen layers of a network that has learned other digits beats a network
trained from scratch. With many labels frozen layers are a limit, and *fine-tuning* them is best.

**Answers.** CAI 4104, "Transfer Learning" (reuse, freeze, cache, replace the output layer)

The source task: tell the digits 0 to 4 of MNIST-1D apart (lines of 40 numbers, moved, stretched and noisy). The target
task: the digits 5 to 9, of which few have labels. The convolutions are reused, the output layer is replaced. *Frozen*
layers are not trained; so their outputs never change and can be *cached*: computed once for all steps. To freeze, a
functional library needs nothing: what `grad` is not asked for, is not trained.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random

STEPS, SOURCE_STEPS, SEEDS = (80, 500, 3) if short else (200, 1000, 6)
LABELS = jnp.asarray([10, 20, 50, 200, 1000])
(x, y), _ = data.mnist1d()
x, y = x[:, :, None], np.asarray(y)
source, target = (x[y < 5], jnp.asarray(y[y < 5])), (x[y >= 5], jnp.asarray(y[y >= 5] - 5))


# %%
def init(key):
    *keys, last = random.split(key, 4)
    convolutions = [nn.conv.init(k, n, 16, size) for k, n, size in zip(keys, (1, 16, 16), (5, 3, 3), strict=True)]
    return convolutions, nn.dense.init(last, 5 * 16, 5)


def features(layers, x):
    for layer in layers:
        x = nn.relu(nn.conv.apply(layer, x, strides=2))
    return x.reshape(*x.shape[:-2], -1)


def everything(params, x):
    layers, head = params
    return nn.dense.apply(head, features(layers, x))


def fit(scores, params, examples, count, key, steps=STEPS):
    """Trains the parameters of ``scores(params, x)`` on the first ``count`` examples."""
    opt, (x, y) = optim.adam(5e-3), examples

    def loss(params, rows):
        return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(scores(params, x[rows]), y[rows]))

    def step(state, key):
        params, opt_state = state
        rows = random.randint(key, (32,), 0, count)
        updates, opt_state = opt.update(fungrad.grad(loss)(params, rows), opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), None

    return lax.scan(step, (params, opt.init(params)), random.split(key, steps))[0][0]


@fungrad.jit
def learned(key):
    """The network that has learned the source task."""
    return fit(everything, init(key), source, len(source[1]), key, SOURCE_STEPS)


layers, old_head = learned(random.key(0))

# %% [markdown]
"""
Four ways to the target task. How many examples have labels is a number like any other: `vmap` maps over it too.
"""


# %%
def scratch(key, examples, count):
    return fit(everything, init(key), examples, count, key)


def fine_tuned(key, examples, count):
    return fit(everything, (layers, init(key)[1]), examples, count, key)


def frozen(key, examples, count, layers=layers):
    cached = features(layers, examples[0])
    return layers, fit(nn.dense.apply, init(key)[1], (cached, examples[1]), count, key)


def frozen_not_cached(key, examples, count):
    return layers, fit(lambda head, x: everything((layers, head), x), init(key)[1], examples, count, key)


def frozen_random(key, examples, count):
    return frozen(key, examples, count, init(random.fold_in(key, 1))[0])


def accuracy(method, key, count):
    order = random.permutation(key, len(target[1]))
    examples = target[0][order], target[1][order]
    params = method(key, examples, count)
    return jnp.mean(jnp.argmax(everything(params, examples[0][1000:]), axis=1) == examples[1][1000:])


METHODS = {
    "from scratch": scratch,
    "frozen, new head": frozen,
    "fine-tuned": fine_tuned,
    "frozen random layers": frozen_random,
}
keys, results = random.split(random.key(1), SEEDS), {}
for name, method in METHODS.items():
    over_seeds = fungrad.vmap(lambda key, count, m=method: accuracy(m, key, count), in_axes=(0, None))
    results[name] = 100 * np.asarray(fungrad.jit(fungrad.vmap(over_seeds, in_axes=(None, 0)))(keys, LABELS))
table(["accuracy [%] with labels:", *map(str, LABELS)], [(n, *r.mean(axis=1)) for n, r in results.items()], digits=3)

cached, again = (fungrad.jit(m)(keys[0], target, 200)[1]["kernel"] for m in (frozen, frozen_not_cached))
apart = float(jnp.max(jnp.abs(cached - again)))

# %%
fig, axis = figure(size=(6.5, 3.8))
for name, found in results.items():
    axis.errorbar(LABELS, found.mean(1), found.std(1), fmt="o-", capsize=2, markersize=4, label=name)
axis.axhline(20, color="0.5", linestyle=":", label="chance")
axis.set(xscale="log", xlabel="examples with labels, of the digits 5 to 9", ylabel="accuracy [%]", xticks=LABELS)
axis.set_xticks(LABELS, labels=map(str, LABELS))
axis.minorticks_off()
axis.legend()
save(fig)

mean = {name: found.mean(axis=1) for name, found in results.items()}
few, many = mean["frozen, new head"] - mean["from scratch"], mean["fine-tuned"] - mean["frozen, new head"]
claim(
    f"with 20 and 50 labels frozen layers gain {few[1]:.0f} and {few[2]:.0f} points over scratch; with 1000 "
    f"fine-tuning gains {many[4]:.0f} over frozen; cached and not differ by {apart:.0e}",
    min(few[1:3]) > 2
    and few[4] < 2
    and many[4] > 5
    and mean["fine-tuned"][4] > mean["from scratch"][4]
    and apart < 1e-3,
)
