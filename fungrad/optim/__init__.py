"""Stateless optimizers in the protocol of optax: pairs of ``init`` and ``update``.

An optimizer is a ``GradientTransformation``; ``chain`` composes transformations; ``apply_updates`` adds the result to
the parameters.
"""

from fungrad.core.public_names import publish
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
    "chain",
    "identity",
    "scale",
    "scale_by_adam",
    "scale_by_learning_rate",
    "scale_by_schedule",
    "sgd",
    "stateless",
    "trace",
]

publish(globals(), __name__, __all__, early=[name for name in __all__ if name != "apply_updates"])
