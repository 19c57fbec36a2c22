"""What firmware and guest see.

`enumerate_guest` and the values it returns are loaded on first use: the I/O budget, which every
``pcisim check`` asks for, does without them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.enumeration.enumerate import enumerate_guest
    from pcisim.enumeration.view import GuestBar, GuestBus, GuestFunction, GuestView, Numbers, Window

_HOME = {"enumerate_guest": "enumerate"}
_HOME |= dict.fromkeys(("GuestBar", "GuestBus", "GuestFunction", "GuestView", "Numbers", "Window"), "view")

__all__ = ["GuestBar", "GuestBus", "GuestFunction", "GuestView", "Numbers", "Window", "enumerate_guest"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
