"""Kernels on processors that this machine is not, emulated; see ``tools/emulate.py``."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"


def load(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kernels_on_this_processor(capsys):
    import fungrad

    before = fungrad.config.enable_x64
    try:
        assert load("smoke_kernels").main() == 0, capsys.readouterr().out
    finally:
        fungrad.config.update("jax_enable_x64", before)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64-static") is None, reason="needs QEMU's user-mode emulators")
@pytest.mark.parametrize("processor", ["Nehalem", "Haswell", "arm64"])
def test_kernels_on_emulated_processors(processor, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["emulate.py", processor])
    assert load("emulate").main() == 0
