"""Wrong calls: fungrad.tune."""

TABLE = r"""
tune.search(3, 5)                                            | TypeError | objective
tune.search(sq, 'a')                                         | TypeError | trials
tune.search(sq, 0)                                           | ValueError | trials
tune.search(sq, 5, sampler='a')                              | ValueError | sampler
tune.search(sq, 5, sampler='grid')                           | ValueError | grid
tune.search(sq, 5, grid={'a': [1]})                          | ValueError | grid
tune.search(sq, 5, pruner='a')                               | ValueError | pruner
tune.search(sq, 5, processes=2)                              | ValueError | storage
tune.search(sq, 5, storage=3)                                | TypeError | storage
tune.search_mapped(3, {}, 5)                                 | TypeError | objective
tune.search_mapped(sq, {}, 5)                                | TypeError | space
tune.search_mapped(sq, {'a': 3}, 5)                          | TypeError | space
tune.search_mapped(sq, {'a': tune.Uniform(1.0, 0.0)}, 5)     | ValueError | space
tune.search_mapped(sq, {'a': tune.Uniform('a', 0.0)}, 5)     | TypeError | space
tune.search_mapped(sq, {'a': tune.Uniform(0.0, 1.0)}, 5, sampler='grid') | ValueError | sampler
tune.search_mapped(sq, {'a': tune.Uniform(0.0, 1.0)}, 5, batch=0) | ValueError | batch
"""
