"""Law: what `simulate_qemu` says of a command line is what a real QEMU and SeaBIOS make of it.

Whether QEMU starts and with which words it does not; where every device is; after SeaBIOS every bus
number, every window and the address of every BAR.
"""

from __future__ import annotations

import os
import shlex

import pytest

from pcisim.catalogue.profiles import PROFILES
from pcisim.simulation import USUAL_PROFILE, simulate_hotplug, simulate_qemu
from tests.qemu import running
from tests.qemu.firmware import Machine, Refused, shaped_prediction
from tests.qemu.topologies import Tree

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.skipif(not running.is_installed(), reason=f"{running.PROGRAM} is not installed"),
]

NAMED: dict[str, tuple[str, list[str]]] = {
    "nothing-on-pc": ("pc", []),
    "nothing-on-q35": ("q35,usb=on", []),
    "fourteen-io-windows": (
        "q35",
        [f"pcie-root-port,id=r{n},chassis={n + 1}" for n in range(14)]
        + [f"virtio-rng-pci,bus=r{n},disable-legacy=off" for n in range(14)],
    ),
    "fifteen-io-windows-stop-it": (
        "q35",
        [f"pcie-root-port,id=r{n},chassis={n + 1}" for n in range(15)]
        + [f"virtio-rng-pci,bus=r{n},disable-legacy=off" for n in range(15)],
    ),
    "memory-above-4-gib": (
        "q35",
        ["pcie-root-port,id=r,chassis=1,pref64-reserve=1G", "pci-testdev,membar=2G,bus=r", "nec-usb-xhci"],
    ),
    "memory-that-cannot-move-stops-it": ("q35", ["pcie-root-port,id=r,chassis=1,mem-reserve=1G"]),
    "expander-numbered-over": (
        "q35",
        ["pxb-pcie,id=p,bus_nr=2", *(f"pcie-root-port,id=r{n},chassis={n},bus=pcie.0" for n in range(5)),
         "pcie-root-port,id=x,chassis=9,bus=p", "virtio-rng-pci,bus=x"],
    ),
    "expander-made-last-answers-first": (
        "q35",
        [*(f"pcie-root-port,id=r{n},chassis={n}" for n in range(5)), "pxb-pcie,id=p,bus_nr=2",
         "pcie-root-port,id=x,chassis=9,bus=p", "virtio-rng-pci,bus=x"],
    ),
    "bridges-that-nobody-finds": (
        "pc",
        ["pci-bridge,id=b,chassis_nr=1,addr=5.1", "i82801b11-bridge,addr=6.1", "pcie-root-port,addr=8.1",
         "virtio-rng-pci,bus=b,addr=2"],
    ),
    "port-without-power-control": (
        "q35",
        ["pcie-root-port,id=r,chassis=1,power_controller_present=off", "virtio-rng-pci,bus=r,addr=3",
         "pcie-root-port,id=s,chassis=2", "virtio-rng-pci,bus=s,addr=3"],
    ),
}  # fmt: skip


OTHERS = {
    profile: shlex.split(os.environ.get(f"PCISIM_QEMU_{profile.removeprefix('qemu-').replace('.', '_')}", ""))
    for profile in PROFILES
    if profile != USUAL_PROFILE
}
"""The commands of other QEMUs, each with the ``-L`` of its firmware, such as PCISIM_QEMU_10_0 in the environment."""


def compare(machine: str, devices: list[str], options: list[str], profile: str = USUAL_PROFILE) -> None:
    simulation = simulate_qemu(machine, devices, options=options, profile=profile)
    error, real = None, None
    try:
        real = Machine(machine, devices, options, command=OTHERS.get(profile, [running.PROGRAM]))
    except Refused as refused:
        error = str(refused).splitlines()[-1]
    assert simulation.error == error, (machine, devices, options)
    if real is None:
        return
    with real:
        boots, functions = real.run_seabios()
    predicted = simulation.to_json()["seabios"]
    assert ("gave up" not in predicted["ended"]) == boots, (machine, devices, options)
    assert shaped_prediction(predicted["buses"]) == functions, (machine, devices, options)


