"""Wrong calls: fungrad.random."""

TABLE = r"""
random.key('a')                                             | TypeError | seed
random.key(0, impl='a')                                     | ValueError | impl
random.PRNGKey('a')                                         | TypeError | seed
random.PRNGKey(0, impl='a')                                 | ValueError | impl
random.split('a', 2)                                        | TypeError | key
random.split(k, 'a')                                        | TypeError | num
random.fold_in('a', 1)                                      | TypeError | key
random.fold_in(k, 'a')                                      | TypeError | data
random.key_data('a')                                        | TypeError | keys
random.wrap_key_data('a')                                   | TypeError | key_bits_array
random.wrap_key_data(jnp.zeros(2, 'uint32'), impl='a')      | ValueError | impl
random.clone('a')                                           | TypeError | key
random.key_impl('a')                                        | TypeError | keys
random.bits('a', (2,), 'uint32')                            | TypeError | key
random.bits(k, 'a', 'uint32')                               | TypeError | shape
random.bits(k, (2,), 'a')                                   | TypeError | dtype
random.uniform('a', (2,), 'float32')                        | TypeError | key
random.uniform(k, 'a', 'float32')                           | TypeError | shape
random.uniform(k, (2,), 'a')                                | TypeError | dtype
random.uniform(k, (2,), 'float32', minval='a')              | TypeError | minval
random.uniform(k, (2,), 'float32', maxval='a')              | TypeError | maxval
random.normal('a', (2,), 'float32')                         | TypeError | key
random.normal(k, 'a', 'float32')                            | TypeError | shape
random.normal(k, (2,), 'a')                                 | TypeError | dtype
random.randint('a', (2,), 0, 10, 'int32')                   | TypeError | key
random.randint(k, 'a', 0, 10, 'int32')                      | TypeError | shape
random.randint(k, (2,), 'a', 10, 'int32')                   | TypeError | minval
random.randint(k, (2,), 0, 'a', 'int32')                    | TypeError | maxval
random.randint(k, (2,), 0, 10, 'a')                         | TypeError | dtype
random.bernoulli('a', 0.5, (2,))                            | TypeError | key
random.bernoulli(k, 'a', (2,))                              | TypeError | p
random.bernoulli(k, 0.5, 'a')                               | TypeError | shape
random.geometric('a', 0.5, (2,), 'int32')                   | TypeError | key
random.geometric(k, 'a', (2,), 'int32')                     | TypeError | p
random.geometric(k, 0.5, 'a', 'int32')                      | TypeError | shape
random.geometric(k, 0.5, (2,), 'a')                         | TypeError | dtype
random.exponential('a', (2,), 'float32')                    | TypeError | key
random.exponential(k, 'a', 'float32')                       | TypeError | shape
random.exponential(k, (2,), 'a')                            | TypeError | dtype
random.cauchy('a', (2,), 'float32')                         | TypeError | key
random.cauchy(k, 'a', 'float32')                            | TypeError | shape
random.cauchy(k, (2,), 'a')                                 | TypeError | dtype
random.laplace('a', (2,), 'float32')                        | TypeError | key
random.laplace(k, 'a', 'float32')                           | TypeError | shape
random.laplace(k, (2,), 'a')                                | TypeError | dtype
random.logistic('a', (2,), 'float32')                       | TypeError | key
random.logistic(k, 'a', 'float32')                          | TypeError | shape
random.logistic(k, (2,), 'a')                               | TypeError | dtype
random.gumbel('a', (2,), 'float32')                         | TypeError | key
random.gumbel(k, 'a', 'float32')                            | TypeError | shape
random.gumbel(k, (2,), 'a')                                 | TypeError | dtype
random.rademacher('a', (2,), 'int32')                       | TypeError | key
random.rademacher(k, 'a', 'int32')                          | TypeError | shape
random.rademacher(k, (2,), 'a')                             | TypeError | dtype
random.pareto('a', 1.0, (2,), 'float32')                    | TypeError | key
random.pareto(k, 'a', (2,), 'float32')                      | TypeError | b
random.pareto(k, 1.0, 'a', 'float32')                       | TypeError | shape
random.pareto(k, 1.0, (2,), 'a')                            | TypeError | dtype
random.rayleigh('a', 1.0, (2,), 'float32')                  | TypeError | key
random.rayleigh(k, 'a', (2,), 'float32')                    | TypeError | scale
random.rayleigh(k, 1.0, 'a', 'float32')                     | TypeError | shape
random.rayleigh(k, 1.0, (2,), 'a')                          | TypeError | dtype
random.lognormal('a', 1.0, (2,), 'float32')                 | TypeError | key
random.lognormal(k, 'a', (2,), 'float32')                   | TypeError | sigma
random.lognormal(k, 1.0, 'a', 'float32')                    | TypeError | shape
random.lognormal(k, 1.0, (2,), 'a')                         | TypeError | dtype
random.maxwell('a', (2,), 'float32')                        | TypeError | key
random.maxwell(k, 'a', 'float32')                           | TypeError | shape
random.maxwell(k, (2,), 'a')                                | TypeError | dtype
random.double_sided_maxwell('a', 0.0, 1.0, (2,), 'float32') | TypeError | key
random.double_sided_maxwell(k, 'a', 1.0, (2,), 'float32')   | TypeError | loc
random.double_sided_maxwell(k, 0.0, 'a', (2,), 'float32')   | TypeError | scale
random.double_sided_maxwell(k, 0.0, 1.0, 'a', 'float32')    | TypeError | shape
random.double_sided_maxwell(k, 0.0, 1.0, (2,), 'a')         | TypeError | dtype
random.weibull_min('a', 1.0, 1.0, (2,), 'float32')          | TypeError | key
random.weibull_min(k, 'a', 1.0, (2,), 'float32')            | TypeError | scale
random.weibull_min(k, 1.0, 'a', (2,), 'float32')            | TypeError | concentration
random.weibull_min(k, 1.0, 1.0, 'a', 'float32')             | TypeError | shape
random.weibull_min(k, 1.0, 1.0, (2,), 'a')                  | TypeError | dtype
random.triangular('a', 0.0, 0.5, 1.0, (2,), 'float32')      | TypeError | key
random.triangular(k, 'a', 0.5, 1.0, (2,), 'float32')        | TypeError | left
random.triangular(k, 0.0, 'a', 1.0, (2,), 'float32')        | TypeError | mode
random.triangular(k, 0.0, 0.5, 'a', (2,), 'float32')        | TypeError | right
random.triangular(k, 0.0, 0.5, 1.0, 'a', 'float32')         | TypeError | shape
random.triangular(k, 0.0, 0.5, 1.0, (2,), 'a')              | TypeError | dtype
random.wald('a', 1.0, (2,), 'float32')                      | TypeError | key
random.wald(k, 'a', (2,), 'float32')                        | TypeError | mean
random.wald(k, 1.0, 'a', 'float32')                         | TypeError | shape
random.wald(k, 1.0, (2,), 'a')                              | TypeError | dtype
random.truncated_normal('a', -1.0, 1.0, (2,), 'float32')    | TypeError | key
random.truncated_normal(k, 'a', 1.0, (2,), 'float32')       | TypeError | lower
random.truncated_normal(k, -1.0, 'a', (2,), 'float32')      | TypeError | upper
random.truncated_normal(k, -1.0, 1.0, 'a', 'float32')       | TypeError | shape
random.truncated_normal(k, -1.0, 1.0, (2,), 'a')            | TypeError | dtype
random.categorical('a', x)                                  | TypeError | key
random.categorical(k, 'a')                                  | TypeError | logits
random.categorical(k, x, axis='a')                          | TypeError | axis
random.categorical(k, x, shape='a')                         | TypeError | shape
random.categorical(k, x, replace=k)                         | TypeError | replace
random.categorical(k, x, mode='a')                          | ValueError | mode
random.choice('a', x, (2,))                                 | TypeError | key
random.choice(k, 'a', (2,))                                 | TypeError | a
random.choice(k, x, 'a')                                    | TypeError | shape
random.choice(k, x, (2,), replace=k)                        | TypeError | replace
random.choice(k, x, (2,), p='a')                            | TypeError | p
random.choice(k, x, (2,), axis='a')                         | TypeError | axis
random.permutation('a', x)                                  | TypeError | key
random.permutation(k, 'a')                                  | TypeError | x
random.permutation(k, x, axis='a')                          | TypeError | axis
random.permutation(k, x, independent=k)                     | TypeError | independent
"""
