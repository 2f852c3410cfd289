"""``fungrad.profiler`` and ``fungrad.monitoring``: what is recorded, and what the files say."""

import gc
import gzip
import importlib
import json
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, monitoring, profiler
from fungrad.core import timeline


def recorded(where):
    (file,) = where.glob("plugins/profile/*/*.trace.json.gz")
    with gzip.open(file) as f:
        return json.load(f)["traceEvents"]


def named(events, category):
    return [e["name"] for e in events if e.get("cat") == category]


def test_a_trace(tmp_path):
    def f(x):
        return jnp.sin(x) * 2

    compiled = fungrad.jit(f)
    before = compiled(jnp.ones(5))
    with profiler.trace(tmp_path, create_perfetto_trace=False):
        with profiler.TraceAnnotation("block", size=5, kind="outer"):
            compiled(jnp.ones(5))
            after = compiled(jnp.ones(5))
        compiled(jnp.ones(6))
    compiled(jnp.ones(5))
    np.testing.assert_array_equal(before, after)
    events = recorded(tmp_path)
    assert named(events, "call") == ["f", "f", "f"]
    (block,) = [e for e in events if e["name"] == "block"]
    assert block["args"] == {"size": 5, "kind": "outer"} and block["ph"] == "X" and block["cat"] == "annotation"
    inside = [e for e in events if e.get("cat") == "call"][:2]
    for e in inside:
        assert block["ts"] <= e["ts"] and e["ts"] + e["dur"] <= block["ts"] + block["dur"]
        assert (e["pid"], e["tid"]) == (block["pid"], block["tid"])
    names = named(events, "compile")
    assert "trace f" in names and ("compile f" in names or "find f" in names)
    assert {e["name"] for e in events if e["ph"] == "M"} == {"process_name", "thread_name"}
    assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in events if e["ph"] == "X")


def test_all_phases_of_compilation_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.import_module("fungrad.jit.front.program"), "KEEPING", False)
    with profiler.trace(tmp_path):
        # A constant that no program on the disk has.
        number = time.time_ns() % 10**6 / 10**6
        fungrad.jit(lambda x: jnp.cos(x) + number)(jnp.ones(11))
    assert {"passes", "lower", "fuse", "rewrite", "emit", "codegen"} <= set(named(recorded(tmp_path), "compile"))


def test_programs_of_every_kind_are_recorded(tmp_path):
    big = jnp.arange(3.0)
    closed_over = fungrad.jit(lambda x: x + big)
    checked = fungrad.jit(lambda x: (fungrad.debug.check(x > 0, "m"), x)[1])
    donating = fungrad.jit(lambda x: x + 1, donate_argnums=0)
    compiled = fungrad.jit(lambda x: x * 3).lower(1.0).compile()
    for warm in range(2):
        if warm:
            profiler.start_trace(tmp_path)
        closed_over(big), checked(1.0), donating(jnp.ones(3)), compiled(2.0)
        lax.scan(lambda c, x: (c + x, None), 0.0, big)
    with pytest.raises(ValueError, match="^m"):
        checked(-1.0)
    profiler.stop_trace()
    calls = named(recorded(tmp_path), "call")
    assert calls.count("<lambda>") == 5 and "scan" in calls
    assert float(closed_over(big)[2]) == 4.0 and timeline.recording is None


def test_threads_have_rows(tmp_path):
    f = fungrad.jit(lambda x: x - 1)
    f(1.0)
    with profiler.trace(tmp_path):
        thread = threading.Thread(target=lambda: f(2.0), name="second thread")
        thread.start()
        thread.join()
        f(3.0)
    events = recorded(tmp_path)
    rows = {e["args"]["name"]: e["tid"] for e in events if e["name"] == "thread_name"}
    assert len({e["tid"] for e in events if e.get("cat") == "call"}) == 2 and "second thread" in rows


