"""Transformations of updates that are no optimizers of their own: clipping, masking, accumulating, combining ..."""

from fungrad.core.public_names import publish
from fungrad.optim.transforms.accumulation import (
    EmaState,
    MultiSteps,
    MultiStepsState,
    ShouldSkipUpdateFunction,
    TraceState,
    ema,
    skip_large_updates,
    skip_not_finite,
    trace,
)
from fungrad.optim.transforms.adding import AddNoiseState, add_decayed_weights, add_noise
from fungrad.optim.transforms.clipping import (
    adaptive_grad_clip,
    clip,
    clip_by_block_rms,
    clip_by_global_norm,
    per_example_global_norm_clip,
    per_example_layer_norm_clip,
    unitwise_clip,
    unitwise_norm,
)
from fungrad.optim.transforms.combining import PartitionState, chain, named_chain, partition, selective_transform
from fungrad.optim.transforms.conditionality import (
    ApplyIfFiniteState,
    ConditionallyMaskState,
    ConditionallyTransformState,
    ConditionFn,
    apply_if_finite,
    conditionally_mask,
    conditionally_transform,
)
from fungrad.optim.transforms.constraining import (
    NonNegativeParamsState,
    ZeroNansState,
    keep_params_nonnegative,
    zero_nans,
)
from fungrad.optim.transforms.layouts import flatten
from fungrad.optim.transforms.masking import MaskedNode, MaskedState, freeze, masked
from fungrad.optim.transforms.monitoring import MonitorState, SnapshotState, measure_with_ema, monitor, snapshot

__all__ = [
    "AddNoiseState",
    "ApplyIfFiniteState",
    "ConditionFn",
    "ConditionallyMaskState",
    "ConditionallyTransformState",
    "EmaState",
    "MaskedNode",
    "MaskedState",
    "MonitorState",
    "MultiSteps",
    "MultiStepsState",
    "NonNegativeParamsState",
    "PartitionState",
    "ShouldSkipUpdateFunction",
    "SnapshotState",
    "TraceState",
    "ZeroNansState",
    "adaptive_grad_clip",
    "add_decayed_weights",
    "add_noise",
    "apply_if_finite",
    "chain",
    "clip",
    "clip_by_block_rms",
    "clip_by_global_norm",
    "conditionally_mask",
    "conditionally_transform",
    "ema",
    "flatten",
    "freeze",
    "keep_params_nonnegative",
    "masked",
    "measure_with_ema",
    "monitor",
    "named_chain",
    "partition",
    "per_example_global_norm_clip",
    "per_example_layer_norm_clip",
    "selective_transform",
    "skip_large_updates",
    "skip_not_finite",
    "snapshot",
    "trace",
    "unitwise_clip",
    "unitwise_norm",
    "zero_nans",
]

_NOT_EARLY = (
    "per_example_global_norm_clip", "per_example_layer_norm_clip", "skip_large_updates", "skip_not_finite",
    "unitwise_clip", "unitwise_norm",
)  # fmt: skip

publish(globals(), __name__, __all__, early=[name for name in __all__ if name not in _NOT_EARLY])
