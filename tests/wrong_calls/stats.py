"""Wrong calls: fungrad.scipy.stats."""

TABLE = r"""
stats.norm.pdf(x='a')                           | TypeError | x
stats.norm.pdf(x=x, loc='a')                    | TypeError | loc
stats.norm.pdf(x=x, scale='a')                  | TypeError | scale
stats.norm.logpdf(x='a')                        | TypeError | x
stats.norm.logpdf(x=x, loc='a')                 | TypeError | loc
stats.norm.logpdf(x=x, scale='a')               | TypeError | scale
stats.cauchy.pdf(x='a')                         | TypeError | x
stats.cauchy.pdf(x=x, loc='a')                  | TypeError | loc
stats.cauchy.pdf(x=x, scale='a')                | TypeError | scale
stats.cauchy.logpdf(x='a')                      | TypeError | x
stats.cauchy.logpdf(x=x, loc='a')               | TypeError | loc
stats.cauchy.logpdf(x=x, scale='a')             | TypeError | scale
stats.expon.pdf(x='a')                          | TypeError | x
stats.expon.pdf(x=x, loc='a')                   | TypeError | loc
stats.expon.pdf(x=x, scale='a')                 | TypeError | scale
stats.expon.logpdf(x='a')                       | TypeError | x
stats.expon.logpdf(x=x, loc='a')                | TypeError | loc
stats.expon.logpdf(x=x, scale='a')              | TypeError | scale
stats.gamma.pdf(x='a', a=x)                     | TypeError | x
stats.gamma.pdf(x=x, a='a')                     | TypeError | a
stats.gamma.pdf(x=x, a=x, loc='a')              | TypeError | loc
stats.gamma.pdf(x=x, a=x, scale='a')            | TypeError | scale
stats.gamma.logpdf(x='a', a=x)                  | TypeError | x
stats.gamma.logpdf(x=x, a='a')                  | TypeError | a
stats.gamma.logpdf(x=x, a=x, loc='a')           | TypeError | loc
stats.gamma.logpdf(x=x, a=x, scale='a')         | TypeError | scale
stats.chi2.pdf(x='a', df=x)                     | TypeError | x
stats.chi2.pdf(x=x, df='a')                     | TypeError | df
stats.chi2.logpdf(x='a', df=x)                  | TypeError | x
stats.chi2.logpdf(x=x, df='a')                  | TypeError | df
stats.beta.pdf(x='a', a=x, b=x)                 | TypeError | x
stats.beta.pdf(x=x, a='a', b=x)                 | TypeError | a
stats.beta.pdf(x=x, a=x, b='a')                 | TypeError | b
stats.beta.logpdf(x='a', a=x, b=x)              | TypeError | x
stats.beta.logpdf(x=x, a='a', b=x)              | TypeError | a
stats.beta.logpdf(x=x, a=x, b='a')              | TypeError | b
stats.t.pdf(x='a', df=x)                        | TypeError | x
stats.t.pdf(x=x, df='a')                        | TypeError | df
stats.t.pdf(x=x, df=x, scale='a')               | TypeError | scale
stats.t.logpdf(x='a', df=x)                     | TypeError | x
stats.t.logpdf(x=x, df='a')                     | TypeError | df
stats.t.logpdf(x=x, df=x, scale='a')            | TypeError | scale
stats.laplace.pdf(x='a')                        | TypeError | x
stats.laplace.pdf(x=x, loc='a')                 | TypeError | loc
stats.laplace.logpdf(x='a')                     | TypeError | x
stats.laplace.logpdf(x=x, loc='a')              | TypeError | loc
stats.logistic.pdf(x='a')                       | TypeError | x
stats.logistic.logpdf(x='a')                    | TypeError | x
stats.pareto.pdf(x='a', b=x)                    | TypeError | x
stats.pareto.pdf(x=x, b='a')                    | TypeError | b
stats.pareto.logpdf(x='a', b=x)                 | TypeError | x
stats.pareto.logpdf(x=x, b='a')                 | TypeError | b
stats.gumbel_r.pdf(x='a')                       | TypeError | x
stats.gumbel_r.logpdf(x='a')                    | TypeError | x
stats.gumbel_l.pdf(x='a')                       | TypeError | x
stats.gumbel_l.pdf(x=x, scale='a')              | TypeError | scale
stats.gumbel_l.logpdf(x='a')                    | TypeError | x
stats.gumbel_l.logpdf(x=x, scale='a')           | TypeError | scale
stats.uniform.pdf(x='a')                        | TypeError | x
stats.uniform.pdf(x=x, loc='a')                 | TypeError | loc
stats.uniform.logpdf(x='a')                     | TypeError | x
stats.uniform.logpdf(x=x, loc='a')              | TypeError | loc
stats.truncnorm.pdf(x='a', a=x, b=x)            | TypeError | x
stats.truncnorm.pdf(x=x, a='a', b=x)            | TypeError | a
stats.truncnorm.pdf(x=x, a=x, b='a')            | TypeError | b
stats.truncnorm.logpdf(x='a', a=x, b=x)         | TypeError | x
stats.truncnorm.logpdf(x=x, a='a', b=x)         | TypeError | a
stats.truncnorm.logpdf(x=x, a=x, b='a')         | TypeError | b
stats.gennorm.pdf(x='a', beta=x)                | TypeError | x
stats.gennorm.pdf(x=x, beta='a')                | TypeError | beta
stats.gennorm.logpdf(x='a', beta=x)             | TypeError | x
stats.gennorm.logpdf(x=x, beta='a')             | TypeError | beta
stats.vonmises.pdf(x='a', kappa=x)              | TypeError | x
stats.vonmises.pdf(x=x, kappa='a')              | TypeError | kappa
stats.vonmises.logpdf(x='a', kappa=x)           | TypeError | x
stats.vonmises.logpdf(x=x, kappa='a')           | TypeError | kappa
stats.wrapcauchy.pdf(x='a', c=x)                | TypeError | x
stats.wrapcauchy.pdf(x=x, c='a')                | TypeError | c
stats.wrapcauchy.logpdf(x='a', c=x)             | TypeError | x
stats.wrapcauchy.logpdf(x=x, c='a')             | TypeError | c
stats.bernoulli.logpmf('a', x)                  | TypeError | k
stats.bernoulli.logpmf(x, 'a')                  | TypeError | p
stats.binom.logpmf('a', x, x)                   | TypeError | k
stats.binom.logpmf(x, 'a', x)                   | TypeError | n
stats.binom.logpmf(x, x, 'a')                   | TypeError | p
stats.nbinom.logpmf('a', x, x)                  | TypeError | k
stats.nbinom.logpmf(x, 'a', x)                  | TypeError | n
stats.nbinom.logpmf(x, x, 'a')                  | TypeError | p
stats.geom.logpmf('a', x)                       | TypeError | k
stats.geom.logpmf(x, 'a')                       | TypeError | p
stats.betabinom.logpmf('a', x, x, x)            | TypeError | k
stats.betabinom.logpmf(x, 'a', x, x)            | TypeError | n
stats.betabinom.logpmf(x, x, 'a', x)            | TypeError | a
stats.betabinom.logpmf(x, x, x, 'a')            | TypeError | b
stats.poisson.logpmf('a', x)                    | TypeError | k
stats.poisson.logpmf(x, 'a')                    | TypeError | mu
stats.norm.cdf(c)                               | TypeError | real
stats.norm.logcdf(c)                            | TypeError | real
stats.norm.sf(c)                                | TypeError | real
stats.norm.logsf(c)                             | TypeError | real
stats.norm.ppf(c)                               | TypeError | real
stats.norm.isf(c)                               | TypeError | real
stats.dirichlet.logpdf(x, m)                    | ValueError | alpha
stats.dirichlet.logpdf(s[:1], x)                | ValueError | x
stats.dirichlet.pdf('a', x)                     | TypeError | x
stats.multinomial.logpmf(x, 3, x)               | ValueError | x
stats.multinomial.logpmf(i, 3.0, x)             | ValueError | n
stats.multivariate_normal.logpdf(x, x, s)       | ValueError | cov
stats.multivariate_normal.logpdf(x, x, s, True) | NotImplementedError | allow_singular
stats.multivariate_normal.pdf('a', x, s)        | TypeError | x
stats.mode('a')                                 | TypeError | a
stats.mode(x, 3)                                | ValueError | axis
stats.mode(x, nan_policy='a')                   | ValueError | nan_policy
stats.mode(x, nan_policy='omit')                | NotImplementedError | nan_policy
stats.rankdata('a')                             | TypeError | a
stats.rankdata(x, 'a')                          | ValueError | method
stats.rankdata(x, axis=3)                       | ValueError | axis
stats.rankdata(x, nan_policy='raise')           | NotImplementedError | nan_policy
stats.sem('a')                                  | TypeError | a
stats.sem(x, 3)                                 | ValueError | axis
stats.sem(x, nan_policy='a')                    | ValueError | nan_policy
stats.gaussian_kde('a')                         | TypeError | dataset
stats.gaussian_kde(c)                           | TypeError | dataset
stats.gaussian_kde(1.0)                         | ValueError | dataset
stats.gaussian_kde(x, 'a')                      | ValueError | bw_method
stats.gaussian_kde(x, weights=jnp.ones(3))      | ValueError | weights
"""
