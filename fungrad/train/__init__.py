"""``fungrad.train``: a training loop, metrics, and files to follow a run by.

The file holds no code.
"""

from fungrad.core.public_names import publish
from fungrad.train.history import History
from fungrad.train.loop import Fit, Look, fit
from fungrad.train.metrics import Metric, accuracy, auc, confusion, f1, mean, perplexity, roc_auc
from fungrad.train.stopping import EarlyStopping
from fungrad.train.writers import CSVWriter, TensorBoardWriter, plot

__all__ = [
    "CSVWriter",
    "EarlyStopping",
    "Fit",
    "History",
    "Look",
    "Metric",
    "TensorBoardWriter",
    "accuracy",
    "auc",
    "confusion",
    "f1",
    "fit",
    "mean",
    "perplexity",
    "plot",
    "roc_auc",
]

publish(globals(), __name__, __all__)
