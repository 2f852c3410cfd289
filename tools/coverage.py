"""Which public names of JAX fungrad has: writes ``docs/coverage.md``.

``python -m tools.coverage`` writes the page from the record of JAX's names in ``tools/jax_names.txt``, the public
names of fungrad, and the reasons below for what is left out. It needs no JAX. ``python -m tools.coverage --record``
writes the record anew from the JAX that is installed.
"""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import pkgutil
import sys
import textwrap
import warnings
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "tools" / "jax_names.txt"
PAGE = ROOT / "docs" / "coverage.md"
COMMAND = "python -m tools.coverage"

# Modules that are no part of JAX's public interface, or programs.
NOT_RECORDED = (
    "jax._*", "jax.*._*", "jax.tools*", "jax.collect_profile", "jax.experimental.mosaic*", "jax.experimental.pallas*",
    "jax.experimental.jax2tf*", "jax.experimental.array_serialization*", "jax.experimental.colocated_python*",
    "jax.experimental.source_mapper*", "jax.jaxlib*", "jax.version", "jax.cloud_tpu_init", "jax.experimental.roofline*",
    "jax.experimental.transfer", "jax.experimental.serialize_executable",
    "jax.experimental.compilation_cache*", "jax.experimental.key_reuse*", "jax.experimental.rnn",
    "jax.experimental.slab*", "jax.experimental.x64_context",
    "jax.experimental.fused", "jax.experimental.multihost_utils", "jax.experimental.host_callback",
    "jax.experimental.xla_metadata", "jax.experimental.custom_dce",
    "jax.experimental.si_vmap", "jax.extend.mlir*", "jax.extend.backend",
    "jax.extend.ifrt_programs",
)  # fmt: skip

