"""Transformations of updates that are no optimizers of their own: clipping, masking, accumulating, combining ..."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.optim.transforms.accumulation import (
    EmaState as EmaState,
    MultiSteps as MultiSteps,
    MultiStepsState as MultiStepsState,
    ShouldSkipUpdateFunction as ShouldSkipUpdateFunction,
    TraceState as TraceState,
    ema as ema,
    skip_large_updates as skip_large_updates,
    skip_not_finite as skip_not_finite,
    trace as trace,
)
from fungrad.optim.transforms.adding import (
    AddNoiseState as AddNoiseState,
    add_decayed_weights as add_decayed_weights,
    add_noise as add_noise,
)
from fungrad.optim.transforms.clipping import (
    adaptive_grad_clip as adaptive_grad_clip,
    clip as clip,
    clip_by_block_rms as clip_by_block_rms,
    clip_by_global_norm as clip_by_global_norm,
    per_example_global_norm_clip as per_example_global_norm_clip,
    per_example_layer_norm_clip as per_example_layer_norm_clip,
    unitwise_clip as unitwise_clip,
    unitwise_norm as unitwise_norm,
)
from fungrad.optim.transforms.combining import (
    PartitionState as PartitionState,
    chain as chain,
    named_chain as named_chain,
    partition as partition,
    selective_transform as selective_transform,
)
from fungrad.optim.transforms.conditionality import (
    ApplyIfFiniteState as ApplyIfFiniteState,
    ConditionallyMaskState as ConditionallyMaskState,
    ConditionallyTransformState as ConditionallyTransformState,
    ConditionFn as ConditionFn,
    apply_if_finite as apply_if_finite,
    conditionally_mask as conditionally_mask,
    conditionally_transform as conditionally_transform,
)
from fungrad.optim.transforms.constraining import (
    NonNegativeParamsState as NonNegativeParamsState,
    ZeroNansState as ZeroNansState,
    keep_params_nonnegative as keep_params_nonnegative,
    zero_nans as zero_nans,
)
from fungrad.optim.transforms.layouts import (
    flatten as flatten,
)
from fungrad.optim.transforms.masking import (
    MaskedNode as MaskedNode,
    MaskedState as MaskedState,
    freeze as freeze,
    masked as masked,
)
from fungrad.optim.transforms.monitoring import (
    MonitorState as MonitorState,
    SnapshotState as SnapshotState,
    measure_with_ema as measure_with_ema,
    monitor as monitor,
    snapshot as snapshot,
)

__all__ = _public_names(globals())

_NOT_EARLY = (
    "per_example_global_norm_clip", "per_example_layer_norm_clip", "skip_large_updates", "skip_not_finite",
    "unitwise_clip", "unitwise_norm",
)  # fmt: skip

_publish(globals(), __name__, __all__, early=[name for name in __all__ if name not in _NOT_EARLY])
