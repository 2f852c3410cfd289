"""How programs of the command line end.

May import nothing of the package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn


def finish(main: Callable[[], int | None]) -> NoReturn:
    """Runs the main function of a program and ends the process with its status.

    Whoever reads the output may stop when he has seen enough (``| head``): that is no error.

    Args:
      main: returns the exit status, None for 0.
    """
    try:
        status = main() or 0
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer must not raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
