"""Wrong calls: fungrad.optim."""

TABLE = r"""
optim.sgd('a')                                                                 | TypeError | learning_rate
optim.sgd(0.1, momentum='a')                                                   | TypeError | momentum
optim.sgd(0.1, nesterov='a')                                                   | TypeError | nesterov
optim.sgd(0.1, accumulator_dtype='a')                                          | TypeError | accumulator_dtype
optim.adam('a')                                                                | TypeError | learning_rate
optim.adam(0.1, b1='a')                                                        | TypeError | b1
optim.adam(0.1, b2='a')                                                        | TypeError | b2
optim.adam(0.1, eps='a')                                                       | TypeError | eps
optim.adam(0.1, eps_root='a')                                                  | TypeError | eps_root
optim.adam(0.1, mu_dtype='a')                                                  | TypeError | mu_dtype
optim.adam(0.1, nesterov='a')                                                  | TypeError | nesterov
optim.adamw('a')                                                               | TypeError | learning_rate
optim.adamw(0.1, b1='a')                                                       | TypeError | b1
optim.adamw(0.1, b2='a')                                                       | TypeError | b2
optim.adamw(0.1, eps='a')                                                      | TypeError | eps
optim.adamw(0.1, eps_root='a')                                                 | TypeError | eps_root
optim.adamw(0.1, mu_dtype='a')                                                 | TypeError | mu_dtype
optim.adamw(0.1, weight_decay='a')                                             | TypeError | weight_decay
optim.adamw(0.1, mask=10 ** 30)                                                | TypeError | mask
optim.adamw(0.1, nesterov='a')                                                 | TypeError | nesterov
optim.scale('a')                                                               | TypeError | step_size
optim.trace('a')                                                               | TypeError | decay
optim.trace(0.9, nesterov='a')                                                 | TypeError | nesterov
optim.trace(0.9, accumulator_dtype='a')                                        | TypeError | accumulator_dtype
optim.scale_by_adam('a', 0.9, 1e-08, 0.0)                                      | TypeError | b1
optim.scale_by_adam(0.9, 'a', 1e-08, 0.0)                                      | TypeError | b2
optim.scale_by_adam(0.9, 0.9, 'a', 0.0)                                        | TypeError | eps
optim.scale_by_adam(0.9, 0.9, 1e-08, 'a')                                      | TypeError | eps_root
optim.scale_by_adam(0.9, 0.9, 1e-08, 0.0, mu_dtype='a')                        | TypeError | mu_dtype
optim.scale_by_schedule('a')                                                   | TypeError | step_size_fn
optim.scale_by_learning_rate('a')                                              | TypeError | learning_rate
optim.scale_by_learning_rate(0.1, flip_sign='a')                               | TypeError | flip_sign
optim.add_decayed_weights('a')                                                 | TypeError | weight_decay
optim.add_decayed_weights(0.1, mask=10 ** 30)                                  | TypeError | mask
optim.chain('a')                                                               | TypeError | transformations
optim.stateless('a')                                                           | TypeError | f
optim.apply_updates('a', {'a': x})                                             | ValueError | params
optim.apply_updates({'a': x}, 10 ** 30)                                        | TypeError | updates
optim.adam(0.1).update(None, optim.adam(0.1).init({'a': x}), {'a': x})         | TypeError | updates
optim.adam(0.1).update({'a': x}, None, {'a': x})                               | TypeError | state
optim.sgd(0.1, 0.9).update(None, optim.sgd(0.1, 0.9).init({'a': x}), {'a': x}) | TypeError | updates
optim.sgd(0.1, 0.9).update({'a': x}, None, {'a': x})                           | TypeError | state
optim.adamw(0.1).update(None, optim.adamw(0.1).init({'a': x}), {'a': x})       | TypeError | updates
optim.adamw(0.1).update({'a': x}, None, {'a': x})                              | TypeError | state
optim.adamw(0.1).update({'a': x}, optim.adamw(0.1).init({'a': x}), None)       | ValueError | params
optim.sgd(0.1).update({'a': x}, None, {'a': x})                                | TypeError | state
optim.scale(0.1).update({'a': x}, None)                                        | TypeError | state
optim.trace(0.9).update(None, optim.trace(0.9).init({'a': x}))                 | TypeError | updates
optim.trace(0.9).update({'a': x}, None)                                        | TypeError | state
optim.scale_by_schedule(lambda c: 0.1).update({'a': x}, None)                  | TypeError | state
"""
