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
"""
