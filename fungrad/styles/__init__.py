"""``fungrad.styles``: other styles of automatic differentiation over fungrad's primitives, to compare and to teach.

``styles.tape`` is TensorFlow's, ``styles.eager`` PyTorch's, ``styles.sequential`` Keras'.  Programs of these styles run
with their imports changed, on the same primitives with the same numbers; what differs is who holds the state.  Nothing
below knows of this package.

The file holds no code.
"""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.styles import (
    eager as eager,
    sequential as sequential,
    tape as tape,
)
from fungrad.styles.comparing import (
    Comparison as Comparison,
    compare as compare,
)

__all__ = _public_names(globals(), "eager", "sequential", "tape")

_publish(globals(), __name__, __all__)