def test_annotations(tmp_path):
    @profiler.annotate_function
    def load():
        return 1

    assert load() == 1 and load.__name__ == "load" and not profiler.TraceAnnotation.is_enabled()
    with profiler.trace(tmp_path):
        load()
        profiler.annotate_function(load.__wrapped__, name="other", n=3)()
        with profiler.StepTraceAnnotation("train", step_num=7), profiler.TraceAnnotation("x") as block:
            block.set_metadata(found=True)
            assert block.is_enabled()
        with pytest.raises(ZeroDivisionError), profiler.TraceAnnotation("fails"):
            1 / 0
    events = recorded(tmp_path)
    assert named(events, "annotation") == ["test_annotations.<locals>.load", "other", "x", "fails"]
    assert named(events, "step") == ["train 7"]
    assert [e["args"] for e in events if e["name"] in ("other", "train 7")] == [{"n": 3}, {"step_num": 7}]


def test_options_and_perfetto(tmp_path):
    options = profiler.ProfileOptions()
    options.host_tracer_level = 0
    f = fungrad.jit(lambda x: x / 3)
    with profiler.trace(tmp_path, create_perfetto_trace=True, profiler_options=options):
        with profiler.TraceAnnotation("no"):
            f(1.0)
    for file in tmp_path.glob("plugins/profile/*/*.json.gz"):
        names = {e["name"] for e in json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]}
        assert "no" not in names and "<lambda>" in names
    assert len(list(tmp_path.glob("plugins/profile/*/perfetto_trace.json.gz"))) == 1


def test_one_at_a_time(tmp_path):
    with pytest.raises(RuntimeError, match="No profile started"):
        profiler.stop_trace()
    with profiler.trace(tmp_path):
        with pytest.raises(RuntimeError, match="Profile has already been started. Only one"):
            profiler.start_trace(tmp_path)
    with pytest.raises(ZeroDivisionError), profiler.trace(tmp_path):
        1 / 0
    assert timeline.recording is None


def test_the_server():
    with pytest.raises(ValueError, match="No active profiler server"):
        profiler.stop_server()
    server = profiler.start_server(0)
    try:
        with pytest.raises(ValueError, match="Only one profiler server"):
            profiler.start_server(0)
        address = f"http://127.0.0.1:{server.server_port}/"
        with urllib.request.urlopen(address + "?seconds=0.01", timeout=10) as answer:
            assert json.load(answer)["traceEvents"][0]["name"] == "process_name"
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(address + "?seconds=x", timeout=10)
    finally:
        profiler.stop_server()
    assert timeline.recording is None


# -- memory ------------------------------------------------------------------------------------------------------------


def fields(data):
    """The fields of a protocol buffer as pairs of number and value."""

    def varint(at):
        n = shift = 0
        while True:
            n |= (data[at] & 127) << shift
            if data[at] < 128:
                return n, at + 1
            at, shift = at + 1, shift + 7

    at, out = 0, []
    while at < len(data):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
        else:
            length, at = varint(at)
            value, at = data[at : at + length], at + length
        out.append((key >> 3, value))
    return out


def test_the_profile_of_memory(tmp_path):
    held = [jnp.ones((7, 11, 13)), jnp.zeros((7, 11, 13))]
    held.append(held[0].reshape(13, 77))
    profiler.save_device_memory_profile(tmp_path / "memory.prof")
    profile = fields(gzip.decompress((tmp_path / "memory.prof").read_bytes()))
    strings = [v.decode() for k, v in profile if k == 6]
    assert strings[:5] == ["", "allocations", "count", "space", "bytes"]
    functions = {dict(fields(v))[1]: strings[dict(fields(v))[2]] for k, v in profile if k == 5}
    samples = {}
    for k, v in profile:
        if k == 2:
            sample = dict(fields(v))
            (where,), (count, size) = (packed(sample[i]) for i in (1, 2))
            samples[functions[where]] = (count, size)
    assert samples["f32[7,11,13]"][0] >= 1 and samples["f32[7,11,13]"][1] >= 4 * 7 * 11 * 13
    total = sum(size for _, size in samples.values())
    assert total >= 2 * 4 * 7 * 11 * 13


