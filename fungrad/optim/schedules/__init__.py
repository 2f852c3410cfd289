"""Schedules: functions of the number of updates so far; and hyperparameters in the state."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.optim.base import (
    Schedule as Schedule,
    StatefulSchedule as StatefulSchedule,
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

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__, early=__all__)
