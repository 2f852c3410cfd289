"""The training loop: what it measures, when it stops, what it says of NaN, and going on after a kill bit for bit."""

import csv
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from test_io import same

import fungrad
import fungrad.numpy as jnp
from fungrad import data, io, nn, optim, random, train, tree
from fungrad.errors import NonFiniteError

pytest.importorskip("safetensors")

KEY = random.key(0)
X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = (X @ np.float32([[1, 0], [0, 1], [-1, 0], [0, -1]])).argmax(1).astype(np.int32)
OPT = optim.adam(1e-2)


def loss_of(params, x, y):
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(nn.dense.apply(params, x), y))


@fungrad.jit
def step(state, batch):
    params, opt_state, key = state
    key, subkey = random.split(key)
    x, y = batch
    loss, gradient = fungrad.value_and_grad(loss_of)(params, nn.dropout(subkey, x, 0.1), y)
    updates, opt_state = OPT.update(gradient, opt_state, params)
    return (optim.apply_updates(params, updates), opt_state, key), {"loss": loss}


def first_state():
    params = nn.dense.init(KEY, 4, 2)
    return params, OPT.init(params), random.key(1)


def evaluate(state):
    return {"val_loss": loss_of(state[0], X, Y)}


def batches(epochs=6, **options):
    return data.batches(KEY, (X, Y), 16, epochs=epochs, last="keep", **options)


def run(**options):
    options = {"progress": False, "evaluate": evaluate, **options}
    return train.fit(step, first_state(), options.pop("data", batches()), **options)


def test_it_learns_and_measures():
    out = run()
    assert out.reason == "end of data" and out.step == 24 and out.history["step"].tolist() == [4, 8, 12, 16, 20, 24]
    assert out.history.names == ["loss", "val_loss"]
    assert np.all(np.diff(out.history["val_loss"]) < 0)
    assert out.history["val_loss"][-1] == float(evaluate(out.state)["val_loss"])
    state, losses = first_state(), []
    for batch in batches():
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    assert same(state, out.state)
    np.testing.assert_allclose(out.history["loss"], np.reshape(losses, (6, 4)).mean(1), rtol=1e-12)


def test_the_number_of_steps():
    assert run(steps=7).step == 7 and run(steps=7).reason == "steps"
    assert run(steps=7).history["step"].tolist() == [4, 7]
    assert run(steps=100).step == 24 and run(every=10).history["step"].tolist() == [10, 20, 24]
    assert run(data=batches(epochs=None), steps=9).step == 9
    assert run(steps=0).history.rows == [] and run(data=[]).step == 0
    generated = run(data=(b for b in batches()))
    assert generated.history["step"].tolist() == [24] and same(generated.state, run().state)


def test_a_step_may_return_the_loss_alone():
    out = train.fit(lambda s, b: (s + b, s), 0.0, [1.0, 2.0, 3.0], every=1, progress=False)
    assert out.state == 6.0 and out.history["loss"].tolist() == [0, 1, 3]


@pytest.mark.parametrize("stop", range(1, 24, 5))
def test_going_on_gives_the_same_bits(stop, tmp_path):
    whole = run()
    interrupted = run(steps=stop, checkpoints=io.Checkpoints(tmp_path))
    assert interrupted.step == stop
    again = run(steps=stop, checkpoints=io.Checkpoints(tmp_path))
    assert again.step == stop and same(again.state, interrupted.state)
    # As if by a fresh process: all that is known comes from the file.
    resumed = run(checkpoints=io.Checkpoints(tmp_path), data=batches(prefetch=2))
    assert same(resumed.state, whole.state) and resumed.reason == "end of data"
    assert resumed.history["val_loss"][-1] == whole.history["val_loss"][-1]
    if stop % 4 == 0:
        assert resumed.history.rows == whole.history.rows
    longer = run(checkpoints=io.Checkpoints(tmp_path), data=batches(epochs=7))
    assert longer.step == 28 and same(longer.state, run(data=batches(epochs=7)).state)


