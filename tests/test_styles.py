"""The other styles: their semantics, and that their numbers are those of the functional style and of PyTorch."""

import gc
import weakref

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import nn, styles
from fungrad.styles import eager as torch, sequential as keras, tape as tf

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 2)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:] > 0).astype(np.float32)


# -- one program in all styles ------------------------------------------------------------------------------------


def test_styles_end_with_the_same_weights():
    rows = {row.style: row for row in styles.compare(steps=30, show=False)}
    assert list(rows) == ["functional", "functional, jit", "tape", "eager", "sequential"]
    assert rows["tape"].error == rows["eager"].error == 0.0  # to the bit: the same primitives in the same order
    assert rows["functional, jit"].error < 1e-5 and rows["sequential"].error < 1e-5
    assert all(np.abs(w).max() > 0 for w in rows["tape"].weights)


def test_compare_prints_the_programs(capsys):
    styles.compare(steps=2)
    text = capsys.readouterr().out
    for word in ("fungrad.grad(loss)", "tf.GradientTape()", "loss.backward()", "model.fit(", "hidden state"):
        assert word in text


def test_the_program_of_the_course_in_tensorflow():
    x_tf, y_tf = tf.convert_to_tensor(X, np.float32), tf.convert_to_tensor(Y, np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((x_tf, y_tf))
    dataset = dataset.batch(16)
    w1, w2 = tf.Variable(tf.random.uniform((2, 3))), tf.Variable(tf.random.uniform((3, 1)))
    b1, b2 = tf.Variable(tf.random.uniform((1, 3))), tf.Variable(tf.random.uniform((1, 1)))
    optimizer = tf.optimizers.SGD(learning_rate=1e-2)
    losses = []
    for _ in range(15):
        for x, y in dataset:
            with tf.GradientTape() as tape:
                z = tf.add(tf.matmul(x, w1), b1)
                h = tf.math.sigmoid(z)
                out = tf.add(tf.matmul(h, w2), b2)
                loss = tf.losses.MSE(y, out)
                gradients = tape.gradient(loss, [w1, w2, b1, b2])
                optimizer.apply_gradients(zip(gradients, [w1, w2, b1, b2], strict=True))
        losses.append(tf.reduce_mean(loss).numpy())
    assert losses[-1] < losses[0]
    model = tf.keras.models.Sequential(
        [
            tf.keras.layers.Dense(units=3, activation="sigmoid", use_bias=True),
            tf.keras.layers.Dense(units=1, use_bias=True),
        ]
    )
    model.compile(optimizer=tf.keras.optimizers.SGD(learning_rate=1e-2), loss="mse")
    history = model.fit(dataset, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]


# -- tape ---------------------------------------------------------------------------------------------------------


def test_tape_gradients_are_those_of_grad():
    w, b = tf.Variable([[0.3, -0.2], [0.5, 1.0]]), tf.Variable([0.1, 0.2])

    def f(w, b, lib, sigmoid):
        h = sigmoid(lib.matmul(lib.matmul(X, w), w) + b)
        return lib.sum(h * h * lib.exp(-h)) if lib is jnp else tf.reduce_sum(h * h * tf.exp(-h))

    with tf.GradientTape() as tape:
        out = f(w, b, tf, tf.sigmoid)
    got = tape.gradient(out, {"w": w, "b": b})
    want = fungrad.grad(lambda w, b: f(w, b, jnp, nn.sigmoid), (0, 1))(jnp.array(w), jnp.array(b))
    np.testing.assert_allclose(got["w"], want[0], rtol=1e-5)
    np.testing.assert_allclose(got["b"], want[1], rtol=1e-5)
    assert set(tape.watched_variables()) == {w, b}


def test_tapes_nest_and_watch():
    x = tf.constant(2.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = x * x * x
        first = inner.gradient(y, x)
    assert float(first) == 12.0 and float(outer.gradient(first, x)) == 12.0
    with tf.GradientTape() as t3, tf.GradientTape() as t2:
        t3.watch(x)
        t2.watch(x)
        with tf.GradientTape() as t1:
            t1.watch(x)
            y = tf.sin(x)
        first = t1.gradient(y, x)
        second = t2.gradient(first, x)
    np.testing.assert_allclose(float(t3.gradient(second, x)), -np.cos(2.0), rtol=1e-6)


def test_tape_is_asked_once_unless_persistent():
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = v * v
    assert float(tape.gradient(y, v)) == 6.0
    with pytest.raises(RuntimeError, match="non-persistent GradientTape can only be used to compute one set"):
        tape.gradient(y, v)
    with tf.GradientTape(persistent=True) as tape:
        y = v * v
        z = y * v
    assert (
        float(tape.gradient(y, v)) == 6.0 and float(tape.gradient(z, v)) == 27.0 and float(tape.gradient(z, y)) == 3.0
    )


def test_what_a_tape_does_not_see():
    v, constant, frozen = tf.Variable(3.0), tf.constant(2.0), tf.Variable(1.0, trainable=False)
    outside = v * v
    with tf.GradientTape() as tape:
        y = v * constant * frozen
        with tape.stop_recording():
            hidden = v * v
        z = tf.stop_gradient(y) + hidden + y
    grads = tape.gradient(z, [v, constant, frozen, outside])
    assert float(grads[0]) == 2.0 and grads[1:] == [None, None, None]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        y = v * constant
    assert tape.gradient(y, v) is None
    with tf.GradientTape() as tape:
        y = v * 1.0
    assert float(tape.gradient(y, tf.Variable(0.0), unconnected_gradients="zero")) == 0.0
    with pytest.raises(ValueError, match="records only inside"):
        tape.watch(constant)


def test_a_variable_that_changes_keeps_the_past_of_the_tape():
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = v * v
    v.assign(100.0)
    assert float(tape.gradient(y, v)) == 6.0
    v.assign_sub(50.0)
    assert float(v) == 50.0
    with pytest.raises(ValueError, match="Shape mismatch"):
        v.assign([1.0, 2.0])


def test_jacobians_and_gradients_of_several_elements():
    x = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape(persistent=True) as tape:
        y = tf.reduce_sum(x * x * x, axis=1)
    np.testing.assert_allclose(tape.gradient(y, x), 3 * np.array(x) ** 2)
    want = fungrad.jacrev(lambda x: jnp.sum(x**3, axis=1))(jnp.array(x))
    np.testing.assert_allclose(tape.jacobian(y, x), want)
    np.testing.assert_allclose(tape.batch_jacobian(y, x), [want[0, 0], want[1, 1]])
    np.testing.assert_allclose(tape.gradient(y, x, output_gradients=tf.constant([1.0, 0.0])), want[0])


def test_custom_gradient_and_errors_of_optimizers():
    @tf.custom_gradient
    def f(x, y):
        return x * y, lambda ct: (10.0 * ct, ct)

    x, y = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        z = f(x, y)
    assert [float(g) for g in tape.gradient(z, [x, y])] == [10.0, 1.0]
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        tf.optimizers.Adam().apply_gradients([(None, x)])
    with pytest.raises(TypeError, match="expected variables"):
        tf.optimizers.Adam().apply_gradients([(x, tf.constant(1.0))])


# -- eager --------------------------------------------------------------------------------------------------------


def test_backward_adds_up_and_frees():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()
    with pytest.raises(RuntimeError, match="only for scalar outputs"):
        (x * x).backward()
    (x * x).backward(torch.ones(2))
    assert x.grad.tolist() == [6.0, 12.0]
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.tensor(1.0).backward()
    with pytest.raises(RuntimeError, match="only tensors of floating"):
        torch.tensor([1, 2], requires_grad=True)


def test_higher_derivatives_without_grad_attributes():
    x = torch.tensor(0.7, requires_grad=True)
    value = torch.sin(x) * x
    for want in (
        np.sin(0.7) + 0.7 * np.cos(0.7),
        2 * np.cos(0.7) - 0.7 * np.sin(0.7),
        -3 * np.sin(0.7) - 0.7 * np.cos(0.7),
    ):
        (value,) = torch.autograd.grad(value, x, create_graph=True)
        np.testing.assert_allclose(value.item(), want, rtol=1e-5)
    assert x.grad is None
    y = torch.tensor(1.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        torch.autograd.grad(x * x, y)
    assert torch.autograd.grad(x * x, [x, y], allow_unused=True)[1] is None


def test_no_grad_detach_and_in_place():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.no_grad():
        y = x * 2
        x -= 0.5
    assert not y.requires_grad and x.tolist() == [0.5, 1.5] and x.is_leaf and x.requires_grad
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x += 1.0
    z = x * x
    z *= 2.0
    z[0] = 5.0
    z.sum().backward()
    assert x.grad.tolist() == [0.0, 6.0]
    assert not x.detach().requires_grad
    with pytest.raises(RuntimeError, match="detach"):
        x.numpy()
    a = x * 1.0
    b = a * a  # uses the old value of a
    a += 10.0
    x.grad = None
    (b.sum() + a.sum()).backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_hooks_and_intermediate_gradients():
    x = torch.tensor(3.0, requires_grad=True)
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.item()) or g * 10)
    y = x * x
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    (y * 1.0).backward()
    assert seen == [12.0] and x.grad.item() == 120.0 and y.grad.item() == 2.0
    handle.remove()
    (x * 1.0).backward()
    assert x.grad.item() == 121.0


def test_functions_with_a_backward_of_their_own():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.save_for_backward(x)
            ctx.scale = scale
            return scale * x**3

        @staticmethod
        def backward(ctx, ct):
            (x,) = ctx.saved_tensors
            return ct * ctx.scale * 3 * x**2, None

    x = torch.tensor(2.0, requires_grad=True)
    y = Cube.apply(x, 2.0)
    (y * y).backward()
    assert x.grad.item() == 2 * 16.0 * 24.0

    class Wrong(torch.autograd.Function):
        forward = staticmethod(lambda ctx, x: x * 1.0)
        backward = staticmethod(lambda ctx, ct: (ct, ct))

    with pytest.raises(RuntimeError, match="incorrect number of gradients"):
        Wrong.apply(x).backward()


def test_the_running_loss_keeps_every_graph():
    w = torch.tensor(np.ones(1000, np.float32), requires_grad=True)

    def train(keep):
        total = 0.0
        for _ in range(20):
            loss = ((w * 2.0) ** 2).sum()
            total = total + (loss if keep else float(loss))
        return torch.autograd.graph_size(total)

    leak, none = train(True), train(False)
    assert leak.operations == 80 and leak.bytes > 20 * 4000 and none == (0, 0)
    gc.collect()


def test_backward_lets_go_of_what_the_graph_has_kept():
    w = torch.tensor(np.ones(10, np.float32), requires_grad=True)
    hidden = w * 2.0
    loss = (hidden**2).sum()
    total, kept = loss + 1.0, weakref.ref(hidden)
    loss.backward()
    del hidden, loss
    gc.collect()
    assert kept() is None and torch.autograd.graph_size(total).operations == 4
    with pytest.raises(RuntimeError, match="second time"):
        total.backward()


def test_modules_and_their_state():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
    )
    names = [name for name, _ in net.named_parameters()]
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias", "4.weight", "4.bias"]
    before = net.state_dict()["1.running_mean"].tolist()
    a, b = net(torch.tensor(X)), net(torch.tensor(X))
    assert not torch.equal(a, b) and net.state_dict()["1.running_mean"].tolist() != before
    net.eval()
    assert torch.equal(net(torch.tensor(X)), net(torch.tensor(X)))
    other = torch.nn.Sequential(*[type(m)(*args) for m, args in zip(
        net.children(), [(2, 8), (8,), (), (0.5,), (8, 1)], strict=True)])  # fmt: skip
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.eval()(torch.tensor(X)), net(torch.tensor(X)))
    with pytest.raises(RuntimeError, match="missing"):
        other.load_state_dict({})


