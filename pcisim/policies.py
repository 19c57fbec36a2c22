"""The policies by which a guest can be placed: one row each, and how they are written.

A policy is written ``NAME[:KEY=VALUE[:KEY=VALUE...]]``, as in ``hotplug:spare=4:pci-spare=2``, in the library as on the
command line; where several are named, commas separate them.  A policy object, anything with the methods of `Policy`,
may stand for a name.

To add one: write a class with ``place`` and ``describe``, and a row here; `tests/test_policies.py` then holds it to
what every policy promises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pcisim.address import parse_number
from pcisim.catalogue.versions import Libvirt
from pcisim.errors import UsageError
from pcisim.guest import Guest, memory_size
from pcisim.libvirt.completion import complete
from pcisim.libvirt.policy import LibvirtPolicy
from pcisim.libvirt.validation import validate
from pcisim.placement import Placement, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Value = int | bool | str | None
HostPci = Mapping[str, str] | str | None
"""``None``; ``"auto"`` to read this machine's sysfs; or ``{"0000:06:12.0": "pci"}``."""


class Option(NamedTuple):
    """An option of a policy."""

    name: str
    summary: str
    default: Value
    """``None`` where it matters whether the option is given."""
    low: int = 0
    """The lowest value of an option that is a number."""
    high: int = 0
    words: tuple[str, ...] = ()
    """What an option that is a word may be."""
    is_size: bool = False
    """Whether it is a size of memory, with a unit."""

    @property
    def allowed(self) -> str:
        """Return what may be written, in words."""
        if self.words:
            return " or ".join(self.words)
        if self.is_size:
            return "an integer with a unit, such as 4GiB or 512MiB"
        return "on or off" if isinstance(self.default, bool) else f"a number from {self.low} to {self.high}"

    def read(self, text: str) -> Value | None:
        """Return the value of a text, or ``None`` if the option cannot have it."""
        if self.words:
            return text if text in self.words else None
        if self.is_size:
            return _size(text)
        if isinstance(self.default, bool):
            return {"on": True, "off": False}.get(text)
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(self.high))
        return int(text) if is_number and self.low <= int(text) <= self.high else None


def _size(text: str) -> int | None:
    unit = text.lstrip("0123456789")
    number = parse_number(text.removesuffix(unit), limit=_MOST_MEMORY)
    return memory_size(number, unit) if number is not None else None


class PolicyRow(NamedTuple):
    """One row: a policy that has a name."""

    name: str
    summary: str
    """What it does, in one line."""
    make: Callable[[Libvirt, Mapping[str, Value]], Policy]
    """Makes the policy, from the version of libvirt and the value of each option."""
    options: tuple[Option, ...] = ()


def _libvirt(rules: Libvirt, options: Mapping[str, Value]) -> Policy:
    return LibvirtPolicy(rules)


def _qemu(rules: Libvirt, options: Mapping[str, Value]) -> Policy:
    from pcisim.qemu.policy import QemuPolicy

    return QemuPolicy()


def _dense(rules: Libvirt, options: Mapping[str, Value]) -> Policy:
    from pcisim.dense.composition import Freedom
    from pcisim.dense.policy import DensePolicy

    freedom = Freedom(bool(options["mixed"]), bool(options["integrated"]), bool(options["dmi"]))
    return DensePolicy(rules, freedom, bool(options["modern"]), str(options["firmware"]).replace(AS_DEFINED, ""))


