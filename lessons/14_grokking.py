# %% [markdown]
"""
# 14 · Grokking

**Claim.** A network that learns addition modulo 31 knows its training pairs within 100 steps and understands addition
only after ten times as many; without weight decay it does not within 2500 steps.

**Answers.** CAI 4104, "Phenomenon: Grokking"

*Grokking* is a sudden *generalization* long after the network has *overfitted*: training accuracy is perfect, test
accuracy that of guessing, and then, hundreds of steps later, the test accuracy rises too. The slide says that it
happens in very specific settings. This is one: the table of a + b modulo 31, of which the network sees 60 % and is
asked for the rest. The pressure comes from *weight decay*, which shrinks all weights a little in each step: a lookup
table of 576 entries needs large weights, the rule needs small ones.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random

P, WIDTH, EVERY = 31, 128, 25
STEPS, SEEDS = (1200, 2) if short else (2500, 3)
DECAYS = [0.0, 1.0] if short else [0.0, 0.3, 1.0]

pairs = jnp.stack(jnp.meshgrid(jnp.arange(P), jnp.arange(P)), axis=-1).reshape(-1, 2)
sums = pairs.sum(axis=1) % P

# %% [markdown]
"""
The network: a vector for each number on the left, one for each on the right, their sum through a ReLU, and 31 scores.
Nothing tells it that 3 comes after 2.
"""


# %%
def init(key):
    left, right, out = random.split(key, 3)
    normal = nn.initializers.normal(0.1)
    return {"left": normal(left, (P, WIDTH)), "right": normal(right, (P, WIDTH)), "out": normal(out, (WIDTH, P))}


def scores(params, pairs):
    return nn.relu(params["left"][pairs[:, 0]] + params["right"][pairs[:, 1]]) @ params["out"]


def loss(params, pairs, sums):
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(scores(params, pairs), sums))


def accuracy(params, pairs, sums):
    return jnp.mean(jnp.argmax(scores(params, pairs), axis=1) == sums)


# %% [markdown]
"""
A whole training run is a function of the key, which draws the pairs and the weights, and of the weight decay. So
`vmap` maps it over both: all seeds with all decays are one compiled program.
"""


# %%
def train(key, decay):
    draw, start = random.split(key)
    order = random.permutation(draw, P * P)
    seen, unseen = jnp.split(order, [int(0.6 * P * P)])
    opt = optim.adamw(0.01, b2=0.98, weight_decay=decay)

    def step(state, _):
        params, opt_state = state
        updates, opt_state = opt.update(fungrad.grad(loss)(params, pairs[seen], sums[seen]), opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), None

    def look(state, _):
        state, _ = lax.scan(step, state, length=EVERY)
        here = {n: accuracy(state[0], pairs[part], sums[part]) for n, part in (("seen", seen), ("unseen", unseen))}
        return state, here | {"norm": optim.global_norm(state[0])}

    params = init(start)
    (params, _), curves = lax.scan(look, (params, opt.init(params)), length=STEPS // EVERY)
    return params, curves


over_seeds = fungrad.vmap(train, in_axes=(0, None))
runs = fungrad.jit(fungrad.vmap(over_seeds, in_axes=(None, 0)))
params, curves = runs(random.split(random.key(0), SEEDS), jnp.asarray(DECAYS))
curves = {name: np.asarray(curve) for name, curve in curves.items()}


# %%
def first_step(curve, level):
    """The step of the median run at which a curve reaches a level, infinite if it never does."""
    reached = [EVERY * (1 + np.argmax(run >= level)) if np.any(run >= level) else np.inf for run in curve]
    return np.median(reached)


rows = []
for i, decay in enumerate(DECAYS):
    seen, unseen, norm = (curves[name][i] for name in ("seen", "unseen", "norm"))
    rows.append((decay, first_step(seen, 0.99), first_step(unseen, 0.9), unseen[:, -1].min(), norm[:, -1].mean()))
table(["decay", "99 % of seen pairs at", "90 % of unseen at", "worst unseen at the end", "norm of weights"], rows)

# %% [markdown]
"""
What has it understood? On the right, the spectrum (discrete Fourier transform over the 31 numbers) of the vectors of
a few neurons. Without decay, every neuron has a bit of each frequency: a table of random numbers. With it, a
neuron is a wave of *one* frequency. Adding angles is adding modulo 31: the network has found trigonometry.
"""

# %%
spectrum = np.abs(np.fft.rfft(np.asarray(params["left"])[:, 0], axis=1))[:, 1:] ** 2
spectrum /= spectrum.sum(axis=1, keepdims=True)
purity = np.median(spectrum.max(axis=1), axis=1)  # the share of a neuron's strongest frequency

fig, axes = figure(1, 3, width_ratios=[2, 1, 1])
steps = EVERY * np.arange(1, STEPS // EVERY + 1)
for i, colour in ((0, "C1"), (-1, "C0")):
    axes[0].plot(steps, 100 * curves["unseen"][i].T, color=colour)
    axes[0].plot(steps, 100 * curves["seen"][i].T, ":", color=colour)
    axes[0].plot([], color=colour, label=f"unseen pairs, decay {DECAYS[i]:g}")
axes[0].plot([], ":", color="0.4", label="training pairs")
axes[0].set(xscale="log", xlabel="step", ylabel="accuracy [%]", title=f"{SEEDS} seeds each")
axes[0].legend()
for axis, i in ((axes[1], 0), (axes[2], -1)):
    order = np.argsort(spectrum[i].argmax(axis=0))
    axis.imshow(spectrum[i][:, order].T, aspect="auto", cmap="magma", vmin=0, vmax=1, origin="lower")
    axis.set(xlabel="frequency", ylabel="neurons", title=f"spectrum, decay {DECAYS[i]:g}", yticks=[])
    axis.grid(False)
save(fig)

known, understood = (first_step(curves[n][-1], level) for n, level in (("seen", 0.99), ("unseen", 0.9)))
claim(
    f"pairs known after {known:.0f} steps, addition after {understood:.0f}; without decay {rows[0][3]:.1%} of unseen "
    f"pairs; a neuron has {purity[-1]:.0%} of its power at one frequency, {purity[0]:.0%} without decay",
    understood >= 5 * known and rows[-1][3] > 0.9 and curves["unseen"][0].max() < 0.1 and purity[-1] > 2 * purity[0],
)