def test_a_module_learns():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 50, 0.5)
    x, y = torch.tensor(X), torch.tensor(Y[:, 0]).long()
    for _ in range(100):
        optimizer.zero_grad()
        loss = torch.nn.CrossEntropyLoss()(net(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
    assert loss.item() < 0.2 and scheduler.get_last_lr() == [0.0125]


# -- sequential ---------------------------------------------------------------------------------------------------


def test_callbacks_of_fit(tmp_path):
    keras.utils.set_random_seed(1)
    model = keras.models.Sequential([keras.layers.Dense(16, "tanh"), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", ["accuracy"])
    rates = []
    history = model.fit(
        X, Y, batch_size=16, epochs=40, verbose=0, validation_split=0.25,
        callbacks=[
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.95),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: rates.append(model.optimizer.learning_rate)),
            keras.callbacks.ModelCheckpoint(tmp_path / "best.safetensors", save_best_only=True),
            keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        ],
    )  # fmt: skip
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"} and len(history.epoch) == 40
    assert history.history["loss"][-1] < history.history["loss"][0] and rates[1] < rates[0]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 41
    final = model.evaluate(X[30:], Y[30:], return_dict=True)
    np.testing.assert_allclose(final["loss"], history.history["val_loss"][-1], rtol=1e-5)
    model.load_weights(tmp_path / "best.safetensors")
    np.testing.assert_allclose(model.evaluate(X[30:], Y[30:])[0], min(history.history["val_loss"]), rtol=1e-5)


def test_early_stopping_restores_the_best():
    keras.utils.set_random_seed(1)
    model = keras.models.Sequential([keras.layers.Dense(1, input_shape=(2,))])
    model.compile(keras.optimizers.SGD(3.0), "mse")  # diverges
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=3, restore_best_weights=True)
    history = model.fit(X, Y, epochs=50, verbose=0, callbacks=[stop])
    assert len(history.epoch) == stop.best_epoch + 4 and stop.stopped_epoch == len(history.epoch) - 1
    assert np.isfinite(model.evaluate(X, Y))
    with pytest.raises(ValueError, match="there is no metric 'val_loss'"):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[keras.callbacks.EarlyStopping()])


