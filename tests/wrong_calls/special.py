"""Wrong calls: fungrad.scipy.special."""

TABLE = r"""
special.erf('a')                    | TypeError | x
special.erfinv('a')                 | TypeError | x
special.gammaln('a')                | TypeError | x
special.digamma('a')                | TypeError | x
special.polygamma(1, 'a')           | TypeError | x
special.gammainc('a', x)            | TypeError | a
special.gammainc(x, 'a')            | TypeError | x
special.betainc('a', x, x)          | TypeError | a
special.betainc(x, 'a', x)          | TypeError | b
special.betainc(x, x, 'a')          | TypeError | x
special.betaln('a', x)              | TypeError | a
special.betaln(x, 'a')              | TypeError | b
special.beta('a', x)                | TypeError | a
special.beta(x, 'a')                | TypeError | b
special.zeta('a', x)                | TypeError | x
special.zeta(x, 'a')                | TypeError | q
special.xlogy('a', x)               | TypeError | x
special.xlogy(x, 'a')               | TypeError | y
special.xlog1py('a', x)             | TypeError | x
special.xlog1py(x, 'a')             | TypeError | y
special.entr('a')                   | TypeError | x
special.rel_entr('a', x)            | TypeError | p
special.rel_entr(x, 'a')            | TypeError | q
special.kl_div('a', x)              | TypeError | p
special.kl_div(x, 'a')              | TypeError | q
special.expit('a')                  | TypeError | x
special.logit('a')                  | TypeError | x
special.logsumexp('a')              | TypeError | a
special.logsumexp(m, axis='a')      | TypeError | axis
special.logsumexp(m, b='a')         | TypeError | b
special.logsumexp(m, keepdims=k)    | TypeError | keepdims
special.logsumexp(m, return_sign=k) | TypeError | return_sign
special.softmax('a')                | TypeError | x
special.softmax(m, axis='a')        | TypeError | axis
special.log_softmax('a')            | TypeError | x
special.log_softmax(m, axis='a')    | TypeError | axis
special.ndtr('a')                   | TypeError | x
special.i0('a')                     | TypeError | x
special.i1e('a')                    | TypeError | x
special.multigammaln('a', 2)        | TypeError | a
special.multigammaln(x + 5, 'a')    | TypeError | d
special.factorial(10 ** 30)         | OverflowError | n
special.gamma('a')                  | TypeError | x
special.erfcx('a')                  | TypeError | x
special.dawsn('a')                  | TypeError | x
special.ndtri('a')                  | TypeError | p
special.log_ndtr('a')               | TypeError | x
special.fresnel('a')                | TypeError | x
special.exp1('a')                   | TypeError | x
special.expi('a')                   | TypeError | x
special.sici('a')                   | TypeError | x
special.spence('a')                 | TypeError | x
special.loggamma('a')               | TypeError | x
special.dawsn(c)                    | TypeError | real
special.ndtri(c)                    | TypeError | real
special.log_ndtr(c)                 | TypeError | real
special.fresnel(c)                  | TypeError | real
special.exp1(c)                     | TypeError | real
special.expi(c)                     | TypeError | real
special.sici(c)                     | TypeError | real
special.spence(c)                   | TypeError | real
special.gammaln(c)                  | TypeError | real
special.owens_t('a', x)             | TypeError | h
special.owens_t(x, 'a')             | TypeError | a
special.owens_t(x, c)               | TypeError | real
special.boxcox('a', x)              | TypeError | x
special.boxcox(x, 'a')              | TypeError | lmbda
special.boxcox(x, c)                | TypeError | real
special.boxcox1p('a', x)            | TypeError | x
special.boxcox1p(x, 'a')            | TypeError | lmbda
special.boxcox1p(x, c)              | TypeError | real
special.poch('a', x)                | TypeError | z
special.poch(x, 'a')                | TypeError | m
special.poch(x, c)                  | TypeError | real
special.comb('a', x)                | TypeError | N
special.comb(x, 'a')                | TypeError | k
special.comb(x, c)                  | TypeError | real
special.expn('a', x)                | TypeError | n
special.expn(x, 'a')                | TypeError | x
special.expn(x, c)                  | TypeError | real
special.wofz('a')                   | TypeError | z
special.log_ndtr(x, 'a')            | TypeError | series_order
special.log_ndtr(x, -1)             | ValueError | series_order
special.bernoulli('a')              | TypeError | n
special.bernoulli(-1)               | ValueError | n
special.bessel_jn('a', v=1)         | TypeError | z
special.bessel_jn(x, v='a')         | TypeError | v
special.bessel_jn(x, v=-1)          | ValueError | v
special.bessel_jn(c, v=1)           | TypeError | real
special.hyp1f1('a', x, x)           | TypeError | a
special.hyp1f1(x, 'a', x)           | TypeError | b
special.hyp1f1(x, x, 'a')           | TypeError | x
special.hyp2f1(x, x, x, c)          | TypeError | real
special.hyp2f1(x, x, 'a', x)        | TypeError | c
special.lpmn(2, 'a', x)             | TypeError | n
special.lpmn(2, 2, m)               | ValueError | z
special.lpmn(2, 3, x)               | NotImplementedError | m
special.lpmn_values(-1, -1, x, True)| ValueError | m
special.sph_harm_y(x, i, x, x)      | TypeError | n
special.sph_harm_y(i, x, x, x)      | TypeError | m
special.sph_harm_y(i, i, x, x, diff_n=1)| NotImplementedError | diff_n
"""
