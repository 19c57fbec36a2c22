"""Which network interfaces the guest will know by another name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pcisim.catalogue.x86_machines import X86
from pcisim.enumeration import enumerate_guest
from pcisim.enumeration.names import SCHEMES, names_of_guest, spans
from pcisim.placement import Placement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pcisim.compare.matching import Pair

NO_NAME = "none"
"""What an interface is called that the guest never sees."""


def renames(old: Placement, new: Placement, pairs: Iterable[Pair]) -> Iterator[tuple[Pair, str, str, str]]:
    """Yield each interface that is renamed: who it is, the old name, the new one, and by which naming schemes.

    Args:
        old: the guest as it was.
        new: the guest as it is to be.
        pairs: who is who.

    The schemes are "" where all of them do.
    """
    interfaces = [pair for pair in pairs if pair.old.element == "interface"]
    if not interfaces or not all(side.topology.buses and side.guest.arch in X86 for side in (old, new)):
        return
    before, after = _names(old), _names(new)
    for pair in interfaces:
        one, two = before.get(pair.old.label, {}), after.get(pair.new.label, {})
        changed: dict[tuple[str, str], list[str]] = {}
        for scheme in SCHEMES:
            names = one.get(scheme, NO_NAME), two.get(scheme, NO_NAME)
            if names[0] != names[1]:
                changed.setdefault(names, []).append(scheme)
        for (was, becomes), schemes in changed.items():
            yield pair, was, becomes, "" if len(schemes) == len(SCHEMES) else spans(schemes)


def _names(placement: Placement) -> dict[str, dict[str, str]]:
    """Return the name of each interface by label and scheme."""
    view = enumerate_guest(placement, placement.guest.firmware)
    names = names_of_guest(placement, view)
    return {
        function.label: {scheme: option.name for option in names[function.address] for scheme in option.schemes}
        for function in view.functions
        if function.label is not None and function.address in names
    }
