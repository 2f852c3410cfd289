"""What is known of the processor, and the thresholds that follow from it."""

import ast
import pkgutil
from pathlib import Path

import pytest

from fungrad.jit import rewrites
from fungrad.jit.ir import tuning
from fungrad.jit.ir.machine import Machine
from fungrad.jit.runtime import system


def described(folder, *caches):
    for k, (level, kind, size, ways) in enumerate(caches):
        index = folder / f"index{k}"
        index.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size), ("ways_of_associativity", ways)):
            if text is not None:
                (index / name).write_text(f"{text}\n")
    return system.caches(folder)


def test_caches_are_those_for_data(tmp_path):
    first = [(1, "Data", "48K", 12), (1, "Instruction", "32K", 8)]
    found = described(tmp_path, *first, (2, "Unified", "2M", 16), (3, "Unified", "30720K", 15))
    assert found == {"l1_bytes": 48 << 10, "l1_ways": 12, "l2_bytes": 2 << 20, "l3_bytes": 30 << 20}


@pytest.mark.parametrize(
    "cache", [(1, "Data", "", 8), (1, "Data", None, 8), (1, "Data", "much", 8), (4, "Unified", "1M", 1)]
)
def test_what_is_not_said_keeps_its_default(tmp_path, cache):
    assert described(tmp_path, cache) == {}
    assert Machine(**system.caches(tmp_path / "nowhere")) == Machine()


def test_caches_of_this_machine_make_sense():
    machine = Machine(**system.caches())
    assert 1 << 12 <= machine.l1_bytes < machine.l2_bytes < 1 << 30 and machine.l1_bytes % machine.l1_ways == 0


def test_thresholds_follow_the_caches():
    usual = Machine(vector_bytes=64)
    small = Machine(vector_bytes=64, l1_bytes=16 << 10, l1_ways=4, l2_bytes=256 << 10, l3_bytes=4 << 20)
    assert tuning.streamed_bytes(small, False) == 16 << 20 < tuning.streamed_bytes(usual, False)
    assert tuning.streamed_bytes(small, True) == 8 << 20
    for without in (Machine(vector_bytes=16), Machine(vector_bytes=64, arm=True)):
        assert tuning.streamed_bytes(without, False) is None
    assert tuning.rows_ahead(32 << 10, 50, small) == 1 and tuning.rows_ahead(33 << 10, 50, small) == 0
    assert tuning.scratch_of_rows(small) == 256 << 10
    assert tuning.crowded_stride(small) == tuning.crowded_stride(Machine()) == 4096
    huge = Machine(vector_bytes=64, l2_bytes=64 << 20, l3_bytes=1 << 30)
    assert tuning.rows_ahead(1 << 17, 50, huge) == 1 and tuning.rows_ahead(1 << 18, 50, huge) == 0
    # What was measured, and no more.
    assert tuning.streamed_bytes(huge, False) == tuning.streamed_bytes(usual, False)
    assert tuning.scratch_of_rows(huge) == tuning.scratch_of_rows(Machine())


def test_rewrites_have_no_thresholds_of_their_own():
    for module in pkgutil.iter_modules(rewrites.__path__):
        tree = ast.parse((Path(rewrites.__path__[0]) / f"{module.name}.py").read_text())
        for node in tree.body:
            if isinstance(node, ast.Assign):
                values = [x.value for x in ast.walk(node.value) if isinstance(x, ast.Constant)]
                assert not any(type(v) in (int, float) for v in values), (
                    f"rewrites/{module.name}.py, line {node.lineno}: a number belongs into ir/tuning.py"
                )