def test_layers_with_state_regularizers_and_constraints(capsys):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.models.Sequential([
        layers.Input((6, 6, 1)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(),
        layers.BatchNormalization(), layers.Dropout(0.2),
        layers.Dense(
            5, "relu", kernel_regularizer=keras.regularizers.L2(0.1), kernel_constraint=keras.constraints.MaxNorm(0.5)
        ),
        layers.Dense(3, "softmax"),
    ])  # fmt: skip
    model.summary()
    text = capsys.readouterr().out
    assert "(None, 4, 4, 4)" in text and f"Total params: {model.count_params():,}" in text
    assert model.count_params() == 40 + 4 * 16 + 16 * 5 + 5 + 18
    images, labels = rng.normal(size=(20, 6, 6, 1)), rng.integers(0, 3, 20)
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    before = model.get_weights()
    shapes = [w.shape for w in before]
    assert shapes == [(3, 3, 1, 4), (4,), (16,), (16,), (16,), (16,), (16, 5), (5,), (5, 3), (3,)]
    assert [w.mean() for w in before[2:6]] == [1.0, 0.0, 0.0, 1.0]  # scale, offset, running mean and variance
    model.set_weights([w + i for i, w in enumerate(before)])
    assert all(np.array_equal(w, old + i) for i, (w, old) in enumerate(zip(model.get_weights(), before, strict=True)))
    model.set_weights(before)
    model.fit(images, labels, epochs=3, verbose=0)
    after = model.get_weights()
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    kernel = model.params[6]["kernel"]
    assert float(jnp.max(jnp.linalg.norm(kernel, axis=0))) <= 0.5001
    probabilities = model.predict(images)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-5)
    assert np.array_equal(probabilities, model.predict(images))  # no dropout, no statistics of the batch
    np.testing.assert_allclose(model.evaluate(images, labels)[0],
        -np.log(probabilities[np.arange(20), labels]).mean() + 0.1 * np.sum(np.square(kernel)), rtol=1e-4)  # fmt: skip


