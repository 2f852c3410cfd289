# %% [markdown]
"""
# 07 · Counting parameters

**Claim.** The slides' 340, 1080 and 640 leave out the biases: the networks have 374, 1144 and 704 parameters. Twice the
width costs about three times as much, twice the depth less than twice.

**Answers.** day 8 and day 9, "how many weights are there total?"; CAI 4104, "Deep Neural Networks" and "Rules of Thumb"

A *dense* layer from n to m units has n·m weights and m biases. The *width* of hidden layers counts squared, the *depth*
only once. Common shapes are constant width, the *funnel* (64, 32, 16), and *stretch pants*: wider than needed, with a
regulariser against overfitting.
"""

# %%
import math

from _kit import claim, figure, save, table

import fungrad
from fungrad import nn, random

# %% [markdown]
"""
A network is a function of a key that returns a tree of arrays. `eval_shape` runs that function on shapes alone, so
that a model with more parameters than this machine has memory can be counted too.
"""


# %%
def mlp(key, sizes):
    return [nn.dense.init(key, n, m) for n, m in zip(sizes, sizes[1:])]


def count(init, *arguments):
    """Numbers of weights (kernels, tables) and of all parameters."""
    tree = fungrad.eval_shape(lambda key: init(key, *arguments), random.key(0))
    sizes = [(leaf.ndim > 1, math.prod(leaf.shape)) for leaf in fungrad.tree.leaves(tree)]
    return sum(n for matrix, n in sizes if matrix), sum(n for _, n in sizes)


SHAPES = {
    "10, 3 layers of 10, 4": (10, 10, 10, 10, 4),
    "twice the width": (10, 20, 20, 20, 4),
    "twice the depth": (10, *[10] * 6, 4),
    "digits, constant 64": (64, 64, 64, 64, 10),
    "digits, funnel": (64, 64, 32, 16, 10),
    "digits, stretch pants": (64, 256, 256, 256, 10),
}
SLIDES = (340, 1080, 640, "", "", "")
print(nn.summary({"layers": mlp(random.key(0), SHAPES["10, 3 layers of 10, 4"])}))

# %% [markdown]
"""
The famous ones that the slides name, layer by layer. In the convolutions of AlexNet few weights are used at many
places; its three dense layers hold nearly everything. ResNet18 has more layers and a fifth of the parameters.
"""


# %%
def alexnet(key):
    convs = [(3, 64, 11), (64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3)]
    return {"convolutions": [nn.conv.init(key, i, o, (k, k)) for i, o, k in convs],
            "dense": mlp(key, (9216, 4096, 4096, 1000))}  # fmt: skip


def resnet18(key):
    def conv(i, o, k):
        return nn.conv.init(key, i, o, (k, k), bias=False), nn.batch_norm.init(key, o)[0]

    widths = [(64, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    blocks = [[conv(i, o, 3), conv(o, o, 3), conv(i, o, 1) if i != o else ()] for i, o in widths]
    return {"convolutions": [conv(3, 64, 7), blocks], "dense": nn.dense.init(key, 512, 1000)}


def gpt2(key, layers=48, width=1600):
    block = [nn.layer_norm.init(key, width), nn.dense.init(key, width, 3 * width), nn.dense.init(key, width, width),
             nn.layer_norm.init(key, width), mlp(key, (width, 4 * width, width))]  # fmt: skip
    tables = [nn.embedding.init(key, 50257, width), nn.embedding.init(key, 1024, width)]
    return {"embeddings": tables, "attention and dense": [block] * layers, "last": nn.layer_norm.init(key, width)}


FAMOUS = {"AlexNet, 8 layers": alexnet, "ResNet18, 18 layers": resnet18, "GPT-2, 48 layers": gpt2}
counts = {name: count(mlp, sizes) for name, sizes in SHAPES.items()}
counts |= {name: count(init) for name, init in FAMOUS.items()}
table(["network", "slide", "weights", "parameters"],
      [(name, str(slide), f"{w:,}".rjust(13), f"{n:,}".rjust(13))
       for (name, (w, n)), slide in zip(counts.items(), (*SLIDES, "", "", ""))])  # fmt: skip

# %%
fig, (left, right) = figure(1, 2, size=(10.0, 3.4), width_ratios=(1.3, 1))
names = list(SHAPES)[:3]
left.bar(names, [counts[n][0] for n in names], label="weights (the slides)")
left.bar(names, [counts[n][1] - counts[n][0] for n in names], bottom=[counts[n][0] for n in names], label="biases")
for i, name in enumerate(names):
    left.annotate(f"{counts[name][1]}", (i, counts[name][1]), (0, 3), textcoords="offset points", ha="center")
left.set(title="Width counts squared, depth once", ylabel="parameters", ylim=(0, 1300))
left.legend(loc="upper left")
for i, (name, init) in enumerate(FAMOUS.items()):
    parts = fungrad.eval_shape(init, random.key(0))
    millions = {part: sum(math.prod(x.shape) for x in fungrad.tree.leaves(tree)) / 1e6 for part, tree in parts.items()}
    bottom = 0.0
    for part, share in millions.items():
        share = 100 * share / (counts[name][1] / 1e6)
        color = {"convolutions": "C2", "dense": "C0", "embeddings": "C4", "attention and dense": "C9"}.get(part, "C7")
        right.barh(i, share, left=bottom, color=color)
        if share > 8:
            right.annotate(part, (bottom + share / 2, i), ha="center", va="center", fontsize=8, color="white")
        bottom += share
labels = [f"{name}\n{counts[name][1] / 1e6:,.0f} million" for name in FAMOUS]
right.set(title="Where the parameters are", xlabel="%", yticks=range(3), yticklabels=labels)
right.grid(False)
save(fig)
small = [counts[n] for n in names]
ratios = [small[i][1] / small[0][1] for i in (1, 2)]
published = {"AlexNet, 8 layers": 61_100_840, "ResNet18, 18 layers": 11_689_512, "GPT-2, 48 layers": 1_557_611_200}
claim(f"weights {[w for w, _ in small]}, with biases {[n for _, n in small]}: x{ratios[0]:.1f} for twice the width, "
      f"x{ratios[1]:.1f} for twice the depth",
      small == [(340, 374), (1080, 1144), (640, 704)]
      and all(counts[name][1] == number for name, number in published.items()))  # fmt: skip
