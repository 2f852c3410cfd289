"""Files of trees, and checkpoints: what comes back, what other programs read and write, and what a kill leaves."""

import collections
import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
from typing import Any, NamedTuple

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import io, nn, optim, random, tree, tree_util
from fungrad.io import atomic

pytest.importorskip("safetensors")


class Point(NamedTuple):
    x: Any
    y: Any


@tree_util.register_pytree_node_class
class Registered:
    """A class with a rule of its own."""

    def __init__(self, w, name):
        self.w, self.name = w, name

    def tree_flatten(self):
        return (self.w,), self.name

    @classmethod
    def tree_unflatten(cls, name, children):
        return cls(children[0], name)


def equal(a, b):
    """Whether two leaves are the same in class, dtype, weak type and every bit."""
    if isinstance(a, fungrad.Array):
        if type(b) is not type(a) or a.aval != b.aval:
            return False
        if a.dtype == random.key_dtype():
            a, b = random.key_data(a), random.key_data(b)
        return np.asarray(a).tobytes() == np.asarray(b).tobytes()
    if isinstance(a, (np.ndarray, np.generic)):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and (a == b or a != a and b != b)


def same(a, b):
    return tree.structure(a) == tree.structure(b) and all(map(equal, tree.leaves(a), tree.leaves(b)))


with fungrad.enable_x64():
    WIDE = jnp.array([1, 2**62])

