"""The benchmark can be trusted only if its rows run, agree, and say what work they do."""

import argparse
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import conditions, fuzz, fuzz_programs, libraries, report, startup, threads
from benchmarks.__main__ import agreement, measure_startup, summary
from benchmarks.registry import ROWS, Row, data, row
from benchmarks.worker import sample, timed

SMALL = ("dispatch/eager_add1", "dispatch/jit_add1", "elem/chain_f32_1e3", "transform/jacobian_50")


@pytest.fixture(scope="module")
def lib():
    return libraries.load("fungrad")


def test_every_row_states_its_work():
    assert [r.name for r in ROWS.values() if not (r.bytes or r.flops)] == []
    assert all(re.fullmatch(r"[a-z]+/\w+", name) for name in ROWS)


def test_variants_are_for_known_libraries():
    known = set(libraries.ALL)
    assert [r.name for r in ROWS.values() if not set(r.variants) <= known] == []


@pytest.mark.parametrize("name", SMALL)
def test_rows_agree_with_numpy_by_hand(lib, name):
    ours = sample(ROWS[name].thunk(lib)())
    theirs = sample(ROWS[name].thunk(libraries.load("numpy"))()) if "numpy" in ROWS[name].variants else ours
    assert agreement(ROWS[name], {"fungrad": ours, "numpy": theirs}) == ""


def test_rows_by_hand_in_numba_agree(lib):
    by_hand = libraries.load("numba")
    for name in ("elem/chain_f32_1e3", "loop/newton_while_1000"):
        ours, theirs = (sample(ROWS[name].thunk(library)()) for library in (lib, by_hand))
        assert agreement(ROWS[name], {"fungrad": ours, "numba": theirs}) == ""


def test_functions_for_numba_are_accurate():
    by_hand = libraries.load("numba")
    x = np.linspace(-20, 20, 4001, dtype=np.float32)
    for name in ("exp", "sin", "cos", "tanh"):
        got = np.array([getattr(by_hand, name)(v) for v in x])
        np.testing.assert_allclose(got, getattr(np, name)(x.astype(np.float64)), rtol=2e-6, atol=2e-6)
    positive = np.geomspace(1e-30, 1e30, 1001, dtype=np.float32)
    got = np.array([by_hand.log(v) for v in positive])
    np.testing.assert_allclose(got, np.log(positive.astype(np.float64)), rtol=1e-6, atol=1e-6)


def test_disagreement_is_reported():
    one, two = [np.ones(3)], [np.array([1.0, 1.0, 1.1])]
    made = Row("group/name", lambda lib: None)
    assert agreement(made, {"fungrad": one, "jax": two}) == "fungrad and jax disagree"
    assert agreement(made, {"fungrad": one, "jax": one * 2}) == "jax: 2 arrays, fungrad: 1"


def test_a_row_in_five_lines(lib):
    try:

        @row("group/tanh", (100,), bytes=800.0)
        def tanh(lib):
            return lib.np.tanh

        np.testing.assert_allclose(tanh.thunk(lib)(), np.tanh(data((100,))), rtol=1e-6)
        assert tanh.thunk(libraries.load("numpy")) is None
    finally:
        del ROWS["group/tanh"]


def test_wide_rows_switch_64_bit_mode(lib):
    try:
        assert ROWS["elem/chain_f64_1e5"].thunk(lib)().dtype == np.float64
        assert ROWS["elem/chain_f32_1e3"].thunk(lib)().dtype == np.float32
    finally:
        lib.set_x64(False)


