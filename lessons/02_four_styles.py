# %% [markdown]
"""
# 02 · One training run in four styles

**Claim.** The TensorFlow, the PyTorch and the functional program end with the same weights to the bit; Keras, which
compiles, to rounding. The styles differ in who holds the state, not in the numbers.

**Answers.** day 8, "DL Frameworks"; review, "Training our two-layer neural network in code, in Tensorflow
2.0" and "In Keras"

TensorFlow records operations on a *tape*; PyTorch keeps a *graph* behind every tensor; Keras hides both in `fit`; the
functional style differentiates a *function*. `fungrad.styles` has the first three over the same operations as the
fourth, so that the programs of the slides run with other imports, and only the style differs.
"""

# %%
import inspect

import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import nn, styles
from fungrad.styles import eager as torch, tape as tf

rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, (300, 3)).astype(np.float32)
Y = np.sin(X[:, :1]) * X[:, 1:2]
START = [rng.uniform(0, 1, shape).astype(np.float32) for shape in ((3, 3), (3, 1), (1, 3), (1, 1))]
EPOCHS = 10 if short else 100


# %%
def tensorflow_program():
    dataset = tf.data.Dataset.from_tensor_slices((tf.convert_to_tensor(X), tf.convert_to_tensor(Y)))
    dataset = dataset.batch(50)
    W1, W2, b1, b2 = (tf.Variable(w) for w in START)
    optimizer = tf.optimizers.SGD(learning_rate=1e-2)
    for epoch in range(EPOCHS):
        for batch in dataset:
            X_batch, Y_batch = batch
            with tf.GradientTape() as tape:
                Z_batch = tf.add(tf.matmul(X_batch, W1), b1)
                H_batch = tf.math.sigmoid(Z_batch)
                Out_batch = tf.add(tf.matmul(H_batch, W2), b2)
                loss = tf.losses.MSE(Y_batch, Out_batch)
            gradients = tape.gradient(loss, [W1, W2, b1, b2])
            optimizer.apply_gradients(zip(gradients, [W1, W2, b1, b2]))
    return W1, W2, b1, b2


def pytorch_program():
    W1, W2, b1, b2 = (torch.tensor(w, requires_grad=True) for w in START)
    loader = [(torch.tensor(X[i : i + 50]), torch.tensor(Y[i : i + 50])) for i in range(0, len(X), 50)]
    criterion = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD([W1, W2, b1, b2], lr=1e-2)
    for epoch in range(EPOCHS):
        for inputs, targets in loader:
            optimizer.zero_grad()
            outputs = torch.sigmoid(inputs @ W1 + b1) @ W2 + b2
            loss = criterion(outputs, targets)
            loss.backward()
            optimizer.step()
    return W1, W2, b1, b2


def keras_program():
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(50)
    keras_model = tf.keras.models.Sequential([
        tf.keras.layers.Dense(units=3, activation="sigmoid", use_bias=True, input_shape=(3,)),
        tf.keras.layers.Dense(units=1, use_bias=True),
    ])  # fmt: skip
    keras_model.compile(optimizer=tf.keras.optimizers.SGD(learning_rate=50 * 1e-2), loss="mse")
    W1, W2, b1, b2 = START
    keras_model.set_weights([W1, b1[0], W2, b2[0]])
    keras_model.fit(dataset, epochs=EPOCHS, shuffle=False, verbose=0)
    W1, b1, W2, b2 = keras_model.get_weights()
    return W1, W2, b1, b2


def functional_program():
    def loss(params, x, y):
        W1, W2, b1, b2 = params
        out = nn.sigmoid(x @ W1 + b1) @ W2 + b2
        return jnp.sum((out - y) ** 2)

    params = [jnp.array(w) for w in START]
    for epoch in range(EPOCHS):
        for i in range(0, len(X), 50):
            gradients = fungrad.grad(loss)(params, X[i : i + 50], Y[i : i + 50])
            params = [w - 1e-2 * g for w, g in zip(params, gradients)]
    return params


# %% [markdown]
"""
Two remarks on the slides. Their TensorFlow program asks the tape for gradients inside of its block, which records the
backward pass too; it belongs outside, as here. And `tf.losses.MSE` returns a loss per example, whose *sum* the tape
differentiates, while Keras' `"mse"` is the mean of the batch: with the same learning rate, the first program takes
steps that are 50 times as long. Here Keras gets the rate of the sum.
"""


# %%
def mse(weights):
    W1, W2, b1, b2 = weights
    return float(jnp.mean((nn.sigmoid(X @ W1 + b1) @ W2 + b2 - Y) ** 2))


PROGRAMS = {"functional": functional_program, "tape": tensorflow_program, "eager": pytorch_program,
            "sequential": keras_program}  # fmt: skip
ended = {name: [np.asarray(w).reshape(s.shape) for w, s in zip(program(), START)] for name, program in PROGRAMS.items()}
errors = {name: max(np.max(np.abs(a - b)) for a, b in zip(w, ended["functional"])) for name, w in ended.items()}

# %% [markdown]
"""
`styles.compare` trains a network like it in each style and measures: time of a step, memory, and what a program keeps
where its reader does not see it.
"""

# %%
compared = styles.compare(steps=30 if short else 100, show=False)
rows = []
for row in compared:
    name = row.style.split(",")[0]
    differs = errors[name] if row.style in errors else row.error
    rows.append((row.style, f"{row.seconds * 1e6:.0f} us", f"{row.memory / 1024:.0f} KiB", differs, row.hidden))
table(["style", "time per step", "memory", "weights differ by", "hidden state"], rows, digits=1)
print(f"mean squared error of all four: {mse(START):.2f} at first, {mse(ended['tape']):.4f} at the end")

# %%
fig, axes = figure(3, 2, size=(11.0, 6.6), height_ratios=(11, 15, 14))
names = ["functional", "eager", "tape", "sequential"]
for ax, name, title in zip(axes.flat, names, ["functional", "PyTorch's graph", "TensorFlow's tape", "Keras"]):
    code = inspect.getsource(PROGRAMS[name]).split("\n")[1:-1]
    ax.text(0, 1, "\n".join(line[4:] for line in code), family="monospace", fontsize=6, va="top")
    ax.set_title(f"{title}: {len(code)} lines", loc="left")
    ax.set_axis_off()
times, memory = [r.seconds * 1e6 for r in compared], [r.memory / 1024 for r in compared]
for ax, label, heights in zip(axes[2], ("time per step [us]", "memory [KiB]"), (times, memory)):
    ax.bar([r.style for r in compared], heights, color=["C0", "C0", "C1", "C3", "C2"])
    ax.set_title(label)
    ax.set_yscale("log")
    ax.tick_params(axis="x", labelsize="small")
save(fig)
exact, rounded = max(errors["tape"], errors["eager"]), errors["sequential"]
claim(f"weights differ by {exact:g} between the tape, the graph and grad, by {rounded:.0e} from Keras",
      exact == 0 and rounded < 1e-4)  # fmt: skip
