"""Keeps the LLVM text of many programs, to show that a change of the compiler's structure changes no program.

``python tools/llvm_texts.py DIR`` compiles the rows of the benchmark, the programs of the composition tests with their
derivatives, and random programs, and writes an index with one line for each: its name and the digest of its text. The
texts are beside it, by digest. ``python tools/llvm_texts.py --compare BEFORE AFTER`` says where two indices differ.

As a plugin of pytest it keeps what tests compile: ``LLVM_TEXTS=DIR python -m pytest -p tools.llvm_texts tests/...``.
Both directions must run on the same machine, since programs are written for it.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fungrad.core.programs import finish

ROOT = Path(__file__).parent.parent


class Keeper:
    """Writes down the text of every program that is emitted while it is installed.

    Attributes:
      context: what the next programs belong to.
    """

    def __init__(self, directory: str):
        self.directory = Path(directory)
        self.texts = self.directory / "texts"
        self.texts.mkdir(parents=True, exist_ok=True)
        self.index = (self.directory / "index").open("w")
        self.context = "start"
        self.counts: Counter = Counter()

    def note(self, text: str) -> None:
        """Keeps one text."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        (self.texts / f"{digest}.ll").write_text(text)
        number = self.counts[self.context]
        self.counts[self.context] += 1
        self.index.write(f"{digest} {self.context} {number}\n")
        self.index.flush()

    def install(self) -> None:
        """Looks over the shoulder of the emitter."""
        emitter: Any = importlib.import_module("fungrad.jit.llvm.program").ProgramEmitter
        emit = emitter.emit

        def noting(this: Any) -> str:
            text = emit(this)
            self.note(text)
            return text

        emitter.emit = noting


# -- plugin ------------------------------------------------------------------------------------------------------------

_keeper: Keeper | None = None


def pytest_configure(config: Any) -> None:
    """Begins to keep texts if the environment asks for it."""
    global _keeper
    directory = os.environ.get("LLVM_TEXTS")
    if directory:
        _keeper = Keeper(directory)
        _keeper.install()


def pytest_runtest_setup(item: Any) -> None:
    """Texts belong to the test that is running."""
    if _keeper is not None:
        _keeper.context = item.nodeid.replace(" ", "_")


# -- programs ----------------------------------------------------------------------------------------------------------


def programs() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names, and functions that compile a program or several."""
    import fungrad

    for folder in (ROOT, ROOT / "tests"):
        sys.path.insert(0, str(folder))
    yield from _rows(fungrad)
    yield from _composed(fungrad)
    yield from _random(fungrad)


def _rows(fungrad: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    importlib.import_module("benchmarks.rows")
    from benchmarks.libraries import load
    from benchmarks.registry import ROWS, data

    lib = load("fungrad")
    for name, row in ROWS.items():

        def compile_row(row: Any = row) -> None:
            lib.set_x64(row.dtype == "float64")
            made = row.variants.get("fungrad", row.make)(lib)
            if row.inputs:
                shapes = [fungrad.ShapeDtypeStruct(s, data((), row.dtype).dtype) for s in row.inputs]
                fungrad.jit(made).lower(*shapes).compile()
            elif made is not None:
                made()

        yield f"row:{name}", compile_row
    lib.set_x64(False)


def _composed(fungrad: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    from control_programs import FORWARD, REVERSIBLE
    from programs import PROGRAMS

    def loss(f: Any) -> Any:
        def total(*args: Any) -> Any:
            return sum(fungrad.numpy.sum(fungrad.numpy.sin(x)) for x in fungrad.tree.leaves(f(*args)))

        return total

    for name, (make, args) in {**PROGRAMS, **REVERSIBLE, **FORWARD}.items():
        f = make(fungrad)
        forms = {"value": f, "jvp": lambda *a, f=f: fungrad.jvp(f, a, a)}
        if name not in FORWARD:
            forms["grad"] = fungrad.grad(loss(f), allow_int=True)
        for form, g in forms.items():
            yield f"{name}:{form}", lambda g=g, args=args: fungrad.jit(g).lower(*args).compile()


def _random(fungrad: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    import hypothesis
    from hypothesis import strategies as st
    from random_programs import arguments, programs

    def abstract(apply: Any, operands: Any) -> tuple:
        out = fungrad.eval_shape(lambda *a: apply(fungrad, *a), *[fungrad.ShapeDtypeStruct(s, d) for s, d in operands])
        return out.shape, out.dtype.name

    found: list = []

    @hypothesis.settings(max_examples=40, database=None, derandomize=True, deadline=None)
    @hypothesis.given(program=programs(abstract, max_steps=9), seed=st.integers(0, 1000))
    def draw(program: Any, seed: int) -> None:
        found.append((program, seed))

    draw()
    for k, (program, seed) in enumerate(found):
        yield (
            f"random:{k}",
            lambda p=program, s=seed: (
                fungrad.jit(lambda *a: p(fungrad, *a)[0])
                .lower(
                    *[fungrad.numpy.asarray(x, dtype=d) for x, (_, d) in zip(arguments(p, s), p.inputs, strict=True)]
                )
                .compile()
            ),
        )


# -- comparison --------------------------------------------------------------------------------------------------------


def compare(before: str, after: str) -> int:
    """Prints the programs whose text differs; how many there are."""
    one, two = (
        dict(line.split(" ", 1)[::-1] for line in (Path(d) / "index").read_text().splitlines()) for d in (before, after)
    )
    differing = [name for name in one if name in two and one[name] != two[name]]
    for name in differing[:40]:
        print(f"{name}: {before}/texts/{one[name]}.ll {after}/texts/{two[name]}.ll")
    missing, new = one.keys() - two.keys(), two.keys() - one.keys()
    both = len(one.keys() & two.keys())
    print(f"{both} programs in both, {len(differing)} differ; {len(missing)} only before, {len(new)} only after")
    for name in [*sorted(missing)[:10], *sorted(new)[:10]]:
        print(f"  in one only: {name}")
    return len(differing) + len(missing) + len(new)


def main() -> None:
    """Compiles the programs, or compares."""
    if sys.argv[1] == "--compare":
        sys.exit(compare(*sys.argv[2:]) != 0)
    keeper = Keeper(sys.argv[1])
    keeper.install()
    for name, compile_them in programs():
        keeper.context = name.replace(" ", "_")
        try:
            compile_them()
        except Exception as error:  # noqa: BLE001 - one program must not hide the others
            keeper.note(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    finish(main)
