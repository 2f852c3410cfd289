# %% [markdown]
"""
# 09 · From the step to ReLU

**Claim.** The perceptron's rule separates what a line can separate, if it has a bias, and never settles on the rest.
Layers are trained by gradients, and a step has none: its weights stay where they began.

**Answers.** CAI 4104, "The Perceptron"; day 9, "Perceptrons are Linear Separators"; review, "activation functions"

The *perceptron* (Rosenblatt, 1957) is a neuron with a *step* as its activation and, on the slides, without a bias. It
learns without gradients: where an example is on the wrong side, its inputs are added to the weights, or subtracted.
Later activations are *sigmoid* and *tanh*, which are flat far from 0 (they *saturate*), *ReLU*, which is not on one
side, and *leaky* ReLU, which never is.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random

x, y = data.sklearn("iris")
x = x[:, 2:]  # length and width of petals
x = (x - x.mean(0)) / x.std(0)
easy, hard = (y == 0), (y == 1)  # setosa against the others; versicolor against the others

# %% [markdown]
"""
The rule of 1957 as a `scan` over examples. With a bias, an input that is always 1, the line need not go through the
origin.
"""


# %%
@fungrad.jit
def perceptron(x, label):
    """Weights after 40 passes, and the number of mistakes in each pass."""
    sign = jnp.where(label, 1.0, -1.0)

    def example(w, xy):
        xi, yi = xy
        wrong = yi * (w @ xi) <= 0
        return w + jnp.where(wrong, yi, 0.0) * xi, wrong

    def epoch(w, key):
        order = random.permutation(key, len(sign))
        w, wrong = lax.scan(example, w, (x[order], sign[order]))
        return w, jnp.sum(wrong)

    return lax.scan(epoch, jnp.zeros(x.shape[1]), random.split(random.key(0), 40))


with_bias = jnp.hstack([x, jnp.ones((len(x), 1))])
runs = {
    "setosa, no bias": perceptron(x, easy),
    "setosa, bias": perceptron(with_bias, easy),
    "versicolor, no bias": perceptron(x, hard),
    "versicolor, bias": perceptron(with_bias, hard),
}

# %% [markdown]
"""
A hidden layer of eight units for the flower in the middle, which no line separates, trained by Adam with each
activation: twenty initialisations by one `vmap`. The step's slope is 0, so its hidden weights never move.
"""

# %%
ACTIVATIONS = {
    "step": lambda z: jnp.heaviside(z, 0.0),
    "sigmoid": nn.sigmoid,
    "tanh": jnp.tanh,
    "ReLU": nn.relu,
    "leaky ReLU": lambda z: nn.leaky_relu(z, 0.2),
}
opt, seeds = optim.adam(0.03), random.split(random.key(1), 5 if short else 20)


def score(params, x, activation):
    hidden, last = params
    return nn.dense.apply(last, activation(nn.dense.apply(hidden, x)))[..., 0]


def train(key, activation):
    def loss(params):
        return jnp.mean(optim.sigmoid_binary_cross_entropy(score(params, x, activation), hard.astype(float)))

    def step(state, _):
        params, opt_state = state
        updates, opt_state = opt.update(fungrad.grad(loss)(params), opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    first, second = random.split(key)
    start = nn.dense.init(first, 2, 8), nn.dense.init(second, 8, 1)
    (params, _), _ = lax.scan(step, (start, opt.init(start)), length=300)
    moved = jnp.abs(params[0]["kernel"] - start[0]["kernel"]).max()
    return params, jnp.mean((score(params, x, activation) > 0) == hard), moved


rows, networks = [], {}
for name, (w, mistakes) in runs.items():
    design = with_bias if len(w) == 3 else x
    label = easy if "setosa" in name else hard
    accuracy = float(jnp.mean((design @ w > 0) == label))
    made = f"{int(mistakes[-5:].sum())} mistakes in the last 5 passes"
    rows.append((f"perceptron, {name}", f"{100 * accuracy:.0f} %", made))
for name, activation in ACTIVATIONS.items():
    params, accuracy, moved = fungrad.jit(fungrad.vmap(lambda key, f=activation: train(key, f)))(seeds)
    networks[name] = params, np.asarray(accuracy), float(moved.max())
    rows.append((f"8 units of {name}, versicolor", f"{100 * float(jnp.median(accuracy)):.0f} %",
                 f"hidden weights moved by {float(moved.max()):.2g}"))  # fmt: skip
table(["classifier", "accuracy", "learning"], rows)

# %%
fig, axes = figure(1, 4, size=(11.5, 3.3))
t = jnp.linspace(-4, 4, 400)
for (name, activation), color in zip(ACTIVATIONS.items(), ("k", "C0", "C1", "C2", "C3")):
    axes[0].plot(t, activation(t), color=color, label=name)
    axes[1].plot(t, fungrad.vmap(fungrad.grad(activation))(t), color=color)
axes[0].set(title="Activations", ylim=(-1.5, 2.5))
axes[0].legend(fontsize=7)
axes[1].set(title="Their slopes (the step's: 0)")
grid = np.stack(np.meshgrid(np.linspace(-1.8, 2.0, 150), np.linspace(-1.8, 2.0, 150)), -1)
for ax, title in zip(axes[2:], ("Perceptron: lines", "Eight ReLU units")):
    ax.scatter(*x.T, c=y, cmap="viridis", s=9)
    ax.set(title=title, xlabel="petal length", ylabel="petal width")
for name, style in (("setosa, bias", "-"), ("versicolor, bias", "--")):
    w = np.asarray(runs[name][0])
    axes[2].contour(grid[..., 0], grid[..., 1], grid @ w[:2] + w[2], levels=[0], colors="C3", linestyles=style)
params, accuracy, _ = networks["ReLU"]
best = fungrad.tree.map(lambda a: a[int(np.argmax(accuracy))], params)
axes[3].contourf(grid[..., 0], grid[..., 1], score(best, grid, nn.relu) > 0, levels=[0.5, 1], colors=["C0"], alpha=0.2)
save(fig)
medians = {name: float(np.median(accuracy)) for name, (_, accuracy, _) in networks.items()}
settled, unsettled = int(runs["setosa, bias"][1][-5:].sum()), int(runs["versicolor, bias"][1][-5:].sum())
claim(f"mistakes in the last passes: {settled} for setosa, {unsettled} for versicolor; with a hidden layer "
      f"{100 * min(v for k, v in medians.items() if k != 'step'):.0f} % or more; the step's weights moved by "
      f"{networks['step'][2]:.0f}",
      settled == 0 and unsettled > 20 and networks["step"][2] == 0 and networks["ReLU"][2] > 0.1
      and all(v > 0.9 for k, v in medians.items() if k != "step"))  # fmt: skip