SCRIPT = """
    import sys
    sys.path.insert(0, {tests!r})
    from fungrad import io, train
    from test_train import batches, evaluate, first_state, step

    def look(look):
        print(look.step, flush=True)

    stopping = train.EarlyStopping("val_loss", patience=3)
    out = train.fit(
        step, first_state(), batches(epochs=200), evaluate=evaluate, every=3, progress=False, callbacks=[look],
        checkpoints=io.Checkpoints(sys.argv[1], keep=2, best="val_loss"), early_stopping=stopping,
    )
    io.save(sys.argv[2], {{"state": out.state, "rows": out.history.to_text()}})
"""


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path):
    code = textwrap.dedent(SCRIPT.format(tests=os.path.dirname(__file__)))
    kills = 0
    for directory, killed in (("whole", False), ("killed", True)):
        while True:
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(tmp_path / directory), str(tmp_path / f"{directory}.safetensors")],
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            if killed and kills < 3:
                for _ in range(12 + 7 * kills):
                    process.stdout.readline()
                time.sleep(0.004 * kills)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
                continue
            process.communicate()
            assert process.returncode == 0
            break
    whole, resumed = (io.load(tmp_path / f"{name}.safetensors", like=None) for name in ("whole", "killed"))
    assert same(whole, resumed)


def test_early_stopping_goes_back_to_the_best():
    losses = [5.0, 3.0, 4.0, float("nan"), 2.5, 2.6, 2.6, 2.4]

    def ours(state, batch):
        return {"n": state["n"] + 1}, losses[int(state["n"])]

    state = {"n": np.int64(0)}
    out = train.fit(
        ours, state, range(8), every=1, progress=False, on_nan="ignore",
        early_stopping=train.EarlyStopping("loss", patience=2),
    )  # fmt: skip
    assert (out.state["n"], out.step, out.reason) == (2, 4, "early stopping")
    out = train.fit(
        ours, state, range(8), every=1, progress=False, on_nan="ignore",
        early_stopping=train.EarlyStopping("loss", patience=3),
    )  # fmt: skip
    assert (out.state["n"], out.step, out.reason) == (8, 8, "end of data")
    out = train.fit(
        ours, state, range(8), every=1, progress=False, on_nan="ignore",
        early_stopping=train.EarlyStopping("loss", patience=2, mode="max"),
    )  # fmt: skip
    assert (out.state["n"], out.step) == (1, 3)
    with pytest.raises(KeyError, match="there is no metric 'val_loss'; there are loss"):
        train.fit(ours, state, range(8), every=1, progress=False, early_stopping=train.EarlyStopping("val_loss"))


def test_the_best_state_survives_donation(tmp_path):
    donated = fungrad.jit(lambda w, b: (w + b, jnp.abs(w[0] - 3.0)), donate_argnums=0)
    options = {"every": 1, "progress": False, "early_stopping": train.EarlyStopping("loss", patience=4)}
    out = train.fit(donated, jnp.zeros(3), [1.0] * 20, **options)
    assert out.state.tolist() == [4, 4, 4] and out.step == 8
    checkpoints = io.Checkpoints(tmp_path)
    train.fit(donated, jnp.zeros(3), [1.0] * 20, steps=6, checkpoints=checkpoints, **options)
    resumed = train.fit(donated, jnp.zeros(3), [1.0] * 20, checkpoints=checkpoints, **options)
    assert resumed.state.tolist() == [4, 4, 4] and resumed.step == 8
    stopped = train.fit(donated, jnp.zeros(3), [1.0] * 20, checkpoints=checkpoints, **options)
    assert stopped.state.tolist() == [4, 4, 4] and (stopped.step, stopped.reason) == (8, "early stopping")


def test_callbacks_see_and_stop():
    seen = []

    def look(look):
        seen.append((look.step, look.metrics["val_loss"], len(look.history), tree.structure(look.state)))
        return look.step >= 12

    out = run(callbacks=[look, lambda look: None])
    assert [s[0] for s in seen] == [4, 8, 12] and out.reason == "callback" and out.step == 12
    assert [s[2] for s in seen] == [1, 2, 3]


def test_nan_names_the_operation():
    def bad(state, batch):
        return state - 1, jnp.sum(jnp.log(state) * batch)

    for f in (bad, fungrad.jit(bad)):
        with pytest.raises(
            NonFiniteError, match=r"fungrad.train.fit: loss is nan in step 4: .*log.* produced NaN.*test_train"
        ):
            train.fit(f, jnp.array([2.5, 9.0]), [1.0] * 10, progress=False)
    with pytest.raises(NonFiniteError, match="loss is inf in step 1: .*exp"):
        train.fit(lambda s, b: (s, jnp.exp(s)), jnp.array(1e3), [1.0], progress=False)
    donated = fungrad.jit(bad, donate_argnums=0)
    with pytest.raises(NonFiniteError, match="loss is nan in step 4; .*leave donate_argnums out"):
        train.fit(donated, jnp.array([2.5, 9.0]), [1.0] * 10, progress=False)
    with pytest.raises(NonFiniteError, match="step 1; it was not made by an operation"):
        train.fit(lambda s, b: (s, float("nan")), 0, [1.0], progress=False)
    out = train.fit(bad, jnp.array([2.5, 9.0]), [1.0] * 5, every=1, progress=False, on_nan="ignore")
    assert np.isnan(out.history["loss"]).tolist() == [False] * 3 + [True] * 2


