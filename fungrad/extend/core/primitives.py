"""The primitives by name: ``primitives.add_p`` is the primitive whose equations print as ``add``."""

from fungrad import lax as _lax
from fungrad.core.primitive import Primitive as _Primitive
from fungrad.jit.front.call import jit_p
from fungrad.lax import linalg as _linalg
from fungrad.ops import random_bits as _random_bits, random_gamma as _random_gamma

_named = {
    name: value
    for module in (_lax, _linalg, _random_bits, _random_gamma)
    for name in dir(module)
    if name.endswith("_p") and isinstance(value := getattr(module, name), _Primitive)
}
# Those that are called otherwise here: JAX's name, and what equations print.
_named |= {
    name: _Primitive.named(printed)
    for name, printed in {
        "add_jaxvals_p": "add_any",
        "custom_jvp_call_p": "custom_jvp_call",
        "custom_lin_p": "custom_lin",
        "custom_vjp_call_p": "custom_vjp_call",
        "name_p": "name",
        "remat_p": "remat2",
    }.items()
}
globals().update(_named)

__all__ = ["jit_p", *sorted(_named)]
