"""``keras.models``: ``Sequential``, which is compiled, fitted, evaluated and asked for predictions.

May import the other files of ``styles.sequential``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

import fungrad
import fungrad.numpy as jnp
from fungrad import io, random, tree
from fungrad.styles import _optimizers
from fungrad.styles._graph import Box
from fungrad.styles._losses import LOSSES
from fungrad.styles.sequential.callbacks import Callback, History
from fungrad.styles.sequential.layers import Layer, chosen

OPTIMIZERS: dict[str, Callable] = {
    "sgd": _optimizers.SGD, "adam": _optimizers.Adam, "adamw": _optimizers.AdamW, "rmsprop": _optimizers.RMSprop,
    "adagrad": _optimizers.Adagrad,
}  # fmt: skip
# Which come first among the weights of a layer; others follow by name.
_NAMES = {"kernel": 0, "embeddings": 0, "gamma": 0, "scale": 0, "bias": 1, "beta": 1}
SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "kld": "kl_divergence"}


def set_random_seed(seed: int) -> None:
    """Makes the next models and their training the same each time."""
    _seeds.key = random.key(seed)


class _Seeds:
    key: Any = None

    def next(self) -> Any:
        if self.key is None:
            self.key = random.key(0)
        self.key, out = random.split(self.key)
        return out


_seeds = _Seeds()


class Sequential:
    """Layers one after the other.

    Args:
      layers: the layers; more by ``add``.

    Example:
      >>> import numpy as np
      >>> from fungrad.styles import sequential as keras
      >>> keras.utils.set_random_seed(0)
      >>> model = keras.models.Sequential([keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)])
      >>> model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
      >>> x = np.linspace(-1, 1, 64)[:, None]
      >>> history = model.fit(x, x ** 2, epochs=60, verbose=0)
      >>> history.history["loss"][-1] < 0.02
      True
      >>> model.predict(x[:2]).shape
      (2, 1)
    """

    def __init__(self, layers: Sequence[Layer] | None = None):
        self.layers: list[Layer] = []
        self.built, self.stop_training = False, False
        self.params: list[dict[str, Any]] = []
        self.state: list[dict[str, Any]] = []
        self.optimizer: Any = None
        self._shapes: list[tuple[int, ...]] = []
        for layer in layers or ():
            self.add(layer)

    # -- building -----------------------------------------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Adds a layer at the end."""
        if not isinstance(layer, Layer):
            raise TypeError(f"Only instances of Layer can be added to a Sequential model, got {type(layer).__name__}")
        if layer.name is None:
            kind = type(layer).__name__.lower()
            count = sum(type(other) is type(layer) for other in self.layers)
            layer.name = kind if not count else f"{kind}_{count}"
        self.layers.append(layer)
        self.built = False
        if self.layers[0].input_shape is not None:
            self.build((None, *self.layers[0].input_shape))

    def build(self, input_shape: Sequence[Any]) -> None:
        """Makes the parameters, for inputs of a shape whose first axis (None) is that of the examples."""
        shape = tuple(input_shape)[1:]
        self.params, self.state, self._shapes = [], [], []
        for layer in self.layers:
            params, state = layer.build(_seeds.next(), shape)
            x = fungrad.ShapeDtypeStruct((1, *shape), jnp.float32)
            out = fungrad.eval_shape(
                lambda p, s, x, layer=layer: layer.call(p, s, x, False, random.key(0))[0], params, state, x
            )
            shape = out.shape[1:]
            self.params.append(params)
            self.state.append(state)
            self._shapes.append(shape)
        self.built = True

    def _ready(self, x: Any) -> None:
        if not self.built:
            self.build((None, *x.shape[1:]))

    def __call__(self, x: Any, training: bool = False) -> Any:
        x = jnp.asarray(_data(x))
        self._ready(x)
        return self._forward(self.params, self.state, x, training, _seeds.next() if training else random.key(0))[0]

    def _forward(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        """The model as a pure function."""
        states = []
        for i, layer in enumerate(self.layers):
            x, new = layer.call(params[i], state[i], x, training and layer.trainable, random.fold_in(key, i))
            states.append(new)
        return x, states

    def summary(self) -> None:
        """Prints the layers with the shapes of their results and their numbers of parameters."""
        if not self.built:
            raise ValueError(
                "This model has not yet been built. Build the model first by calling `build()` or by calling the "
                "model on a batch of data."
            )
        rows = [("Layer (type)", "Output Shape", "Param #")]
        trained = total = 0
        for layer, params, state, shape in zip(self.layers, self.params, self.state, self._shapes, strict=True):
            count = _count(params) + _count(state)
            total += count
            trained += _count(params) if layer.trainable else 0
            rows.append(
                (f"{layer.name} ({type(layer).__name__})", f"(None, {', '.join(map(str, shape))})", f"{count:,}")
            )
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        line = "=" * (sum(widths) + 4)
        lines = [f"{a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        print(line, lines[0], line, *lines[1:], line, sep="\n")
        print(
            f"Total params: {total:,}",
            f"Trainable params: {trained:,}",
            f"Non-trainable params: {total - trained:,}",
            sep="\n",
        )

    def count_params(self) -> int:
        """The number of parameters, those of the state (running means) included."""
        return _count(self.params) + _count(self.state)

    def _order(self) -> list[int]:
        """Where weights are among the leaves of parameters and state: layer by layer, a kernel before its bias."""

        def place(i: int) -> tuple:
            (part, layer, *rest), _ = found[i]
            return layer.idx, part.idx, [_NAMES.get(getattr(entry, "key", ""), 2) for entry in rest], i

        found = tree.leaves_with_path((self.params, self.state))
        return sorted(range(len(found)), key=place)

    def get_weights(self) -> list[np.ndarray]:
        """All parameters as NumPy arrays, layer by layer: kernel, bias; or scale, offset, running mean, variance."""
        leaves = tree.leaves((self.params, self.state))
        return [np.array(leaves[i]) for i in self._order()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Takes parameters in the order of ``get_weights``.

        Raises:
          ValueError: their number or a shape is another.
        """
        leaves, structure = tree.flatten((self.params, self.state))
        order = self._order()
        shapes = [leaves[i].shape for i in order]
        if [np.shape(w) for w in weights] != shapes:
            raise ValueError(f"set_weights: expected arrays of shapes {shapes}, got {[np.shape(w) for w in weights]}")
        for i, w in zip(order, weights, strict=True):
            leaves[i] = jnp.array(w, dtype=leaves[i].dtype)
        self.params, self.state = tree.unflatten(structure, leaves)

    def snapshot(self) -> Any:
        """The parameters and state as they are."""
        return self.params, self.state

    def restore(self, snapshot: Any) -> None:
        """Goes back to a snapshot."""
        self.params, self.state = snapshot

    def save_weights(self, filepath: Any) -> None:
        """Writes the parameters to a safetensors file."""
        io.save(filepath, {"params": self.params, "state": self.state})

    def load_weights(self, filepath: Any) -> None:
        """Reads what ``save_weights`` has written."""
        both = io.load(filepath)
        leaves, order = tree.leaves((both["params"], both["state"])), self._order()
        self.set_weights([leaves[i] for i in order] if len(leaves) == len(order) else leaves)

    # -- training -----------------------------------------------------------------------------------------------------

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Sequence[Any] = (), run_eagerly: bool = False
    ) -> None:
        """Says how to train.

        Args:
          optimizer: a name or one of ``optimizers``.
          loss: a name or a function of true and predicted values that gives a number for each example.
          metrics: names (``"accuracy"``, those of losses) or functions like losses.
          run_eagerly: operation by operation instead of compiled.
        """
        self.optimizer = (
            optimizer if not isinstance(optimizer, str) else chosen("optimizer", optimizer.lower(), OPTIMIZERS)()
        )
        self._loss = _loss(loss)
        self._metrics = [(m if isinstance(m, str) else m.__name__, _metric(m, self._loss)) for m in metrics]
        self._opt_state: Any = None
        wrap: Callable = (lambda f: f) if run_eagerly else fungrad.jit
        self._step, self._measure = wrap(self._train_step), wrap(self._test_step)
        self._infer = wrap(lambda params, state, x: self._forward(params, state, x, False, random.key(0))[0])

    def _objective(self, params: Any, state: Any, x: Any, y: Any, key: Any) -> Any:
        out, state = self._forward(params, state, x, True, key)
        loss = jnp.mean(self._loss(y, out))
        penalty = sum((layer.penalty(p) for layer, p in zip(self.layers, params, strict=True)), 0.0)
        return loss + penalty, (state, self._measured(y, out, loss + penalty))

    def _measured(self, y: Any, out: Any, loss: Any) -> dict[str, Any]:
        return {"loss": loss} | {name: jnp.mean(metric(y, out)) for name, metric in self._metrics}

    def _train_step(self, params: Any, state: Any, opt_state: Any, rate: Any, x: Any, y: Any, key: Any) -> Any:
        grads, (state, logs) = fungrad.grad(self._objective, has_aux=True)(params, state, x, y, key)
        updates, opt_state = self.optimizer.transformation.update(grads, opt_state, params)
        new = []
        for layer, p, u in zip(self.layers, params, updates, strict=True):
            moved = tree.map(lambda p, u: p + rate * u, p, u)
            new.append(layer.constrain(moved) if layer.trainable else p)
        return new, state, opt_state, logs

    def _test_step(self, params: Any, state: Any, x: Any, y: Any) -> Any:
        out, _ = self._forward(params, state, x, False, random.key(0))
        penalty = sum((layer.penalty(p) for layer, p in zip(self.layers, params, strict=True)), 0.0)
        return self._measured(y, out, jnp.mean(self._loss(y, out)) + penalty)

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int = 1,
        callbacks: Iterable[Callback] = (),
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        initial_epoch: int = 0,
    ) -> History:
        """Trains.

        Args:
          x: examples, or something to iterate over that gives batches ``(x, y)``.
          y: what they should be.
          batch_size: examples in a step.
          epochs: how often to go through the data.
          verbose: 0 prints nothing, else a line for each epoch.
          callbacks: what happens between epochs.
          validation_split: this share of the examples, the last ones, is not trained with but measured.
          validation_data: a pair of arrays to measure after each epoch.
          shuffle: another order in each epoch.
          initial_epoch: the number of the first epoch.

        Returns:
          The history of what was measured.

        Raises:
          RuntimeError: the model is not compiled.
          ValueError: the numbers of examples differ.
        """
        self._compiled()
        batched = y is None
        if not batched:
            x, y = _data(x), _data(y)
            if len(x) != len(y):
                raise ValueError(f"Data cardinality is ambiguous: x has {len(x)} examples and y has {len(y)}")
            if validation_split and validation_data is None:
                held = len(x) - int(len(x) * (1 - validation_split))
                validation_data = (x[len(x) - held :], y[len(y) - held :])
                x, y = x[: len(x) - held], y[: len(y) - held]
        history = History()
        everyone = [history, *callbacks]
        for callback in everyone:
            callback.set_model(self)
        self.stop_training = False
        for callback in everyone:
            callback.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            for callback in everyone:
                callback.on_epoch_begin(epoch)
            logs = self._epoch(_pairs(x) if batched else _batches(x, y, batch_size, shuffle))
            if validation_data is not None:
                logs |= {
                    f"val_{k}": v
                    for k, v in self._evaluated(validation_data[0], validation_data[1], batch_size).items()
                }
            for callback in everyone:
                callback.on_epoch_end(epoch, logs)
            if verbose:
                print(f"Epoch {epoch + 1}/{epochs} - " + " - ".join(f"{k}: {v:.4f}" for k, v in logs.items()))
            if self.stop_training:
                break
        for callback in everyone:
            callback.on_train_end()
        return history

    def _epoch(self, batches: Iterator[tuple[Any, Any]]) -> dict[str, float]:
        totals: dict[str, float] = {}
        count = 0
        for x, y in batches:
            self._ready(x)
            if self._opt_state is None:
                self._opt_state = self.optimizer.transformation.init(self.params)
            rate = jnp.asarray(self.optimizer.rate(), jnp.float32)
            self.params, self.state, self._opt_state, logs = self._step(
                self.params, self.state, self._opt_state, rate, x, y, _seeds.next()
            )
            self.optimizer.iterations += 1
            count += len(x)
            for name in self._shown():
                totals[name] = totals.get(name, 0.0) + float(logs[name]) * len(x)
        if not count:
            raise ValueError("fit: there are no examples")
        return {name: value / count for name, value in totals.items()}

    def _shown(self) -> list[str]:
        """Names of what a step measures, in the order in which it is shown; compiled functions sort them."""
        return ["loss", *dict(self._metrics)]

    def _evaluated(self, x: Any, y: Any, batch_size: int) -> dict[str, float]:
        totals: dict[str, float] = {}
        for xs, ys in _batches(_data(x), _data(y), batch_size, shuffle=False):
            logs = self._measure(self.params, self.state, xs, ys)
            for name in self._shown():
                totals[name] = totals.get(name, 0.0) + float(logs[name]) * len(xs)
        return {name: value / len(x) for name, value in totals.items()}

    def evaluate(self, x: Any, y: Any, batch_size: int = 32, verbose: int = 0, return_dict: bool = False) -> Any:
        """The loss and metrics on other data.

        Returns:
          The loss, or a list of the loss and the metrics; a dict with ``return_dict``.
        """
        self._compiled()
        self._ready(jnp.asarray(_data(x)))
        logs = self._evaluated(x, y, batch_size)
        if verbose:
            print(" - ".join(f"{k}: {v:.4f}" for k, v in logs.items()))
        if return_dict:
            return logs
        return logs["loss"] if not self._metrics else list(logs.values())

    def predict(self, x: Any, batch_size: int = 32, verbose: int = 0) -> np.ndarray:
        """The results for new examples, as a NumPy array."""
        x = _data(x)
        self._ready(jnp.asarray(x))
        infer = getattr(self, "_infer", None) or (lambda params, state, x: self(x))
        parts = [
            infer(self.params, self.state, jnp.asarray(x[i : i + batch_size])) for i in range(0, len(x), batch_size)
        ]
        if not parts:
            return np.zeros((0, *self._shapes[-1]), np.float32)
        return np.concatenate([np.asarray(p) for p in parts])

    def _compiled(self) -> None:
        if self.optimizer is None:
            raise RuntimeError("You must call `compile()` before using the model: it says the optimizer and the loss.")


def _count(params: Any) -> int:
    return sum(math.prod(w.shape) for w in tree.leaves(params))


def _data(x: Any) -> np.ndarray:
    """Data as an array; floating numbers in single precision, as the weights are."""
    x = np.asarray(x._value if isinstance(x, Box) else x)
    return x.astype(np.float32) if x.dtype == np.float64 else x


def _batches(x: Any, y: Any, size: int, shuffle: bool) -> Iterator[tuple[Any, Any]]:
    order = np.asarray(random.permutation(_seeds.next(), len(x))) if shuffle else np.arange(len(x))
    for i in range(0, len(x), size):
        chosen_rows = order[i : i + size]
        yield jnp.asarray(x[chosen_rows]), jnp.asarray(y[chosen_rows])


def _pairs(batches: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for x, y in batches:
        yield jnp.asarray(_data(x)), jnp.asarray(_data(y))


def _shaped(fun: Callable) -> Callable:
    """A loss whose true values may lack the axis of size one that predictions have."""

    def of_both(y_true: Any, y_pred: Any) -> Any:
        if y_true.ndim == y_pred.ndim - 1 and y_pred.shape[-1] == 1:
            y_true = y_true[..., None]
        return fun(y_true, y_pred)

    of_both.__name__ = getattr(fun, "__name__", "loss")
    return of_both


def _loss(loss: Any) -> Callable:
    if loss is None:
        raise ValueError("compile: loss must be a name or a function")
    if isinstance(loss, str):
        name = SHORT.get(loss.lower(), loss)
        fun = chosen("loss function", name, LOSSES)
        out = fun if name.startswith("sparse") else _shaped(fun)
        out.__name__ = name
        return out
    function, options = getattr(loss, "_function", loss), getattr(loss, "_options", {})
    plain = lambda y_true, y_pred: function(y_true, y_pred, **options)  # noqa: E731
    sparse = "sparse" in getattr(function, "__name__", "") or function is LOSSES["sparse_categorical_crossentropy"]
    plain.__name__ = "sparse" if sparse else getattr(function, "__name__", "loss")
    return plain if sparse else _shaped(plain)


def _metric(metric: Any, loss: Callable) -> Callable:
    if not isinstance(metric, str):
        return metric
    if metric not in ("accuracy", "acc"):
        return _loss(metric)

    def accuracy(y_true: Any, y_pred: Any) -> Any:
        if y_pred.shape[-1] == 1:
            return (y_pred[..., 0] > 0.5) == (y_true.reshape(y_pred.shape[:-1]) > 0.5)
        if y_true.ndim == y_pred.ndim and y_true.shape[-1] == y_pred.shape[-1]:
            y_true = jnp.argmax(y_true, axis=-1)
        return jnp.argmax(y_pred, axis=-1) == y_true.reshape(y_pred.shape[:-1])

    return accuracy
