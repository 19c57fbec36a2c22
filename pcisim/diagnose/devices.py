"""Rules about devices that QEMU does not have, or not on PCI, though libvirt defines them.

Source: what libvirt 9.0.0 and 11.3.0 make of such devices on the command line, and what QEMU 7.2 and 10.0 say to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pcisim.address import MAX_FUNCTION, MAX_SLOT, format_packed
from pcisim.catalogue.connectors import EXPRESS
from pcisim.catalogue.devices import DIMMS
from pcisim.catalogue.functions import ALIASES
from pcisim.catalogue.properties import devices_of
from pcisim.catalogue.qemu_rules import NOT_CREATABLE
from pcisim.catalogue.x86_machines import X86
from pcisim.diagnose.finding import Finding
from pcisim.diagnose.view import PlacedView, found
from pcisim.enumeration.io_windows import profile_of_guest
from pcisim.guest import Controller
from pcisim.qemu.device import is_pci, other_bus
from pcisim.qemu.device_names import driver_of

_ON_THE_LINE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("sound", "sb16"): "sb16",
        ("sound", "usb"): "usb-audio",
        ("interface", "usb-net"): "usb-net",
        ("controller/ccid", ""): "usb-ccid",
    }
)
"""QEMU's device for what is not on PCI, where libvirt passes on a PCI address of it."""


def missing_devices(view: PlacedView) -> Iterator[Finding]:
    """Find devices on PCI that QEMU does not have."""
    if view.guest.arch not in X86:
        return
    table = devices_of(profile_of_guest(view.guest).qemu.version)
    for device, packed in view.addresses.items():
        driver = driver_of(device, view.guest)
        driver = ALIASES.get(driver, driver)
        if not driver or device.element == "hostdev" or is_pci(driver, table) or driver in NOT_CREATABLE:
            continue
        headline = f"QEMU has no device {driver}, which is what libvirt makes of {device.label}"
        said = f"'{driver}' is not a valid device model name"
        if device.element == "controller":
            said = f"USB controller model '{device.model}' not supported in this QEMU binary"
        elif other_bus(driver, table) is not None:
            headline = f"QEMU's {driver}, which is what libvirt makes of {device.label}, is not on PCI"
            said = f"Device '{driver}' can't go on {_kind_of_bus(view, packed)} bus"
        yield found(
            "no-such-device",
            headline,
            (device,),
            f'libvirt defines the guest, and it does not start: "{said}"',
            remedy=_REMEDIES.get(device.element, ""),
        )


_REMEDIES = MappingProxyType(
    {
        "vsock": "write model='virtio', or write model='virtio-non-transitional'",
        "interface": "write <model type='virtio'/>",
        "controller": "write model='qemu-xhci'",
    }
)


def _kind_of_bus(view: PlacedView, packed: int) -> str:
    return "PCIE" if view.placement.topology.buses[packed >> 8].model.accepts & EXPRESS else "PCI"


def places_off_pci(view: PlacedView) -> Iterator[Finding]:
    """Find places that libvirt keeps for devices that are not on PCI."""
    for device, packed in view.placement.addresses.items():
        if device.on_pci or device.mirrors is not None:
            continue
        element = f"controller/{device.type}" if isinstance(device, Controller) else device.element
        driver = _ON_THE_LINE.get((element, device.model))
        remedy = f"leave the address of {device.label} out"
        place = format_packed(packed)
        if driver is not None:
            said = f"Device '{driver}' can't go on {_kind_of_bus(view, packed)} bus"
        elif element == "console" and device.bus == "virtio":
            said = "virtio serial device has invalid address type"
        else:
            yield found(
                "place-in-vain",
                f"{device.label} is not on PCI, and libvirt keeps {place} for it all the same",
                (device,),
                "the guest sees nothing there",
                remedy=remedy,
            )
            continue
        yield found(
            "not-on-pci",
            f"{device.label} is not on PCI, and its address is {place}",
            (device,),
            f'libvirt defines the guest, and it does not start: "{said}"',
            remedy=remedy,
        )


def dimm_addresses(view: PlacedView) -> Iterator[Finding]:
    """Find PCI addresses of memory devices, which libvirt takes for the base of their memory."""
    for device in view.guest.devices.get("memory", ()):
        packed = device.address
        if (device.element, device.model) not in DIMMS or packed is None:
            continue
        slot, function = packed >> 3 & MAX_SLOT, packed & MAX_FUNCTION
        if not slot:
            continue
        yield found(
            "not-on-pci",
            f"{device.label} is not on PCI: libvirt takes its address for one of type dimm, with base"
            f" {function << 32 | slot:#x}",
            (device,),
            'libvirt defines the guest, and it does not start: "address must be aligned"',
            remedy=f"leave the address of {device.label} out",
        )


DEVICE_RULES = (missing_devices, places_off_pci, dimm_addresses)
