"""The primitives by name: ``primitives.add_p`` is the primitive whose equations print as ``add``."""

from fungrad import lax as _lax
from fungrad.core.primitive import Primitive as _Primitive
from fungrad.jit.front.call import jit_p

_named = {name: value for name, value in vars(_lax).items() if name.endswith("_p") and isinstance(value, _Primitive)}
globals().update(_named)

__all__ = ["jit_p", *sorted(_named)]