def test_wrong_steps():
    for f, words in (
        (lambda s, b: s, r"step must return a pair \(state, metrics\), got int"),
        (lambda s, b: (s, {"loss": jnp.ones(2)}), r"metrics of step must be scalars, got .*f32\[2\] for 'loss'"),
        (lambda s, b: (s, "a"), "metrics of step must be scalars"),
    ):
        with pytest.raises(TypeError, match=words):
            train.fit(f, 0, [1], progress=False)
    with pytest.raises(ZeroDivisionError):
        train.fit(lambda s, b: 1 / 0, 0, [1], progress=False)
    for options, words in (
        ({"checkpoints": "dir"}, "checkpoints must be fungrad.io.Checkpoints"),
        ({"early_stopping": 3}, "early_stopping must be fungrad.train.EarlyStopping"),
        ({"every": "a"}, "every must be an integer"),
        ({"evaluate": 3}, "evaluate must be a function"),
        ({"callbacks": [3]}, "callbacks must be a function"),
    ):
        with pytest.raises(TypeError, match=words):
            run(**options)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    run(steps=4, checkpoints=io.Checkpoints(tmp_path))
    with pytest.raises(ValueError, match="state.0.bias is float32.2. in the file and float32.3. in like"):
        params = nn.dense.init(KEY, 4, 3)
        train.fit(
            step, (params, OPT.init(params), KEY), batches(), checkpoints=io.Checkpoints(tmp_path), progress=False
        )


def test_the_bar_shows_the_metrics(capsys):
    pytest.importorskip("tqdm")
    run(progress=True)
    assert "24/24" in (shown := capsys.readouterr().err) and "loss=" in shown


# -- writers ----------------------------------------------------------------------------------------------------------


def test_tables_and_curves(tmp_path):
    out = run(callbacks=[train.CSVWriter(tmp_path / "run.csv")])
    with open(tmp_path / "run.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["val_loss"]) for r in rows] == out.history["val_loss"].tolist()
    pytest.importorskip("matplotlib")
    train.plot(out.history, tmp_path / "run.png")
    train.plot(out.history, tmp_path / "run.svg", ["loss"])
    assert (tmp_path / "run.png").read_bytes()[:4] == b"\x89PNG" and b"<svg" in (tmp_path / "run.svg").read_bytes()
    with pytest.raises(ValueError, match="history must have rows"):
        train.plot(train.History(), tmp_path / "none.png")
    with pytest.raises(KeyError, match="there is no metric 'acc'"):
        train.plot(out.history, tmp_path / "none.png", ["acc"])


def test_event_files(tmp_path):
    pytest.importorskip("tensorboardX")
    writer = train.TensorBoardWriter(tmp_path)
    run(callbacks=[writer])
    writer.close()
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    assert content.count(b"val_loss") == 6


def test_missing_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"TensorBoardWriter needs tensorboardX.*fungrad\[train\]"):
        train.TensorBoardWriter(tmp_path)


# -- metrics ----------------------------------------------------------------------------------------------------------

SCORES = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
CLASSES = np.random.default_rng(2).integers(0, 5, 200).astype(np.int32)
P = 1 / (1 + np.exp(-SCORES[:, 0]))
ONES = (np.random.default_rng(3).random(200) < P).astype(np.int32)


def measured(metric, predictions, labels, where=None):
    """In three parts, two of them counted apart and added up, compiled."""
    update = fungrad.jit(metric.update)
    parts = [slice(0, 50), slice(50, 120), slice(120, 200)]
    one = metric.init()
    for p in parts[:2]:
        one = update(one, predictions[p], labels[p], *[] if where is None else [where[p]])
    p = parts[2]
    other = metric.update(metric.init(), predictions[p], labels[p], *[] if where is None else [where[p]])
    return np.asarray(metric.result(tree.map(jnp.add, one, other)))


