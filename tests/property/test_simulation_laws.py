"""Law: whatever is written on a command line, the answer is a verdict or a `PcisimError`, never a traceback."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from pcisim.catalogue.properties import NOT_ON_PCI, PROPERTIES
from pcisim.errors import InputError, PcisimError
from pcisim.formats.qemu_line import read
from pcisim.simulation import simulate_hotplug, simulate_qemu
from tests.qemu.topologies import Tree

WORDS = [
    "",
    "0",
    "1",
    "-1",
    "on",
    "auto",
    "x",
    "9" * 21,
    "1G",
    "0x",
    "4K",
    "1.5M",
    "2.0",
    "1f.7",
    "d1",
    " 3",
    "+5",
    "é",
]
MACHINES = ["q35", "pc", "q35,usb=on", "pc,acpi=off", "microvm,pcie=on", "microvm", "virt", "", "pc-q35-5.0", "isapc"]
OPTIONS = [
    "-m 3G",
    "-m x",
    "-global x",
    "-global a.b=c",
    "-global pcie-root-port.chassis=x",
    "-numa node",
    "-device",
    "",
]


@st.composite
def lines(draw: st.DrawFn) -> str:
    driver = draw(st.sampled_from(sorted({**PROPERTIES, **NOT_ON_PCI})))
    keys = st.sampled_from([*PROPERTIES.get(driver, {}), "bus", "id", "driver", "no"])
    pairs = draw(st.lists(st.tuples(keys, st.sampled_from(WORDS)), max_size=4))
    return driver + "".join(f",{key}={value}" for key, value in pairs)


@given(
    st.sampled_from(MACHINES),
    st.integers(0, 1000),
    st.lists(st.one_of(lines(), st.text(max_size=20)), max_size=4),
    st.lists(st.sampled_from(OPTIONS), max_size=2),
)
def test_any_devices(machine: str, seed: int, devices: list[str], options: list[str]) -> None:
    sound = Tree(f"any {seed}").devices
    for firmware in ("seabios", "ovmf"):
        with suppress(PcisimError):
            record = simulate_qemu(machine, [*devices, *sound], options=options, firmware=firmware).to_json()
            assert record["accepted"] is (record["error"] is None)
    try:
        simulation = simulate_hotplug(machine, sound, devices, options=options)
    except PcisimError:
        return
    assert len(simulation.steps) == (len(devices) if simulation.start.accepted else 0)


@given(st.one_of(st.text(), st.binary(), st.lists(lines()).map("\n-device ".join)))
def test_any_command_line(text: str | bytes) -> None:
    with suppress(InputError):
        assert read(text).machine
