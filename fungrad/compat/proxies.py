"""Modules that stand for those of JAX, and the finder that hands them out.

A name of ``jax.x`` is looked for in the table of ``overlay/jax/x.py``, then in ``fungrad.x`` (if `PUBLIC` lists the
module), then in what the overlay keeps for the time that fungrad lacks it; a name found is kept in the proxy, so that
the second access costs nothing. What is nowhere raises ``AttributeError``, since libraries probe with ``hasattr``, and
is noted for `report`.

May import the standard library and ``rows``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NamedTuple

VERSION = "0.10.2"
"""The version of JAX whose names these are."""

_HERE = Path(__file__).parent
_OVERLAY = "fungrad.compat.overlay"
_PACKAGE = str(_HERE.parent)

# Modules of JAX whose names are those of the module of fungrad with the same path.
PUBLIC = frozenset(
    """
    jax jax.ad_checkpoint jax.api_util jax.custom_batching jax.custom_derivatives jax.custom_transpose jax.debug
    jax.distributed jax.dlpack jax.dtypes jax.errors jax.example_libraries jax.example_libraries.optimizers
    jax.example_libraries.stax jax.experimental jax.experimental.buffer_callback jax.experimental.checkify
    jax.experimental.compilation_cache jax.experimental.compilation_cache.compilation_cache
    jax.experimental.compute_on jax.experimental.control_deps jax.experimental.custom_dce
    jax.experimental.custom_partitioning jax.experimental.hijax jax.experimental.jet jax.experimental.layout
    jax.experimental.mesh_utils jax.experimental.multihost_utils jax.experimental.ode jax.experimental.pjit
    jax.experimental.profiler jax.experimental.random jax.experimental.shard_alike jax.experimental.shard_map
    jax.experimental.sparse jax.experimental.sparse.ad jax.experimental.sparse.api jax.experimental.sparse.bcoo
    jax.experimental.sparse.bcsr jax.experimental.sparse.coo jax.experimental.sparse.csr
    jax.experimental.sparse.linalg jax.experimental.sparse.random jax.experimental.sparse.transform
    jax.experimental.sparse.util jax.experimental.rnn jax.experimental.scheduling_groups jax.experimental.topologies
    jax.experimental.xla_metadata jax.experimental.x64_context jax.flatten_util jax.image jax.export jax.extend
    jax.extend.backend jax.extend.core jax.extend.core.primitives jax.extend.linear_util jax.extend.random
    jax.extend.sharding jax.extend.source_info_util jax.extend.lowering jax.ffi jax.interpreters jax.interpreters.ad
    jax.interpreters.batching jax.interpreters.mlir jax.interpreters.partial_eval jax.interpreters.pxla
    jax.interpreters.xla jax.lax jax.lax.linalg jax.memory jax.monitoring jax.nn jax.nn.initializers jax.numpy
    jax.numpy.fft jax.numpy.linalg jax.ops jax.profiler jax.random jax.ref jax.scipy jax.scipy.cluster
    jax.scipy.cluster.vq jax.scipy.fft jax.scipy.integrate jax.scipy.interpolate jax.scipy.linalg jax.scipy.ndimage
    jax.scipy.optimize jax.scipy.signal jax.scipy.sparse jax.scipy.sparse.linalg jax.scipy.spatial
    jax.scipy.spatial.transform jax.scipy.special jax.scipy.stats jax.scipy.stats.bernoulli jax.scipy.stats.beta
    jax.scipy.stats.betabinom jax.scipy.stats.binom jax.scipy.stats.cauchy jax.scipy.stats.chi2
    jax.scipy.stats.dirichlet jax.scipy.stats.expon jax.scipy.stats.gamma jax.scipy.stats.gennorm
    jax.scipy.stats.geom jax.scipy.stats.gumbel_l jax.scipy.stats.gumbel_r jax.scipy.stats.laplace
    jax.scipy.stats.logistic jax.scipy.stats.multinomial jax.scipy.stats.multivariate_normal jax.scipy.stats.nbinom
    jax.scipy.stats.norm jax.scipy.stats.pareto jax.scipy.stats.poisson jax.scipy.stats.t jax.scipy.stats.truncnorm
    jax.scipy.stats.uniform jax.scipy.stats.vonmises jax.scipy.stats.wrapcauchy jax.sharding jax.stages
    jax.test_util jax.tree jax.tree_util jax.typing
    """.split()
)


class Miss(NamedTuple):
    """A name that was asked for and is not here.

    Attributes:
      name: in full, such as ``jax.lax.psend``.
      file: of the line that asked.
      line: its number.
    """

    name: str
    file: str
    line: int


misses: dict[Miss, None] = {}
"""What has been asked for in vain, in order."""


def _note(name: str) -> None:
    """Notes that ``name`` is missing, with the innermost line that belongs neither to us nor to the import system."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_PACKAGE, "<frozen importlib")) and "/importlib/" not in file:
            misses[Miss(name, file, frame.f_lineno)] = None
            return
        frame = frame.f_back