@pytest.mark.parametrize("name", NAMED)
def test_named(name: str) -> None:
    machine, devices = NAMED[name]
    compare(machine, devices, [])


@pytest.mark.parametrize(
    ("machine", "memory"), [("pc", "3G"), ("pc", "3400M"), ("pc", "5G"), ("q35", "2816M"), ("q35", "5G")]
)
def test_memory(machine: str, memory: str) -> None:
    compare(machine, ["pci-testdev,membar=2G", "e1000", "pci-testdev,membar=1G"], [f"-m {memory}"])


@pytest.mark.parametrize("seed", range(45))
def test_random(seed: int) -> None:
    tree = Tree(f"simulation {seed}")
    compare(tree.machine, tree.devices, tree.options)


@pytest.mark.oracle
@pytest.mark.parametrize("batch", range(20))
def test_many(batch: int) -> None:
    for number in range(15):
        tree = Tree(f"more {batch} {number}")
        compare(tree.machine, tree.devices, tree.options)


LACKING = (
    ("igb", "'igb' is not a valid device model name"),
    ("ufs", "'ufs' is not a valid device model name"),
    ("virtio-multitouch-pci", "'virtio-multitouch-pci' is not a valid device model name"),
    ("cxl-switch-mailbox-cci", "'cxl-switch-mailbox-cci' is not a valid device model name"),
    ("vfio-pci,iommufd=i", "Property 'vfio-pci.iommufd' not found"),
    ("cxl-type3,volatile-memdev=m", "Property 'cxl-type3.volatile-memdev' not found"),
)


@pytest.mark.parametrize(("device", "error"), LACKING)
def test_what_7_2_lacks(device: str, error: str) -> None:
    assert simulate_qemu("q35", [device]).error == f"-device {device}: {error}"
    compare("q35", [device], [])
    for profile in OTHERS:
        assert error not in (simulate_qemu("q35", [device], profile=profile).error or "")


@pytest.mark.oracle
@pytest.mark.parametrize("profile", OTHERS)
@pytest.mark.parametrize("batch", range(5))
def test_other_qemus(profile: str, batch: int) -> None:
    if not OTHERS[profile]:
        pytest.skip(f"no command for {profile}")
    for device, _ in LACKING[1:3]:  # igb has virtual functions, which the guest does not see
        compare("q35", [device], [], profile)
    for name, (machine, devices) in NAMED.items():
        if batch == 0 and name != "nothing-on-pc":
            compare(machine, devices, [], profile)
    for memory in ("2G", "5G"):
        tree = Tree(f"{profile} {batch} {memory}")
        compare(tree.machine, tree.devices, [*tree.options, f"-m {memory}"], profile)


@pytest.mark.parametrize("profile", ["qemu-7.2", "qemu-10.0", "qemu-11.1"])
def test_device_add_without_an_address(profile: str) -> None:
    """Since 10.0 no address is taken for slot 31, on a port for slot 0."""
    rng = "virtio-rng-pci"
    on_root = [f"{rng},id=a,addr=1f", f"{rng},id=b", "pxb,id=c,bus_nr=50"]
    errors = [step.error for step in simulate_hotplug("pc", [], on_root, profile=profile).steps]
    port = ["pcie-root-port,id=p,chassis=1"]
    errors += [s.error for s in simulate_hotplug("q35", port, [f"{rng},bus=p"] * 2, profile=profile).steps]
    said = f"PCI: slot {{}} function 0 already occupied by {rng}, new func {rng} cannot be exposed to guest."
    if profile == "qemu-7.2":
        assert errors == [None, None, "Parameter 'driver' expects a pluggable device type", None, None]
    else:
        assert errors == [None, said.format(31), "Device 'pxb' does not support hotplugging", None, said.format(0)]
