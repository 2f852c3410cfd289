# %% [markdown]
"""
# 21 · Convolution

**Claim.** Move a digit by two pixels and a multi-layer perceptron no longer knows it; a convolutional network with a
tenth of the parameters does not even notice.

**Answers.** day 9, "What happens if our input image is shifted?"; review, "Convolutional layer" (32x32x3 to 28x28x6);
CSCI 410, "New Layer type: Convolution"

A dense layer has weights of its own for each pixel: what it has learned in one place it does not know in another. A
*convolution* slides one small *filter* over the image and computes the same dot product everywhere: a moved image gives
a moved *activation map* (*equivariance*). The largest activation anywhere (*global max pooling*) is then the same
(*invariance*).
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, lax, nn, optim, random, tree

STEPS = 150 if short else 500
x, y = data.sklearn("digits")
x = jnp.pad(x.reshape(-1, 8, 8, 1) / 16, ((0, 0), (4, 4), (4, 4), (0, 0)))  # a frame to move in
training, (test_x, test_y) = data.split(random.key(0), (x, y), (0.7, 0.3), stratify=y)

# %% [markdown]
"""
The arithmetic of the slide: six filters of 5 x 5 x 3, which go through the full depth of a 32 x 32 x 3 image, give six
maps of 28 x 28, since a filter fits into 32 - 5 + 1 places. They have 6 · (5 · 5 · 3 + 1) = 456 parameters. A dense
layer between images of these sizes has 14 million.
"""

# %%
filters = nn.conv.init(random.key(1), 3, 6, (5, 5))
maps = nn.conv.apply(filters, jnp.zeros((32, 32, 3)), padding="VALID")
assert maps.shape == (28, 28, 6) and sum(leaf.size for leaf in tree.leaves(filters)) == 456


# %%
def init_mlp(key):
    first, second = random.split(key)
    return [nn.dense.init(first, 256, 64), nn.dense.init(second, 64, 10)]


def mlp(params, x):
    return nn.dense.apply(params[1], nn.relu(nn.dense.apply(params[0], x.reshape(len(x), -1))))


def init_cnn(key):
    first, second, third = random.split(key, 3)
    return [nn.conv.init(first, 1, 8, (5, 5)), nn.conv.init(second, 8, 16, (3, 3)), nn.dense.init(third, 16, 10)]


def activation_maps(params, x):
    """What the two layers of convolutions make of images: ``[batch, 16, 16, features]`` each."""
    first = nn.relu(nn.conv.apply(params[0], x))
    return first, nn.relu(nn.conv.apply(params[1], first))


def cnn(params, x):
    return nn.dense.apply(params[2], activation_maps(params, x)[1].max(axis=(1, 2)))


def train(network, params, moves=0):
    opt, (x, y) = optim.adam(3e-3), training

    def loss(params, x, y):
        return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(network(params, x), y))

    def step(state, key):
        params, opt_state = state
        pick, change = random.split(key)
        rows = random.randint(pick, (32,), 0, len(y))
        images = data.shift(change, x[rows], moves) if moves else x[rows]
        updates, opt_state = opt.update(fungrad.grad(loss)(params, images, y[rows]), opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    run = fungrad.jit(lambda state: lax.scan(step, state, random.split(random.key(2), STEPS))[0][0])
    return run((params, opt.init(params)))


# %% [markdown]
"""
All networks are trained on centred digits. The third one, for comparison, sees moved digits too (*data augmentation*):
it has to learn every digit again in every place.
"""

# %%
start = {"MLP": (mlp, init_mlp(random.key(3))), "CNN": (cnn, init_cnn(random.key(4)))}
networks = {name: (f, train(f, params)) for name, (f, params) in start.items()}
networks["MLP, moved digits"] = (mlp, train(mlp, start["MLP"][1], moves=3))

shifts = range(-3, 4)
answers = {
    name: np.stack([np.argmax(f(params, jnp.roll(test_x, move, axis=2)), axis=1) for move in shifts])
    for name, (f, params) in networks.items()
}
accuracy = {name: 100 * np.mean(found == np.asarray(test_y), axis=1) for name, found in answers.items()}
sizes = {name: sum(leaf.size for leaf in tree.leaves(params)) for name, (_, params) in networks.items()}
rows = [(name, sizes[name], *found[3:]) for name, found in accuracy.items()]
table(["network", "parameters", "accuracy centred", "moved by 1", "by 2", "by 3"], rows, digits=3)

# %% [markdown]
"""
On the right what the network looks at: its eight filters, and two of the activation maps of a digit and of the digit
moved. The maps have moved with it; their maxima are the same.
"""

# %%
fig, axes = figure(2, 5, size=(10.0, 3.8), width_ratios=[4, 1, 1, 1, 1])
grid = axes[0, 0].get_gridspec()
for axis in axes[:, 0]:
    axis.remove()
curve = fig.add_subplot(grid[:, 0])
for name, found in accuracy.items():
    curve.plot(shifts, found, "o-", label=f"{name}: {sizes[name]} parameters")
curve.set(xlabel="pixels to the right", ylabel="accuracy [%]", ylim=(0, 125), yticks=range(0, 101, 20))
curve.legend(loc="upper left", fontsize="small")
kernels = np.asarray(networks["CNN"][1][0]["kernel"])[:, :, 0]
mosaic = np.pad(kernels, ((0, 1), (0, 1), (0, 0)), constant_values=np.nan)
mosaic = mosaic.reshape(6, 6, 4, 2).transpose(2, 0, 3, 1).reshape(24, 12)
for row, move in enumerate((0, 3)):
    digit = jnp.roll(test_x[:1], move, axis=2)
    layers = activation_maps(networks["CNN"][1], digit)
    first, second = (int(jnp.argmax(layer.max(axis=(0, 1, 2)))) for layer in layers)  # the strongest features
    shown = [digit[0, :, :, 0], layers[0][0, :, :, first], layers[1][0, :, :, second]]
    for axis, image, title in zip(axes[row, 2:], shown, ("digit", "map, layer 1", "map, layer 2"), strict=True):
        axis.imshow(np.asarray(image), cmap="gray_r")
        axis.set_title(title, fontsize=9)
axes[0, 1].imshow(mosaic[:12], cmap="RdBu")
axes[1, 1].imshow(mosaic[12:], cmap="RdBu")
axes[0, 1].set_title("filters", fontsize=9)
for axis in axes[:, 1:].flat:
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
save(fig)

changed = int(np.sum(answers["CNN"] != answers["CNN"][3]))
claim(
    f"moved by two pixels, the MLP falls from {accuracy['MLP'][3]:.0f} to {accuracy['MLP'][5]:.0f} %; of "
    f"{answers['CNN'].size} answers of the CNN {changed} change ({accuracy['CNN'][3]:.0f} %)",
    accuracy["MLP"][5] < 50 and changed == 0 and accuracy["CNN"][3] > (80 if short else 95),
)
