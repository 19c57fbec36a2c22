"""Two guests, device by device: who is who, and who moved."""

from pcisim.compare.difference import (
    APPEARED,
    GONE,
    KINDS,
    MODEL,
    MOVED,
    MULTIFUNCTION,
    OPTION,
    RENAMED,
    RENUMBERED,
    Ambiguity,
    Change,
    Difference,
    PlaceOf,
    compare,
    natural,
)
from pcisim.compare.matching import Group, Matching, Pair, match
from pcisim.compare.places import match_pci_controllers, paths

__all__ = [
    "APPEARED",
    "GONE",
    "KINDS",
    "MODEL",
    "MOVED",
    "MULTIFUNCTION",
    "OPTION",
    "RENAMED",
    "RENUMBERED",
    "Ambiguity",
    "Change",
    "Difference",
    "Group",
    "Matching",
    "Pair",
    "PlaceOf",
    "compare",
    "match",
    "match_pci_controllers",
    "natural",
    "paths",
]
