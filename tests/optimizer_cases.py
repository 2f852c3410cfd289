"""Optimizers and transformations, one a row: how to make each in fungrad.optim, and in optax, which is its oracle.

A row puts it through every harness of ``test_optimizers.py``.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Case:
    """An optimizer.

    Attributes:
      make: from fungrad.optim or optax to a transformation.
      extra: from a step to keywords of ``update``.
      tolerance: relative, of single precision numbers.
      half: whether bfloat16 parameters are compared.
      complex: whether complex parameters are compared.
      scalars: whether 0-d parameters are.
      differentiable: whether the derivative of the first update by the gradient is finite.
      in_optax: whether optax has it.
      retraces: whether the state before the first update has another structure than later ones.
    """

    make: Callable[[Any], Any]
    extra: Callable[[int], dict] = lambda step: {}
    tolerance: float = 1e-5
    half: bool = True
    complex: bool = True
    scalars: bool = True
    retraces: bool = False
    differentiable: bool = True
    in_optax: bool = True


def _value(step):
    return {"value": np.float32(3.0 / (1 + step))}


def _rate(count):
    return 0.1 / (1 + count)


CASES = {
    # aliases
    "sgd": Case(lambda o: o.sgd(0.1)),
    "sgd, momentum": Case(lambda o: o.sgd(0.1, momentum=0.9)),
    "sgd, nesterov": Case(lambda o: o.sgd(0.1, momentum=0.9, nesterov=True)),
    "sgd, schedule": Case(lambda o: o.sgd(_rate)),
    "sgd, half accumulator": Case(
        lambda o: o.sgd(0.1, 0.9, accumulator_dtype="bfloat16"), tolerance=2e-2, complex=False
    ),
    "adam": Case(lambda o: o.adam(1e-2)),
    "adam, numbers": Case(lambda o: o.adam(1e-2, b1=0.8, b2=0.99, eps=1e-6, eps_root=1e-8)),
    "adam, half mu": Case(lambda o: o.adam(1e-2, mu_dtype="bfloat16"), tolerance=2e-2, complex=False),
    "adam, nesterov": Case(lambda o: o.adam(1e-2, nesterov=True)),
    "nadam": Case(lambda o: o.nadam(1e-2)),
    "adamw": Case(lambda o: o.adamw(1e-2, weight_decay=0.1)),
    "adamw, mask": Case(lambda o: o.adamw(1e-2, weight_decay=0.1, mask={"w": True, "b": False})),
    "adamw, decay schedule": Case(lambda o: o.adamw(1e-2, weight_decay=_rate)),
    "nadamw": Case(lambda o: o.nadamw(1e-2)),
    "adamax": Case(lambda o: o.adamax(1e-2), complex=False),
    "adamaxw": Case(lambda o: o.adamaxw(1e-2), complex=False),
    "amsgrad": Case(lambda o: o.amsgrad(1e-2), complex=False),
    "amsgrad, uncorrected": Case(
        lambda o: o.amsgrad(1e-2, bias_correction_mu=False, bias_correction_nu=False), complex=False
    ),
    "adabelief": Case(lambda o: o.adabelief(1e-2), tolerance=1e-3),
    "adabelief, nesterov": Case(lambda o: o.adabelief(1e-2, nesterov=True), tolerance=1e-3),
    "adan": Case(lambda o: o.adan(1e-2), tolerance=1e-4),
    "yogi": Case(lambda o: o.yogi(1e-2), tolerance=1e-4, complex=False),
    "radam": Case(lambda o: o.radam(1e-2), tolerance=2e-3),
    "radam, nesterov": Case(lambda o: o.radam(1e-2, b2=0.9, nesterov=True), tolerance=2e-3),
    "novograd": Case(lambda o: o.novograd(1e-2, weight_decay=0.1), complex=False),
    "lamb": Case(lambda o: o.lamb(1e-2, weight_decay=0.1)),
    "lion": Case(lambda o: o.lion(1e-2)),
    "optimistic_adam": Case(lambda o: o.optimistic_adam(1e-2), tolerance=1e-4),
    "optimistic_adam_v2": Case(lambda o: o.optimistic_adam_v2(1e-2), tolerance=1e-4),
    "adagrad": Case(lambda o: o.adagrad(1e-1)),
    "adadelta": Case(lambda o: o.adadelta(0.5, weight_decay=0.1)),
    "adadelta, plain": Case(lambda o: o.adadelta()),
    "adafactor": Case(lambda o: o.adafactor(1e-2, min_dim_size_to_factor=3), complex=False),
    "adafactor, all": Case(
        lambda o: o.adafactor(1e-2, min_dim_size_to_factor=2, momentum=0.9, weight_decay_rate=0.1, decay_offset=0),
        complex=False,
    ),
    "adafactor, plain": Case(lambda o: o.adafactor(factored=False, clipping_threshold=None), complex=False),
    "rmsprop": Case(lambda o: o.rmsprop(1e-2)),
    "rmsprop, outside": Case(lambda o: o.rmsprop(1e-2, eps_in_sqrt=False, initial_scale=0.5, bias_correction=True)),
    "rmsprop, centered": Case(
        lambda o: o.rmsprop(1e-2, centered=True, momentum=0.9, nesterov=True, initial_scale=1.0), tolerance=1e-4
    ),
    "rmsprop, centered and corrected": Case(
        lambda o: o.rmsprop(1e-2, eps=1e-3, centered=True, bias_correction=True), tolerance=2e-3, half=False
    ),
    "sm3": Case(lambda o: o.sm3(1e-2), complex=False, scalars=False),
    "sign_sgd": Case(lambda o: o.sign_sgd(1e-2)),
    "signum": Case(lambda o: o.signum(1e-2)),
    "optimistic_gradient_descent": Case(lambda o: o.optimistic_gradient_descent(1e-2)),
    "polyak_sgd": Case(lambda o: o.polyak_sgd(), extra=_value),
    "polyak_sgd, plus": Case(lambda o: o.polyak_sgd(f_min=1.0, scaling=0.5, eps=0.1, variant="sps+"), extra=_value),
    "fromage": Case(lambda o: o.fromage(1e-1)),
    "fromage, schedule": Case(lambda o: o.fromage(_rate)),
    "lars": Case(lambda o: o.lars(1e-1, weight_decay=0.1)),
    "lars, masks": Case(
        lambda o: o.lars(1e-1, 0.1, {"w": True, "b": False}, trust_ratio_mask={"w": True, "b": (True, False)})
    ),
    "rprop": Case(lambda o: o.rprop(1e-2), complex=False),
    "noisy_sgd": Case(lambda o: o.noisy_sgd(1e-2, key=7), complex=False, half=False),
    # scaling
    "scale_by_lion, smooth": Case(lambda o: o.scale_by_lion(mode="smooth", smooth_beta=2.0)),
    "scale_by_lion, refined": Case(lambda o: o.scale_by_lion(mode="refined")),
    "scale_by_sm3, decay": Case(lambda o: o.scale_by_sm3(b2=0.9), complex=False, scalars=False),
    "scale_by_param_block_norm": Case(lambda o: o.scale_by_param_block_norm()),
    "scale_by_param_block_rms": Case(lambda o: o.scale_by_param_block_rms()),
    "scale_by_distance_over_gradients": Case(
        lambda o: o.scale_by_distance_over_gradients(), complex=False, half=False, scalars=False
    ),
    "scale_by_learning_rate, unflipped": Case(lambda o: o.scale_by_learning_rate(0.1, flip_sign=False)),
    "scale_by_learning_rate, none": Case(lambda o: o.scale_by_learning_rate()),
    "normalize_by_update_norm": Case(lambda o: o.normalize_by_update_norm(2.0)),
    "centralize": Case(lambda o: o.centralize()),
    "apply_every": Case(lambda o: o.apply_every(2)),
    # transformations
    "identity": Case(lambda o: o.identity()),
    "set_to_zero": Case(lambda o: o.set_to_zero()),
    "stateless": Case(lambda o: o.stateless_with_tree_map(lambda g, p: g + 0.1 * p)),
    "trace": Case(lambda o: o.trace(0.9, nesterov=True)),
    "ema": Case(lambda o: o.ema(0.9)),
    "ema, half": Case(lambda o: o.ema(0.9, debias=False, accumulator_dtype="bfloat16"), tolerance=2e-2, complex=False),
    "add_decayed_weights, mask": Case(lambda o: o.add_decayed_weights(0.1, {"w": True, "b": (False, True)})),
    "add_noise": Case(lambda o: o.add_noise(0.1, 0.5, 3), complex=False, half=False),
    "clip": Case(lambda o: o.clip(0.5), complex=False),
    "clip_by_block_rms": Case(lambda o: o.clip_by_block_rms(0.5)),
    "clip_by_global_norm": Case(lambda o: o.clip_by_global_norm(0.5)),
    "clip_by_global_norm, large": Case(lambda o: o.clip_by_global_norm(100.0)),
    "adaptive_grad_clip": Case(lambda o: o.adaptive_grad_clip(0.1)),
    "named_chain": Case(lambda o: o.named_chain(("clip", o.clip_by_global_norm(1.0)), ("adam", o.adam(1e-2)))),
    "partition": Case(
        lambda o: o.partition(
            {"x": o.adam(1e-2), "y": o.sgd(0.1, 0.9), "z": o.set_to_zero()}, {"w": "x", "b": ("y", "z")}
        )
    ),
    "multi_transform, function": Case(
        lambda o: o.multi_transform({"x": o.adam(1e-2), "y": o.sgd(0.1)}, lambda p: {"w": "x", "b": "y"})
    ),
    "masked": Case(lambda o: o.masked(o.adam(1e-2), {"w": True, "b": (False, True)})),
    "masked, prefix": Case(lambda o: o.masked(o.sgd(1e-2, 0.9), {"w": False, "b": True})),
    "masked, nested": Case(
        lambda o: o.masked(o.masked(o.sgd(1e-2, 0.9), {"w": True, "b": (True, False)}), {"w": False, "b": True})
    ),
    "freeze": Case(lambda o: o.freeze({"w": True, "b": False})),
    "selective_transform": Case(lambda o: o.selective_transform(o.adam(1e-2), freeze_mask={"w": True, "b": False})),
    "apply_if_finite": Case(lambda o: o.apply_if_finite(o.adam(1e-2), 2)),
    "conditionally_transform": Case(lambda o: o.conditionally_transform(o.sgd(0.1, 0.9), lambda step: step % 2 == 1)),
    "conditionally_mask": Case(lambda o: o.conditionally_mask(o.adam(0.1), lambda step: step % 2 == 1)),
    "conditionally_mask, extra": Case(
        lambda o: o.conditionally_mask(o.adam(0.1), lambda step, value: value < 1.2, forward_extra_args=True),
        extra=_value,
    ),
    "MultiSteps": Case(lambda o: o.MultiSteps(o.adam(1e-2), 2).gradient_transformation(), complex=False),
    "MultiSteps, sums": Case(
        lambda o: o.MultiSteps(o.adam(1e-2), 3, use_grad_mean=False).gradient_transformation(), complex=False
    ),
    "MultiSteps, schedule and skips": Case(
        lambda o: o.MultiSteps(
            o.sgd(0.1, 0.9),
            lambda step: 1 + step % 2,
            should_skip_update_fn=functools.partial(o.skip_large_updates, max_squared_norm=22.0),
        ).gradient_transformation(),
        complex=False, half=False,
    ),
    "MultiSteps, finite": Case(
        lambda o: o.MultiSteps(o.adamw(0.1), 2, should_skip_update_fn=o.skip_not_finite).gradient_transformation(),
        complex=False,
    ),
    "keep_params_nonnegative": Case(lambda o: o.chain(o.sgd(1.0), o.keep_params_nonnegative()), complex=False),
    "zero_nans": Case(lambda o: o.zero_nans()),
    "flatten": Case(lambda o: o.flatten(o.adam(1e-2))),
    "snapshot": Case(lambda o: o.chain(o.snapshot("size", o.tree.norm), o.sgd(0.1))),
    "monitor": Case(
        lambda o: o.chain(
            o.monitor({"size": o.tree.norm, "mean": o.measure_with_ema(o.tree.norm, 0.9)}), o.sgd(0.1)
        ),
        retraces=True,
    ),
    # contrib
    "contrib.cocob": Case(lambda o: o.contrib.cocob(weight_decay=0.1), complex=False),
    "contrib.dog": Case(lambda o: o.contrib.dog(), complex=False, half=False, tolerance=1e-4),
    "contrib.dog, distance": Case(lambda o: o.contrib.dog(0.5, ("distance", 1e-2), weight_decay=0.1), complex=False),
    "contrib.dog, rate": Case(lambda o: o.contrib.dog(init_step=("learning_rate", 1e-2)), complex=False, half=False),
    "contrib.dowg": Case(lambda o: o.contrib.dowg(), complex=False, half=False),
    "contrib.prodigy": Case(lambda o: o.contrib.prodigy(weight_decay=0.1), complex=False, half=False, tolerance=1e-3),
    "contrib.prodigy, safeguard": Case(
        lambda o: o.contrib.prodigy(_rate, safeguard_warmup=True), complex=False, half=False, tolerance=1e-3
    ),
    "contrib.dadapt_adamw": Case(
        lambda o: o.contrib.dadapt_adamw(weight_decay=0.1), complex=False, half=False, tolerance=1e-3
    ),
    "contrib.mechanize": Case(
        lambda o: o.contrib.mechanize(o.adam(0.1)), complex=False, half=False, tolerance=1e-3, differentiable=False
    ),
    "contrib.momo": Case(lambda o: o.contrib.momo(0.1, weight_decay=0.1), extra=_value, complex=False, half=False),
    "contrib.momo, bound": Case(
        lambda o: o.contrib.momo(_rate, lower_bound=1.0, adapt_lower_bound=True), extra=_value, complex=False,
        half=False
    ),
    "contrib.momo_adam": Case(
        lambda o: o.contrib.momo_adam(0.1, weight_decay=0.1), extra=_value, complex=False, half=False, tolerance=1e-3
    ),
    "contrib.momo_adam, bound": Case(
        lambda o: o.contrib.momo_adam(0.1, lower_bound=0.5, adapt_lower_bound=True),
        extra=_value, complex=False, half=False, tolerance=1e-3,
    ),
    "contrib.schedule_free": Case(
        lambda o: o.contrib.schedule_free(o.adam(0.1, b1=0.0), 0.1), complex=False, half=False, tolerance=1e-4
    ),
    "contrib.schedule_free_sgd": Case(
        lambda o: o.contrib.schedule_free_sgd(0.1, warmup_steps=2, weight_decay=0.1), complex=False, half=False
    ),
    "contrib.schedule_free_adamw": Case(
        lambda o: o.contrib.schedule_free_adamw(0.1, weight_decay=0.1), complex=False, half=False, tolerance=1e-4
    ),
    "contrib.madgrad": Case(
        lambda o: o.contrib.madgrad(0.1, weight_decay=0.1), complex=False, half=False, tolerance=1e-4
    ),
    "contrib.ademamix": Case(lambda o: o.contrib.ademamix(0.1, weight_decay=0.1), tolerance=1e-4),
    "contrib.ademamix, schedules": Case(
        lambda o: o.contrib.ademamix(0.1, b3=lambda c: 0.9 + 0.01 * c, alpha=lambda c: 1.0 * c), complex=False,
        half=False,
        tolerance=1e-4,
    ),
    "contrib.simplified_ademamix": Case(
        lambda o: o.contrib.simplified_ademamix(0.1, alpha=2.0), complex=False, half=False, tolerance=1e-4
    ),
    "contrib.acprop": Case(lambda o: o.contrib.acprop(0.1, weight_decay=0.1), tolerance=1e-3),
    "contrib.adopt": Case(lambda o: o.contrib.adopt(0.1), complex=False, half=False, tolerance=1e-4),
    "contrib.adopt, nesterov": Case(
        lambda o: o.contrib.adopt(0.1, nesterov=True, use_clipping=False), complex=False, half=False, tolerance=1e-4
    ),
    "contrib.sam": Case(
        lambda o: o.contrib.sam(o.adam(0.1), o.chain(o.contrib.normalize(), o.sgd(0.1))), complex=False, half=False,
        tolerance=1e-4,
    ),
    "contrib.sam, kept": Case(
        lambda o: o.contrib.sam(o.sgd(0.1), o.adam(0.1), sync_period=3, reset_state=False), complex=False, half=False,
        tolerance=1e-4,
    ),
    "contrib.sam, opaque": Case(
        lambda o: o.contrib.sam(o.adam(0.1), o.sgd(0.1), 3, opaque_mode=True),
        extra=lambda step: {"grad_fn": lambda p, i: p}, complex=False, half=False, tolerance=1e-4,
    ),
    "contrib.reduce_on_plateau": Case(
        lambda o: o.chain(o.sgd(0.1), o.contrib.reduce_on_plateau(0.5, patience=1, rtol=0.4, cooldown=1)),
        extra=_value, complex=False,
    ),
    "contrib.reduce_on_plateau, means": Case(
        lambda o: o.chain(o.sgd(0.1), o.contrib.reduce_on_plateau(0.5, 1, atol=10.0, accumulation_size=2,
        min_scale=0.4)),
        extra=_value, complex=False,
    ),
    "contrib.split_real_and_imaginary": Case(
        lambda o: o.contrib.split_real_and_imaginary(o.adamw(0.1)), tolerance=1e-4
    ),
    "contrib.sophia": Case(
        lambda o: o.contrib.sophia(0.1, update_interval=2),
        extra=lambda step: {"obj_fn": lambda p: (p["w"] ** 4).sum() + (p["b"][0] ** 2).sum() + p["b"][1] ** 2},
        complex=False, half=False, tolerance=1e-4,
    ),
    "contrib.muon": Case(lambda o: o.contrib.muon(0.1, weight_decay=0.1), complex=False, half=False, tolerance=1e-3),
    "contrib.muon, dion": Case(
        lambda o: o.contrib.muon(0.1, "dion", adaptive=True, nesterov=False, consistent_rms=0.2), complex=False,
        half=False,
        tolerance=1e-3,
    ),
    "contrib.muon, aol": Case(
        lambda o: o.contrib.muon(0.1, preconditioning="aol", adam_learning_rate=0.2), complex=False, half=False,
        tolerance=1e-3,
    ),
    "contrib.muon, schatten": Case(
        lambda o: o.contrib.muon(
            0.1, preconditioning="schatten",
            muon_weight_dimension_numbers={"w": o.contrib.MuonDimensionNumbers(1, 0), "b": None},
        ),
        complex=False, half=False, tolerance=1e-3,
    ),
    "contrib.muon, spectral": Case(
        lambda o: o.contrib.muon(0.1, preconditioning="spectral"), complex=False, half=False, tolerance=2e-3,
        differentiable=False,
    ),
    "contrib.galore": Case(
        lambda o: o.contrib.galore(0.1, rank=3, update_proj_gap=2, weight_decay=0.1), tolerance=2e-3,
        differentiable=False, in_optax=False,
    ),
    # not in optax, or with signs that are free
    # The first matrices have rank one: with less on the diagonal their roots are mostly rounding errors.
    "contrib.shampoo": Case(
        lambda o: o.contrib.shampoo(0.1, eps=1e-4, momentum=0.9), tolerance=2e-3,
        differentiable=False, complex=False, in_optax=False,
    ),
    "contrib.shampoo, interval": Case(
        lambda o: o.contrib.shampoo(0.1, 0.9, 1e-3, 2, max_size=3), tolerance=2e-3,
        differentiable=False, complex=False, in_optax=False,
    ),
    "contrib.soap": Case(
        lambda o: o.contrib.soap(0.1, update_interval=2, weight_decay=0.1), tolerance=5e-3,
        differentiable=False, complex=False, in_optax=False,
    ),
}  # fmt: skip
