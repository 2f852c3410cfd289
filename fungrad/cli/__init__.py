"""The command line: ``python -m fungrad``, and ``fungrad`` where the package is installed.

A target is ``FILE:FUNCTION``. Its arguments are ``--args``, an expression of Python in which the names of the file and
types such as ``f32[128,64]`` are known, or else what the file has under ``FUNCTION_args`` or ``example_args``: a tuple
or a function that gives one.

May import everything.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import fungrad
from fungrad.cli import cache, compare, info
from fungrad.cli.targets import Target, TargetError, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
      arguments: the words after the name of the program; those of the process if None.

    Returns:
      The exit status: 0, or 2 if the command could not be understood.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # What follows these commands is for the program that they start.
    if words and words[0] in _DELEGATED:
        return _delegate(words[0], words[1:])
    options = _parser().parse_args(words)
    if getattr(options, "run", None) is None:
        _parser().print_help()
        return 0
    try:
        return int(options.run(options) or 0)
    except TargetError as error:
        print(f"fungrad: {error}", file=sys.stderr)
        return 2


_DELEGATED = {
    "lessons": "runs the lessons (those of the repository)",
    "bench": "runs the benchmarks (those of the repository)",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fungrad", description="Looks at fungrad and at what it makes of functions.")
    parser.add_argument("--version", action="version", version=f"fungrad {fungrad.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, about: str, run: object) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about)
        made.set_defaults(run=run)
        return made

    def target(made: argparse.ArgumentParser) -> None:
        made.add_argument("target", metavar="FILE:FUNCTION", help="a function in a file of Python")
        made.add_argument(
            "--args",
            metavar="EXPR",
            help="its arguments: an expression in which the names of the file and types such as f32[128,64] are known",
        )

    command("info", "prints versions, processor, threads, BLAS and cache", info.run)

    made = command("explain", "prints what becomes of a function", _explain)
    target(made)
    made.add_argument("--assembly", action="store_true", help="print the machine code as well")
    made.add_argument("--passes", action="store_true", help="print the program after every pass that changed it")
    made.add_argument("--plain", action="store_true", help="no colours")

    made = command("explore", "writes a page that shows source, jaxpr, gradient, loops and machine code", _explore)
    target(made)
    made.add_argument("-o", "--output", metavar="FILE", help="name of the page (default: FUNCTION.html)")
    made.add_argument("--open", action="store_true", help="open it in a browser")

    made = command("profile", "measures the time of every step of a function, line by line", _profile)
    target(made)

    made = command("compare", "times a function eagerly, compiled, and with NumPy, JAX and torch", compare.run)
    target(made)
    made.add_argument("--picture", metavar="FILE", help="write a picture (SVG)")
    made.add_argument("--seconds", type=float, default=0.5, help="to measure steps for, per library (default: 0.5)")

    made = command("cache", "shows or clears the cache of compiled programs", cache.run)
    made.add_argument("action", choices=("show", "clear"))

    for name, about in _DELEGATED.items():
        commands.add_parser(name, help=about, add_help=False)
    return parser


def _explain(options: argparse.Namespace) -> None:
    found = fungrad.explain(*_with_arguments(options))
    if options.plain:
        print(found.as_text(assembly=options.assembly, passes=options.passes))
    else:
        found.print(assembly=options.assembly, passes=options.passes)


def _explore(options: argparse.Namespace) -> None:
    fun, *args = _with_arguments(options)
    output = options.output or f"{options.target.rpartition(':')[2]}.html"
    fungrad.explain(fun, *args).save(output)
    print(output)
    if options.open:
        webbrowser.open(Path(output).resolve().as_uri())


def _profile(options: argparse.Namespace) -> None:
    target = load(options.target, options.args)
    fungrad.profile(target.function, *target.values()).print()


def _with_arguments(options: argparse.Namespace) -> tuple:
    target: Target = load(options.target, options.args)
    return target.function, *target.arguments


def _delegate(name: str, words: list[str]) -> int:
    module = {"lessons": "lessons", "bench": "benchmarks"}[name]
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.util.find_spec(f"{module}.__main__")
    except ModuleNotFoundError:
        found = None
    if found is None:
        print(f"fungrad: there is no package {module} here; run this in a copy of the repository", file=sys.stderr)
        return 2
    before, sys.argv = sys.argv, [f"fungrad {name}", *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0