def test_metrics_are_those_of_scikit_learn():
    sk = pytest.importorskip("sklearn.metrics")
    guess = SCORES.argmax(1)
    np.testing.assert_allclose(
        measured(train.accuracy(), SCORES, CLASSES), sk.accuracy_score(CLASSES, guess), rtol=1e-6
    )
    np.testing.assert_allclose(measured(train.accuracy(), guess, CLASSES), sk.accuracy_score(CLASSES, guess), rtol=1e-6)
    for k in (1, 2, 4):
        expected = sk.top_k_accuracy_score(CLASSES, SCORES, k=k)
        np.testing.assert_allclose(measured(train.accuracy(k), SCORES, CLASSES), expected, rtol=1e-6)
    np.testing.assert_array_equal(measured(train.confusion(5), SCORES, CLASSES), sk.confusion_matrix(CLASSES, guess))
    for average in ("macro", "micro", "weighted", "none"):
        expected = sk.f1_score(CLASSES, guess, average=None if average == "none" else average)
        np.testing.assert_allclose(measured(train.f1(5, average), SCORES, CLASSES), expected, rtol=1e-6)
    binary = (P > 0.5).astype(np.int32)
    np.testing.assert_allclose(measured(train.f1(2, "binary"), binary, ONES), sk.f1_score(ONES, binary), rtol=1e-6)
    exact = sk.roc_auc_score(ONES, P)
    np.testing.assert_allclose(train.roc_auc(P, ONES), exact, rtol=1e-6)
    np.testing.assert_allclose(fungrad.jit(train.roc_auc)(P, ONES), exact, rtol=1e-6)
    assert np.isnan(train.roc_auc(np.where(np.arange(len(P)) == 1, np.nan, P), ONES))
    np.testing.assert_allclose(measured(train.auc(), P, ONES), exact, atol=2e-3)
    np.testing.assert_allclose(train.roc_auc(np.round(P, 1), ONES), sk.roc_auc_score(ONES, np.round(P, 1)), rtol=1e-6)
    loss = sk.log_loss(CLASSES, np.exp(SCORES - np.log(np.exp(SCORES).sum(1, keepdims=True))))
    np.testing.assert_allclose(measured(train.perplexity(), SCORES, CLASSES), np.exp(loss), rtol=1e-5)


def test_masks_leave_examples_out():
    where = np.random.default_rng(4).random(200) < 0.6
    for metric, predictions, labels in (
        (train.accuracy(), SCORES, CLASSES), (train.accuracy(2), SCORES, CLASSES),
        (train.confusion(5), SCORES, CLASSES), (train.f1(5), SCORES, CLASSES),
        (train.auc(), P, ONES), (train.perplexity(), SCORES, CLASSES),
    ):  # fmt: skip
        got = measured(metric, predictions, labels, where)
        expected = metric.result(metric.update(metric.init(), predictions[where], labels[where]))
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        # What is left out may be anything.
        odd = np.where(where, labels, 99).astype(np.int32)
        np.testing.assert_allclose(measured(metric, predictions, odd, where), expected, rtol=1e-6)


def test_nothing_is_nan_and_counts_do_not_wrap():
    for metric in (train.mean(), train.accuracy(), train.auc(), train.perplexity(), train.f1(3, "micro")):
        assert np.isnan(metric.result(metric.init()))
        assert all(leaf.dtype in (jnp.int64, jnp.float64) for leaf in tree.leaves(metric.init()))
    equal = train.accuracy()
    tied = equal.update(equal.init(), jnp.zeros((3, 2)), jnp.array([0, 1, 1]))
    assert float(equal.result(tied)) == pytest.approx(1 / 3)
    unordered = equal.update(equal.init(), jnp.full((2, 2), jnp.nan), jnp.array([0, 1]))
    assert float(equal.result(unordered)) == 0


def test_labels_that_are_no_classes_raise_also_compiled():
    for metric, predictions, labels in (
        (train.confusion(3), jnp.array([0, 1]), jnp.array([0, 3])),
        (train.f1(3), jnp.array([0, -1]), jnp.array([0, 2])),
        (train.auc(), jnp.array([0.5, 1.5]), jnp.array([0, 1])),
        (train.auc(), jnp.array([0.5, jnp.nan]), jnp.array([0, 1])),
    ):
        for update in (metric.update, fungrad.jit(metric.update)):
            with pytest.raises(ValueError, match="must be (classes|probabilities)"):
                update(metric.init(), predictions, labels)
