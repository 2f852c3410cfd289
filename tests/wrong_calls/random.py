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
random.gamma('a', 1.0, (2,), 'float32')                     | TypeError  | key
random.gamma(k, 'a', (2,), 'float32')                       | TypeError  | a
random.gamma(k, 1.0, 'a', 'float32')                        | TypeError  | shape
random.gamma(k, x, (3,), 'float32')                         | ValueError | shape
random.gamma(k, 1.0, (2,), 'a')                             | TypeError  | dtype
random.gamma(k, 1.0, (2,), 'int32')                         | ValueError | dtype
random.loggamma('a', 1.0, (2,), 'float32')                  | TypeError  | key
random.loggamma(k, 'a', (2,), 'float32')                    | TypeError  | a
random.loggamma(k, 1.0, 'a', 'float32')                     | TypeError  | shape
random.loggamma(k, x, (3,), 'float32')                      | ValueError | shape
random.loggamma(k, 1.0, (2,), 'a')                          | TypeError  | dtype
random.loggamma(k, 1.0, (2,), 'int32')                      | ValueError | dtype
random.beta('a', 1.0, 1.0, (2,), 'float32')                 | TypeError  | key
random.beta(k, 'a', 1.0, (2,), 'float32')                   | TypeError  | a
random.beta(k, 1.0, 'a', (2,), 'float32')                   | TypeError  | b
random.beta(k, 1.0, 1.0, 'a', 'float32')                    | TypeError  | shape
random.beta(k, x, 1.0, (3,), 'float32')                     | ValueError | shape
random.beta(k, 1.0, 1.0, (2,), 'a')                         | TypeError  | dtype
random.beta(k, 1.0, 1.0, (2,), 'int32')                     | ValueError | dtype
random.chisquare('a', 1.0, (2,), 'float32')                 | TypeError  | key
random.chisquare(k, 'a', (2,), 'float32')                   | TypeError  | df
random.chisquare(k, 1.0, 'a', 'float32')                    | TypeError  | shape
random.chisquare(k, x, (3,), 'float32')                     | ValueError | shape
random.chisquare(k, 1.0, (2,), 'a')                         | TypeError  | dtype
random.chisquare(k, 1.0, (2,), 'int32')                     | ValueError | dtype
random.f('a', 1.0, 1.0, (2,), 'float32')                    | TypeError  | key
random.f(k, 'a', 1.0, (2,), 'float32')                      | TypeError  | dfnum
random.f(k, 1.0, 'a', (2,), 'float32')                      | TypeError  | dfden
random.f(k, 1.0, 1.0, 'a', 'float32')                       | TypeError  | shape
random.f(k, x, 1.0, (3,), 'float32')                        | ValueError | shape
random.f(k, 1.0, 1.0, (2,), 'a')                            | TypeError  | dtype
random.f(k, 1.0, 1.0, (2,), 'int32')                        | ValueError | dtype
random.t('a', 1.0, (2,), 'float32')                         | TypeError  | key
random.t(k, 'a', (2,), 'float32')                           | TypeError  | df
random.t(k, 1.0, 'a', 'float32')                            | TypeError  | shape
random.t(k, x, (3,), 'float32')                             | ValueError | shape
random.t(k, 1.0, (2,), 'a')                                 | TypeError  | dtype
random.t(k, 1.0, (2,), 'int32')                             | ValueError | dtype
random.dirichlet('a', x)                                    | TypeError  | key
random.dirichlet(k, 'a')                                    | TypeError  | alpha
random.dirichlet(k, 1.0)                                    | ValueError | alpha
random.dirichlet(k, m, (2,))                                | ValueError | shape
random.dirichlet(k, x, dtype='int32')                       | ValueError | dtype
random.generalized_normal('a', 1.0)                         | TypeError  | key
random.generalized_normal(k, 'a')                           | TypeError  | p
random.generalized_normal(k, x, (3,))                       | ValueError | shape
random.generalized_normal(k, 1.0, dtype='int32')            | ValueError | dtype
random.ball('a', 2)                                         | TypeError  | key
random.ball(k, 'a')                                         | TypeError  | d
random.ball(k, -1)                                          | ValueError | d
random.ball(k, 2, 'a')                                      | TypeError  | p
random.ball(k, 2, x)                                        | ValueError | p
random.ball(k, 2, 0)                                        | ValueError | p
random.ball(k, 2, shape='a')                                | TypeError  | shape
random.poisson('a', 1.0)                                    | TypeError  | key
random.poisson(k, 'a')                                      | TypeError  | lam
random.poisson(k, c)                                        | TypeError  | lam
random.poisson(k, x, (3,))                                  | ValueError | shape
random.poisson(k, x, dtype='float32')                       | ValueError | dtype
random.binomial('a', 4, 0.5)                                | TypeError  | key
random.binomial(k, 'a', 0.5)                                | TypeError  | n
random.binomial(k, 4, 'a')                                  | TypeError  | p
random.binomial(k, 4, c)                                    | TypeError  | p
random.binomial(k, x, 0.5, (3,))                            | ValueError | shape
random.binomial(k, 4, 0.5, dtype='int32')                   | ValueError | dtype
random.multinomial('a', 4, x)                               | TypeError  | key
random.multinomial(k, 'a', x)                               | TypeError  | n
random.multinomial(k, 4, 'a')                               | TypeError  | p
random.multinomial(k, 4, 0.5)                               | ValueError | p
random.multinomial(k, x, x)                                 | ValueError | shape
random.multinomial(k, 4, x, shape=(3,))                     | ValueError | shape
random.multivariate_normal('a', x, jnp.eye(4))              | TypeError  | key
random.multivariate_normal(k, 'a', s)                       | TypeError  | mean
random.multivariate_normal(k, x, 'a')                       | TypeError  | cov
random.multivariate_normal(k, c, jnp.eye(4))                | TypeError  | mean
random.multivariate_normal(k, 1.0, s)                       | ValueError | mean
random.multivariate_normal(k, x, s)                         | ValueError | cov
random.multivariate_normal(k, x, jnp.eye(4), method='a')    | ValueError | method
random.multivariate_normal(k, m, jnp.eye(4), (2,))          | ValueError | shape
random.orthogonal('a', 2)                                   | TypeError  | key
random.orthogonal(k, 'a')                                   | TypeError  | n
random.orthogonal(k, -1)                                    | ValueError | n
random.orthogonal(k, 2, m='a')                              | TypeError  | m
random.orthogonal(k, 2, 'a')                                | TypeError  | shape
random.orthogonal(k, 2, (), 'int32')                        | ValueError | dtype
"""
