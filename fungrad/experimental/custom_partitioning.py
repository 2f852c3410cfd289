"""Functions that say how they are divided among devices.

All devices here share one memory and run one program, so a function gives the same numbers however it is divided: its
rules are kept and never called.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core.public_names import publish

BATCHING = "…"
"""What stands for leading dimensions in a rule."""

_API = "fungrad.experimental.custom_partitioning"


class CompoundFactor(tuple):
    """A dimension that is the product of several factors.

    Args:
      *factors: their names, at least two.

    Example:
      >>> from fungrad.experimental.custom_partitioning import CompoundFactor
      >>> CompoundFactor("heads", "features")
      ('heads', 'features')
    """

    def __new__(cls, *factors: str) -> CompoundFactor:
        if len(factors) < 2 or not all(isinstance(f, str) and not f.startswith(BATCHING) for f in factors):
            raise ValueError(f"{_API}.CompoundFactor: expected the names of at least two factors, got {factors}")
        return super().__new__(cls, factors)


class ArrayMapping(tuple):
    """The factors of the dimensions of one array.

    Args:
      *dim_mappings: for each dimension the name of a factor, or a `CompoundFactor`.

    Example:
      >>> from fungrad.experimental.custom_partitioning import ArrayMapping
      >>> ArrayMapping("rows", "columns")
      ('rows', 'columns')
    """

    def __new__(cls, *dim_mappings: str | CompoundFactor) -> ArrayMapping:
        for i, d in enumerate(dim_mappings):
            if not isinstance(d, (str, CompoundFactor)):
                raise ValueError(
                    f"{_API}.ArrayMapping: dim_mappings[{i}] must be a string or a CompoundFactor, got {d!r}"
                )
            if i and isinstance(d, str) and d.startswith(BATCHING):
                raise ValueError(f"{_API}.ArrayMapping: {BATCHING!r} may stand in front only, got it at {i}")
        return super().__new__(cls, dim_mappings)


class SdyShardingRule:
    """How the dimensions of operands and results belong together.

    Args:
      operand_mappings: an `ArrayMapping` for each operand.
      result_mappings: one for each result.
      reduction_factors: factors over which the results are sums.
      need_replication_factors: factors that are not to be divided.
      permutation_factors: factors along which elements change places.
      **factor_sizes: sizes of factors that stand in compound ones only.

    Example:
      >>> from fungrad.experimental.custom_partitioning import ArrayMapping, SdyShardingRule
      >>> rule = SdyShardingRule((ArrayMapping("i", "j"),), (ArrayMapping("i"),), reduction_factors=("j",))
      >>> rule.result_mappings
      (('i',),)
    """

    def __init__(
        self,
        operand_mappings: tuple[ArrayMapping, ...],
        result_mappings: tuple[ArrayMapping, ...],
        reduction_factors: tuple[str, ...] = (),
        need_replication_factors: tuple[str, ...] = (),
        permutation_factors: tuple[str, ...] = (),
        **factor_sizes: int,
    ):
        self.operand_mappings = operand_mappings
        self.result_mappings = result_mappings
        self.reduction_factors = reduction_factors
        self.need_replication_factors = need_replication_factors
        self.permutation_factors = permutation_factors
        self.factor_sizes = factor_sizes


class custom_partitioning:  # noqa: N801 - JAX's name
    """A function with rules for dividing it among devices, which have no effect: it runs as it is.

    Args:
      fun: the function, of positional arguments; keyword arguments are given their positions. Works as a decorator.
      static_argnums: positions of arguments that are no arrays.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental.custom_partitioning import custom_partitioning
      >>> @custom_partitioning
      ... def double(x):
      ...   return 2 * x
      >>> _ = double.def_partition(partition=lambda mesh, args, result: None, sharding_rule="... -> ...")
      >>> double(jnp.array([1., 2.]))
      Array([2., 4.], dtype=float32)
    """

    def __init__(self, fun: Callable[..., Any], static_argnums: Sequence[int] = ()):
        self.fun = fun
        self.static_argnums = static_argnums
        self.partition: Callable[..., Any] | None = None
        self._signature = inspect.signature(fun)
        functools.update_wrapper(self, fun)

    def def_partition(
        self,
        partition: Callable[..., Any],
        infer_sharding_from_operands: Callable[..., Any] | None = None,
        propagate_user_sharding: Callable[..., Any] | None = None,
        decode_shardings: bool = True,
        sharding_rule: Any = None,
        *,
        reduction_factors: tuple[str, ...] | None = None,
        need_replication_factors: tuple[str, ...] | None = None,
        permutation_factors: tuple[str, ...] | None = None,
        **factor_sizes: int,
    ) -> Callable[..., Any]:
        """Says how the function is divided.

        Args:
          partition: gives the mesh, the function of what one device sees, and the shardings.
          infer_sharding_from_operands: gives the sharding of results.
          propagate_user_sharding: gives a sharding by that of what uses the results.
          decode_shardings: has no effect: shardings are never encoded.
          sharding_rule: a text, an `SdyShardingRule`, or a function that gives one of them.
          reduction_factors: factors of the text over which the results are sums.
          need_replication_factors: those that are not to be divided.
          permutation_factors: those along which elements change places.
          **factor_sizes: sizes of factors that stand in compound ones only.

        Returns:
          ``partition``, so that it may be defined by a decorator.
        """
        named = (reduction_factors, need_replication_factors, permutation_factors)
        if not isinstance(sharding_rule, str) and (factor_sizes or any(x is not None for x in named)):
            raise ValueError(
                f"{_API}: factors are named beside a sharding_rule that is a text, got {sharding_rule!r} with "
                f"{factor_sizes or 'factors'}; say them in the SdyShardingRule"
            )
        self.partition = partition
        return partition

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(
                f"{_API}: keyword arguments could not be resolved to positions: {sorted(bound.kwargs)} of "
                f"{getattr(self.fun, '__name__', self.fun)}"
            )
        return self.fun(*bound.args)


__all__ = ["BATCHING", "ArrayMapping", "CompoundFactor", "SdyShardingRule", "custom_partitioning"]

publish(globals(), __name__, __all__)