def _hotplug(rules: Libvirt, options: Mapping[str, Value]) -> Policy:
    from pcisim.spares.policy import HotplugPolicy, Spares
    from pcisim.spares.presets import PRESETS, Settings

    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    name = given.pop("preset", "")
    own = tuple(option.name for option in _HOTPLUG_OPTIONS[: len(Spares._fields)])
    preset = PRESETS[name] if name else None
    allowed = preset.settings if preset is not None else own
    for option in given:
        if option not in allowed:
            with_what = f"preset {name}" if name else "no preset"
            presets = [row.name for row in PRESETS.values() if option in row.settings]
            raise UsageError(
                f"policy 'hotplug': {option} does not go with {with_what}",
                code="policy-option",
                details=(
                    f"with {with_what} go: {', '.join(allowed) or 'no other options'}",
                    f"{option} goes with {', '.join(presets) or 'no preset'}",
                ),
            )
    if preset is None:
        if "total" in given or "extra" in given:
            given.setdefault("spare", 0)
        return HotplugPolicy(rules, Spares(**{option.replace("-", "_"): value for option, value in given.items()}))
    for option in preset.needs:
        if option not in given:
            row = next(row for row in _HOTPLUG_OPTIONS if row.name == option)
            raise UsageError(
                f"policy 'hotplug': preset {name} needs {option}",
                code="policy-option",
                details=(f"{option} is {row.allowed}: {row.summary}",),
                remedy=f"write hotplug:preset={name}:{option}=N",
            )
    return HotplugPolicy(rules, preset=name, settings=Settings(**given))


_MOST_MEMORY = (1 << 64) - 1
AS_DEFINED = "definition"
"""The firmware that the definition names."""
_DENSE_OPTIONS = (
    Option("mixed", "whether endpoints go on every bus on which a written address may put them", False),
    Option("integrated", "whether endpoints go on a PCI Express root bus", False),
    Option("dmi", "whether a dmi-to-pci-bridge may be added", False),
    Option("modern", "whether virtio devices become non-transitional ones, which have no I/O ports", False),
    Option("firmware", "whose I/O has to suffice", AS_DEFINED, words=(AS_DEFINED, "seabios", "ovmf", "none")),
)
_MOST = 255
_PRESET_NAMES = ("virt-install", "nova", "kubevirt-v1", "kubevirt-v2", "kubevirt-v3")
_HOTPLUG_OPTIONS = (
    Option("spare", "empty hot-pluggable slots, PCI Express or on pc conventional", None, 0, _MOST),
    Option("total", "PCI Express ports in all", None, 0, _MOST),
    Option("extra", "PCI Express ports beyond those that are written or needed", None, 0, _MOST),
    Option("pci-spare", "empty hot-pluggable conventional slots", None, 0, _MOST),
    Option("preset", "the manager whose spares to imitate", None, words=_PRESET_NAMES),
    Option("ports", "num_pcie_ports of nova", None, 0, 28),
    Option("memory", "how much the guest has, as KubeVirt looks at it", None, is_size=True),
    Option("used", "how many ports KubeVirt counts as in use", None, 0, _MOST),
    Option("slots", "interfaces and placeholders in all, as KubeVirt has noted them", None, 0, _MOST),
)
_ROWS = (
    PolicyRow("libvirt", "exactly as libvirt does", _libvirt),
    PolicyRow("dense", "as few PCI controllers as possible, 8 devices a slot", _dense, _DENSE_OPTIONS),
    PolicyRow("hotplug", "as libvirt does, with spare ports and slots for hotplug", _hotplug, _HOTPLUG_OPTIONS),
    PolicyRow("qemu", "as QEMU places -device without addr", _qemu),
)
POLICIES: Mapping[str, PolicyRow] = MappingProxyType({row.name: row for row in _ROWS})


