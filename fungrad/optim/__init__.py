"""Stateless optimizers in the protocol of optax: pairs of ``init`` and ``update``.

An optimizer is a ``GradientTransformation``; ``chain`` composes transformations; ``apply_updates`` adds the result to
the parameters.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.optim import (
    assignment as assignment,
    contrib as contrib,
    losses as losses,
    microbatching as microbatching,
    perturbations as perturbations,
    projections as projections,
    schedules as schedules,
    second_order as second_order,
    transforms as transforms,
    tree as tree,
    tree_utils as tree_utils,
)
from fungrad.optim.alias.adaptive import (
    adabelief as adabelief,
    adam as adam,
    adamax as adamax,
    adamaxw as adamaxw,
    adamw as adamw,
    adan as adan,
    amsgrad as amsgrad,
    lamb as lamb,
    lion as lion,
    nadam as nadam,
    nadamw as nadamw,
    novograd as novograd,
    optimistic_adam as optimistic_adam,
    optimistic_adam_v2 as optimistic_adam_v2,
    radam as radam,
    yogi as yogi,
)
from fungrad.optim.alias.descent import (
    fromage as fromage,
    lars as lars,
    noisy_sgd as noisy_sgd,
    optimistic_gradient_descent as optimistic_gradient_descent,
    polyak_sgd as polyak_sgd,
    rprop as rprop,
    sgd as sgd,
    sign_sgd as sign_sgd,
    signum as signum,
)
from fungrad.optim.alias.squares import (
    adadelta as adadelta,
    adafactor as adafactor,
    adagrad as adagrad,
    rmsprop as rmsprop,
    sm3 as sm3,
)
from fungrad.optim.apply import (
    apply_updates as apply_updates,
    incremental_update as incremental_update,
    periodic_update as periodic_update,
)
from fungrad.optim.base import (
    EmptyState as EmptyState,
    GradientTransformation as GradientTransformation,
    GradientTransformationExtraArgs as GradientTransformationExtraArgs,
    MaskOrFn as MaskOrFn,
    OptState as OptState,
    Params as Params,
    ScalarOrSchedule as ScalarOrSchedule,
    Schedule as Schedule,
    TransformInitFn as TransformInitFn,
    TransformUpdateExtraArgsFn as TransformUpdateExtraArgsFn,
    TransformUpdateFn as TransformUpdateFn,
    Updates as Updates,
    identity as identity,
    init_empty_state as init_empty_state,
    set_to_zero as set_to_zero,
    stateless as stateless,
    stateless_with_tree_map as stateless_with_tree_map,
    with_extra_args_support as with_extra_args_support,
)
from fungrad.optim.distributions import (
    MultiNormalDiagFromLogScale as MultiNormalDiagFromLogScale,
    multi_normal as multi_normal,
)
from fungrad.optim.lbfgs import (
    ScaleByLBFGSState as ScaleByLBFGSState,
    lbfgs as lbfgs,
    scale_by_lbfgs as scale_by_lbfgs,
)
from fungrad.optim.linear_algebra import (
    matrix_inverse_pth_root as matrix_inverse_pth_root,
    nnls as nnls,
    power_iteration as power_iteration,
)
from fungrad.optim.linesearch import (
    ScaleByBacktrackingLinesearchState as ScaleByBacktrackingLinesearchState,
    ScaleByZoomLinesearchState as ScaleByZoomLinesearchState,
    ZoomLinesearchInfo as ZoomLinesearchInfo,
    scale_by_backtracking_linesearch as scale_by_backtracking_linesearch,
    scale_by_zoom_linesearch as scale_by_zoom_linesearch,
    value_and_grad_from_state as value_and_grad_from_state,
)
from fungrad.optim.losses import (
    convex_kl_divergence as convex_kl_divergence,
    cosine_distance as cosine_distance,
    cosine_similarity as cosine_similarity,
    ctc_loss as ctc_loss,
    ctc_loss_with_forward_probs as ctc_loss_with_forward_probs,
    generalized_kl_divergence as generalized_kl_divergence,
    hinge_loss as hinge_loss,
    huber_loss as huber_loss,
    kl_divergence as kl_divergence,
    l2_loss as l2_loss,
    log_cosh as log_cosh,
    ntxent as ntxent,
    safe_softmax_cross_entropy as safe_softmax_cross_entropy,
    sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy,
    sigmoid_focal_loss as sigmoid_focal_loss,
    smooth_labels as smooth_labels,
    softmax_cross_entropy as softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels as softmax_cross_entropy_with_integer_labels,
    squared_error as squared_error,
)
from fungrad.optim.microbatching import (
    microbatch as microbatch,
)
from fungrad.optim.numerics import (
    safe_increment as safe_increment,
    safe_int32_increment as safe_int32_increment,
    safe_norm as safe_norm,
    safe_root_mean_squares as safe_root_mean_squares,
    scale_gradient as scale_gradient,
)
from fungrad.optim.scaling.moments import (
    ScaleByAdamState as ScaleByAdamState,
    ScaleByAdanState as ScaleByAdanState,
    ScaleByAmsgradState as ScaleByAmsgradState,
    ScaleByBeliefState as ScaleByBeliefState,
    ScaleByLionState as ScaleByLionState,
    ScaleByNovogradState as ScaleByNovogradState,
    scale_by_adam as scale_by_adam,
    scale_by_adamax as scale_by_adamax,
    scale_by_adan as scale_by_adan,
    scale_by_amsgrad as scale_by_amsgrad,
    scale_by_belief as scale_by_belief,
    scale_by_lion as scale_by_lion,
    scale_by_novograd as scale_by_novograd,
    scale_by_radam as scale_by_radam,
    scale_by_yogi as scale_by_yogi,
)
from fungrad.optim.scaling.squares import (
    FactoredState as FactoredState,
    ScaleByAdaDeltaState as ScaleByAdaDeltaState,
    ScaleByRmsState as ScaleByRmsState,
    ScaleByRssState as ScaleByRssState,
    ScaleByRStdDevState as ScaleByRStdDevState,
    ScaleBySM3State as ScaleBySM3State,
    scale_by_adadelta as scale_by_adadelta,
    scale_by_factored_rms as scale_by_factored_rms,
    scale_by_rms as scale_by_rms,
    scale_by_rss as scale_by_rss,
    scale_by_sm3 as scale_by_sm3,
    scale_by_stddev as scale_by_stddev,
)
from fungrad.optim.scaling.steps import (
    ApplyEvery as ApplyEvery,
    ScaleByRpropState as ScaleByRpropState,
    ScaleByScheduleState as ScaleByScheduleState,
    ScaleByTrustRatioState as ScaleByTrustRatioState,
    ScaleState as ScaleState,
    apply_every as apply_every,
    centralize as centralize,
    normalize_by_update_norm as normalize_by_update_norm,
    scale as scale,
    scale_by_distance_over_gradients as scale_by_distance_over_gradients,
    scale_by_learning_rate as scale_by_learning_rate,
    scale_by_optimistic_gradient as scale_by_optimistic_gradient,
    scale_by_param_block_norm as scale_by_param_block_norm,
    scale_by_param_block_rms as scale_by_param_block_rms,
    scale_by_polyak as scale_by_polyak,
    scale_by_rprop as scale_by_rprop,
    scale_by_schedule as scale_by_schedule,
    scale_by_sign as scale_by_sign,
    scale_by_trust_ratio as scale_by_trust_ratio,
)
from fungrad.optim.schedules.basic import (
    constant_schedule as constant_schedule,
    cosine_decay_schedule as cosine_decay_schedule,
    cosine_onecycle_schedule as cosine_onecycle_schedule,
    exponential_decay as exponential_decay,
    inverse_square_root_schedule as inverse_square_root_schedule,
    linear_onecycle_schedule as linear_onecycle_schedule,
    linear_schedule as linear_schedule,
    piecewise_constant_schedule as piecewise_constant_schedule,
    piecewise_interpolate_schedule as piecewise_interpolate_schedule,
    polynomial_schedule as polynomial_schedule,
    step_decay_schedule as step_decay_schedule,
    warmup_constant_schedule as warmup_constant_schedule,
)
from fungrad.optim.schedules.inject import (
    InjectHyperparamsState as InjectHyperparamsState,
    InjectStatefulHyperparamsState as InjectStatefulHyperparamsState,
    WrappedSchedule as WrappedSchedule,
    inject_hyperparams as inject_hyperparams,
    inject_stateful_hyperparams as inject_stateful_hyperparams,
)
from fungrad.optim.schedules.joined import (
    join_schedules as join_schedules,
    sgdr_schedule as sgdr_schedule,
    warmup_cosine_decay_schedule as warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule as warmup_exponential_decay_schedule,
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
    AddDecayedWeightsState as AddDecayedWeightsState,
    AddNoiseState as AddNoiseState,
    add_decayed_weights as add_decayed_weights,
    add_noise as add_noise,
)
from fungrad.optim.transforms.clipping import (
    AdaptiveGradClipState as AdaptiveGradClipState,
    ClipByGlobalNormState as ClipByGlobalNormState,
    ClipState as ClipState,
    adaptive_grad_clip as adaptive_grad_clip,
    clip as clip,
    clip_by_block_rms as clip_by_block_rms,
    clip_by_global_norm as clip_by_global_norm,
    per_example_global_norm_clip as per_example_global_norm_clip,
    per_example_layer_norm_clip as per_example_layer_norm_clip,
)
from fungrad.optim.transforms.combining import (
    PartitionState as MultiTransformState,
    PartitionState as PartitionState,
    chain as chain,
    named_chain as named_chain,
    partition as multi_transform,
    partition as partition,
    selective_transform as selective_transform,
)
from fungrad.optim.transforms.conditionality import (
    ApplyIfFiniteState as ApplyIfFiniteState,
    ConditionallyMaskState as ConditionallyMaskState,
    ConditionallyTransformState as ConditionallyTransformState,
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
from fungrad.optim.transforms.lookahead import (
    LookaheadParams as LookaheadParams,
    LookaheadState as LookaheadState,
    lookahead as lookahead,
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
from fungrad.optim.tree.arithmetic import (
    bias_correction as bias_correction,
    global_norm as global_norm,
    update_infinity_moment as update_infinity_moment,
    update_moment as update_moment,
    update_moment_per_elem_norm as update_moment_per_elem_norm,
)
from fungrad.optim.tree.states import (
    map_params as tree_map_params,
)

__all__ = _public_names(globals())

# Functions that compute at once; the others return transformations or schedules.
_AT_ONCE = """
    apply_updates bias_correction global_norm incremental_update init_empty_state inject_stateful_hyperparams
    matrix_inverse_pth_root multi_normal nnls per_example_global_norm_clip per_example_layer_norm_clip
    periodic_update power_iteration safe_increment safe_int32_increment safe_norm safe_root_mean_squares
    scale_gradient skip_large_updates skip_not_finite tree_map_params update_infinity_moment update_moment
    update_moment_per_elem_norm value_and_grad_from_state
""".split()

# Losses are guarded where they are defined.
_publish(
    globals(),
    __name__,
    __all__,
    exempt=tuple(losses.__all__),
    early=[name for name in __all__ if name not in _AT_ONCE and name not in losses.__all__],
)
