"""Other libraries that have a list of array libraries: entries for fungrad, made when they are imported.

einops chooses a backend by the class of an array, jaxtyping knows the dtype of random keys by its name, and
array-api-extra, of which SciPy and scikit-learn have copies, knows by their classes which arrays are updated through
``x.at[idx]``.  None is imported here: what has been imported already is completed at once, the rest after its import.

May import everything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from fungrad import numpy as jnp
from fungrad.core import dtypes, key_types
from fungrad.core.array import Array


def _register_einops(module: Any) -> None:
    """A backend of einops, which it finds as a subclass of its own."""

    class FungradBackend(module.AbstractBackend):  # type: ignore[misc]
        framework_name = "fungrad"

        def is_appropriate_type(self, tensor: Any) -> bool:
            return isinstance(tensor, Array)

        def from_numpy(self, x: np.ndarray) -> Array:
            return jnp.asarray(x)

        def to_numpy(self, x: Array) -> np.ndarray:
            return np.asarray(x)

        def arange(self, start: int, stop: int) -> Array:
            return jnp.arange(start, stop)

        def stack_on_zeroth_dimension(self, tensors: list) -> Array:
            return jnp.stack(tensors)

        def add_axis(self, x: Array, new_position: int) -> Array:
            return jnp.expand_dims(x, new_position)

        def tile(self, x: Array, repeats: Sequence[int]) -> Array:
            return jnp.tile(x, repeats)

        def concat(self, tensors: list, axis: int) -> Array:
            return jnp.concatenate(tensors, axis=axis)

        def is_float_type(self, x: Array) -> bool:
            return dtypes.is_inexact(x.dtype)

        def einsum(self, pattern: str, *x: Array) -> Array:
            return jnp.einsum(pattern, *x)

    # Subclasses are found as long as somebody has them.
    module.FungradBackend = FungradBackend


def _register_jaxtyping(module: Any) -> None:
    """The dtype of random keys among those that ``jaxtyping.Key`` accepts, under the name it has in NumPy."""
    module.Key.dtypes = (*module.Key.dtypes, *map(str, key_types.known()))


def _updates_like_jax(theirs: Any) -> dict[str, Callable[[Any], bool]]:
    """The questions of array-api-extra about an array that is to be updated, with our answers for our arrays."""
    return {
        "is_jax_array": lambda x: isinstance(x, Array) or theirs.is_jax_array(x),
        "is_writeable_array": lambda x: not isinstance(x, Array) and theirs.is_writeable_array(x),
    }


class _Answering:
    """A module whose answers are other ones for arrays of fungrad."""

    def __init__(self, module: Any):
        self._module = module
        self.__dict__.update(_updates_like_jax(module))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _register_updates(module: Any) -> None:
    """``at`` of array-api-extra updates our arrays as JAX's: through ``x.at[idx]``, into a copy."""
    if hasattr(module, "is_writeable_array"):
        theirs = ModuleType("theirs")
        theirs.__dict__.update(is_jax_array=module.is_jax_array, is_writeable_array=module.is_writeable_array)
        module.__dict__.update(_updates_like_jax(theirs))
    elif hasattr(module, "_compat"):
        module._compat = _Answering(module._compat)


_COMPLETED: dict[str, Callable[[Any], None]] = {
    "einops._backends": _register_einops,
    "jaxtyping._array_types": _register_jaxtyping,
    "array_api_extra._at": _register_updates,
    "array_api_extra._lib._at": _register_updates,
    "scipy._lib.array_api_extra._lib._at": _register_updates,
    "sklearn.externals.array_api_extra._at": _register_updates,
}


class _Completing:
    """A loader that completes the module when it has been executed.

    Loaders and finders need no base class, and those of `importlib.abc` take 8 ms to import.
    """

    def __init__(self, loader: Any, complete: Callable[[Any], None]):
        self.loader, self.complete = loader, complete

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        self.complete(module)


class _AfterImport:
    """Finds nothing by itself: lets the others find the modules that are to be completed."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        complete = _COMPLETED.pop(name, None)
        if complete is None:
            return None
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Completing(spec.loader, complete)  # type: ignore[assignment]
        return spec


def install() -> None:
    """Completes what has been imported, and what will be."""
    for name in list(_COMPLETED):
        module = sys.modules.get(name)
        if module is not None:
            _COMPLETED.pop(name)(module)
    if _COMPLETED:
        sys.meta_path.insert(0, _AfterImport())