def policy_of(policy: str | Policy, rules: Libvirt, table: Mapping[str, PolicyRow] = POLICIES) -> Policy:
    """Return the policy that a text describes, or the policy itself.

    Args:
        policy: ``NAME[:KEY=VALUE...]``, or a policy object.
        rules: the version of libvirt that a policy refers to.
        table: the policies that there are.

    Raises:
        UsageError: there is no such policy, it has no such option, or an option has no such value.
    """
    if not isinstance(policy, str):
        if callable(getattr(policy, "place", None)) and callable(getattr(policy, "describe", None)):
            return policy
        raise UsageError(
            f"a policy is a name or an object with place() and describe(), not {policy!r}", code="unknown-policy"
        )
    name, *settings = policy.split(":")
    row = table.get(name)
    if row is None:
        known = ", ".join(table)
        raise UsageError(f"unknown policy {name!r}", code="unknown-policy", details=(f"known: {known}",))
    values = {option.name: option.default for option in row.options}
    for setting in settings:
        key, _, text = setting.partition("=")
        option = next((option for option in row.options if option.name == key), None)
        if option is None:
            known = ", ".join(values) or "none"
            raise UsageError(
                f"policy {name!r} has no option {key!r}", code="policy-option", details=(f"its options: {known}",)
            )
        value = option.read(text)
        if value is None:
            raise UsageError(
                f"policy {policy!r}: {key} cannot be {text!r}",
                code="policy-option",
                details=(f"{key} is {option.allowed}: {option.summary}",),
            )
        values[key] = value
    return row.make(rules, values)


def check_host_pci(host_pci: HostPci) -> None:
    """Refuse to be told about host devices for a `Guest`, which names none.

    Raises:
        UsageError: `host_pci` is not ``None``.
    """
    if host_pci is not None:
        raise UsageError(
            "host_pci goes with domain XML: a Guest names no host devices",
            code="host-pci",
            remedy="pass the XML, in which each <hostdev> names its device, or leave host_pci out",
        )


def listed(table: Mapping[str, PolicyRow] = POLICIES) -> list[str]:
    """Return the policies, their options and what these may be, one per line.

    Args:
        table: the policies that there are.
    """
    from pcisim.spares.presets import PRESETS

    lines = []
    for row in table.values():
        lines.append(f"{row.name:24} {row.summary}")
        for option in row.options:
            default = option.default if not isinstance(option.default, bool) else "on" if option.default else "off"
            usual = "" if default is None else f"; default: {default}"
            lines.append(f"  :{option.name + '=':21} {option.summary} ({option.allowed}{usual})")
            if option.words == _PRESET_NAMES:
                lines += [f"      {preset.name:18} {preset.summary}" for preset in PRESETS.values()]
    return lines


def place(guest: Guest, policy: Policy, rules: Libvirt, *, log: bool = False) -> Placement:
    """Complete a guest and place it, devices that are to share a slot in one, and others below an expander of a node.

    Args:
        guest: as it was read or described; it is not changed.
        policy: what places it.
        rules: the version of libvirt that completes it.
        log: whether to say how each device got its place.

    Raises:
        RefusedError: the guest is refused.
        UsageError: devices that are wished to share a slot, or to be on a NUMA node, cannot.
    """
    completed = complete(guest, rules)
    if not guest.wishes:
        return policy.place(completed, log=log)
    return _with_wishes(completed, policy, log=log)


def _with_wishes(guest: Guest, policy: Policy, *, log: bool) -> Placement:
    from pcisim.placement.groups import place_groups, shares_by_wish
    from pcisim.placement.nodes import asks_for_node, place_nodes

    def on_nodes(one: Guest) -> Placement:
        if not asks_for_node(one):
            return policy.place(one, log=log)
        from pcisim.enumeration.io_windows import io_ports

        return place_nodes(one, lambda rest: policy.place(rest, log=log), io_ports)

    return place_groups(guest, on_nodes) if shares_by_wish(guest) else on_nodes(guest)


def placed(guest: Guest, policy: Policy, rules: Libvirt) -> Placement:
    """Complete a guest, place it and validate the result: the way from a definition to addresses.

    Args:
        guest: as it was read or described; it is not changed.
        policy: what places it.
        rules: the version of libvirt that completes and validates it.

    Raises:
        RefusedError: the guest is refused, or something that is wished for of a place is not kept.
    """
    placement = place(guest, policy, rules)
    validate(placement.guest, placement.addresses, rules, placement.overwritten)
    if guest.wishes:
        from pcisim.placement.wishes import check_wishes

        check_wishes(placement)
    return placement