def _overlay(name: str) -> ModuleType | None:
    """The overlay of a module of JAX, None where there is none."""
    path = _HERE / "overlay" / name.replace(".", "/")
    if path.with_suffix(".py").exists() or (path / "__init__.py").exists():
        return importlib.import_module(f"{_OVERLAY}.{name}")
    return None


def counterpart(name: str) -> str | None:
    """The module of fungrad that has the names of ``name``, a module of JAX."""
    if name not in PUBLIC:
        return None
    ours = "fungrad" + name.removeprefix("jax")
    try:
        return ours if importlib.util.find_spec(ours) is not None else None
    except (ImportError, AttributeError):  # a parent is no package
        return None


def exists(name: str) -> bool:
    """Whether there is something behind a module of JAX."""
    if name == "jax":
        return True
    path = _HERE / "overlay" / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists() or counterpart(name) is not None


class ProxyModule(ModuleType):
    """A module of JAX, made of an overlay and of a module of fungrad.

    Asking for a name that is nowhere raises ``AttributeError``.
    """

    def __init__(self, name: str):
        super().__init__(name)
        overlay = _overlay(name)
        ours = counterpart(name)
        self.__path__: list[str] = []
        self.__dict__["_fungrad_rows"] = getattr(overlay, "NAMES", {})
        self.__dict__["_fungrad_later"] = getattr(overlay, "UNTIL_NATIVE", {})
        self.__dict__["_fungrad_module"] = importlib.import_module(ours) if ours else None
        # Programs ask where JAX is installed: its modules are those of the package.
        self.__file__ = getattr(self._fungrad_module or overlay, "__file__", None) or str(_HERE / "__init__.py")
        self.__doc__ = getattr(overlay or self._fungrad_module, "__doc__", None)

    def __getattr__(self, name: str) -> Any:
        row = self._fungrad_rows.get(name)
        if row is not None:
            value = row.resolve()
        else:
            module = self._fungrad_module
            full = f"{self.__name__}.{name}"
            if exists(full):  # a module stands before a function of its name only if JAX has it so
                value = importlib.import_module(full)
            elif module is not None and _is_public(module, name):
                value = getattr(module, name)
            elif name in self._fungrad_later:
                value = self._fungrad_later[name].resolve()
            else:
                if not name.startswith("__"):
                    _note(full)
                raise AttributeError(
                    f"module {self.__name__!r} has no attribute {name!r} (it is provided by fungrad.compat)",
                    name=name,
                    obj=self,
                )
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        names = {*self._fungrad_rows, *self._fungrad_later}
        if self._fungrad_module is not None:
            names.update(getattr(self._fungrad_module, "__all__", ()))
        return sorted(names | {n for n in self.__dict__ if not n.startswith("_fungrad")})

    def __reduce__(self) -> Any:
        return importlib.import_module, (self.__name__,)

    @property
    def __all__(self) -> list[str]:  # type: ignore[override]
        return [name for name in dir(self) if not name.startswith("_")]


def _is_public(module: ModuleType, name: str) -> bool:
    listed = getattr(module, "__all__", None)
    if listed is None or name.startswith("__array_"):  # names of the array API standard
        return hasattr(module, name) and (name.startswith("__array_") or not name.startswith("_"))
    return name in listed


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return ProxyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to be done."""


class Distribution(importlib.metadata.Distribution):
    """Metadata of ``jax`` and ``jaxlib``, for libraries that ask which version is installed."""

    def __init__(self, name: str):
        self._name = name

    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: {VERSION}\n"
        return None

    def locate_file(self, path: Any) -> Path:
        return _HERE / path


# Modules that are often asked for and will not be here, and what to do instead.
_INSTEAD = {
    "jax.experimental.pallas": "kernels of one's own are functions for fungrad.extend.numba_kernel and "
    "numba_array_kernel; jit fuses the rest",
    "jax.experimental.jax2tf": "functions are exported with jax.export",
    "jax.experimental.array_serialization": "arrays are written with fungrad.io",
}


def _why_missing(name: str) -> str:
    text = "fungrad, which stands for JAX in this process, does not have it"
    instead = [advice for module, advice in _INSTEAD.items() if f"{name}.".startswith(f"{module}.")]
    return "; ".join([text, *instead])


class Finder(MetaPathFinder):
    """Finds the modules of ``jax`` and ``jaxlib``."""

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] not in ("jax", "jaxlib"):
            return None
        if not exists(name):
            _note(name)
            raise ModuleNotFoundError(f"No module named {name!r}: {_why_missing(name)}", name=name)
        return ModuleSpec(name, _Loader(), is_package=True)

    @classmethod
    def find_distributions(cls, context: Any = None) -> Iterable[Any]:
        name = getattr(context, "name", None)
        found: Iterator[Any] = (Distribution(n) for n in ("jax", "jaxlib") if name in (None, n))
        return found
