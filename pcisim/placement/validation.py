"""What libvirt refuses after it has placed everything.

Source: sections 7 and 8.3 of the rules, asked of libvirt 11.3.0.
"""

from __future__ import annotations

from pcisim.placement import Placement


def validate(placement: Placement) -> None:
    """Refuse what libvirt refuses."""
