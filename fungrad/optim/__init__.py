"""Stateless optimizers in the protocol of optax: pairs of ``init`` and ``update``.

An optimizer is a ``GradientTransformation``; ``chain`` composes transformations; ``apply_updates`` adds the result to
the parameters.
"""

from fungrad.core.public_names import publish
from fungrad.optim import assignment, losses, perturbations, projections
from fungrad.optim.alias import adam, adamw, sgd
from fungrad.optim.apply import apply_updates
from fungrad.optim.base import (
    EmptyState,
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    identity,
    stateless,
)
from fungrad.optim.combine import chain
from fungrad.optim.losses import (
    convex_kl_divergence,
    cosine_distance,
    cosine_similarity,
    ctc_loss,
    ctc_loss_with_forward_probs,
    generalized_kl_divergence,
    hinge_loss,
    huber_loss,
    kl_divergence,
    l2_loss,
    log_cosh,
    ntxent,
    safe_softmax_cross_entropy,
    sigmoid_binary_cross_entropy,
    sigmoid_focal_loss,
    smooth_labels,
    softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels,
    squared_error,
)
from fungrad.optim.transform import (
    ScaleByAdamState,
    ScaleByScheduleState,
    TraceState,
    add_decayed_weights,
    scale,
    scale_by_adam,
    scale_by_learning_rate,
    scale_by_schedule,
    trace,
)

__all__ = [
    "EmptyState",
    "GradientTransformation",
    "GradientTransformationExtraArgs",
    "OptState",
    "Params",
    "ScaleByAdamState",
    "ScaleByScheduleState",
    "TraceState",
    "Updates",
    "adam",
    "adamw",
    "add_decayed_weights",
    "apply_updates",
    "assignment",
    "chain",
    "convex_kl_divergence",
    "cosine_distance",
    "cosine_similarity",
    "ctc_loss",
    "ctc_loss_with_forward_probs",
    "generalized_kl_divergence",
    "hinge_loss",
    "huber_loss",
    "identity",
    "kl_divergence",
    "l2_loss",
    "log_cosh",
    "losses",
    "ntxent",
    "perturbations",
    "projections",
    "safe_softmax_cross_entropy",
    "scale",
    "scale_by_adam",
    "scale_by_learning_rate",
    "scale_by_schedule",
    "sgd",
    "sigmoid_binary_cross_entropy",
    "sigmoid_focal_loss",
    "smooth_labels",
    "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "squared_error",
    "stateless",
    "trace",
]

# Losses are guarded where they are defined.
publish(
    globals(),
    __name__,
    __all__,
    exempt=tuple(losses.__all__),
    early=[name for name in __all__ if name != "apply_updates" and name not in losses.__all__],
)