TREES = {
    "array": jnp.arange(6.0).reshape(2, 3),
    "scalar": 3,
    "empty": {},
    "none": None,
    "nested": {"b": [jnp.ones(2), (jnp.zeros((0, 3)), None, [])], "a": {1: jnp.array(True), 2: jnp.array(5)}},
    "order of keys": {"z": 1, "a": 2, "m": 3},
    "numbers": [1, 2**100, -0.0, 1e-310, float("inf"), float("nan"), 1 + 2j, True, "text", ""],
    "numpy": [np.arange(3), np.float16(2.5), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(4)[::-2]],
    "dtypes": [jnp.ones(3, d) for d in ("bfloat16", "float16", "complex64", "int8", "uint8", "uint32", "bool",
                                       "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "int4")],
    "wide": [WIDE, np.complex128([1 + 2j])],
    "weak": [jnp.asarray(2.0) * 1, jnp.array(3)],
    "keys": {"one": random.key(3), "many": random.split(random.key(1), (2, 2)), "raw": random.PRNGKey(7)},
    "namedtuple": Point(jnp.ones(2), Point(1, "b")),
    "ordered": collections.OrderedDict([("z", jnp.ones(1)), ("a", 2)]),
    "deque": collections.deque([1, jnp.ones(2)], maxlen=4),
    "names that meet": {"a.b": 1.0, "a": {"b": 2.0}},
    "optimizer": optim.adamw(1e-3).init({"w": jnp.ones(3)}),
    "layers": [nn.dense.init(random.key(0), 3, 2), nn.lstm.init(random.key(0), 3, 2)],
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_trees_come_back_bit_for_bit(name, tmp_path):
    value, path = TREES[name], tmp_path / "x.safetensors"
    io.save(path, value)
    got = io.load(path)
    assert same(value, got), got
    if isinstance(value, dict):
        assert list(got) == list(value)
    assert same(value, io.load(path, like=value))


def test_numpy_arrays_of_another_byte_order_keep_their_numbers(tmp_path):
    io.save(tmp_path / "x.safetensors", np.arange(3, dtype=">i4"))
    assert equal(io.load(tmp_path / "x.safetensors"), np.arange(3, dtype="i4"))


def test_loaded_arrays_are_like_others(tmp_path):
    io.save(tmp_path / "x.safetensors", {"w": jnp.ones(4), "k": random.key(0)})
    loaded = io.load(tmp_path / "x.safetensors")
    assert float(fungrad.jit(lambda w: jnp.sum(2 * w), donate_argnums=0)(loaded["w"])) == 8
    np.testing.assert_array_equal(random.normal(loaded["k"], (3,)), random.normal(random.key(0), (3,)))


def test_classes_need_a_like(tmp_path):
    path = tmp_path / "x.safetensors"
    value = {"r": Registered(jnp.ones(2), "n"), "s": 1}
    io.save(path, value)
    with pytest.raises(ValueError, match="class .*:Registered, which is not stored by its fields; pass a tree"):
        io.load(path)
    got = io.load(path, like={"r": Registered(jnp.zeros(2), "m"), "s": 0})
    assert got["r"].name == "m" and equal(got["r"].w, value["r"].w) and got["s"] == 1


def test_a_file_makes_nothing_be_imported(tmp_path):
    path = tmp_path / "x.safetensors"
    io.save(path, Point(1, 2))
    data = path.read_bytes()
    for module in ("this", "os"):
        changed = data.replace(f"{Point.__module__}:Point".encode(), f"{module}:Point".encode())
        header = int.from_bytes(data[:8], "little") + len(changed) - len(data)
        path.write_bytes(header.to_bytes(8, "little") + changed[8:])
        with pytest.raises(ValueError, match=f"class {module}:Point, which is not imported"):
            io.load(path)
    assert "this" not in sys.modules


def test_like_says_what_differs(tmp_path):
    path = tmp_path / "x.safetensors"
    io.save(path, {"w": jnp.ones(3), "n": 2})
    types = {"w": fungrad.ShapeDtypeStruct((3,), jnp.float32), "n": 0}
    assert same(io.load(path, like=types), {"w": jnp.ones(3), "n": 2})
    for like, words in (
        ({"w": jnp.ones(4), "n": 0}, r"w is float32\[3\] in the file and float32\[4\] in like"),
        ({"w": jnp.ones(3, int), "n": 0}, r"w is float32\[3\] in the file and int32\[3\] in like"),
        ({"w": jnp.ones(3), "n": jnp.ones(())}, r"n is int in the file and float32\[\] in like"),
        ({"w": jnp.ones(3)}, "it has n, which like has not"),
        ({"w": jnp.ones(3), "n": 0, "b": 1}, "it lacks b"),
    ):
        with pytest.raises(ValueError, match=words):
            io.load(path, like=like)


def test_other_programs_read_our_files(tmp_path):
    from safetensors.numpy import load_file

    io.save(tmp_path / "x.safetensors", [{"kernel": jnp.ones((2, 3)), "bias": jnp.zeros(3)}])
    theirs = load_file(tmp_path / "x.safetensors")
    assert sorted(theirs) == ["0.bias", "0.kernel"]
    np.testing.assert_array_equal(theirs["0.kernel"], np.ones((2, 3)))


def written_by_hand(path, entries, metadata):
    """A file as PyTorch's writer makes it, byte by byte."""
    header, data = {"__metadata__": metadata}, b""
    for name, (dtype, x) in entries.items():
        header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [len(data), len(data) + x.nbytes]}
        data += x.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_files_of_pytorch(tmp_path):
    path = tmp_path / "model.safetensors"
    weight = np.float32([[1.0, -2.0], [0.5, 3.0]])
    half = np.asarray(jnp.asarray(weight).astype("bfloat16"))
    written_by_hand(
        path,
        {"fc.weight": ("BF16", half), "fc.bias": ("F32", weight[0]), "steps": ("I64", np.array(2**40))},
        {"format": "pt"},
    )
    got = io.load(path)
    assert got["fc.weight"].dtype == jnp.bfloat16 and int(got["steps"]) == 2**40
    np.testing.assert_array_equal(np.float32(got["fc.weight"]), weight)
    like = {"fc": {"weight": jnp.zeros((2, 2), "bfloat16"), "bias": jnp.zeros(2)}, "steps": np.int64(0)}
    nested = io.load(path, like=like)
    assert equal(nested["fc"]["bias"], jnp.asarray(weight[0]))


def test_files_of_numpy(tmp_path):
    np.savez(tmp_path / "x.npz", w=np.float64([1, 2]), n=np.int64(2**40))
    got = io.load(tmp_path / "x.npz")
    assert got["w"].dtype == jnp.float64 and int(got["n"]) == 2**40
    assert same(io.load(tmp_path / "x.npz", like=got), got)
    np.savez(tmp_path / "objects.npz", w=np.array([None, {}], object))
    np.savez(tmp_path / "texts.npz", w=np.array(["a"]))
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4 nothing")
    for name in ("objects", "texts", "broken"):
        with pytest.raises(ValueError, match=f"fungrad.io.load: .*{name}.npz"):
            io.load(tmp_path / f"{name}.npz")


def test_wrong_files(tmp_path):
    path = tmp_path / "x.safetensors"
    io.save(path, {"w": jnp.arange(1000.0)})
    whole = path.read_bytes()
    for damaged in (b"", b"abc", whole[:100], whole[:-1], b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is no safetensors file, or not all of one"):
            io.load(path)
    with pytest.raises(FileNotFoundError, match="fungrad.io.load: there is no file"):
        io.load(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="fungrad.io.save: there is no directory"):
        io.save(tmp_path / "none" / "x", 1)
    with pytest.raises(TypeError, match=r"tree\['f'\] must be an array, a number or a string, got function"):
        io.save(path, {"f": lambda: 0})
    with pytest.raises(TypeError, match=r"fungrad.io.save: path must be a path, got 3"):
        io.save(3, 1)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.safetensors"
    io.save(path, {"w": jnp.ones(3)})
    with pytest.raises(TypeError):
        io.save(path, {"w": object()})
    assert same(io.load(path), {"w": jnp.ones(3)}) and os.listdir(tmp_path) == ["x.safetensors"]


def test_without_safetensors_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"fungrad.io.save needs safetensors.*pip install 'fungrad\[io\]'"):
        io.save(tmp_path / "x", 1)


# -- checkpoints ------------------------------------------------------------------------------------------------------


def test_checkpoints_keep_the_last_and_the_best(tmp_path):
    checkpoints = io.Checkpoints(tmp_path / "run", keep=2, best="accuracy", mode="max")
    assert checkpoints.latest_step() is checkpoints.best_step() is None
    with pytest.raises(FileNotFoundError, match="there is no latest checkpoint"):
        checkpoints.load()
    for step, accuracy in enumerate([0.1, float("nan"), 0.9, 0.9, jnp.float32(0.5), 0.6]):
        checkpoints.save(step, {"n": step}, {"accuracy": accuracy})
    assert checkpoints.steps() == [2, 4, 5] and checkpoints.best_step() == 2
    assert checkpoints.load()["n"] == 5 and checkpoints.load("best")["n"] == 2 and checkpoints.load(4)["n"] == 4
    assert checkpoints.metrics(4) == {"accuracy": 0.5}
    again = io.Checkpoints(tmp_path / "run", keep=1)
    again.save(5, {"n": 50})
    assert again.steps() == [5] and again.load()["n"] == 50
    with pytest.raises(FileNotFoundError, match="there is no file"):
        again.load(4)
    with pytest.raises(TypeError, match=r"metrics\['a'\] must be a number"):
        again.save(6, {}, {"a": jnp.ones(2)})
    with pytest.raises(ValueError, match="mode must be 'min' or 'max'"):
        io.Checkpoints(tmp_path, mode="less")
    with pytest.raises(ValueError, match="keep must be at least 1"):
        io.Checkpoints(tmp_path, keep=0)


WRITER = """
    import sys
    import numpy as np
    from fungrad import io

    checkpoints = io.Checkpoints(sys.argv[1], keep=2)
    step = 0
    while True:
        step += 1
        checkpoints.save(step, {"step": step, "w": np.full(200_000, step, np.float32)})
        print(step, flush=True)
"""


def test_a_kill_in_the_middle_loses_nothing(tmp_path):
    for attempt in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3):
            done = int(process.stdout.readline())
        time.sleep(0.002 * attempt)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.communicate()[0].split()
        done = max([done, *map(int, rest)])
        checkpoints = io.Checkpoints(tmp_path, keep=2)
        state = checkpoints.load()
        assert state["step"] >= done and np.all(state["w"] == state["step"])
        for step in checkpoints.steps():
            assert np.all(checkpoints.load(step)["w"] == step)
        assert all(name.startswith("step_") for name in os.listdir(tmp_path))
        for step in checkpoints.steps():
            os.unlink(checkpoints.path(step))


SAVER = """
    import os, sys, time
    import numpy as np
    from fungrad.io import atomic

    def write(path):
        # As libraries do that write under names of their own.
        open(os.path.join(os.path.dirname(path), ".tmpAbCdEf"), "wb").close()
        open(path, "wb").write(b"half")
        print("writing", flush=True)
        sys.stdin.readline()

    atomic.atomic_write(sys.argv[1], write)
"""


def _saver(path):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SAVER), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    return process


