"""What the user holds in hand: a placed guest, and every way to look at it."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import NamedTuple, cast, overload

from pcisim.address import PciAddress, format_packed
from pcisim.catalogue.versions import DEFAULT_VERSION, Libvirt, libvirt_version
from pcisim.errors import PcisimError, RefusedError, UsageError, check_type
from pcisim.guest import Guest, evolved
from pcisim.placement import Placement, PlacementStep, Policy
from pcisim.policies import HostPci as HostPci
from pcisim.policies import check_host_pci, place, placed, policy_of
from pcisim.topology import Topology, grouped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.capacity.fits import Fits
    from pcisim.capacity.max_count import Counted, More
    from pcisim.capacity.report import Capacity
    from pcisim.catalogue.profiles import Profile
    from pcisim.compare import Difference
    from pcisim.diagnose import Finding
    from pcisim.enumeration import GuestView
    from pcisim.formats.xml.document import Document
    from pcisim.formats.xml.editor import Edit, Editor
    from pcisim.requests import Wish
    from pcisim.version_differences import VersionDifference


class Explanation(NamedTuple):
    """How one device got its address.

    Args:
        label: the device.
        address: where it sits.
        steps: what was tried, in order; each search with every bus that was looked at.
    """

    label: str
    address: PciAddress
    steps: tuple[PlacementStep, ...]

    def __repr__(self) -> str:
        return f"<Explanation {self.label} is at {self.address}, {len(self.steps)} step{'s' * (len(self.steps) != 1)}>"

    def __str__(self) -> str:
        lines = [f"{self.label} is at {self.address}"]
        for step in self.steps:
            lines.append(f"  {step.remark}")
            lines += [f"    {look.buses('#04x')} {look.model}: {look.verdict}" for look in grouped(step.looks)]
        return "\n".join(lines)


class Plan:
    """A placed guest: where everything sits, why, and how to write it down.

    Args:
        placement: what the policy returned.
        rules: the libvirt version that was emulated.
        policy: the policy.
        source: the guest as it was given, before completion.
        host_pci: what was said of host devices.

    Examples:
        >>> import pcisim
        >>> pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1}))
        <Plan q35: 8 addresses, as libvirt 12.9>
    """

    __slots__ = ("_addresses", "_host_pci", "placement", "policy", "rules", "source")

    def __init__(
        self, placement: Placement, rules: Libvirt, policy: Policy, source: Guest, host_pci: HostPci = None
    ) -> None:
        self.placement = placement
        self.rules = rules
        self.policy = policy
        self.source = source
        self._host_pci = host_pci
        self._addresses: dict[str, PciAddress] | None = None

    @property
    def topology(self) -> Topology:
        """Return every bus and who sits on it.

        Examples:
            >>> import pcisim
            >>> [bus.model.name for bus in pcisim.assign(pcisim.Guest.of("pc", {"virtio-blk": 1})).topology.buses]
            ['pci-root']
        """
        return self.placement.topology

    @property
    def addresses(self) -> dict[str, PciAddress]:
        """Return the address of every device and controller that has a PCI address, by label.

        Examples:
            >>> import pcisim
            >>> pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1})).addresses["disk:vda"]
            PciAddress('0000:02:00.0')
        """
        if self._addresses is None:
            packed = self.placement.addresses
            self._addresses = {
                d.label: PciAddress.from_int(packed[d]) for d in self.placement.guest.all_devices() if d in packed
            }
        return self._addresses

    def explain(self, label: str) -> Explanation:
        """Say how a device got its address: each bus that was looked at and why it was passed over.

        Args:
            label: one of `addresses`.

        Raises:
            UsageError: there is no such device.

        Examples:
            >>> import pcisim
            >>> plan = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1}))
            >>> print(plan.explain("disk:vda"))
            disk:vda is at 0000:02:00.0
              search
                bus 0x00 pcie-root: takes a PCI Express device only at an explicit address
                bus 0x01 pcie-root-port: its one slot is taken
                bus 0x02 pcie-root-port: slot 0x00 is the first one free: chosen
        """
        device = next((d for d in self.placement.addresses if d.label == label), None)
        if device is None:
            known = ", ".join(self.addresses)
            raise UsageError(
                f"no device {label!r} with a PCI address", code="unknown-label", details=(f"there are: {known}",)
            )
        packed = self.placement.addresses[device]
        steps: list[PlacementStep] = []
        if device.address is not None and device.address == packed:
            steps.append(PlacementStep("the address is explicit" + (f" on line {device.line}" if device.line else "")))
        elif device in self.placement.rewritten:
            steps.append(
                PlacementStep(
                    f"{format_packed(self.placement.rewritten[device])} is the explicit address; libvirt puts a"
                    " root port before the bridge that it adds, so the bus is one higher"
                )
            )
        else:
            logged = place(self.source, self.policy, self.rules, log=True)
            steps += next((s for d, s in logged.log.items() if d.label == label), [])
        return Explanation(label, PciAddress.from_int(packed), tuple(steps))

    def capacity(self) -> Capacity:
        """Report how much room is left: bus by bus, cold and hot, and the budgets beside the addresses.

        Examples:
            >>> import pcisim
            >>> report = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1})).capacity()
            >>> report.room.hot, report.bus_numbers
            (1, 5)
        """
        from pcisim.capacity.report import capacity

        return capacity(self.placement)

    def max_count(self, device: str) -> More:
        """Return how many more of a device fit, and which counts below the most are refused.

        The devices are placed together with the guest, as by `assign`, not attached while it runs.

        Args:
            device: a model, by QEMU's name without ``-pci``, or a PCI controller, by libvirt's name.

        Raises:
            UsageError: an unknown device, or a policy that does not place as libvirt does.
            RefusedError: the device is not on PCI there.

        Examples:
            >>> import pcisim
            >>> pcisim.assign(pcisim.Guest.of("pc", {"vga": 1})).max_count("virtio-blk").most
            927
        """
        from pcisim.capacity.max_count import how_many_more_under

        return how_many_more_under(self.source, device, self._counted("max_count"))

    def fits(self, more: Mapping[str, int], *, hotplug: bool = False) -> Fits:
        """Say whether more devices fit, and which PCI controllers make them fit; true when they do.

        Args:
            more: how many of each model, by QEMU's names without ``-pci``.
            hotplug: whether the devices are to be attached while the guest runs.

        Raises:
            UsageError: an unknown model, a count that is none, or a policy that does not place as libvirt does.
            RefusedError: what is added is refused for something else than room.

        Examples:
            >>> import pcisim
            >>> plan = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1}))
            >>> bool(plan.fits({"virtio-net": 3}))
            True
            >>> print(plan.fits({"virtio-net": 3}, hotplug=True).headline)
            no: 1 of 3 can be attached; free hot-pluggable room lacks 2 PCI Express slots
        """
        from pcisim.capacity.fits import fits

        return fits(self.source, more, self._counted("fits"), hotplug=hotplug)

    def _counted(self, what: str) -> Counted:
        if not hasattr(self.policy, "rules"):
            raise UsageError(
                f"{what} counts as libvirt places, not {self.policy.describe()}",
                code="usage",
                remedy="assign with another policy, such as libvirt or dense",
            )
        return cast("Counted", self.policy)

    def check(self, *, limits: str | None = None) -> list[Finding]:
        """Return everything that is wrong with the guest, or worth knowing, as `pcisim.check` does.

        Args:
            limits: the product whose limits also apply, such as ``rhel7``.

        Raises:
            UsageError: an unknown name of limits.

        Examples:
            >>> import pcisim
            >>> pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1})).check()
            []
        """
        from pcisim.diagnose import Judge, examine, limits_of, with_limits, with_remedies

        product = None if limits is None else limits_of(limits)
        found = examine(self.source, self.policy, libvirt=self.rules)
        return with_limits(with_remedies(found, Judge(self.rules, self.policy, self._host_pci)), product, self.rules)

    def guest(self, firmware: str | None = None) -> GuestView:
        """Return what the guest sees of its PCI buses: where it finds each device, and what it never finds.

        Args:
            firmware: ``seabios`` or ``ovmf``; by default the one of the definition.

        Raises:
            RefusedError: the machine has no PCI bus.
            NotCoveredError: a guest of another architecture than x86.
            UsageError: an unknown firmware.

        Examples:
            >>> import pcisim
            >>> view = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1})).guest()
            >>> str(view.find("disk:vda").address), view.boots
            ('0000:02:00.0', True)
        """
        from pcisim.enumeration import enumerate_guest

        guest = self.placement.guest
        if not self.topology.buses:
            raise RefusedError(
                f"the machine {guest.machine_type} has no PCI bus: there is nothing to see",
                code="no-pci-bus",
                remedy="use a machine that has one, such as pc, q35 or virt",
            )
        return enumerate_guest(self.placement, firmware or guest.firmware)

    def diff(self, other: Plan) -> Difference:
        """Say what is different in another plan: which devices move, appear and go; false when nothing is.

        Args:
            other: the plan of the guest as it is to be.

        Examples:
            >>> import pcisim
            >>> old = pcisim.assign(pcisim.Guest.of("q35", {"virtio-net": 1, "virtio-blk": 1}))
            >>> new = pcisim.assign(pcisim.Guest.of("q35", {"virtio-net": 2, "virtio-blk": 1}))
            >>> old.diff(new).of("moved")[0].text
            '0000:03:00.0 -> 0000:04:00.0'
        """
        from pcisim.compare import compare

        check_type(other, Plan, "what a plan is compared with is a Plan")
        return compare(self, other)

    def to_xml(self) -> str | bytes:
        """Return the domain XML with every address filled in.

        The document that the guest was read from, of the same kind (`str` or `bytes`), changed in
        nothing else; or a new document for a guest without one.

        Examples:
            >>> import pcisim
            >>> xml = pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1})).to_xml()
            >>> xml.count("<address type='pci'")
            8
        """
        return self._editor().apply()

    def changes(self) -> list[Edit]:
        """Return what `to_xml` replaces in the document, rather than adds to it.

        Examples:
            >>> import pcisim
            >>> pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1})).changes()
            []
        """
        return self._editor().changes

    def _editor(self) -> Editor:
        from pcisim.formats.domain.writer import edit

        if self.placement.guest.document is not None:
            return edit(self.placement)
        from pcisim.formats.domain.text import render

        text, wishes = render(self.source), self.source.wishes
        return edit(assign(text, self.policy, libvirt=self.rules, wishes=wishes).placement)

    def to_qemu_args(self, *, runnable: bool = False) -> list[str]:
        """Return the plan as QEMU arguments: ``-machine``, then one ``-device`` for each device.

        Args:
            runnable: whether to add null back-ends, so that the line starts a real QEMU;
                otherwise back-ends are placeholders such as ``drive=DRIVE_vda``.

        Examples:
            >>> import pcisim
            >>> pcisim.assign(pcisim.Guest.of("pc", {"virtio-rng": 1})).to_qemu_args()[-3]
            'virtio-rng-pci,rng=RNG_0,id=rng-0,bus=pci.0,addr=0x3'
        """
        from pcisim.formats.qemu import arguments

        return arguments(self.placement, runnable=runnable)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data, ready for JSON; the key ``schema`` names its version.

        Examples:
            >>> import pcisim
            >>> pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1})).to_json()["schema"]
            'pcisim.plan/1'
        """
        from pcisim.formats.jsondoc import plan_document

        others = [difference.to_json() for difference in self.version_differences()]
        return plan_document(self.placement, self.rules, self.policy.describe(), others)

    def version_differences(self) -> list[VersionDifference]:
        """Return what other versions of libvirt that were measured say of the guest, where it is something else.

        Empty for other policies than ``libvirt``.

        Examples:
            >>> import pcisim
            >>> pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 1})).version_differences()
            []
        """
        from pcisim.libvirt.policy import LibvirtPolicy
        from pcisim.version_differences import version_differences

        if not isinstance(self.policy, LibvirtPolicy):
            return []

        def place(rules: Libvirt) -> Placement:
            source, document = self.source, self.source.document
            if document is not None:
                source = evolved(_read(document, rules, self._host_pci), wishes=source.wishes)
            return placed(source, LibvirtPolicy(rules), rules)

        return version_differences(self.placement, self.rules, place)

    def __str__(self) -> str:
        from pcisim.formats.tree import tree

        return "\n".join(tree(self.placement))

    def _repr_svg_(self) -> str | None:
        from pcisim.notebook import SVG, picture

        return picture(self, SVG)

    def __repr__(self) -> str:
        return f"<Plan {self.placement.guest.machine_name}: {len(self.addresses)} addresses, {self.policy.describe()}>"


