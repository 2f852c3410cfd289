# %% [markdown]
"""
# 08 · How to begin: thirty layers deep

**Claim.** From zeros no hidden weight ever learns; from uniform ±1 signals grow about threefold per layer of 64
units, to astronomical size; He's initialisation keeps them and their gradients within a factor of ten.

**Answers.** day 8, "What if we begin with all parameters set to 0?" and "Network Initialization"; CAI 4104,
"Vanishing & Exploding Gradient"; review, "Weight initialization"

A layer multiplies the *spread* (standard deviation) of what comes in by its *gain*: √(n·variance of a weight), times
what the activation leaves over. Thirty gains multiply up. Gradients go back through the same matrices; they *vanish*
or *explode*. *Glorot* (Xavier) chooses the variance 2/(n_in + n_out) for a gain of 1 without activation, *He* 2/n_in,
since ReLU discards half. The slides' other remedies: other activations, batch normalisation, skip connections,
clipping of gradients.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random

DEPTH, WIDTH = 30, 64
x, y = data.sklearn("digits")
x = (x - x.mean(0)) / (x.std(0) + 0.1)
(x, y), (x_test, y_test) = data.split(random.key(0), (x, y), (0.8, 0.2), stratify=y)

INITS = {
    "zeros": nn.initializers.zeros,
    "±1": lambda key, shape: random.uniform(key, shape, minval=-1.0, maxval=1.0),
    "Glorot": nn.initializers.glorot_uniform(),
    "He": nn.initializers.he_normal(),
}

# %% [markdown]
"""
All hidden layers have one shape, so their weights are one array with a leading axis, and the network is a `scan` over
it. A *probe* of zeros is added to every layer: the gradient by the probe is the gradient that arrives at that layer.
"""


# %%
def init(key, kind):
    keys = random.split(key, DEPTH + 1)
    hidden = fungrad.vmap(lambda k: INITS[kind](k, (WIDTH, WIDTH)))(keys[:-1])
    last = INITS[kind](keys[-1], (WIDTH, 10))
    return {"W": hidden, "b": jnp.zeros((DEPTH, WIDTH)), "last": last, "bias": jnp.zeros(10)}


def forward(params, probes, x, activation, norm=False, skip=False):
    def layer(h, p):
        W, b, probe = p
        z = h @ W + b + probe
        z = nn.standardize(z, axis=0, epsilon=1e-5) if norm else z  # over the batch, as batch normalisation does
        out = h + activation(z) / DEPTH**0.5 if skip else activation(z)
        return out, out

    h, all_h = lax.scan(layer, x, (params["W"], params["b"], probes))
    return h @ params["last"] + params["bias"], all_h


def loss_fn(params, probes, x, y, options):
    scores, h = forward(params, probes, x, **options)
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(scores, y)), h


def measure(key, kind, options):
    """The spread of activations and of gradients at each layer."""
    rows = slice(0, 128)
    probes = jnp.zeros((DEPTH, 128, WIDTH))
    gradient, h = fungrad.grad(loss_fn, 1, has_aux=True)(init(key, kind), probes, x[rows], y[rows], options)
    return h.std((1, 2)), gradient.std((1, 2))


def train(rate, key, kind, options, clip):
    """Accuracy on unseen digits after training with a learning rate."""
    opt = optim.chain(optim.clip_by_global_norm(1.0) if clip else optim.identity(), optim.sgd(rate, momentum=0.9))
    params = init(key, kind)

    def step(state, key):
        params, opt_state = state
        rows = random.randint(key, (64,), 0, len(y))
        gradient = fungrad.grad(loss_fn, has_aux=True)(params, jnp.zeros((DEPTH, 1, 1)), x[rows], y[rows], options)[0]
        updates, opt_state = opt.update(gradient, opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    (params, _), _ = lax.scan(step, (params, opt.init(params)), random.split(key, 60 if short else 250))
    scores = forward(params, jnp.zeros((DEPTH, 1, 1)), x_test, **options)[0]
    return jnp.mean(jnp.argmax(scores, 1) == y_test)


VARIANTS = {
    "zeros, tanh": ("zeros", {"activation": jnp.tanh}, False),
    "Glorot, sigmoid": ("Glorot", {"activation": nn.sigmoid}, False),
    "Glorot, tanh": ("Glorot", {"activation": jnp.tanh}, False),
    "±1, ReLU": ("±1", {"activation": nn.relu}, False),
    "±1, ReLU, clipped": ("±1", {"activation": nn.relu}, True),
    "±1, ReLU, batch norm": ("±1", {"activation": nn.relu, "norm": True}, False),
    "Glorot, ReLU": ("Glorot", {"activation": nn.relu}, False),
    "Glorot, ReLU, skip": ("Glorot", {"activation": nn.relu, "skip": True}, False),
    "He, ReLU": ("He", {"activation": nn.relu}, False),
}
if short:
    VARIANTS = {name: VARIANTS[name] for name in ("zeros, tanh", "±1, ReLU", "Glorot, ReLU, skip", "He, ReLU")}
keys = random.split(random.key(1), 3 if short else 10)
rates = 10.0 ** jnp.array([-3.0, -2.0, -1.0]) if short else jnp.logspace(-4, -0.5, 8)
spreads, rows = {}, []
for name, (kind, options, clip) in VARIANTS.items():
    at_start = fungrad.vmap(lambda key, kind=kind, options=options: measure(key, kind, options))
    spreads[name] = [np.median(np.asarray(s), 0) for s in fungrad.jit(at_start)(keys)]
    run = fungrad.vmap(lambda rate, rest=(keys[0], kind, options, clip): train(rate, *rest))
    best = 100 * float(fungrad.jit(run)(rates).max())
    rows.append((name, *(s[i] for s in spreads[name] for i in (0, -1)), f"{best:.0f} %"))
headers = ["begin", "activations, first", "last", "gradients, first", "last", f"best of {len(rates)} rates"]
table(headers, rows, digits=2)

# %%
fig, axes = figure(1, 2, size=(10.0, 3.8), sharex=True)
for i, (ax, title) in enumerate(zip(axes, ("Activations, forwards", "Gradients, backwards"))):
    for (name, spread), color in zip(spreads.items(), ("k", "C1", "C0", "C3", "C3", "C5", "C4", "C2", "C8")):
        if "clipped" not in name:  # the same at the start
            ax.semilogy(np.arange(1, DEPTH + 1), np.maximum(spread[i], 1e-20), color=color, label=name)
    ax.set(title=title, xlabel="layer", ylabel="spread (standard deviation)", ylim=(1e-18, 1e18))
axes[1].legend(ncols=2, fontsize=7)
save(fig)
factor = (spreads["±1, ReLU"][0][-1] / spreads["±1, ReLU"][0][0]) ** (1 / (DEPTH - 1))
calm = max(s.max() / s.min() for s in spreads["He, ReLU"])
params = init(keys[0], "zeros")
zero = fungrad.grad(loss_fn, has_aux=True)(params, jnp.zeros((DEPTH, 1, 1)), x, y, {"activation": jnp.tanh})[0]
claim(f"zeros: no gradient but for the last bias; ±1: x{factor:.1f} per layer, {spreads['±1, ReLU'][0][-1]:.0e} at the "
      f"end; He: within a factor of {calm:.1f}",
      not any(zero[k].any() for k in ("W", "b", "last")) and zero["bias"].any() and 2.5 < factor < 4
      and calm < 10)  # fmt: skip