def test_saving_removes_what_a_killed_process_has_left_and_nothing_of_a_running_one(tmp_path):
    path = tmp_path / "a+b.safetensors"
    other = tmp_path / "b.safetensors"
    dead, running, elsewhere = _saver(path), _saver(path), _saver(other)
    try:
        for process in (dead, elsewhere):
            process.kill()
            process.wait()
        assert len(os.listdir(tmp_path)) == 3
        io.save(path, {"w": jnp.ones(3)})
        left = sorted(os.listdir(tmp_path))
        assert len(left) == 3 and "a+b.safetensors" in left  # and the directory of each of the other two
        assert io.load(path)["w"].tolist() == [1, 1, 1]
        running.communicate("\n")
        assert running.returncode == 0 and path.read_bytes() == b"half"
        io.save(other, {"w": 1})
        assert sorted(os.listdir(tmp_path)) == ["a+b.safetensors", "b.safetensors"]
    finally:
        for process in (dead, running, elsewhere):
            process.kill()
            process.communicate()


def test_saving_removes_old_files_of_early_versions(tmp_path):
    old, fresh, others = (tmp_path / f".{name}.tmp" for name in ("x.safetensors.123", "x.safetensors.45", "x.npz.6"))
    for path in (old, fresh, others):
        path.write_bytes(b"half")
    for path in (old, others):
        os.utime(path, (0, 0))
    io.save(tmp_path / "x.safetensors", {"w": 1})
    assert set(os.listdir(tmp_path)) == {fresh.name, others.name, "x.safetensors"}


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    io.save(path, {"w": 1})

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        io.save(path, {"w": 2})
    assert io.load(path) == {"w": 1} and os.listdir(tmp_path) == ["x.safetensors"]