def assign(
    guest: Guest | str | bytes,
    policy: str | Policy = "libvirt",
    *,
    libvirt: str | Libvirt = DEFAULT_VERSION,
    profile: str | Profile | None = None,
    host_pci: HostPci = None,
    name: str | None = None,
    wishes: Mapping[str, Wish] | None = None,
    group_by_host_slot: bool = False,
) -> Plan:
    """Place every PCI device of a guest.

    Args:
        guest: a `Guest`, or domain XML as text or bytes.
        policy: a policy by its name, as in `pcisim.policies`: ``libvirt``, ``qemu``; or a policy object.
        libvirt: the libvirt version to emulate: any from ``7.0`` on (see `pcisim.catalogue.versions.libvirt_version`);
            by default the newest that was measured.
        profile: the QEMU and the firmware that it goes with, such as ``qemu-10.0`` or ``qemu-11.1:ovmf=2026.08`` (see
            `pcisim.catalogue.profiles.profile_of`); by default those of the distribution that it was measured on.
        host_pci: which host devices of a document are conventional; the others are PCI Express, and
            nothing is read from this machine unless it is ``"auto"``.
        name: the name of the file, for error messages.
        wishes: what is wished for of the places of devices, by label: ``{"disk:vda": Wish(hotpluggable=True)}``.
        group_by_host_slot: whether devices of the host that are functions of one slot there share one in the guest.

    Raises:
        RefusedError: libvirt refuses the guest, or a wish cannot be kept.
        InputError: the XML cannot be read.
        UsageError: an unknown version, profile or policy, or `host_pci` for a `Guest`, which names no host devices.

    Examples:
        >>> import pcisim
        >>> plan = pcisim.assign(pcisim.Guest.of("pc", {"virtio-blk": 2}), policy="dense")
        >>> plan.addresses["disk:vda"], plan.addresses["disk:vdb"]
        (PciAddress('0000:00:01.4'), PciAddress('0000:00:01.5'))
    """
    rules = libvirt_version(libvirt, profile)
    chosen = policy_of(policy, rules)
    if isinstance(guest, Guest):
        check_host_pci(host_pci)
    try:
        if not isinstance(guest, Guest):
            guest = _read(guest, rules, host_pci)
        if group_by_host_slot:
            from pcisim.placement.groups import grouped_by_host_slot

            wishes = grouped_by_host_slot(guest, wishes or {})
        if wishes:
            guest = guest.wishing(wishes)
        return Plan(placed(guest, chosen, rules), rules, chosen, guest, host_pci)
    except PcisimError as error:
        if error.file is None:
            error.file = name
        raise