def test_frozen_layers_do_not_change():
    model = keras.models.Sequential([keras.layers.Dense(4, input_shape=(2,), trainable=False), keras.layers.Dense(1)])
    model.compile("sgd", keras_loss := (lambda y_true, y_pred: jnp.mean(jnp.abs(y_true - y_pred), axis=-1)))
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, False, False]
    assert callable(keras_loss)


@pytest.mark.parametrize("call, error, words", [
    (lambda: keras.layers.Dense(0), ValueError, "positive integer"),
    (lambda: keras.layers.Dense(2, activation="nope"), ValueError, "Unknown activation function: 'nope'"),
    (lambda: keras.models.Sequential([1]), TypeError, "Only instances of Layer"),
    (lambda: keras.models.Sequential([keras.layers.Dense(1)]).fit(X, Y), RuntimeError, "compile"),
    (lambda: keras.models.Sequential([keras.layers.Dense(1)]).summary(), ValueError, "not yet been built"),
    (lambda: keras.layers.Dropout(1.5), ValueError, "rate=1.5"),
    (lambda: torch.optim.SGD([], lr=0.1), ValueError, "empty parameter list"),
    (lambda: torch.optim.SGD([torch.ones(1)], lr=-1.0), ValueError, "Invalid learning rate"),
    (lambda: torch.nn.Dropout(2.0), ValueError, "between 0 and 1"),
    (lambda: tf.data.Dataset.from_tensor_slices((X, Y[:3])), ValueError, "one size"),
])  # fmt: skip
def test_wrong_calls(call, error, words):
    with pytest.raises(error, match=words):
        call()


