"""``fungrad.train``: a training loop, metrics, and files to follow a run by.

The file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.train.history import (
    History as History,
)
from fungrad.train.loop import (
    Fit as Fit,
    Look as Look,
    fit as fit,
)
from fungrad.train.metrics import (
    Metric as Metric,
    accuracy as accuracy,
    auc as auc,
    confusion as confusion,
    f1 as f1,
    mean as mean,
    perplexity as perplexity,
    roc_auc as roc_auc,
)
from fungrad.train.stopping import (
    EarlyStopping as EarlyStopping,
)
from fungrad.train.writers import (
    CSVWriter as CSVWriter,
    TensorBoardWriter as TensorBoardWriter,
    plot as plot,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