def test_times_and_report():
    times = timed(lambda: None, 0.01)
    assert 0 < summary(times)["min"] <= summary(times)["median"]
    result = {
        "row": "a/b",
        "bytes": 1e9,
        "flops": 0.0,
        "libs": {"fungrad": {"min": 0.5, "median": 0.6}, "jax": {"min": 1.0, "median": 1.0}},
    }
    rates = {"triad": 1e10, "gemm": 1e12}
    assert report.row_line(result, ["fungrad", "jax", "torch"], rates) == "| a/b | 500 ms (0.5) | 1 s | - | 20 % |"
    assert "over 1 rows: 0.500" in report.geometric_mean([result])
    run = {"libs": ["fungrad", "jax"], "rates": rates, "rows": [result], "machine": "m", "date": "d", "rounds": 1}
    page = report.page({**run, "versions": "jax 1", "missing": {"torchc": "no compiler"}})
    assert "| a/b | 600 ms (0.6) | 1 s |" in page and "Not measured: torchc (no compiler)." in page


def test_start_up_is_measured_in_fresh_processes():
    (result,) = measure_startup(["memory/import"], ["fungrad"], 1)
    assert result["unit"] == "MiB" and 10 < result["libs"]["fungrad"]["min"] < 1000
    assert not startup.measured("compile/fused_chain", "torch")


def test_conditions_hold_for_child_processes_and_end():
    options = argparse.ArgumentParser()
    conditions.add_options(options)
    args = options.parse_args(["--cores", "1", "--competitor"])
    before = os.sched_getaffinity(0)
    with conditions.held(args):
        command = "import os; print(len(os.sched_getaffinity(0)))"
        assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True).stdout == "1\n"
    assert os.sched_getaffinity(0) == before
    assert conditions.describe(args) == "pinned to 1 of its cores, with a competitor on one of them"
    assert conditions.describe(options.parse_args([])) == ""
    with pytest.raises(SystemExit, match="may use"):
        conditions.held(options.parse_args(["--cores", "100000"])).__enter__()


def test_threads_are_compared(lib):
    found = threads.programs(lib, "^layer/64_batch_8$|^elem/chain_f32_1e3$|^dispatch/")
    assert list(found) == ["layer/64_batch_8", "elem/chain_f32_1e3"]
    times = threads.measure(lib, found["layer/64_batch_8"](), 0.02, 2)
    assert all(len(taken) >= 2 and min(taken) > 0 for taken in times.values())


@pytest.mark.parametrize("name", ["train/residual_adamw", "train/grad_64_batch_8"])
def test_training_rows_run(lib, name):
    assert all(np.isfinite(x).all() for x in sample(ROWS[name].thunk(lib)()))


@pytest.mark.parametrize("kind", fuzz_programs.KINDS)
def test_drawn_programs_are_the_same_again_and_run(lib, kind):
    first, again = (fuzz_programs.find(f"{kind}/4") for _ in range(2))
    assert first.name == again.name and first.name.startswith(f"{kind}/4 ")
    results = sample(first.thunk(lib)())
    assert results and all(np.isfinite(x).all() for x in results)


def test_programs_are_drawn_of_all_kinds_in_turn():
    kinds = list(fuzz_programs.KINDS)
    assert fuzz.names(len(kinds) + 1, 7, "") == [*(f"{kind}/7" for kind in kinds), f"{kinds[0]}/8"]
    assert fuzz.names(2, 0, "^ordered$") == ["ordered/0", "ordered/1"]


def test_the_worst_programs_are_listed_first():
    facts = {"time": 1e-5, "compile": 0.5, "wrong": "", "failed": {}}
    results = [{"name": f"p/{n}", "ratio": ratio, **facts} for n, ratio in enumerate((0.5, 1.5, 3.0))]
    results[0] |= {"threads": 1.4, "wrong": "they disagree"}
    failed = {"name": "p/3", "failed": {"jax": "no"}, "wrong": ""}
    text = fuzz.summary([*results, failed], 10)
    assert "2 of 3 above 1.0\n    3.00     10 us  p/2\n    1.50" in text
    assert "wrong: p/0: they disagree" in text and "failed: p/3: {'jax': 'no'}" in text
    assert "threads, mean 1.40: 1 of 1 above 1.15" in text
