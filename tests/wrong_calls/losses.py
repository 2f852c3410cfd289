"""Wrong calls: the losses, projections, assignments and perturbations of fungrad.optim."""

TABLE = r"""
optim.l2_loss('a')                                                          | TypeError | predictions
optim.l2_loss(i)                                                            | ValueError | predictions
optim.l2_loss(x, 'a')                                                       | TypeError | targets
optim.l2_loss(m, x)                                                         | ValueError | targets
optim.squared_error([1.0, 2.0])                                             | TypeError | predictions
optim.squared_error(m, x)                                                   | ValueError | targets
optim.huber_loss(i)                                                         | ValueError | predictions
optim.huber_loss(x, delta='a')                                              | TypeError | delta
optim.log_cosh(None)                                                        | TypeError | predictions
optim.log_cosh(i)                                                           | ValueError | predictions
optim.cosine_similarity(x, i)                                               | ValueError | targets
optim.cosine_similarity(x, x, axis=3)                                       | ValueError | axis
optim.cosine_distance(x, x, axis='a')                                       | TypeError | axis
optim.cosine_distance(x, x, where='a')                                      | TypeError | where
optim.sigmoid_binary_cross_entropy(i, i)                                    | ValueError | logits
optim.sigmoid_binary_cross_entropy(x, None)                                 | TypeError | labels
optim.sigmoid_focal_loss(i, i)                                              | ValueError | logits
optim.sigmoid_focal_loss(x, x, gamma='a')                                   | TypeError | gamma
optim.sigmoid_focal_loss(x, x, alpha='a')                                   | TypeError | alpha
optim.hinge_loss('a', x)                                                    | TypeError | predictor_outputs
optim.hinge_loss(x, 'a')                                                    | TypeError | targets
optim.losses.perceptron_loss(m, x)                                          | ValueError | targets
optim.losses.sparsemax_loss(None, x)                                        | TypeError | logits
optim.softmax_cross_entropy(i, x)                                           | ValueError | logits
optim.softmax_cross_entropy(m, None)                                        | TypeError | labels
optim.softmax_cross_entropy(m, m, axis=2)                                   | ValueError | axis
optim.softmax_cross_entropy(m, m, axis='a')                                 | TypeError | axis
optim.softmax_cross_entropy(m, m, where='a')                                | TypeError | where
optim.softmax_cross_entropy_with_integer_labels(m, m)                       | ValueError | labels
optim.softmax_cross_entropy_with_integer_labels(i, i)                       | ValueError | logits
optim.softmax_cross_entropy_with_integer_labels(m, jnp.zeros((3, 1), int))  | ValueError | labels
optim.softmax_cross_entropy_with_integer_labels(m, i[:3], axis=None)        | ValueError | axis
optim.softmax_cross_entropy_with_integer_labels(m, i[:3], axis=2)           | ValueError | axis
optim.softmax_cross_entropy_with_integer_labels(m, i[:3], axis='a')         | TypeError | axis
optim.safe_softmax_cross_entropy(i, x)                                      | ValueError | logits
optim.losses.poly_loss_cross_entropy(m, jnp.ones((3, 4), int))              | ValueError | labels
optim.losses.poly_loss_cross_entropy(m, m, epsilon='a')                     | TypeError | epsilon
optim.losses.multiclass_hinge_loss(m, x)                                    | ValueError | labels
optim.losses.multiclass_perceptron_loss(m, x)                               | ValueError | labels
optim.losses.multiclass_sparsemax_loss(jnp.float32(1), i)                   | ValueError | scores
optim.kl_divergence(i, x)                                                   | ValueError | log_predictions
optim.kl_divergence(x, i)                                                   | ValueError | targets
optim.kl_divergence(x, x, axis=4)                                           | ValueError | axis
optim.losses.kl_divergence_with_log_targets(x, i)                           | ValueError | log_targets
optim.losses.generalized_kl_divergence(x, 'a')                              | TypeError | targets
optim.convex_kl_divergence('a', x)                                          | TypeError | log_predictions
optim.smooth_labels(i, 0.1)                                                 | ValueError | labels
optim.smooth_labels(x, 'a')                                                 | TypeError | alpha
optim.smooth_labels(x, 0.1, axis=1)                                         | ValueError | axis
optim.losses.ranking_softmax_loss(i, x)                                     | ValueError | logits
optim.losses.ranking_softmax_loss(m, m, weights='a')                        | TypeError | weights
optim.losses.ranking_softmax_loss(m, m, reduce_fn='a')                      | TypeError | reduce_fn
optim.losses.dice_loss(m, x)                                                | ValueError | targets
optim.losses.dice_loss(m, m, reduction='a')                                 | ValueError | reduction
optim.losses.dice_loss(m, m, class_weights=m)                               | ValueError | class_weights
optim.losses.dice_loss(m, m, apply_softmax=False)                           | FailedCheckError | predictions
optim.losses.multiclass_generalized_dice_loss(m, x)                         | ValueError | targets
optim.losses.binary_dice_loss('a', x)                                       | TypeError | predictions
optim.ntxent(i, i)                                                          | ValueError | embeddings
optim.ntxent(m, i)                                                          | ValueError | labels
optim.losses.triplet_margin_loss(m, m, i)                                   | ValueError | negatives
optim.losses.triplet_margin_loss(m, m, m, axis=2)                           | ValueError | axis
optim.losses.triplet_margin_loss(m, m, m, margin='a')                       | TypeError | margin
optim.ctc_loss(m, m, i, i)                                                  | ValueError | logits
optim.ctc_loss(q[:, :, 0], x[None, :3], i[None, :2], x[None, :2]) | ValueError | logit_paddings
optim.ctc_loss(q[:, :, 0], q[..., 0, 0], i[None, :2], x[None, :3]) | ValueError | label_paddings
optim.ctc_loss(q[:, :, 0], q[..., 0, 0], x[None, :2], x[None, :2]) | ValueError | labels
optim.ctc_loss(q[:, :, 0], q[..., 0, 0], i[None, :2], x[None, :2], blank_id=8) | ValueError | blank_id
optim.ctc_loss_with_forward_probs(m, m, i, i)                               | ValueError | logits
optim.losses.make_fenchel_young_loss(3)                                     | TypeError | max_fun
optim.projections.projection_box(params, {'a': 0.0}, 1.0)                   | ValueError | lower
optim.projections.projection_simplex({})                                    | ValueError | tree
optim.projections.projection_simplex('a')                                   | TypeError | tree
optim.projections.projection_l2_ball('a')                                   | TypeError | tree
optim.projections.projection_hyperplane(params, {'a': x}, 1.0)              | ValueError | a
optim.assignment.hungarian_algorithm(x)                                     | ValueError | cost_matrix
optim.assignment.hungarian_algorithm('a')                                   | TypeError | cost_matrix
optim.assignment.hungarian_algorithm(jnp.full((2, 2), jnp.nan))             | FailedCheckError | cost_matrix
optim.assignment.base_hungarian_algorithm(c)                                | ValueError | cost_matrix
optim.perturbations.make_perturbed_fun(3)                                   | TypeError | fun
optim.perturbations.make_perturbed_fun(jnp.sum, num_samples=0)              | ValueError | num_samples
optim.perturbations.make_perturbed_fun(jnp.sum, noise=3)                    | TypeError | noise
"""