# What is left out on purpose: modules and names (shell patterns), and the reason in a phrase.
LEFT_OUT = [
    ("jax.interpreters.mlir", "[!lr]*", "programs are compiled by LLVM, there is no MLIR"),
    ("jax.interpreters.mlir", "lower*[!n]", "programs are compiled by LLVM, there is no MLIR"),
    ("jax.interpreters.mlir", "lower_jaxpr_to_fun", "programs are compiled by LLVM, there is no MLIR"),
    ("jax.interpreters.mlir", "register_c*", "programs are compiled by LLVM, there is no MLIR"),
    ("jax.interpreters.partial_eval", "*_rule", "rules of JAX's own calls; equations need none here"),
    ("jax.interpreters.ad", "linearize", "takes trees in a private form of JAX; `fungrad.linearize`"),
    ("jax.experimental", "EArray", "arrays of keys are arrays; there is no other dtype of JAX's own"),
    ("jax.experimental", "cur_qdd", "a `MutableHiType` is no type of values here; references hold what changes"),
    ("jax.experimental", "primal_tangent_dtype", "no dtype has tangents of another; `custom_vjp` converts cotangents"),
    ("jax.extend.core.primitives", "call_p", "calls are `jit` equations"),
    ("jax.extend.core.primitives", "closed_call_p", "calls are `jit` equations"),
    ("jax.extend.core.primitives", "empty2_p", "no jaxpr contains it"),
    ("jax.extend.core.primitives", "get_p", "reads and writes of references are resolved while a function is traced"),
    ("jax.extend.core.primitives", "swap_p", "reads and writes of references are resolved while a function is traced"),
    ("jax.extend.core.primitives", "ragged_all_to_all_p", "a composition of other operations"),
    ("jax.extend.core.primitives", "select_and_scatter_p", "the gradient of pooling collects instead of scattering"),
    ("jax.lax", "ragged_all_to_all_p", "a composition of other operations"),
    ("jax.lax", "select_and_scatter_p", "the gradient of pooling collects instead of scattering"),
    ("jax.extend.core", "CallPrimitive", "primitives with functions among their operands; here a jaxpr is a parameter"),
    ("jax.extend.core", "call_impl", "primitives with functions among their operands; here a jaxpr is a parameter"),
    ("jax.extend.sharding", "*", "the interface of XLA"),
    ("jax.extend.source_info_util", "*", "places in the code are `Source` objects of equations"),
    ("jax.interpreters.pxla", "*", "internal data of JAX's dispatch"),
    ("jax.experimental.sparse*", "CuSparse*", "a library of GPUs"),
    ("jax.experimental.sparse.test_util", "*", "helpers of JAX's own tests"),
    ("jax.lax", "psend", "between processes of several hosts"),
    ("jax.lax", "precv", "between processes of several hosts"),
    ("jax.lax", "dce_sink*", "only effects keep an operation alive"),
    ("jax.lax", "linear_solve_p", "called `custom_linear_solve_p`"),
    ("jax.lax", "stage_p", "values are lifted without an operation"),
    ("jax.lax", "device_put_p", "arrays are on one device"),
    ("jax.lax", "approx_top_k_p", "`approx_max_k` is exact: `top_k`"),
    ("jax.extend.core.primitives", "linear_solve_p", "called `custom_linear_solve_p`"),
    ("jax.extend.core.primitives", "device_put_p", "arrays are on one device"),
    ("jax.extend.core.primitives", "approx_top_k_p", "`approx_max_k` is exact: `top_k`"),
    ("jax.numpy", "int1", "dtypes of one bit; use bool"),
    ("jax.numpy", "uint1", "dtypes of one bit; use bool"),
    ("jax.profiler", "Profile[DEP][!p]*", "the format of XLA's profiles; traces are JSON"),
    ("jax.experimental.profiler", "*", "the format of XLA's profiles; traces are JSON"),
    ("jax.experimental.scheduling_groups", "[ad]*", "rules of a primitive for XLA"),
    ("jax.extend.lowering", "*", "programs are compiled by LLVM, there is no MLIR"),
    ("jax.extend.pallas", "*", "programs are compiled by LLVM, there is no MLIR"),
    ("jax.extend.xla", "*", "programs are compiled by LLVM, there is no XLA"),
    ("jax.ffi", "*", "the binary interface of XLA; `extend` calls kernels of numba"),
    ("jax.debug", "*Effect", "effects have no kinds: they happen in the order of the program"),
    ("jax.experimental.sparse.transform", "[!es]*", "internals of JAX's `sparsify`"),
    ("jax.experimental.sparse.transform", "spvalues*", "internals of JAX's `sparsify`"),
    ("jax.experimental.sparse.transform", "sparsify_*", "internals of JAX's `sparsify`"),
    ("jax.experimental.sparse", "SparseTracer", "internals of JAX's `sparsify`"),
    ("jax.experimental.sparse.ad", "flatten_fun*", "internals of JAX's `sparsify`"),
    ("jax.experimental.sparse.bcoo", "Buffer", "an annotation of JAX's own"),
    ("jax.experimental.sparse.linalg", "lobpcg_standard", "internal; imported there for JAX's own use"),
    ("jax.experimental.sparse.util", "safe_zip", "a helper of JAX's own"),
    ("jax.experimental.sparse.util", "flatten_axes", "a helper of JAX's own"),
    ("jax.custom_derivatives", "remat_opt_p", "an optimisation of JAX's `custom_vjp`; there is none to remove here"),
    ("jax.profiler", "register_subprocess", "each process writes a trace of its own"),
]


# -- the record --------------------------------------------------------------------------------------------------------


def _is_public(module: ModuleType, name: str) -> bool:
    value = getattr(module, name, None)
    if name.startswith("_") or inspect.ismodule(value) or value is None and name in ("annotations",):
        return False
    home = getattr(value, "__module__", None) or ""
    if name.endswith("_"):
        return True
    # What a module has imported for itself, from the standard library or from other modules of JAX.
    if home.split(".")[0] in sys.stdlib_module_names and home not in ("builtins", "enum"):
        return False
    this = module.__name__
    return not this.startswith(("jax.experimental.", "jax.example_libraries.")) or this.split(".")[-1] in home


