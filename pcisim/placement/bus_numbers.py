"""Whether the bus numbers below each root bus end before those of the next one begin."""

from __future__ import annotations

from pcisim.address import MAX_BUS
from pcisim.catalogue.controllers import PCI_CONTROLLERS
from pcisim.placement import Placement


def numbers_short(made: Placement) -> tuple[int, int] | None:
    """Return how many bus numbers a root bus needs and has, if these are too few (firmware rule 2.4).

    Args:
        made: a placed guest; without expanders there is no such root bus.
    """
    expanders = {d.index or 0: d.target["busNr"] for d in made.guest.controllers if d.is_pci and "busNr" in d.target}
    if not expanders:
        return None
    parents = {d.index or 0: made.addresses[d] >> 8 for d in made.guest.controllers if d.is_pci and d in made.addresses}
    taken = {0: 1} | dict.fromkeys(expanders, 0)
    for controller in made.guest.controllers:
        index = controller.index or 0
        if controller.is_pci and index:
            root = index
            while root and root not in expanders:
                root = parents.get(root, 0)
            taken[root] += PCI_CONTROLLERS[controller.model].own_bus_numbers
    begins = [(0, 0), *sorted((number, index) for index, number in expanders.items())]
    for (begin, index), (end, _) in zip(begins, [*begins[1:], (MAX_BUS + 1, 0)]):
        if taken[index] > end - begin:
            return taken[index], end - begin
    return None