def packed(data):
    out, n, shift = [], 0, 0
    for byte in data:
        n |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(n)
            n = shift = 0
    return out


def test_live_arrays():
    x = jnp.full((3, 19), 2.0)
    y = x + 1
    found = fungrad.live_arrays()
    assert any(a is x for a in found) and any(a is y for a in found)
    assert len(fungrad.live_arrays("cpu")) >= 2
    y.delete()
    assert not any(a is y for a in fungrad.live_arrays())
    number = id(x)
    del x, found
    gc.collect()
    assert not any(id(a) == number and a.shape == (3, 19) for a in fungrad.live_arrays())
    with pytest.raises(RuntimeError, match="unknown backend 'tpu'"):
        fungrad.live_arrays("tpu")


def test_environment(capsys):
    text = fungrad.print_environment_info(return_string=True)
    assert fungrad.print_environment_info() is None and capsys.readouterr().out == text + "\n"
    assert (
        text.startswith(f"fungrad: {fungrad.__version__}\nnumpy:   {np.__version__}\n") and "process_count: 1" in text
    )
    assert fungrad.process_indices() == [0]
    with pytest.warns(DeprecationWarning, match="process_count"):
        assert fungrad.host_count() == 1
    with pytest.warns(DeprecationWarning, match="process_index"):
        assert fungrad.host_id() == 0
    with pytest.warns(DeprecationWarning, match="process_indices"):
        assert fungrad.host_ids() == [0]
    tree = {"a": jnp.ones(2)}
    assert fungrad.copy_to_host_async(tree) is tree


# -- events ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def heard():
    out = []
    listeners = {
        kind: (lambda event, *args, _kind=kind, **about: out.append((_kind, event, *args, about)))
        for kind in ("event", "event_duration_secs", "event_time_span", "scalar")
    }
    for kind, listener in listeners.items():
        getattr(monitoring, f"register_{kind}_listener")(listener)
    yield out
    monitoring.clear_event_listeners()


def test_events_of_ones_own(heard):
    monitoring.record_event("/a", n=1)
    monitoring.record_event_duration_secs("/b", 2.5)
    monitoring.record_event_time_span("/c", 1.0, 2.0, m="x")
    monitoring.record_scalar("/d", 7)
    assert heard == [
        ("event", "/a", {"n": 1}),
        ("event_duration_secs", "/b", 2.5, {}),
        ("event_time_span", "/c", 1.0, 2.0, {"m": "x"}),
        ("scalar", "/d", 7, {}),
    ]
    monitoring.clear_event_listeners()
    monitoring.record_event("/a")
    assert len(heard) == 4


def test_events_of_the_library(heard):
    def g(x):
        return jnp.exp(x) - 0.98765

    f = fungrad.jit(g)
    f(jnp.ones(4)), f(jnp.ones(4))
    mine = [e for e in heard if e[0] == "event_duration_secs" and e[-1].get("fun_name") == "g"]
    kinds = [e[1] for e in mine]
    assert kinds.count("/jax/core/compile/jaxpr_trace_duration") == 1 and all(e[2] >= 0 for e in mine)
    compiled = kinds.count("/jax/core/compile/backend_compile_duration")
    hits = [e[1] for e in heard if e[0] == "event"].count("/jax/compilation_cache/cache_hits")
    assert compiled + hits == 1


def test_unregistering():
    def listener(event):
        raise AssertionError

    monitoring.register_event_listener(listener)
    monitoring.unregister_event_listener(listener)
    monitoring.record_event("/x")
    for kind in ("event", "event_duration", "event_time_span", "scalar"):
        with pytest.raises(ValueError, match="is not registered"):
            getattr(monitoring, f"unregister_{kind}_listener")(listener)
    with pytest.raises(TypeError, match="callback must be a function, got 3"):
        monitoring.register_scalar_listener(3)
