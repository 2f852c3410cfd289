# %% [markdown]
"""
# 12 · Untangling

**Claim.** Four layers of two units bend the plane until a line separates two spirals. A disc inside a ring is beyond
such layers, but not beyond one of three units. And digits of 64 pixels live near a surface of two dimensions.

**Answers.** day 9, "The Manifold Hypothesis", "MNIST and Manifolds" and "Deep Networks and Representation Learning";
review, "Deep learning" against "Traditional machine learning"

A *manifold* looks flat from near by, as the earth does. The *manifold hypothesis*: data with many features lie on
manifolds of few dimensions. Of the 2^784 black and white images of 28 x 28 pixels nearly none is a digit. Traditional
machine learning leaves it to people to find good *features*; a deep network learns them: its last hidden layer, the
*embedding*, must be *linearly separable*, since only a linear classifier follows.
"""

# %%
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random


def spirals(n=60, turns=0.9):
    t = jnp.linspace(0.15, 1, n)
    arm = jnp.stack([t * jnp.cos(2 * jnp.pi * turns * t), t * jnp.sin(2 * jnp.pi * turns * t)], 1)
    return jnp.concatenate([arm, -arm]), jnp.repeat(jnp.arange(2), n)


def disc_in_ring(n=60):
    angle = jnp.linspace(0, 2 * jnp.pi, n, endpoint=False)
    circle = jnp.stack([jnp.cos(angle), jnp.sin(angle)], 1)
    radius = 0.4 * jnp.sqrt(random.uniform(random.key(0), (n, 1)))
    return jnp.concatenate([radius * circle, circle]), jnp.repeat(jnp.arange(2), n)


# %%
def init(key, sizes):
    keys = random.split(key, len(sizes))
    start = nn.initializers.orthogonal(1.5)
    return [nn.dense.init(k, n, m, kernel_init=start) for k, n, m in zip(keys, sizes, sizes[1:])]


def layers(params, x):
    """The data after each layer; the last is linear."""
    out = [x]
    for p in params[:-1]:
        out.append(jnp.tanh(nn.dense.apply(p, out[-1])))
    return [*out, nn.dense.apply(params[-1], out[-1])]