def _read(xml: str | bytes | Document, rules: Libvirt, host_pci: HostPci) -> Guest:
    from pcisim.formats.domain.reader import read

    return read(xml, rules, host_pci=_lookup(host_pci))


def _lookup(host_pci: HostPci) -> Any:
    if host_pci is None:
        return None
    from pcisim.formats.host_pci import lookup

    return lookup(host_pci)


@overload
def assign_xml(
    xml: str, *, policy: str | Policy = ..., libvirt: str | Libvirt = ..., host_pci: HostPci = ...
) -> str: ...
@overload
def assign_xml(
    xml: bytes, *, policy: str | Policy = ..., libvirt: str | Libvirt = ..., host_pci: HostPci = ...
) -> bytes: ...
@overload
def assign_xml(
    xml: str | bytes, *, policy: str | Policy = ..., libvirt: str | Libvirt = ..., host_pci: HostPci = ...
) -> str | bytes: ...
def assign_xml(
    xml: str | bytes,
    *,
    policy: str | Policy = "libvirt",
    libvirt: str | Libvirt = DEFAULT_VERSION,
    host_pci: HostPci = None,
) -> str | bytes:
    """Return domain XML with every PCI address filled in, of the same kind as it came.

    Args:
        xml: the domain; for `str` the declared encoding is ignored.
        policy: as for `assign`.
        libvirt: as for `assign`.
        host_pci: as for `assign`.

    Raises:
        PcisimError: as for `assign`.

    Examples:
        >>> import pcisim
        >>> xml = "<domain><os><type machine='pc'>hvm</type></os><devices><rng model='virtio'/></devices></domain>"
        >>> "<address type='pci' domain='0x0000' bus='0x00' slot='0x03'" in pcisim.assign_xml(xml)
        True
    """
    # Thousands of objects are made here and dropped at the end: collecting in between costs a
    # quarter of the time and finds nothing.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return assign(xml, policy, libvirt=libvirt, host_pci=host_pci).to_xml()
    finally:
        if collecting:
            gc.enable()
