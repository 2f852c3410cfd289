"""``fungrad compare``: a function eagerly, compiled, and with other libraries.

Every variant runs in a process of its own, so that first calls are first calls and memory is its own. For the other
libraries the file is run with its imports of fungrad changed into theirs: what is written with names that both have,
runs. A variant whose result differs says so.

May import ``fungrad``.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import html
import importlib
import importlib.util
import io
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import fungrad
from fungrad.cli.targets import TargetError, first_line, load, split

VARIANTS = ("fungrad", "fungrad jit", "numpy", "jax", "jax jit", "torch")

# What takes the place of a module of fungrad; those that are not here have no counterpart.
_MODULES = {
    "numpy": {"fungrad.numpy": "numpy"},
    "jax": {
        "fungrad": "jax",
        "fungrad.numpy": "jax.numpy",
        "fungrad.lax": "jax.lax",
        "fungrad.nn": "jax.nn",
        "fungrad.random": "jax.random",
        "fungrad.scipy": "jax.scipy",
        "fungrad.optim": "optax",
    },
    "torch": {"fungrad.numpy": "torch"},
}
_TOLERANCE = 1e-3


def run(options: argparse.Namespace) -> None:
    """Prints the table, and writes the picture if one is wanted."""
    target = load(options.target, options.args)
    request = {"target": options.target, "args": options.args, "seconds": options.seconds}
    rows: list[dict[str, Any]] = []
    for variant in VARIANTS:
        library = variant.split()[0]
        if library != "fungrad" and importlib.util.find_spec(library) is None:
            rows.append({"variant": variant, "missing": "not installed"})
            continue
        rows.append(_measured({**request, "variant": variant}))
    base = next((r for r in rows if "answer" in r), None)
    if base is None:
        raise TargetError(f"{target.name} cannot be run: {rows[0]['missing']}")
    for r in rows:
        if "answer" in r:
            r["same"] = _agree(base["answer"], r["answer"])
    print(table(target.name, rows))
    if options.picture:
        Path(options.picture).write_text(picture(target.name, rows), encoding="utf-8")
        print(options.picture)


def _measured(request: dict[str, Any]) -> dict[str, Any]:
    code = "from fungrad.cli.compare import worker; worker()"
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(request), capture_output=True, text=True)
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]
        return {"variant": request["variant"], "missing": last}


def worker() -> None:
    """Measures one variant, in a process of its own: reads a request and prints a record, as JSON."""
    request = json.loads(sys.stdin.read())
    record: dict[str, Any] = {"variant": request["variant"]}
    said = io.StringIO()
    try:
        # What the function prints must not mix with the record.
        with contextlib.redirect_stdout(said):
            record |= _run(request)
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        record["missing"] = f"{type(error).__name__}: {first_line(error)}"
    print(json.dumps(record))


def _run(request: dict[str, Any]) -> dict[str, Any]:
    library, _, compiled = request["variant"].partition(" ")
    target = load(request["target"], request["args"])
    function: Any = target.function
    args = target.values()
    if library != "fungrad":
        function = _translated(*split(request["target"]), library)
        args = fungrad.tree.map(_converter(library), args)
    if compiled:
        module: Any = importlib.import_module(library)
        function = module.jit(function)
    wait = importlib.import_module("jax").block_until_ready if library == "jax" else lambda x: x
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    out = wait(function(*args))
    first = time.perf_counter() - start
    best, end, count = float("inf"), time.perf_counter() + request["seconds"], 0
    while count < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        wait(function(*args))
        best = min(best, time.perf_counter() - start)
        count += 1
    # In KiB on Linux, in bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    return {"first": first, "step": best, "memory": memory, "answer": _summary(out)}


def _converter(library: str) -> Any:
    if library == "torch":
        torch: Any = importlib.import_module("torch")
        return lambda x: torch.as_tensor(np.asarray(x)) if hasattr(x, "__array__") else x
    if library == "jax":
        jax_numpy: Any = importlib.import_module("jax.numpy")
        return lambda x: jax_numpy.asarray(np.asarray(x)) if hasattr(x, "__array__") else x
    return lambda x: np.asarray(x) if hasattr(x, "__array__") else x


def _summary(out: Any) -> list[list[float]]:
    """A few numbers for each array of a result, to compare: size, sum, sum of absolute values, first element."""
    if hasattr(out, "detach"):
        out = out.detach().numpy()
    leaves = fungrad.tree.leaves(out)
    found = []
    for x in leaves:
        a = np.asarray(x.detach() if hasattr(x, "detach") else x)
        a = np.abs(a) if a.dtype.kind == "c" else a
        a = a.astype(np.float64)
        first = float(a.reshape(-1)[0]) if a.size else 0.0
        found.append([float(a.size), float(a.sum()), float(np.abs(a).sum()), first])
    return found


def _agree(a: list[list[float]], b: list[list[float]]) -> bool:
    if len(a) != len(b):
        return False
    for x, y in zip(a, b, strict=True):
        scale = max(abs(x[2]), 1e-30)
        if x[0] != y[0] or any(abs(p - q) > _TOLERANCE * scale for p, q in zip(x[1:], y[1:], strict=True)):
            return bool(np.isnan(x[1]) and np.isnan(y[1]) and x[0] == y[0])
    return True


def _translated(path: Path, name: str, library: str) -> Any:
    """The function of a file whose imports of fungrad have become those of another library.

    Raises:
      TargetError: it uses what the library has no counterpart of.
    """
    tree = _Imports(_MODULES[library], library).visit(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    names: dict[str, Any] = {"__name__": "fungrad_target", "__file__": str(path)}
    Missing.loading = True
    try:
        exec(compile(ast.fix_missing_locations(tree), str(path), "exec"), names)
    finally:
        Missing.loading = False
    return names[name]


class _Imports(ast.NodeTransformer):
    """Changes imports of fungrad."""

    def __init__(self, modules: dict[str, str], library: str):
        self.modules, self.library = modules, library

    def _other(self, module: str) -> str | None:
        return self.modules.get(module)

    def visit_Import(self, node: ast.Import) -> Any:
        names, kept = [], []
        for alias in node.names:
            if alias.name.partition(".")[0] != "fungrad":
                kept.append(alias)
                continue
            other = self._other(alias.name)
            if alias.asname is None and alias.name != "fungrad":
                raise TargetError(f"'import {alias.name}' without 'as' has no counterpart in {self.library}")
            names.append((alias.asname or "fungrad", other))
        out: list[Any] = [ast.Import([a]) for a in kept]
        return out + [self._bound(name, other) for name, other in names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        if (node.module or "").partition(".")[0] != "fungrad" or node.level:
            return node
        out: list[Any] = []
        for alias in node.names:
            other = self._other(f"{node.module}.{alias.name}")
            if other is None and (module := self._other(str(node.module))) is not None:
                out.append(ast.ImportFrom(module, [alias], 0))
            else:
                out.append(self._bound(alias.asname or alias.name, other))
        return out

    def _bound(self, name: str, module: str | None) -> Any:
        if module is not None:
            return ast.Import([ast.alias(module, name)])
        # An error only where the name is used: the file may have other functions that need it.
        text = f"{name} = __import__('fungrad.cli.compare', fromlist=['Missing']).Missing({name!r}, {self.library!r})"
        return ast.parse(text).body[0]


class Missing:
    """What another library has no counterpart of.

    While the file is run it stands for itself and whatever is made of it, since other functions in the file may need
    it. When it is used after that, it says what is missing.
    """

    loading = False

    def __init__(self, name: str, library: str):
        self._name, self._library = name, library

    def _used(self) -> Missing:
        if Missing.loading:
            return self
        raise TargetError(f"{self._name} has no counterpart in {self._library}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # Decorators such as `@fungrad.jit` leave a function as it is.
        if name in ("jit", "checkpoint", "remat") and Missing.loading:
            return lambda fun=None, **options: fun if fun is not None else (lambda f: f)
        self._used()
        return Missing(f"{self._name}.{name}", self._library)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._used()


# -- table and picture -------------------------------------------------------------------------------------------------


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def table(name: str, rows: list[dict[str, Any]]) -> str:
    """The measurements as text, with bars."""
    done = [r for r in rows if "step" in r]
    slowest = max(r["step"] for r in done)
    eager = next((r["step"] for r in done if r["variant"] == "fungrad"), slowest)
    lines = [f"{name}", f"{'':14}{'first call':>12}{'step':>12}{'speed':>9}{'memory':>11}   answer"]
    for r in rows:
        if "step" not in r:
            lines.append(f"{r['variant']:14}{'-':>12}{'-':>12}{'-':>9}{'-':>11}   {r['missing']}")
            continue
        bar = "#" * max(1, round(24 * r["step"] / slowest))
        same = "same" if r["same"] else "DIFFERENT"
        lines.append(
            f"{r['variant']:14}{_time(r['first']):>12}{_time(r['step']):>12}{eager / r['step']:>8.2f}x"
            f"{r['memory'] / 2**20:>7.1f} MiB   {same:10}{bar}"
        )
    lines.append("first call: with tracing and compilation, or finding the program on disk; step: the least of all;")
    lines.append("speed: against fungrad's eager step; memory: what the process grew by at most, after its arguments")
    return "\n".join(lines)


def picture(name: str, rows: list[dict[str, Any]]) -> str:
    """The steps as bars, as SVG."""
    done = [r for r in rows if "step" in r]
    slowest = max(r["step"] for r in done)
    parts = []
    for k, r in enumerate(done):
        y = 44 + 30 * k
        width = max(2.0, 360 * r["step"] / slowest)
        kind = "own" if r["variant"].startswith("fungrad") else "other"
        label = html.escape(f"{_time(r['step'])}" + ("" if r["same"] else ", another answer"))
        parts.append(f'<text x="110" y="{y + 15}" text-anchor="end">{html.escape(r["variant"])}</text>')
        parts.append(f'<rect class="{kind}" x="120" y="{y}" width="{width:.1f}" height="20" rx="3"/>')
        parts.append(f'<text x="{128 + width:.1f}" y="{y + 15}">{label}</text>')
    height = 60 + 30 * len(done)
    style = (
        "text{font:13px system-ui,sans-serif;fill:#1d2025}.own{fill:#2f6fde}.other{fill:#9aa1ab}"
        "@media(prefers-color-scheme:dark){text{fill:#e6e8eb}.own{fill:#7fb0ff}.other{fill:#6b7079}}"
    )
    title = html.escape(f"Time of a step of {name}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="640" height="{height}" viewBox="0 0 640 {height}">'
        f"<title>{title}</title><style>{style}</style>"
        f'<text x="12" y="24" font-weight="600">{title}</text>{"".join(parts)}</svg>'
    )
