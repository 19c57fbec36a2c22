"""The policies that have a closed form: how it counts, and how it is written down."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pcisim.catalogue.versions import DEFAULT_VERSION, VERSIONS
from pcisim.dense.policy import DensePolicy
from pcisim.errors import NotCoveredError
from pcisim.fleet.arrays.closed_form import Form
from pcisim.fleet.arrays.packed import PackedForm, packed_runs
from pcisim.fleet.arrays.runs import Runs, runs_of
from pcisim.fleet.arrays.spared import SparedForm, spared_runs
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.placement import Policy
from pcisim.policies import policy_of
from pcisim.spares.policy import HotplugPolicy


class Way(NamedTuple):
    """How guests are placed."""

    form: Callable[..., Form]
    """The closed form, from what `Form` takes."""
    runs_of: Callable[[Form], Runs]
    """The addresses, of guests that fit and have the same `layout`."""


LIBVIRT = Way(Form, runs_of)
_RULES = VERSIONS[DEFAULT_VERSION]


def way_of(policy: str | Policy) -> Way:
    """Return the closed form of a policy.

    Raises:
        UsageError: there is no such policy, or no such option of it.
        NotCoveredError: it has no closed form.
    """
    found = policy_of(policy, _RULES)
    if found == LibvirtPolicy(_RULES):
        return LIBVIRT
    if isinstance(found, DensePolicy) and found._replace(firmware="") == DensePolicy(_RULES):
        if found.firmware in ("", "none"):
            return Way(PackedForm, packed_runs)
    elif isinstance(found, HotplugPolicy) and not found.preset and found.rules == _RULES:
        return Way(partial(SparedForm, spares=found.spares), spared_runs)
    raise NotCoveredError(
        f"many guests at once are not placed by {policy!r}",
        code="no-closed-form",
        details=("by counts guests are placed by libvirt, dense, dense:firmware=none and hotplug without a preset",),
        remedy="ask pcisim.assign about one guest after the other",
    )
