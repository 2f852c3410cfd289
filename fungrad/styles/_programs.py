# mypy: ignore-errors
"""One program in four styles: a network of two layers, trained by gradient descent on the mean squared error.

Each function takes the data, the weights to begin with, a rate and a number of steps, and returns the weights that it
ends with, as NumPy arrays in the order W1, b1, W2, b2.  ``styles.compare`` prints and runs them, so they are written to
be read side by side, and in the same words as programs of their style elsewhere.

May import the styles.
"""

import numpy as np

import fungrad
import fungrad.numpy as jnp
from fungrad import nn
from fungrad.styles import eager as torch, sequential as keras, tape as tf


def functional(x, y, weights, rate, steps, jit=True):
    """JAX's style: functions of parameters, and functions of functions."""

    def loss(params, x, y):
        hidden = nn.sigmoid(x @ params["W1"] + params["b1"])
        out = hidden @ params["W2"] + params["b2"]
        return jnp.mean((out - y) ** 2)

    def step(params, x, y):
        grads = fungrad.grad(loss)(params, x, y)
        return fungrad.tree.map(lambda p, g: p - rate * g, params, grads)

    step = fungrad.jit(step) if jit else step
    params = dict(zip(["W1", "b1", "W2", "b2"], map(jnp.array, weights), strict=True))
    for _ in range(steps):
        params = step(params, x, y)
    return [np.asarray(params[name]) for name in ("W1", "b1", "W2", "b2")]


def tape(x, y, weights, rate, steps):
    """TensorFlow's style: variables, and a tape that records what is done with them."""
    W1, b1, W2, b2 = variables = [tf.Variable(w) for w in weights]
    optimizer = tf.optimizers.SGD(learning_rate=rate)
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            hidden = tf.math.sigmoid(tf.matmul(x, W1) + b1)
            out = tf.matmul(hidden, W2) + b2
            loss = tf.reduce_mean((out - y) ** 2)
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return [v.numpy() for v in variables]


def eager(x, y, weights, rate, steps):
    """PyTorch's style: tensors that remember how they were made, and collect their gradients."""
    W1, b1, W2, b2 = parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    optimizer = torch.optim.SGD(parameters, lr=rate)
    x, y = torch.tensor(x), torch.tensor(y)
    for _ in range(steps):
        optimizer.zero_grad()
        hidden = torch.sigmoid(x @ W1 + b1)
        out = hidden @ W2 + b2
        loss = ((out - y) ** 2).mean()
        loss.backward()
        optimizer.step()
    return [p.detach().numpy() for p in parameters]


def sequential(x, y, weights, rate, steps):
    """Keras' style: a list of layers that trains itself."""
    W1, _, W2, _ = weights
    model = keras.models.Sequential(
        [
            keras.layers.Dense(units=W1.shape[1], activation="sigmoid", input_shape=x.shape[1:]),
            keras.layers.Dense(units=W2.shape[1]),
        ]
    )
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=rate), loss="mse")
    model.set_weights(weights)
    model.fit(x, y, batch_size=len(x), epochs=steps, shuffle=False, verbose=0)
    return model.get_weights()


# What each keeps between the lines, where a reader does not see it.
HIDDEN = {
    "functional": "nothing",
    "tape": "the open tape, what it has recorded; values of variables, state of the optimizer",
    "eager": "the graph behind each tensor, .grad; values of parameters, state of the optimizer",
    "sequential": "weights, optimizer, step counter, order of the examples",
}
PROGRAMS = {"functional": functional, "tape": tape, "eager": eager, "sequential": sequential}
