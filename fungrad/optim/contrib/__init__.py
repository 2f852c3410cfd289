"""Optimizers of recent papers, and transformations for special purposes."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.optim.contrib.averaging import (
    MadgradState as MadgradState,
    ScaleByAdemamixState as ScaleByAdemamixState,
    ScaleBySimplifiedAdEMAMixState as ScaleBySimplifiedAdEMAMixState,
    ScheduleFreeState as ScheduleFreeState,
    acprop as acprop,
    ademamix as ademamix,
    adopt as adopt,
    madgrad as madgrad,
    scale_by_acprop as scale_by_acprop,
    scale_by_ademamix as scale_by_ademamix,
    scale_by_adopt as scale_by_adopt,
    scale_by_madgrad as scale_by_madgrad,
    scale_by_simplified_ademamix as scale_by_simplified_ademamix,
    schedule_free as schedule_free,
    schedule_free_adamw as schedule_free_adamw,
    schedule_free_eval_params as schedule_free_eval_params,
    schedule_free_sgd as schedule_free_sgd,
    simplified_ademamix as simplified_ademamix,
)
from fungrad.optim.contrib.curvature import (
    HutchinsonState as HutchinsonState,
    SophiaState as SophiaState,
    hutchinson_estimator_diag_hessian as hutchinson_estimator_diag_hessian,
    sophia as sophia,
)
from fungrad.optim.contrib.kronecker import (
    ScaleByShampooState as ScaleByShampooState,
    ScaleBySoapState as ScaleBySoapState,
    scale_by_shampoo as scale_by_shampoo,
    scale_by_soap as scale_by_soap,
    shampoo as shampoo,
    soap as soap,
)
from fungrad.optim.contrib.low_rank import (
    GaLoreDimensionNumbers as GaLoreDimensionNumbers,
    GaLoreState as GaLoreState,
    galore as galore,
    scale_by_galore as scale_by_galore,
)
from fungrad.optim.contrib.orthogonal import (
    MuonDimensionNumbers as MuonDimensionNumbers,
    MuonState as MuonState,
    muon as muon,
    scale_by_muon as scale_by_muon,
)
from fungrad.optim.contrib.parameter_free import (
    COCOBState as COCOBState,
    DAdaptAdamWState as DAdaptAdamWState,
    DoGState as DoGState,
    DoWGState as DoWGState,
    MechanicState as MechanicState,
    MomoAdamState as MomoAdamState,
    MomoState as MomoState,
    ProdigyState as ProdigyState,
    cocob as cocob,
    dadapt_adamw as dadapt_adamw,
    dog as dog,
    dowg as dowg,
    mechanize as mechanize,
    momo as momo,
    momo_adam as momo_adam,
    prodigy as prodigy,
    scale_by_cocob as scale_by_cocob,
)
from fungrad.optim.contrib.wrapping import (
    DifferentiallyPrivateAggregateState as DifferentiallyPrivateAggregateState,
    NormalizeState as NormalizeState,
    ReduceLROnPlateauState as ReduceLROnPlateauState,
    SAMState as SAMState,
    SplitRealAndImaginaryState as SplitRealAndImaginaryState,
    differentially_private_aggregate as differentially_private_aggregate,
    dpsgd as dpsgd,
    normalize as normalize,
    reduce_on_plateau as reduce_on_plateau,
    sam as sam,
    split_real_and_imaginary as split_real_and_imaginary,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__, early=[name for name in __all__ if name != "schedule_free_eval_params"])
