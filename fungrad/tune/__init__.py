"""``fungrad.tune``: search for hyperparameters with Optuna.

The file holds no code.
"""

from fungrad.core.public_names import publish
from fungrad.tune.search import Result, Uniform, search, search_mapped

__all__ = ["Result", "Uniform", "search", "search_mapped"]

publish(globals(), __name__, __all__)