def jax_names() -> dict[str, list[str]]:
    """The public names of each public module of the installed JAX."""
    import jax

    names = {"jax": [n for n in dir(jax) if _is_public(jax, n)]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        todo = [i.name for i in pkgutil.iter_modules(jax.__path__, "jax.")]
        while todo:
            name = todo.pop()
            if any(fnmatch.fnmatch(name, pattern) for pattern in NOT_RECORDED):
                continue
            try:
                module = importlib.import_module(name)
            except Exception:  # noqa: BLE001 - needs a library that is not installed, or a deprecated module
                continue
            todo += [i.name for i in pkgutil.iter_modules(getattr(module, "__path__", []), name + ".")]
            listed = getattr(module, "__all__", None)
            found = list(listed) if listed else [n for n in dir(module) if _is_public(module, n)]
            if found:
                names[name] = sorted(set(found))
    return names


def write_record() -> None:
    """Writes the record of the installed JAX."""
    import jax

    lines = [f"# Public names of JAX {jax.__version__}, written by {COMMAND} --record"]
    for module, names in sorted(jax_names().items()):
        lines += [f"[{module}]", *sorted(names)]
    RECORD.write_text("\n".join(lines) + "\n")


def read_record() -> tuple[str, dict[str, list[str]]]:
    """The version of JAX and the names of its modules, from the record."""
    first, *lines = RECORD.read_text().splitlines()
    version = first.split("JAX ")[1].split(",")[0]
    names: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("["):
            current = names.setdefault(line[1:-1], [])
        else:
            current.append(line)
    return version, names


# -- the page ----------------------------------------------------------------------------------------------------------


def _ours(module: str) -> object | None:
    try:
        return importlib.import_module("fungrad" + module[len("jax") :])
    except ModuleNotFoundError:
        return None


def _has(module: object | None, name: str) -> bool:
    if module is None:
        return False
    try:
        getattr(module, name)
    except AttributeError:
        return False
    return True


def reason(module: str, name: str) -> str | None:
    """Why a name is left out on purpose, None if it is not."""
    for modules, names, why in LEFT_OUT:
        if fnmatch.fnmatchcase(module, modules) and fnmatch.fnmatchcase(name, names):
            return why
    return None


def states(module: str, names: list[str]) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """The names that are here, those left out by their reason, and those that are not here yet."""
    ours = _ours(module)
    here, left, missing = [], dict[str, list[str]](), []
    for name in names:
        why = reason(module, name)
        if _has(ours, name):
            here.append(name)
        elif why is not None:
            left.setdefault(why, []).append(name)
        else:
            missing.append(name)
    return here, left, missing


def _listed(title: str, names: list[str]) -> list[str]:
    text = f"{title}: " + ", ".join(f"`{n}`" for n in names)
    return [*textwrap.wrap(text, 130, break_long_words=False, break_on_hyphens=False), ""]


def page() -> str:
    """The text of the page."""
    version, record = read_record()
    found = {module: states(module, names) for module, names in sorted(record.items())}
    total = [sum(len(part) for part in parts) for parts in zip(*_counted(found), strict=True)]
    lines = [
        "# Coverage of JAX's public names",
        "",
        f"Written by `{COMMAND}`, which compares the public names of JAX {version} (`tools/jax_names.txt`) with those",
        "here.",
        f"Of {sum(total)} names in {len(found)} modules {total[0]} are here, {total[1]} are left out on purpose, "
        f"{total[2]} are not here yet.",
        *_not_recorded(),
        "`jax.x.y` is `fungrad.x.y`. Differences in what functions do are in [architecture.md](architecture.md) and",
        "[numpy-and-scipy.md](numpy-and-scipy.md).",
        "",
        "| module | names | here | left out | not yet |",
        "| --- | --- | --- | --- | --- |",
    ]
    for module, (here, left, missing) in found.items():
        out = sum(map(len, left.values()))
        lines.append(f"| {module} | {len(here) + out + len(missing)} | {len(here)} | {out} | {len(missing)} |")
    lines.append("")
    for module, (here, left, missing) in found.items():
        lines += [f"## {module}", ""]
        if here:
            lines += _listed("Here", here)
        for why, names in sorted(left.items()):
            lines += _listed(f"Left out ({why})", names)
        if missing:
            lines += _listed("Not yet", missing)
    return "\n".join(lines).rstrip() + "\n"


def _not_recorded() -> list[str]:
    """What the page says of the modules that it leaves out."""
    modules = [m.removesuffix("*") for m in NOT_RECORDED if "._" not in m]
    here = [m for m in modules if _ours(m) is not None]
    text = (
        "Not counted, and not in the lists below, are modules that JAX keeps for itself or for other machines, and "
        f"some experimental ones: {', '.join(f'`{m}`' for m in modules if m not in here)} (not here; programs that "
        "`python -m fungrad.jax` runs find a few of their names), and "
        f"{', '.join(f'`{m}`' for m in here)} (which have at least their most used names here)."
    )
    return textwrap.wrap(text, 130, break_long_words=False, break_on_hyphens=False)


def _counted(found: dict) -> list[tuple[list, list, list]]:
    return [(here, [n for names in left.values() for n in names], missing) for here, left, missing in found.values()]


if __name__ == "__main__":
    if "--record" in sys.argv[1:]:
        write_record()
    PAGE.write_text(page())
