"""``python -m fungrad.jax script.py ...``: runs a program written for JAX, unchanged, on fungrad.

Usage:
  ``python -m fungrad.jax [--report] script.py [arguments]``
  ``python -m fungrad.jax [--report] -m module [arguments]``
  ``python -m fungrad.jax [--report] -c "code" [arguments]``

``--report`` lists at the end which names of JAX were asked for and are not here, with file and line.
"""

from __future__ import annotations

import atexit
import os
import runpy
import sys

from fungrad import compat


def _report() -> None:
    found = compat.missing()
    if not found:
        print("fungrad.jax: every name of JAX that was asked for is here", file=sys.stderr)
        return
    print(f"fungrad.jax: {len(found)} times a name of JAX was asked for that is not here:", file=sys.stderr)
    for miss in sorted(found):
        print(f"  {miss.name}  {miss.file}:{miss.line}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Runs the program that the command line names.

    Args:
      arguments: the command line without the interpreter and this module.

    Returns:
      The exit status if nothing could be run.
    """
    if arguments[:1] == ["--report"]:
        atexit.register(_report)
        arguments = arguments[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    compat.install()
    what, *rest = arguments
    if what in ("-m", "-c"):
        if not rest:
            print(f"fungrad.jax: {what} needs an argument", file=sys.stderr)
            return 2
        target, *rest = rest
        sys.path[0] = os.getcwd() if what == "-m" else ""
        sys.argv = [what, *rest]
        if what == "-c":
            namespace = {"__name__": "__main__", "__builtins__": __builtins__}
            exec(compile(target, "<string>", "exec"), namespace)
        else:
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        return 0
    sys.argv = [what, *rest]
    sys.path[0] = os.path.dirname(os.path.abspath(what))
    runpy.run_path(what, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
