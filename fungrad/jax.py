"""``python -m fungrad.jax script.py ...``: runs a program written for JAX, unchanged, on fungrad.

Usage:
  ``python -m fungrad.jax [--report] script.py [arguments]``
  ``python -m fungrad.jax [--report] -m module [arguments]``
  ``python -m fungrad.jax [--report] -c "code" [arguments]``

``--report`` lists at the end which names of JAX were asked for and are not here, with file and line.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import runpy
import sys
from types import TracebackType

from fungrad import compat
from fungrad.compat import proxies


def _report() -> None:
    found = compat.missing()
    if not found:
        print("fungrad.jax: every name of JAX that was asked for is here", file=sys.stderr)
        return
    print(f"fungrad.jax: {len(found)} times a name of JAX was asked for that is not here:", file=sys.stderr)
    for miss in sorted(found):
        print(f"  {miss.name}  {miss.file}:{miss.line}", file=sys.stderr)


def _is_module(name: str) -> bool:
    try:
        found = importlib.util.find_spec(name)
        if found is not None and found.submodule_search_locations is not None:
            found = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError):
        return False
    return found is not None


def _show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Prints an error of the program as if it had been run by itself."""
    rest = traceback
    while rest is not None and rest.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>"):
        rest = rest.tb_next
    if isinstance(error, ImportError) and rest is not None:  # ends at the `import`, not in what looks for modules
        last = rest
        while last.tb_next is not None and last.tb_next.tb_frame.f_code.co_filename != proxies.__file__:
            last = last.tb_next
        last.tb_next = None
    sys.__excepthook__(kind, error.with_traceback(rest or traceback), rest or traceback)


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
    what, *rest = arguments
    if what not in ("-m", "-c") and not os.path.exists(what):
        print(f"fungrad.jax: there is no file {what!r}", file=sys.stderr)
        return 2
    if os.path.isdir(what) and not os.path.exists(os.path.join(what, "__main__.py")):
        print(f"fungrad.jax: {what!r} is a directory without __main__.py", file=sys.stderr)
        return 1
    compat.install()
    sys.excepthook = _show
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
            if not _is_module(target):
                print(f"fungrad.jax: there is no module {target!r} that can be run", file=sys.stderr)
                return 1
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        return 0
    sys.argv = [what, *rest]
    sys.path[0] = os.path.dirname(os.path.abspath(what))
    runpy.run_path(what, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
