"""Searches: what they find, going on from a file, trials at once by vmap and by processes."""

import sys

import numpy as np
import pytest

import fungrad.numpy as jnp
from fungrad import tune

pytest.importorskip("optuna")


def bowl(trial):
    x = trial.suggest_float("x", -3.0, 3.0)
    if trial.suggest_categorical("kind", ["a", "b"]) == "a":
        return (x - 1) ** 2
    return 1 + trial.suggest_int("n", 0, 3) + x**2


def quadratic(p):
    return (p["x"] - 1) ** 2 + jnp.log10(p["rate"] * 10) ** 2


SPACE = {"x": tune.Uniform(-3.0, 3.0), "rate": tune.Uniform(1e-3, 1.0, log=True)}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_searches_find_the_least(sampler):
    found = tune.search(bowl, 60, sampler=sampler)
    assert found.best_value < 0.2 and found.best_params["kind"] == "a" and len(found.trials()) == 60
    assert tune.search(bowl, 60, sampler=sampler).best_params == found.best_params
    assert tune.search(lambda t: -bowl(t), 60, sampler=sampler, maximize=True).best_value > -0.2


def test_grids_are_gone_through():
    found = tune.search(bowl, 6, sampler="grid", grid={"x": [0.0, 1.0, 2.0], "kind": ["a"], "n": [0, 1]})
    assert found.best_params == {"x": 1.0, "kind": "a"} and {t.params["x"] for t in found.trials()} == {0.0, 1.0, 2.0}


def test_bad_trials_end_early():
    import optuna

    def slow(trial):
        x = trial.suggest_float("x", 0.0, 1.0)
        for step in range(20):
            trial.report(x, step)
            if trial.should_prune():
                raise optuna.TrialPruned()
        return x

    for pruner in ("hyperband", "median"):
        found = tune.search(slow, 40, pruner=pruner)
        states = [t.state.name for t in found.trials()]
        assert "PRUNED" in states and found.best_value < 0.2


def test_a_search_goes_on_from_its_file(tmp_path):
    path = tmp_path / "trials.log"
    assert len(tune.search(bowl, 5, storage=path).trials()) == 5
    assert len(tune.search(bowl, 5, storage=path).trials()) == 5
    more = tune.search(bowl, 8, storage=path, seed=1)
    assert len(more.trials()) == 8
    mapped = tmp_path / "mapped.log"
    first = tune.search_mapped(quadratic, SPACE, 8, batch=4, storage=mapped)
    again = tune.search_mapped(quadratic, SPACE, 16, batch=4, storage=mapped, seed=5)
    assert len(again.trials()) == 16 and again.best_value <= first.best_value


def test_trials_in_processes(tmp_path):
    found = tune.search(bowl, 6, storage=tmp_path / "trials.log", processes=2, sampler="random")
    assert 6 <= len(found.trials()) <= 7
    assert len({t.params["x"] for t in found.trials()}) == len(found.trials())


def test_mapped_trials_are_those_of_the_function():
    calls = []

    def counted(p):
        calls.append(p)
        return quadratic(p)

    found = tune.search_mapped(counted, SPACE, 60, batch=16)
    assert len(calls) == 1 and len(found.trials()) == 64 and found.best_value < 0.1
    for t in found.trials():
        np.testing.assert_allclose(t.value, float(quadratic(t.params)), rtol=1e-4, atol=1e-6)
    nan = tune.search_mapped(lambda p: jnp.log(p["x"]), {"x": tune.Uniform(-1.0, 1.0)}, 32, sampler="random")
    assert {t.state.name for t in nan.trials()} == {"COMPLETE", "FAIL"}
    with pytest.raises(TypeError, match="objective must return a scalar"):
        tune.search_mapped(lambda p: jnp.ones(3) * p["x"], {"x": tune.Uniform(0.0, 1.0)}, 2)


def test_tables_and_pictures(tmp_path):
    found = tune.search(bowl, 20)
    lines = found.table(5).splitlines()
    assert len(lines) == 6 and lines[0].split(" | ")[1].strip() == "value"
    values = [float(line.split(" | ")[1]) for line in lines[1:]]
    assert values == sorted(values) and values[0] == pytest.approx(found.best_value, rel=1e-5)
    pytest.importorskip("matplotlib")
    found.plot(tmp_path / "search.png")
    tune.search_mapped(quadratic, SPACE, 4, batch=4).plot(tmp_path / "mapped.png")
    assert (tmp_path / "search.png").stat().st_size > 5000


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"fungrad.tune needs optuna.*fungrad\[tune\]"):
        tune.search(bowl, 1)
