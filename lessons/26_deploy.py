# %% [markdown]
"""
# 26 · Deployment

**Claim.** Weights rounded to eight bits take about a quarter of the file, and the network answers as well as before. A
compiled function answers in microseconds; what takes long is the first call.

**Answers.** day 8, frameworks ("easier to deploy to production", "TF lite for on device applications")

A trained network is numbers and a function. The numbers go into a *safetensors* file, which TensorFlow and PyTorch read
too. *Quantization* stores each weight as a small integer, with one *scale* per neuron. The function stays Python here,
with NumPy and a compiler: this library writes no ONNX or TF Lite files and no C source. What it has against slow starts
is a cache of compiled programs on disk.
"""

# %%
import os
import subprocess
import sys
import tempfile
import timeit

from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, io, lax, nn, optim, random

STEPS = 200 if short else 600
x, y = data.sklearn("digits")
(x, y), (test_x, test_y) = data.split(random.key(0), (x / 16, y), (0.7, 0.3), stratify=y)


# %%
def scores(params, x):
    for layer in params[:-1]:
        x = nn.relu(nn.dense.apply(layer, x))
    return nn.dense.apply(params[-1], x)


@fungrad.jit
def train(key):
    opt, sizes = optim.adam(2e-3), zip(random.split(key, 3), (64, 128, 128), (128, 128, 10), strict=True)
    params = [nn.dense.init(*size) for size in sizes]

    def loss(params, x, y):
        return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(scores(params, x), y))

    def step(state, key):
        params, opt_state = state
        rows = random.randint(key, (64,), 0, len(y))
        updates, opt_state = opt.update(fungrad.grad(loss)(params, x[rows], y[rows]), opt_state)
        return (optim.apply_updates(params, updates), opt_state), None

    return lax.scan(step, (params, opt.init(params)), random.split(random.fold_in(key, 1), STEPS))[0][0]


params = train(random.key(1))

# %% [markdown]
"""
Quantization by hand: the largest weight of a neuron becomes 127 (8 bits) or 7 (4 bits), the others are rounded. The
network computes with `scale * integers`; biases, which are few, stay as they are.
"""


# %%
def quantized(layer, bits):
    scale = jnp.max(jnp.abs(layer["kernel"]), axis=0) / (2 ** (bits - 1) - 1)
    return {"kernel": jnp.round(layer["kernel"] / scale).astype(jnp.int8), "scale": scale, "bias": layer["bias"]}


def measured(stored):
    """Bytes of the file, and the accuracy of the network that is read back from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "network.safetensors")
        io.save(path, stored)
        read, size = io.load(path), os.path.getsize(path)
    whole = [{"kernel": p["kernel"] * p.get("scale", 1), "bias": p["bias"]} for p in read]
    return size, 100 * float(jnp.mean(jnp.argmax(scores(whole, test_x), axis=1) == test_y))


files = {"float32": params, "float16": fungrad.tree.map(lambda p: p.astype(jnp.float16), params)}
files |= {f"int8, {bits} bits of it": [quantized(layer, bits) for layer in params] for bits in (8, 4, 3, 2)}
sizes = {name: measured(stored) for name, stored in files.items()}
rows = [(name, size, round(size / sizes["float32"][0], 3), found) for name, (size, found) in sizes.items()]
table(["weights", "bytes of the file", "share", "test accuracy [%]"], rows, digits=4)

# %% [markdown]
"""
Latency of one image. The first call is measured in new processes, first with an empty cache of compiled programs, then
with the cache that the first process has filled.
"""

# %%
PROGRAM = """
import sys, time
import fungrad, fungrad.numpy as jnp
from fungrad import io, nn
params = io.load(sys.argv[1])
@fungrad.jit
def scores(x):
    for layer in params[:-1]:
        x = nn.relu(nn.dense.apply(layer, x))
    return nn.dense.apply(params[-1], x)
start = time.perf_counter()
scores(jnp.zeros((1, 64)))
print(time.perf_counter() - start)
"""
with tempfile.TemporaryDirectory() as folder:
    io.save(os.path.join(folder, "network"), params)
    command = [sys.executable, "-c", PROGRAM, os.path.join(folder, "network")]
    environment = {**os.environ, "FUNGRAD_CACHE_DIR": os.path.join(folder, "cache")}
    outputs = [subprocess.run(command, env=environment, check=True, capture_output=True).stdout for _ in range(2)]
    cold, warm = map(float, outputs)


def latency(function):
    """The shortest of many calls, in seconds."""
    image = test_x[:1]
    return min(timeit.repeat(lambda: function(params, image), number=1, repeat=300))


latencies = {
    "first call": cold,
    "first call, cache on disk": warm,
    "operation by operation": latency(scores),
    "compiled": latency(fungrad.jit(scores)),
}

# %%
fig, (left, right) = figure(1, 2)
left.barh(range(len(rows)), [row[1] / 1000 for row in rows], color="C0")
for i, row in enumerate(rows):
    left.text(row[1] / 1000 + 2, i, f"{row[3]:.1f} %", va="center", fontsize=9)
left.set(yticks=range(6), yticklabels=list(sizes), xlim=(0, 130), ylim=(5.6, -0.6), xlabel="kB, and test accuracy")
right.barh(range(4), [1e3 * t for t in latencies.values()], color="C1")
right.set(yticks=range(4), yticklabels=list(latencies), xscale="log", ylim=(3.6, -0.6), xlabel="ms for one image")
save(fig)

(size, accurate), (small, rounded), compiled = sizes["float32"], sizes["int8, 8 bits of it"], latencies["compiled"]
claim(
    f"8 bits take {small / size:.0%} of the file and lose {accurate - rounded:.1f} points; a call takes "
    f"{1e6 * compiled:.0f} us compiled, the first {1e3 * cold:.0f} ms, from the cache {1e3 * warm:.0f} ms",
    small / size < 0.32 and accurate - rounded < 1 and compiled < latencies["operation by operation"] < cold > warm,
)
