# %% [markdown]
"""
# 11 · What depth buys

**Claim.** k layers of two ReLUs fold a line into 2ᵏ straight pieces; one hidden layer needs a unit for each. With equal
numbers of parameters, many deep networks learn a folded function, and no wide one does.

**Answers.** day 9, "Benefits of depth in neural networks" and "Is adding more width or depth better?"; day 8,
"Hidden Layers"

A ReLU network of one input is a chain of straight *pieces*. A hidden layer of n units has at most n kinks. But a layer
that maps the interval onto itself twice, up and down (the *tent*), makes everything behind it happen twice: composing k
tents makes 2ᵏ pieces. That is the idea behind Telgarsky's theorem: some functions cost deep networks little and shallow
ones exponentially much. The slides ask whether such functions are *pathological*; here is one, and what training makes
of it.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random


# %%
def tent(x):
    """A layer of two units: up to 1 at x = 1/2, and down again."""
    return 2 * nn.relu(x) - 4 * nn.relu(x - 0.5)


def folded(x, k):
    for _ in range(k):
        x = tent(x)
    return x


def parameters(sizes):
    return sum(n * m + m for n, m in zip(sizes, sizes[1:]))


def pieces(f):
    """Counts where the slope changes, at points between which all kinks lie."""
    slopes = np.asarray(fungrad.vmap(fungrad.grad(f))((jnp.arange(2**13) + 0.5) / 2**13))
    return 1 + int(np.sum(slopes[1:] != slopes[:-1]))


rows = []
for k in range(1, 9):
    count = pieces(lambda x, k=k: folded(x, k))
    deep, wide = parameters((1, *[2] * k, 1)), parameters((1, count - 1, 1))
    rows.append((k, count, 2 * k, deep, count - 1, wide))
table(["layers", "pieces", "units", "parameters", "units in one layer", "parameters"], rows)

# %% [markdown]
"""
That the weights exist does not mean that descent finds them. So networks with about 300 parameters each are trained on
the line folded three times (eight pieces) and four times, from several initialisations at once by `vmap`.
"""

# %%
SHAPES = {"1 layer of 100": (1, 100, 1), "2 of 16": (1, 16, 16, 1), "3 of 11": (1, 11, 11, 11, 1),
          "4 of 9": (1, 9, 9, 9, 9, 1)}  # fmt: skip
x = jnp.linspace(0, 1, 257)
keys = random.split(random.key(0), 8 if short else 24)


def init(key, sizes):
    he = nn.initializers.he_normal()
    keys = random.split(key, len(sizes))
    return [nn.dense.init(k, n, m, kernel_init=he) for k, n, m in zip(keys, sizes, sizes[1:])]


def predict(params, x):
    h = 2 * x[:, None] - 1
    for layer in params[:-1]:
        h = nn.relu(nn.dense.apply(layer, h))
    return nn.dense.apply(params[-1], h)[:, 0]


def train(key, sizes, y, steps=3000):
    params = init(key, sizes)
    opt = optim.adam(optim.cosine_decay_schedule(3e-3, steps))

    def step(state, _):
        params, opt_state = state
        gradient = fungrad.grad(lambda p: jnp.mean((predict(p, x) - y) ** 2))(params)
        updates, opt_state = opt.update(gradient, opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    (params, _), _ = lax.scan(step, (params, opt.init(params)), length=steps)
    return predict(params, x), jnp.sqrt(jnp.mean((predict(params, x) - y) ** 2))


results = {}
for k in (3,) if short else (2, 3, 4):
    for name, sizes in SHAPES.items():
        run = fungrad.vmap(lambda key, sizes=sizes, k=k: train(key, sizes, folded(x, k)))
        results[k, name] = [np.asarray(a) for a in fungrad.jit(run)(keys)]

# %%
fig, axes = figure(1, 3, size=(11.0, 3.5))
for k, color in ((1, "C0"), (2, "C1"), (4, "C2")):
    axes[0].plot(x, folded(x, k) + 1.15 * (2.0 - np.log2(k)), color=color, label=f"{2**k} pieces")
axes[0].set(title="Folds of a line", yticks=[], xlabel="x", ylim=(-0.1, 4.0))
axes[0].legend(loc="upper center", ncols=3, fontsize=6.5)
axes[1].plot(x, folded(x, 3), color="0.7", linewidth=4)
for name, color in (("1 layer of 100", "C3"), ("4 of 9", "C0")):
    fits, errors = results[3, name]
    axes[1].plot(x, fits[np.argmin(errors)], color=color, label=f"{name}, {parameters(SHAPES[name])} parameters")
axes[1].set(title=f"Three folds: the best of {len(keys)} runs", xlabel="x", ylim=(-0.1, 1.45))
axes[1].legend(loc="upper left")
for k, marker in zip(sorted({k for k, _ in results}), "os^"):
    for i, name in enumerate(SHAPES):
        errors = results[k, name][1]
        place = i + 0.2 * (k - 3) + np.linspace(-0.06, 0.06, len(errors))
        label = f"{2**k} pieces" if i == 0 else None
        axes[2].semilogy(place, errors, marker, markersize=2.5, color=f"C{k}", label=label)
axes[2].set(title="Every run, about 300 parameters each", ylabel="rms error", xticks=range(4), ylim=(5e-5, 3))
axes[2].set_xticklabels([name.replace(" of", "\nof") for name in SHAPES])
axes[2].legend(loc="upper left", ncols=3)
save(fig)
shares = {name: float(np.mean(results[3, name][1] < 0.02)) for name in SHAPES}
deep, wide = 100 * shares["4 of 9"], 100 * shares["1 layer of 100"]
claim(f"8 layers of 2 units make {rows[7][1]} pieces with {rows[7][3]} parameters, one layer takes {rows[7][5]}; "
      f"8 pieces are learned by {deep:.0f} % of the deep networks, {wide:.0f} % of the wide ones",
      all(row[1] == 2 ** row[0] for row in rows) and wide == 0 and deep > 10)  # fmt: skip