# -- against PyTorch itself ---------------------------------------------------------------------------------------


def _program(torch):
    w = torch.tensor(np.array([[0.3, -0.2, 0.1], [0.5, 1.0, -0.7]], np.float32), requires_grad=True)
    b = torch.tensor(np.zeros(3, np.float32), requires_grad=True)
    out = []
    for optimizer in (
        torch.optim.SGD([w, b], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        torch.optim.Adam([w, b], lr=0.01, weight_decay=0.01),
        torch.optim.AdamW([w, b], lr=0.01),
        torch.optim.RMSprop([w, b], lr=0.01),
        torch.optim.Adagrad([w, b], lr=0.01),
    ):
        for _ in range(5):
            optimizer.zero_grad()
            x = torch.tensor(X)
            h = torch.nn.functional.softmax(torch.tanh(x @ w + b) * torch.sigmoid(x @ w), dim=1)
            logits = torch.cat([h, h.std(dim=1, keepdim=True) + h.max(dim=1)[0].unsqueeze(1)], dim=1)
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(Y[:, 0]).long())
            loss = (
                loss
                + torch.nn.BCELoss()(h[:, 0].clamp(0.01, 0.99), torch.tensor(Y[:, 0]))
                + w.var()
                + (h.t() @ h).norm()
            )
            (g,) = torch.autograd.grad(loss, b, create_graph=True)
            (loss + (g * g).sum()).backward()
            optimizer.step()
        out += [loss.item(), w.detach().numpy().copy(), b.grad.numpy().copy()]
    return out


def test_numbers_are_those_of_pytorch():
    real = pytest.importorskip("torch")
    for ours, theirs in zip(_program(torch), _program(real), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5)