def test_without_locks_only_what_is_old_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "fcntl", None)
    path = tmp_path / "x.safetensors"
    old, new = (tmp_path / f".x.safetensors.{name}.tmp" for name in ("abcdefg_", "abcdefgh"))
    for room in (old, new):
        room.mkdir()
        (room / "x.safetensors").touch()
    os.utime(old, (0, 0))
    io.save(path, {"w": 1})
    assert sorted(os.listdir(tmp_path)) == [new.name, path.name]


def test_saved_files_have_the_permissions_of_new_files(tmp_path):
    io.save(tmp_path / "x.safetensors", {"w": 1})
    (tmp_path / "new").touch()
    assert (tmp_path / "x.safetensors").stat().st_mode == (tmp_path / "new").stat().st_mode


def test_damaged_descriptions_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    io.save(path, {"a": jnp.ones((2, 3)), "b": [jnp.ones(2), 3, "text"], "c": collections.deque([1.0])})
    whole = path.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    rng = np.random.default_rng(0)
    for at in range(8, 8 + length):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(7))
        path.write_bytes(damaged)
        try:
            io.load(path)
        except ValueError as error:
            assert str(error).startswith("fungrad."), (at, error)


def test_files_of_numpy_are_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"fungrad\.io\.save: path must not end in \.npz"):
        io.save(tmp_path / "a.npz", {"a": jnp.ones(2)})


def test_arrays_of_another_byte_order(tmp_path):
    path, tree = tmp_path / "a.safetensors", {"a": np.arange(3, dtype=">f4")}
    io.save(path, tree)
    assert io.load(path, like=tree)["a"].tolist() == [0, 1, 2]
