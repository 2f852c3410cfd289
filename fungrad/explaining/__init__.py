"""Everything the library knows of a computation, for people: ``fungrad.explain`` and ``fungrad.profile``.

A file for each concern: `places` (lines of the user), `listings` (printed programs whose lines know where they come
from), `programs` (what a jaxpr was compiled to), `costs` and `rates` (bytes, operations, a roofline), `derivatives`,
`chain_rule`, `explanation` (all of it in one object), `terminal` and `page` (as text and as HTML), `profiling`.

Nothing below knows of this package; it is loaded when somebody asks for an explanation.
"""

from fungrad.explaining.explanation import Explanation, explain
from fungrad.explaining.profiling import Profile, profile

__all__ = ["Explanation", "Profile", "explain", "profile"]
