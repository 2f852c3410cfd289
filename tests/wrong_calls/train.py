"""Wrong calls: fungrad.train."""

TABLE = r"""
train.fit(3, 0, [1])                                         | TypeError | step
train.fit(sq, 0, 3)                                          | TypeError | data
train.fit(sq, 0, [1], steps='a')                             | TypeError | steps
train.fit(sq, 0, [1], steps=-1)                              | ValueError | steps
train.fit(sq, 0, [1], every=0)                               | ValueError | every
train.fit(sq, 0, [1], on_nan='a')                            | ValueError | on_nan
train.fit(sq, 0, [1], checkpoints='a')                       | TypeError | checkpoints
train.EarlyStopping(3)                                       | TypeError | metric
train.EarlyStopping('loss', patience=0)                      | ValueError | patience
train.EarlyStopping('loss', mode='a')                        | ValueError | mode
train.EarlyStopping('loss', min_delta='a')                   | TypeError | min_delta
train.accuracy('a')                                          | TypeError | top_k
train.accuracy(0)                                            | ValueError | top_k
train.confusion('a')                                         | TypeError | num_classes
train.f1(3, 'a')                                             | ValueError | average
train.f1(3, 'binary')                                        | ValueError | average
train.auc(0)                                                 | ValueError | bins
train.roc_auc(m, i)                                          | ValueError | scores
train.roc_auc(x, x)                                          | ValueError | labels
train.roc_auc(x, i[:2])                                      | ValueError | labels
train.CSVWriter(3)                                           | TypeError | path
train.TensorBoardWriter(3)                                   | TypeError | directory
train.plot(3, 'a.png')                                       | TypeError | history
train.plot(train.History(), 3)                               | TypeError | path
"""
