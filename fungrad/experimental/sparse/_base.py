"""What sparse formats share: the base class, and helpers for batches and indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core.arguments import integers, shown
from fungrad.core.array import Array, as_array
from fungrad.transforms.mapping import vmap


class SparseEfficiencyWarning(UserWarning):
    """An operation does more work than a sparse array should cost."""


class SparseEfficiencyError(ValueError):
    """An operation would do more work than a sparse array should cost."""


class JAXSparse:
    """Base class of sparse arrays.

    Attributes:
      shape: shape.
      dtype: dtype of the elements.
      ndim: number of dimensions.
      size: number of elements, zeros included.
      nse: number of specified elements, stored zeros and padding included.
    """

    __array_priority__ = 100
    shape: tuple[int, ...]
    data: Any

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the elements."""
        return self.data.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements, zeros included."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def nse(self) -> int:
        """Number of specified elements."""
        raise NotImplementedError

    @property
    def T(self) -> Any:  # noqa: N802
        """The transpose."""
        return self.transpose()

    def todense(self) -> Array:
        """The array with its zeros."""
        raise NotImplementedError

    def transpose(self, axes: Any = None) -> Any:
        """The transpose."""
        raise NotImplementedError

    def block_until_ready(self) -> Any:
        """The array itself: computation is synchronous."""
        return self

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{type(self).__name__} is sparse: convert it with .todense() before it becomes an ndarray")

    def __repr__(self) -> str:
        name, dtype = type(self).__name__, self.dtype.name
        shape = ", ".join(map(str, self.shape))
        return f"{name}({dtype}[{shape}], nse={self.nse}{self._details()})"

    def _details(self) -> str:
        return ""


def require(api: str, name: str, value: Any, kind: type, called: str = "") -> None:
    """Raises TypeError unless ``value`` is a sparse array of a class, which the user knows as ``called``."""
    if not isinstance(value, kind):
        raise TypeError(
            f"fungrad.experimental.sparse.{api}: {name} must be a {called or kind.__name__} array, got {shown(value)}"
        )


def dims_of(api: str, name: str, dims: Any, ndim: int) -> tuple[int, ...]:
    """Dimensions of an array, counted from the front.

    Raises:
      ValueError: there is no such dimension.
    """
    api = f"fungrad.experimental.sparse.{api}"
    found = integers(api, name, dims)
    for d in found:
        if not -ndim <= d < ndim:
            raise ValueError(f"{api}: {name} must be dimensions of an array that has {ndim}, got {d}")
    return tuple([d % ndim for d in found])


def is_sparse(x: Any) -> bool:
    """Whether ``x`` is a sparse array."""
    return isinstance(x, JAXSparse)


def nfold_vmap(fun: Callable[..., Any], n: int, in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """``fun`` mapped over ``n`` leading dimensions."""
    for _ in range(n):
        fun = vmap(fun, in_axes, out_axes)
    return fun


def broadcasting_vmap(fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """``vmap`` in which arguments with a dimension of size 1 serve all examples."""

    def mapped(*args: Any) -> Any:
        size = max(as_array(a).shape[in_axes] for a in args)
        axes = tuple([None if as_array(a).shape[in_axes] == 1 and size != 1 else in_axes for a in args])
        given = [jnp.squeeze(a, in_axes) if d is None else a for a, d in zip(args, axes, strict=True)]
        return vmap(fun, axes, out_axes)(*given)

    return mapped


def over_batch(fun: Callable[..., Any], n_batch: int, *args: Any) -> Any:
    """``fun`` mapped over leading batch dimensions, in which size 1 serves all."""
    if not n_batch:
        return fun(*args)
    sizes = np.broadcast_shapes(*[a.shape[:n_batch] for a in args])
    full = [jnp.broadcast_to(a, (*sizes, *a.shape[n_batch:])) for a in args]
    return nfold_vmap(fun, n_batch)(*full)


def in_bounds(indices: Any, shape: Sequence[int]) -> Any:
    """Which index vectors are inside; the others are padding."""
    return jnp.all(indices < jnp.array(shape, dtype=indices.dtype), axis=-1)


def columns(indices: Any) -> tuple:
    """The index vectors as a tuple of one array per dimension."""
    return tuple([indices[..., k] for k in range(indices.shape[-1])])


def taken(mat: Any, indices: Any) -> Any:
    """Elements of a dense array at index vectors, zeros for padding."""
    if not indices.shape[-1]:
        # All index vectors are the same; the first one takes everything.
        only = jnp.zeros((indices.shape[0], *mat.shape), mat.dtype)
        return only.at[:1].set(mat)
    return elements(mat, columns(indices))


def elements(mat: Any, rows: tuple) -> Any:
    """Elements of a dense array at positions along its first dimensions, zeros outside."""
    if 0 in mat.shape[: len(rows)]:
        return jnp.zeros((*rows[0].shape, *mat.shape[len(rows) :]), mat.dtype)
    return mat.at[rows].get(mode="fill", fill_value=0)
