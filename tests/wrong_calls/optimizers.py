"""Wrong calls: optimizers and transformations of fungrad.optim."""

TABLE = r"""
optim.adabelief(learning_rate='a') | TypeError | learning_rate
optim.adabelief(b1='a', learning_rate=0.1) | TypeError | b1
optim.adabelief(b2='a', learning_rate=0.1) | TypeError | b2
optim.adabelief(eps='a', learning_rate=0.1) | TypeError | eps
optim.adadelta(learning_rate='a') | TypeError | learning_rate
optim.adadelta(rho='a') | TypeError | rho
optim.adadelta(eps='a') | TypeError | eps
optim.adadelta(weight_decay='a') | TypeError | weight_decay
optim.adafactor(learning_rate='a') | TypeError | learning_rate
optim.adafactor(min_dim_size_to_factor='a') | TypeError | min_dim_size_to_factor
optim.adafactor(decay_rate='a') | TypeError | decay_rate
optim.adafactor(decay_offset='a') | TypeError | decay_offset
optim.adagrad(learning_rate='a') | TypeError | learning_rate
optim.adagrad(initial_accumulator_value='a', learning_rate=0.1) | TypeError | initial_accumulator_value
optim.adagrad(eps='a', learning_rate=0.1) | TypeError | eps
optim.adam(learning_rate='a') | TypeError | learning_rate
optim.adam(b1='a', learning_rate=0.1) | TypeError | b1
optim.adam(b2='a', learning_rate=0.1) | TypeError | b2
optim.adam(eps='a', learning_rate=0.1) | TypeError | eps
optim.adamax(learning_rate='a') | TypeError | learning_rate
optim.adamax(b1='a', learning_rate=0.1) | TypeError | b1
optim.adamax(b2='a', learning_rate=0.1) | TypeError | b2
optim.adamax(eps='a', learning_rate=0.1) | TypeError | eps
optim.adamaxw(learning_rate='a') | TypeError | learning_rate
optim.adamaxw(b1='a', learning_rate=0.1) | TypeError | b1
optim.adamaxw(b2='a', learning_rate=0.1) | TypeError | b2
optim.adamaxw(eps='a', learning_rate=0.1) | TypeError | eps
optim.adamw(learning_rate='a') | TypeError | learning_rate
optim.adamw(b1='a', learning_rate=0.1) | TypeError | b1
optim.adamw(b2='a', learning_rate=0.1) | TypeError | b2
optim.adamw(eps='a', learning_rate=0.1) | TypeError | eps
optim.adan(learning_rate='a') | TypeError | learning_rate
optim.adan(b1='a', learning_rate=0.1) | TypeError | b1
optim.adan(b2='a', learning_rate=0.1) | TypeError | b2
optim.adan(b3='a', learning_rate=0.1) | TypeError | b3
optim.adaptive_grad_clip(clipping='a') | TypeError | clipping
optim.adaptive_grad_clip(eps='a', clipping=0.5) | TypeError | eps
optim.adaptive_grad_clip(axis='a', clipping=0.5) | TypeError | axis
optim.add_decayed_weights(weight_decay='a') | TypeError | weight_decay
optim.add_noise(eta='a', gamma=0.5) | TypeError | eta
optim.add_noise(gamma='a', eta=0.5) | TypeError | gamma
optim.add_noise(seed='a', eta=0.5, gamma=0.5) | TypeError | seed
optim.amsgrad(learning_rate='a') | TypeError | learning_rate
optim.amsgrad(b1='a', learning_rate=0.1) | TypeError | b1
optim.amsgrad(b2='a', learning_rate=0.1) | TypeError | b2
optim.amsgrad(eps='a', learning_rate=0.1) | TypeError | eps
optim.apply_every(k='a') | TypeError | k
optim.apply_if_finite(inner='a', max_consecutive_errors=2) | TypeError | inner
optim.apply_if_finite(max_consecutive_errors='a', inner=optim.sgd(0.1)) | TypeError | max_consecutive_errors
optim.clip(max_delta='a') | TypeError | max_delta
optim.clip_by_block_rms(threshold='a') | TypeError | threshold
optim.clip_by_global_norm(max_norm='a') | TypeError | max_norm
optim.ema(decay='a') | TypeError | decay
optim.ema(debias='a', decay=0.5) | TypeError | debias
optim.flatten(inner='a') | TypeError | inner
optim.fromage(learning_rate='a') | TypeError | learning_rate
optim.fromage(min_norm='a', learning_rate=0.1) | TypeError | min_norm
optim.lamb(learning_rate='a') | TypeError | learning_rate
optim.lamb(b1='a', learning_rate=0.1) | TypeError | b1
optim.lamb(b2='a', learning_rate=0.1) | TypeError | b2
optim.lamb(eps='a', learning_rate=0.1) | TypeError | eps
optim.lars(learning_rate='a') | TypeError | learning_rate
optim.lars(weight_decay='a', learning_rate=0.1) | TypeError | weight_decay
optim.lars(trust_coefficient='a', learning_rate=0.1) | TypeError | trust_coefficient
optim.lbfgs(learning_rate='a') | TypeError | learning_rate
optim.lbfgs(memory_size='a') | TypeError | memory_size
optim.lbfgs(scale_init_precond='a') | TypeError | scale_init_precond
optim.lbfgs(linesearch='a') | TypeError | linesearch
optim.lion(learning_rate='a') | TypeError | learning_rate
optim.lion(b1='a', learning_rate=0.1) | TypeError | b1
optim.lion(b2='a', learning_rate=0.1) | TypeError | b2
optim.lookahead(fast_optimizer='a', sync_period=2, slow_step_size=0.5) | TypeError | fast_optimizer
optim.lookahead(sync_period='a', fast_optimizer=optim.sgd(0.1), slow_step_size=0.5) | TypeError | sync_period
optim.lookahead(slow_step_size='a', fast_optimizer=optim.sgd(0.1), sync_period=2) | TypeError | slow_step_size
optim.nadam(learning_rate='a') | TypeError | learning_rate
optim.nadam(b1='a', learning_rate=0.1) | TypeError | b1
optim.nadam(b2='a', learning_rate=0.1) | TypeError | b2
optim.nadam(eps='a', learning_rate=0.1) | TypeError | eps
optim.nadamw(learning_rate='a') | TypeError | learning_rate
optim.nadamw(b1='a', learning_rate=0.1) | TypeError | b1
optim.nadamw(b2='a', learning_rate=0.1) | TypeError | b2
optim.nadamw(eps='a', learning_rate=0.1) | TypeError | eps
optim.noisy_sgd(learning_rate='a') | TypeError | learning_rate
optim.noisy_sgd(eta='a', learning_rate=0.1) | TypeError | eta
optim.noisy_sgd(gamma='a', learning_rate=0.1) | TypeError | gamma
optim.normalize_by_update_norm(scale_factor='a') | TypeError | scale_factor
optim.normalize_by_update_norm(eps='a') | TypeError | eps
optim.novograd(learning_rate='a') | TypeError | learning_rate
optim.novograd(b1='a', learning_rate=0.1) | TypeError | b1
optim.novograd(b2='a', learning_rate=0.1) | TypeError | b2
optim.novograd(eps='a', learning_rate=0.1) | TypeError | eps
optim.optimistic_adam(learning_rate='a') | TypeError | learning_rate
optim.optimistic_adam(optimism='a', learning_rate=0.5) | TypeError | optimism
optim.optimistic_adam(b1='a', learning_rate=0.5) | TypeError | b1
optim.optimistic_adam(b2='a', learning_rate=0.5) | TypeError | b2
optim.optimistic_adam_v2(learning_rate='a') | TypeError | learning_rate
optim.optimistic_adam_v2(alpha='a', learning_rate=0.1) | TypeError | alpha
optim.optimistic_adam_v2(beta='a', learning_rate=0.1) | TypeError | beta
optim.optimistic_adam_v2(b1='a', learning_rate=0.1) | TypeError | b1
optim.optimistic_gradient_descent(learning_rate='a') | TypeError | learning_rate
optim.optimistic_gradient_descent(alpha='a', learning_rate=0.1) | TypeError | alpha
optim.optimistic_gradient_descent(beta='a', learning_rate=0.1) | TypeError | beta
optim.polyak_sgd(max_learning_rate='a') | TypeError | max_learning_rate
optim.polyak_sgd(scaling='a') | TypeError | scaling
optim.polyak_sgd(f_min='a') | TypeError | f_min
optim.polyak_sgd(eps='a') | TypeError | eps
optim.radam(learning_rate='a') | TypeError | learning_rate
optim.radam(b1='a', learning_rate=0.1) | TypeError | b1
optim.radam(b2='a', learning_rate=0.1) | TypeError | b2
optim.radam(eps='a', learning_rate=0.1) | TypeError | eps
optim.rmsprop(learning_rate='a') | TypeError | learning_rate
optim.rmsprop(decay='a', learning_rate=0.1) | TypeError | decay
optim.rmsprop(eps='a', learning_rate=0.1) | TypeError | eps
optim.rmsprop(initial_scale='a', learning_rate=0.1) | TypeError | initial_scale
optim.rprop(learning_rate='a') | TypeError | learning_rate
optim.rprop(eta_minus='a', learning_rate=0.5) | TypeError | eta_minus
optim.rprop(eta_plus='a', learning_rate=0.5) | TypeError | eta_plus
optim.rprop(min_step_size='a', learning_rate=0.5) | TypeError | min_step_size
optim.scale(step_size='a') | TypeError | step_size
optim.scale_by_adadelta(rho='a') | TypeError | rho
optim.scale_by_adadelta(eps='a') | TypeError | eps
optim.scale_by_adam(b1='a') | TypeError | b1
optim.scale_by_adam(b2='a') | TypeError | b2
optim.scale_by_adam(eps='a') | TypeError | eps
optim.scale_by_adam(eps_root='a') | TypeError | eps_root
optim.scale_by_adamax(b1='a') | TypeError | b1
optim.scale_by_adamax(b2='a') | TypeError | b2
optim.scale_by_adamax(eps='a') | TypeError | eps
optim.scale_by_adan(b1='a') | TypeError | b1
optim.scale_by_adan(b2='a') | TypeError | b2
optim.scale_by_adan(b3='a') | TypeError | b3
optim.scale_by_adan(eps='a') | TypeError | eps
optim.scale_by_amsgrad(b1='a') | TypeError | b1
optim.scale_by_amsgrad(b2='a') | TypeError | b2
optim.scale_by_amsgrad(eps='a') | TypeError | eps
optim.scale_by_amsgrad(eps_root='a') | TypeError | eps_root
optim.scale_by_backtracking_linesearch(max_backtracking_steps='a') | TypeError | max_backtracking_steps
optim.scale_by_backtracking_linesearch(slope_rtol='a', max_backtracking_steps=2) | TypeError | slope_rtol
optim.scale_by_backtracking_linesearch(decrease_factor='a', max_backtracking_steps=2) | TypeError | decrease_factor
optim.scale_by_backtracking_linesearch(increase_factor='a', max_backtracking_steps=2) | TypeError | increase_factor
optim.scale_by_belief(b1='a') | TypeError | b1
optim.scale_by_belief(b2='a') | TypeError | b2
optim.scale_by_belief(eps='a') | TypeError | eps
optim.scale_by_belief(eps_root='a') | TypeError | eps_root
optim.scale_by_distance_over_gradients(reps_rel='a') | TypeError | reps_rel
optim.scale_by_distance_over_gradients(eps='a') | TypeError | eps
optim.scale_by_distance_over_gradients(global_scale='a') | TypeError | global_scale
optim.scale_by_factored_rms(factored='a') | TypeError | factored
optim.scale_by_factored_rms(decay_rate='a') | TypeError | decay_rate
optim.scale_by_factored_rms(step_offset='a') | TypeError | step_offset
optim.scale_by_factored_rms(min_dim_size_to_factor='a') | TypeError | min_dim_size_to_factor
optim.scale_by_lbfgs(memory_size='a') | TypeError | memory_size
optim.scale_by_lbfgs(scale_init_precond='a') | TypeError | scale_init_precond
optim.scale_by_learning_rate(learning_rate='a') | TypeError | learning_rate
optim.scale_by_learning_rate(flip_sign='a') | TypeError | flip_sign
optim.scale_by_lion(b1='a') | TypeError | b1
optim.scale_by_lion(b2='a') | TypeError | b2
optim.scale_by_novograd(b1='a') | TypeError | b1
optim.scale_by_novograd(b2='a') | TypeError | b2
optim.scale_by_novograd(eps='a') | TypeError | eps
optim.scale_by_novograd(eps_root='a') | TypeError | eps_root
optim.scale_by_optimistic_gradient(alpha='a') | TypeError | alpha
optim.scale_by_optimistic_gradient(beta='a') | TypeError | beta
optim.scale_by_param_block_norm(min_scale='a') | TypeError | min_scale
optim.scale_by_param_block_rms(min_scale='a') | TypeError | min_scale
optim.scale_by_polyak(f_min='a') | TypeError | f_min
optim.scale_by_polyak(max_learning_rate='a') | TypeError | max_learning_rate
optim.scale_by_polyak(eps='a') | TypeError | eps
optim.scale_by_radam(b1='a') | TypeError | b1
optim.scale_by_radam(b2='a') | TypeError | b2
optim.scale_by_radam(eps='a') | TypeError | eps
optim.scale_by_radam(eps_root='a') | TypeError | eps_root
optim.scale_by_rms(decay='a') | TypeError | decay
optim.scale_by_rms(eps='a') | TypeError | eps
optim.scale_by_rms(initial_scale='a') | TypeError | initial_scale
optim.scale_by_rms(eps_in_sqrt='a') | TypeError | eps_in_sqrt
optim.scale_by_rprop(learning_rate='a') | TypeError | learning_rate
optim.scale_by_rprop(eta_minus='a', learning_rate=0.5) | TypeError | eta_minus
optim.scale_by_rprop(eta_plus='a', learning_rate=0.5) | TypeError | eta_plus
optim.scale_by_rprop(min_step_size='a', learning_rate=0.5) | TypeError | min_step_size
optim.scale_by_rss(initial_accumulator_value='a') | TypeError | initial_accumulator_value
optim.scale_by_rss(eps='a') | TypeError | eps
optim.scale_by_sm3(b1='a') | TypeError | b1
optim.scale_by_sm3(b2='a') | TypeError | b2
optim.scale_by_sm3(eps='a') | TypeError | eps
optim.scale_by_stddev(decay='a') | TypeError | decay
optim.scale_by_stddev(eps='a') | TypeError | eps
optim.scale_by_stddev(initial_scale='a') | TypeError | initial_scale
optim.scale_by_stddev(eps_in_sqrt='a') | TypeError | eps_in_sqrt
optim.scale_by_trust_ratio(min_norm='a') | TypeError | min_norm
optim.scale_by_trust_ratio(trust_coefficient='a') | TypeError | trust_coefficient
optim.scale_by_trust_ratio(eps='a') | TypeError | eps
optim.scale_by_yogi(b1='a') | TypeError | b1
optim.scale_by_yogi(b2='a') | TypeError | b2
optim.scale_by_yogi(eps='a') | TypeError | eps
optim.scale_by_yogi(eps_root='a') | TypeError | eps_root
optim.scale_by_zoom_linesearch(max_linesearch_steps='a') | TypeError | max_linesearch_steps
optim.scale_by_zoom_linesearch(max_learning_rate='a', max_linesearch_steps=2) | TypeError | max_learning_rate
optim.scale_by_zoom_linesearch(tol='a', max_linesearch_steps=2) | TypeError | tol
optim.scale_by_zoom_linesearch(increase_factor='a', max_linesearch_steps=2) | TypeError | increase_factor
optim.selective_transform(optimizer='a') | TypeError | optimizer
optim.sgd(learning_rate='a') | TypeError | learning_rate
optim.sgd(momentum='a', learning_rate=0.1) | TypeError | momentum
optim.sgd(nesterov='a', learning_rate=0.1) | TypeError | nesterov
optim.sign_sgd(learning_rate='a') | TypeError | learning_rate
optim.signum(learning_rate='a') | TypeError | learning_rate
optim.signum(beta='a', learning_rate=0.1) | TypeError | beta
optim.sm3(learning_rate='a') | TypeError | learning_rate
optim.sm3(momentum='a', learning_rate=0.5) | TypeError | momentum
optim.trace(decay='a') | TypeError | decay
optim.trace(nesterov='a', decay=0.5) | TypeError | nesterov
optim.with_extra_args_support(tx='a') | TypeError | tx
optim.yogi(learning_rate='a') | TypeError | learning_rate
optim.yogi(b1='a', learning_rate=0.1) | TypeError | b1
optim.yogi(b2='a', learning_rate=0.1) | TypeError | b2
optim.yogi(eps='a', learning_rate=0.1) | TypeError | eps
optim.contrib.acprop(learning_rate='a') | TypeError | learning_rate
optim.contrib.acprop(b1='a', learning_rate=0.1) | TypeError | b1
optim.contrib.acprop(b2='a', learning_rate=0.1) | TypeError | b2
optim.contrib.acprop(eps='a', learning_rate=0.1) | TypeError | eps
optim.contrib.ademamix(learning_rate='a') | TypeError | learning_rate
optim.contrib.ademamix(b1='a', learning_rate=0.1) | TypeError | b1
optim.contrib.ademamix(b2='a', learning_rate=0.1) | TypeError | b2
optim.contrib.ademamix(b3='a', learning_rate=0.1) | TypeError | b3
optim.contrib.adopt(learning_rate='a') | TypeError | learning_rate
optim.contrib.adopt(b1='a', learning_rate=0.1) | TypeError | b1
optim.contrib.adopt(b2='a', learning_rate=0.1) | TypeError | b2
optim.contrib.adopt(eps='a', learning_rate=0.1) | TypeError | eps
optim.contrib.cocob(learning_rate='a') | TypeError | learning_rate
optim.contrib.cocob(alpha='a') | TypeError | alpha
optim.contrib.cocob(eps='a') | TypeError | eps
optim.contrib.cocob(weight_decay='a') | TypeError | weight_decay
optim.contrib.dadapt_adamw(learning_rate='a') | TypeError | learning_rate
optim.contrib.dadapt_adamw(eps='a') | TypeError | eps
optim.contrib.dadapt_adamw(estim_lr0='a') | TypeError | estim_lr0
optim.contrib.differentially_private_aggregate(l2_norm_clip='a', noise_multiplier=0.5) | TypeError | l2_norm_clip
optim.contrib.differentially_private_aggregate(noise_multiplier='a', l2_norm_clip=0.5) | TypeError | noise_multiplier
optim.contrib.differentially_private_aggregate(seed='a', l2_norm_clip=0.5, noise_multiplier=0.5) | TypeError | seed
optim.contrib.dog(learning_rate='a') | TypeError | learning_rate
optim.contrib.dog(eps='a') | TypeError | eps
optim.contrib.dog(weight_decay='a') | TypeError | weight_decay
optim.contrib.dowg(learning_rate='a') | TypeError | learning_rate
optim.contrib.dowg(init_estim_sq_dist='a') | TypeError | init_estim_sq_dist
optim.contrib.dowg(eps='a') | TypeError | eps
optim.contrib.dowg(weight_decay='a') | TypeError | weight_decay
optim.contrib.dpsgd(learning_rate='a', l2_norm_clip=0.5, noise_multiplier=0.5, seed=2) | TypeError | learning_rate
optim.contrib.dpsgd(l2_norm_clip='a', learning_rate=0.1, noise_multiplier=0.5, seed=2) | TypeError | l2_norm_clip
optim.contrib.dpsgd(noise_multiplier='a', learning_rate=0.1, l2_norm_clip=0.5, seed=2) | TypeError | noise_multiplier
optim.contrib.dpsgd(seed='a', learning_rate=0.1, l2_norm_clip=0.5, noise_multiplier=0.5) | TypeError | seed
optim.contrib.madgrad(learning_rate='a') | TypeError | learning_rate
optim.contrib.madgrad(momentum='a', learning_rate=0.1) | TypeError | momentum
optim.contrib.madgrad(weight_decay='a', learning_rate=0.1) | TypeError | weight_decay
optim.contrib.madgrad(eps='a', learning_rate=0.1) | TypeError | eps
optim.contrib.mechanize(base_optimizer='a') | TypeError | base_optimizer
optim.contrib.mechanize(weight_decay='a', base_optimizer=optim.sgd(0.1)) | TypeError | weight_decay
optim.contrib.mechanize(eps='a', base_optimizer=optim.sgd(0.1)) | TypeError | eps
optim.contrib.mechanize(s_init='a', base_optimizer=optim.sgd(0.1)) | TypeError | s_init
optim.contrib.momo(learning_rate='a') | TypeError | learning_rate
optim.contrib.momo(beta='a') | TypeError | beta
optim.contrib.momo(lower_bound='a') | TypeError | lower_bound
optim.contrib.momo(weight_decay='a') | TypeError | weight_decay
optim.contrib.momo_adam(learning_rate='a') | TypeError | learning_rate
optim.contrib.momo_adam(b1='a') | TypeError | b1
optim.contrib.momo_adam(b2='a') | TypeError | b2
optim.contrib.momo_adam(eps='a') | TypeError | eps
optim.contrib.muon(learning_rate='a') | TypeError | learning_rate
optim.contrib.muon(ns_steps='a', learning_rate=0.1) | TypeError | ns_steps
optim.contrib.muon(beta='a', learning_rate=0.1) | TypeError | beta
optim.contrib.prodigy(learning_rate='a') | TypeError | learning_rate
optim.contrib.prodigy(beta3='a') | TypeError | beta3
optim.contrib.prodigy(eps='a') | TypeError | eps
optim.contrib.reduce_on_plateau(factor='a') | TypeError | factor
optim.contrib.reduce_on_plateau(patience='a') | TypeError | patience
optim.contrib.reduce_on_plateau(rtol='a') | TypeError | rtol
optim.contrib.reduce_on_plateau(atol='a') | TypeError | atol
optim.contrib.sam(optimizer='a', adv_optimizer=optim.sgd(0.1)) | TypeError | optimizer
optim.contrib.sam(adv_optimizer='a', optimizer=optim.sgd(0.1)) | TypeError | adv_optimizer
optim.contrib.sam(sync_period='a', optimizer=optim.sgd(0.1), adv_optimizer=optim.sgd(0.1)) | TypeError | sync_period
optim.contrib.sam(reset_state='a', optimizer=optim.sgd(0.1), adv_optimizer=optim.sgd(0.1)) | TypeError | reset_state
optim.contrib.scale_by_acprop(b1='a') | TypeError | b1
optim.contrib.scale_by_acprop(b2='a') | TypeError | b2
optim.contrib.scale_by_acprop(eps='a') | TypeError | eps
optim.contrib.scale_by_acprop(eps_root='a') | TypeError | eps_root
optim.contrib.scale_by_ademamix(b1='a') | TypeError | b1
optim.contrib.scale_by_ademamix(b2='a') | TypeError | b2
optim.contrib.scale_by_ademamix(b3='a') | TypeError | b3
optim.contrib.scale_by_ademamix(alpha='a') | TypeError | alpha
optim.contrib.scale_by_adopt(b1='a') | TypeError | b1
optim.contrib.scale_by_adopt(b2='a') | TypeError | b2
optim.contrib.scale_by_adopt(eps='a') | TypeError | eps
optim.contrib.scale_by_cocob(alpha='a') | TypeError | alpha
optim.contrib.scale_by_cocob(eps='a') | TypeError | eps
optim.contrib.scale_by_madgrad(learning_rate='a') | TypeError | learning_rate
optim.contrib.scale_by_madgrad(momentum='a', learning_rate=0.1) | TypeError | momentum
optim.contrib.scale_by_madgrad(eps='a', learning_rate=0.1) | TypeError | eps
optim.contrib.scale_by_muon(ns_steps='a') | TypeError | ns_steps
optim.contrib.scale_by_muon(beta='a') | TypeError | beta
optim.contrib.scale_by_muon(eps='a') | TypeError | eps
optim.contrib.scale_by_simplified_ademamix(b1='a') | TypeError | b1
optim.contrib.scale_by_simplified_ademamix(b2='a') | TypeError | b2
optim.contrib.scale_by_simplified_ademamix(alpha='a') | TypeError | alpha
optim.contrib.scale_by_simplified_ademamix(eps='a') | TypeError | eps
optim.contrib.schedule_free(base_optimizer='a', learning_rate=0.1) | TypeError | base_optimizer
optim.contrib.schedule_free(learning_rate='a', base_optimizer=optim.sgd(0.1)) | TypeError | learning_rate
optim.contrib.schedule_free(b1='a', base_optimizer=optim.sgd(0.1), learning_rate=0.1) | TypeError | b1
optim.contrib.schedule_free_adamw(learning_rate='a') | TypeError | learning_rate
optim.contrib.schedule_free_adamw(warmup_steps='a') | TypeError | warmup_steps
optim.contrib.schedule_free_adamw(b1='a') | TypeError | b1
optim.contrib.schedule_free_adamw(b2='a') | TypeError | b2
optim.contrib.schedule_free_sgd(learning_rate='a') | TypeError | learning_rate
optim.contrib.schedule_free_sgd(warmup_steps='a') | TypeError | warmup_steps
optim.contrib.schedule_free_sgd(b1='a') | TypeError | b1
optim.contrib.schedule_free_sgd(weight_decay='a') | TypeError | weight_decay
optim.contrib.simplified_ademamix(learning_rate='a') | TypeError | learning_rate
optim.contrib.simplified_ademamix(b1='a', learning_rate=0.1) | TypeError | b1
optim.contrib.simplified_ademamix(b2='a', learning_rate=0.1) | TypeError | b2
optim.contrib.simplified_ademamix(alpha='a', learning_rate=0.1) | TypeError | alpha
optim.contrib.sophia(learning_rate='a') | TypeError | learning_rate
optim.contrib.sophia(b1='a', learning_rate=0.1) | TypeError | b1
optim.contrib.sophia(b2='a', learning_rate=0.1) | TypeError | b2
optim.contrib.sophia(eps='a', learning_rate=0.1) | TypeError | eps
optim.contrib.split_real_and_imaginary(inner='a') | TypeError | inner
"""