def minimise(loss, params, steps, rate=0.01):
    opt = optim.adam(optim.cosine_decay_schedule(rate, steps))

    def step(state, key):
        params, opt_state = state
        updates, opt_state = opt.update(fungrad.grad(loss)(params, key), opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    return lax.scan(step, (params, opt.init(params)), random.split(random.key(0), steps))[0][0]


def classify(key, sizes, x, y):
    def loss(params, _):
        return jnp.mean(optim.sigmoid_binary_cross_entropy(layers(params, x)[-1][:, 0], y.astype(float)))

    params = minimise(loss, init(key, sizes), 2000)
    return params, jnp.mean((layers(params, x)[-1][:, 0] > 0) == y)


keys = random.split(random.key(1), 8 if short else 24)
rows, best = [], {}
for name, (x, y), sizes in (
    ("spirals, linear", spirals(), (2, 1)),
    ("spirals, 4 layers of 2", spirals(), (2, 2, 2, 2, 2, 1)),
    ("disc in ring, 3 layers of 2", disc_in_ring(), (2, 2, 2, 2, 1)),
    ("disc in ring, 1 layer of 3", disc_in_ring(), (2, 3, 1)),
):
    run = fungrad.vmap(lambda key, sizes=sizes, x=x, y=y: classify(key, sizes, x, y))
    params, accuracy = fungrad.jit(run)(keys)
    first = int(jnp.argmax(accuracy))
    best[name] = fungrad.tree.map(lambda a, i=first: a[i], params), float(accuracy.max())
    solved = int(jnp.sum(accuracy == 1))
    rows.append((name, f"{100 * float(accuracy.max()):.1f} %", f"{solved} of {len(keys)} runs without a mistake"))

# %% [markdown]
"""
An *autoencoder* has the image as its input and as its target, and a layer of two units in the middle: two numbers
have to say which image it is. Nobody tells it the digits. Its two numbers are compared with the two principal
components, the best that a linear layer could do, by the *nearest neighbour*: is the closest other image the same
digit?
"""

# %%
x, y = data.sklearn("digits")
x = x / 16


def reconstruction(params, key):
    rows = random.randint(key, (256,), 0, len(x))
    return jnp.mean((layers(params, x[rows])[-1] - x[rows]) ** 2)


def same_digit(code):
    square = jnp.sum(code**2, 1)
    distance = square[:, None] + square - 2 * code @ code.T + 1e9 * jnp.eye(len(code))
    return float(jnp.mean(y[jnp.argmin(distance, 1)] == y))


sizes = (64, 128, 32, 2, 32, 128, 64)
start = [nn.dense.init(k, n, m) for k, n, m in zip(random.split(random.key(2), 6), sizes, sizes[1:])]
trained = fungrad.jit(lambda p: minimise(reconstruction, p, *((1000, 1e-2) if short else (3000, 5e-3))))(start)
code = layers(trained, x)[3]
_, _, axes_of_x = jnp.linalg.svd(x - x.mean(0), full_matrices=False)
linear = (x - x.mean(0)) @ axes_of_x[:2].T
found = {"2 principal components": same_digit(linear), "2 units of an autoencoder": same_digit(code),
         "64 pixels": same_digit(x)}  # fmt: skip
rows += [(f"digits, {name}", f"{100 * a:.1f} %", "nearest image is the same digit") for name, a in found.items()]
table(["data and network", "accuracy", ""], rows)

# %%
fig, axes = figure(2, 5, size=(10.0, 4.1))
x_s, y_s = spirals()
grid = jnp.linspace(-1, 1, 15)
untangled = best["spirals, 4 layers of 2"][0]
plane = jnp.stack(jnp.meshgrid(grid, jnp.linspace(-1, 1, 60)), -1)
bent = zip(layers(untangled, plane), layers(untangled, plane[..., ::-1]), layers(untangled, x_s))
for i, (ax, (up, across, here)) in enumerate(zip(axes[0], bent)):
    ax.plot(up[..., 0], up[..., 1], across[..., 0], across[..., 1], color="0.85", linewidth=0.4, zorder=1)
    ax.scatter(*here.T, c=y_s, cmap="coolwarm", s=5, zorder=2)
    ax.set(title=f"after layer {i}" if i else "two spirals", xticks=[], yticks=[])
x_r, y_r = disc_in_ring()
for ax, title, points in ((axes[1, 0], "a disc in a ring", x_r),
                          (axes[1, 1], "after 3 layers of 2", layers(best["disc in ring, 3 layers of 2"][0], x_r)[3]),
                          (axes[1, 2], "after 1 layer of 3", layers(best["disc in ring, 1 layer of 3"][0], x_r)[1] @
                           jnp.array([[1.0, 0.3], [-0.5, 0.6], [-0.4, -0.9]]))):  # fmt: skip
    ax.scatter(*points.T, c=y_r, cmap="coolwarm", s=5)
    ax.set(title=title, xticks=[], yticks=[])
for ax, title, points in ((axes[1, 3], "digits: 2 components", linear),
                          (axes[1, 4], "digits: autoencoder", code)):  # fmt: skip
    ax.scatter(*points.T, c=y, cmap="tab10", s=1)
    ax.set(title=title, xticks=[], yticks=[])
save(fig)
line, separated, flat, solid = (100 * accuracy for _, accuracy in best.values())
linear_code, code_of_two, _ = found.values()
claim(f"spirals: {line:.0f} % by a line, {separated:.0f} % after 4 layers; ring: {flat:.1f} % with 2 units a layer, "
      f"{solid:.0f} % with three; two numbers of an autoencoder tell {100 * code_of_two:.0f} % of the digits",
      separated == solid == 100 and line < 80 and flat < 100 and code_of_two > linear_code + 0.05)  # fmt: skip
