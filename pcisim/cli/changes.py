"""The changes between two placements of a guest, as plain data."""

from __future__ import annotations

from pcisim.compare import Change, Difference, PlaceOf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def changes_of(difference: Difference) -> list[dict[str, Any]]:
    """Return the changes of a difference as plain data."""
    return [_change(change) for change in difference.changes]


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "label": change.label,
        "matched_by": change.by or None,
        "old": spot_of(change.old),
        "new": spot_of(change.new),
        "name": change.name or None,
        "before": change.before or None,
        "after": change.after or None,
        "text": change.text,
    }


def spot_of(spot: PlaceOf | None) -> dict[str, Any] | None:
    """Return a place of a device as plain data; ``None`` for no place."""
    if spot is None:
        return None
    address = None if spot.address is None else str(spot.address)
    return {"label": spot.label, "address": address, "path": spot.path or None, "model": spot.model or None}
