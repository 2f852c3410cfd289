# %% [markdown]
"""
# 01 · Beras in a page

**Claim.** Layers that know the gradients of their inputs and weights, under a tape that remembers the calls,
compute the same numbers as `grad` of a function: two whole training runs differ by less than 1e-6.

**Answers.** day 8, "HW 3: Beras", "Recap: Neural Networks (MLPs)" and "AdaM"

The homework builds a small Keras in NumPy. Each *layer* turns inputs into outputs, and *composes* the upstream
gradient J (that of the loss by its outputs) with its own local gradients, once towards its inputs and once towards
its weights. The *gradient tape* remembers which layers were called, and walks back over the calls.
"""

# %%
# fmt: off
import inspect
import time

import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import data, nn, optim

# %% [markdown]
"""
The homework, in NumPy. A row of x is an example, so gradients of weights are sums over rows.
"""

# %%
class Diffable:
    weights = ()
    def __call__(self, *inputs):
        self.inputs, self.outputs = inputs, self.forward(*inputs)
        if GradientTape.current:
            GradientTape.current.calls.append(self)
        return self.outputs
    def compose_weight_gradients(self, J):
        return []
class Dense(Diffable):
    def __init__(self, kernel, bias):
        self.weights = [kernel.copy(), bias.copy()]
    def forward(self, x):
        return x @ self.weights[0] + self.weights[1]
    def compose_input_gradients(self, J):
        return J @ self.weights[0].T
    def compose_weight_gradients(self, J):
        return [self.inputs[0].T @ J, J.sum(0)]
class ReLU(Diffable):
    def forward(self, x):
        return np.maximum(x, 0)
    def compose_input_gradients(self, J):
        return J * (self.inputs[0] > 0)
class Softmax(Diffable):
    def forward(self, z):
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)
    def compose_input_gradients(self, J):  # J times the Jacobian a_i (i == j) - a_i a_j
        return self.outputs * (J - (J * self.outputs).sum(1, keepdims=True))
class CategoricalCrossEntropy(Diffable):
    def forward(self, a, y):
        return -np.mean(np.sum(y * np.log(a), 1))
    def compose_input_gradients(self, J):
        a, y = self.inputs
        return -J * y / a / len(y)
class GradientTape:
    current = None
    def __enter__(self):
        self.calls, GradientTape.current = [], self
        return self
    def __exit__(self, *error):
        GradientTape.current = None
    def gradient(self, loss, weights):
        J, found = np.ones_like(loss), {}
        for layer in reversed(self.calls):
            for w, g in zip(layer.weights, layer.compose_weight_gradients(J), strict=True):
                found[id(w)] = g
            J = layer.compose_input_gradients(J)
        return [found[id(w)] for w in weights]
class Adam:
    def __init__(self, rate, weights):
        self.rate, self.t, self.weights = rate, 0, weights
        self.m, self.v = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    def apply_gradients(self, gradients):
        self.t += 1
        for w, g, m, v in zip(self.weights, gradients, self.m, self.v, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            w -= self.rate * (m / (1 - 0.9**self.t)) / (np.sqrt(v / (1 - 0.999**self.t)) + 1e-8)

def fit_beras(start, batches):
    layers, loss_layer, losses = [Dense(*start[0]), ReLU(), Dense(*start[1]), Softmax()], CategoricalCrossEntropy(), []
    weights = [w for layer in layers for w in layer.weights]
    adam = Adam(1e-3, weights)
    for x, y in batches:
        with GradientTape() as tape:
            for layer in layers:
                x = layer(x)
            losses.append(loss_layer(x, y))
        adam.apply_gradients(tape.gradient(losses[-1], weights))
    return losses, weights

# %% [markdown]
"""
The same with functions. No layer has a backward pass, and there is no tape; `step` returns what the homework changes.
"""

# %%
def loss_fn(params, x, y):
    (W1, b1), (W2, b2) = params
    return -jnp.mean(jnp.sum(y * nn.log_softmax(nn.relu(x @ W1 + b1) @ W2 + b2), axis=1))

def step(params, state, x, y):
    loss, gradient = fungrad.value_and_grad(loss_fn)(params, x, y)
    updates, state = optim.adam(1e-3).update(gradient, state)
    return optim.apply_updates(params, updates), state, loss

def fit_grad(start, batches, step):
    params, state, losses = start, optim.adam(1e-3).init(start), []
    for x, y in batches:
        params, state, loss = step(params, state, x, y)
        losses.append(float(loss))
    return losses, fungrad.tree.leaves(params)

# %%
fungrad.config.update("enable_x64", True)  # NumPy's numbers are float64; so are both programs'
rng = np.random.default_rng(0)
x, y = (np.asarray(a) for a in data.sklearn("digits"))
x, y = x.astype(float) / 16, np.eye(10)[y]
start = [(rng.normal(size=(i, o)) * (2 / i) ** 0.5, np.zeros(o)) for i, o in ((64, 48), (48, 10))]
batches = [(x[rows], y[rows]) for rows in rng.integers(0, len(x), (60 if short else 600, 64))]

rows, runs = [], {}
beras = [Diffable, Dense, ReLU, Softmax, CategoricalCrossEntropy, GradientTape, Adam, fit_beras]
functional = [loss_fn, step, fit_grad]
for name, parts, arguments in (("Beras, NumPy", beras, ()), ("grad", functional, (step,)),
                               ("grad, jit", functional, (fungrad.jit(step),))):
    parts[-1](start, batches[:2], *arguments)  # the first call compiles
    begin = time.perf_counter()
    losses, weights = runs[name] = parts[-1](start, batches, *arguments)
    micros = (time.perf_counter() - begin) / len(batches) * 1e6
    differs = max(np.max(np.abs(np.asarray(a) - b)) for a, b in zip(weights, runs["Beras, NumPy"][1], strict=True))
    lines = sum(len(inspect.getsource(part).strip().split("\n")) for part in parts)
    rows.append((name, lines, f"{micros:.0f} us", losses[0], losses[-1], differs))
table(["program", "lines", "time per step", "first loss", "last loss", "weights differ by"], rows)

# %%
fig, (left, right) = figure(1, 2, width_ratios=(2, 1))
left.plot(runs["Beras, NumPy"][0], linewidth=4, color="C1", alpha=0.5, label="Beras: layers and a tape")
left.plot(runs["grad, jit"][0], linewidth=0.8, color="C0", label="grad of a function")
left.set(xlabel="step of Adam", ylabel="loss", yscale="log", title="One training run on handwritten digits, twice")
left.legend()
right.bar(["Beras", "grad and\nlibrary's Adam"], [rows[0][1], rows[1][1]], color=["C1", "C0"])
right.set(ylabel="lines", title="Lines of code")
save(fig)
worst = max(row[-1] for row in rows)
claim(f"after {len(batches)} steps of Adam, no weight differs by more than {worst:.0e}", worst < 1e-6)
