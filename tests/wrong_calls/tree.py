"""Wrong calls: fungrad.tree and fungrad.tree_util."""

TABLE = r"""
tree.map('a', [x])                                                                | TypeError | f
tree.map(jnp.sin, 10 ** 30)                                                       | OverflowError | tree
tree.map(jnp.sin, [x], is_leaf='a')                                               | TypeError | is_leaf
tree.leaves([x], is_leaf='a')                                                     | TypeError | is_leaf
tree.flatten([x], is_leaf='a')                                                    | TypeError | is_leaf
tree.structure([x], is_leaf='a')                                                  | TypeError | is_leaf
tree.unflatten('a', [1])                                                          | TypeError | treedef
tree.unflatten(tree.structure([x]), 2.5)                                          | TypeError | leaves
tree.reduce('a', [1, 2], 0)                                                       | TypeError | function
tree.reduce(operator.add, [1, 2], 0, is_leaf='a')                                 | TypeError | is_leaf
tree.all([True], is_leaf='a')                                                     | TypeError | is_leaf
tree.transpose('a', tree.structure((1, 2)), [(1, 2)])                             | TypeError | outer_treedef
tree.transpose(tree.structure([1]), 'a', [(1, 2)])                                | TypeError | inner_treedef
tree.transpose(tree.structure([1]), tree.structure((1, 2)), 'a')                  | TypeError | pytree_to_transpose
tree.map_with_path('a', [x])                                                      | TypeError | f
tree.map_with_path(lambda p, v: v, [x], is_leaf='a')                              | TypeError | is_leaf
tree.flatten_with_path([x], is_leaf='a')                                          | TypeError | is_leaf
tree.leaves_with_path([x], is_leaf='a')                                           | TypeError | is_leaf
tree.broadcast(None, [1, 2])                                                      | ValueError | prefix_tree
tree.broadcast(1, [1, 2], is_leaf='a')                                            | TypeError | is_leaf
tree.reduce_associative('a', [1, 2])                                              | TypeError | operation
tree.reduce_associative(operator.add, None)                                       | TypeError | tree
tree_util.tree_map('a', [x])                                                      | TypeError | f
tree_util.tree_map(jnp.sin, 10 ** 30)                                             | OverflowError | tree
tree_util.tree_unflatten('a', [1])                                                | TypeError | treedef
tree_util.tree_unflatten(tree_util.tree_structure([x]), 2.5)                      | TypeError | leaves
tree_util.tree_reduce('a', [1, 2], 0)                                             | TypeError | function
tree_util.tree_transpose('a', tree.structure((1, 2)), [(1, 2)])                   | TypeError | outer_treedef
tree_util.tree_transpose(tree.structure([1]), 'a', [(1, 2)])                      | TypeError | inner_treedef
tree_util.tree_transpose(tree.structure([1]), tree.structure((1, 2)), 'a')        | TypeError | pytree_to_transpose
tree_util.register_pytree_node(type('A', (), {}), lambda v: ((), None), 'a')      | TypeError | unflatten_func
tree_util.register_pytree_with_keys('a', lambda v: ((), None), lambda a, c: None) | TypeError | nodetype
tree_util.register_pytree_with_keys(type('A', (), {}), lambda v: ((), None), 'a') | TypeError | unflatten_func
tree_util.register_dataclass('a', [], [])                                         | TypeError | nodetype
tree_util.register_dataclass(type('A', (), {}), 2.5, [])                          | TypeError | data_fields
tree_util.register_dataclass(type('A', (), {}), [], 2.5)                          | TypeError | meta_fields
tree_util.register_static('a')                                                    | TypeError | cls
tree_util.keystr(10 ** 30)                                                        | TypeError | keys
tree_util.keystr((), simple=k)                                                    | TypeError | simple
tree_util.keystr((), separator=2.5)                                               | TypeError | separator
tree_util.treedef_children('a')                                                   | TypeError | treedef
tree_util.treedef_tuple('a')                                                      | TypeError | treedefs
tree_util.treedef_is_leaf('a')                                                    | TypeError | treedef
tree_util.all_leaves(2.5)                                                         | TypeError | iterable
tree_util.tree_map_with_path('a', [1])                                            | TypeError | f
"""
