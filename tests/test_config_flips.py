"""What is remembered under one configuration does not serve another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_options_that_are_switched_back_and_forth_give_what_fresh_processes_give():
    program = Path(__file__).with_name("config_flips.py")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
