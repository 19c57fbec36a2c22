# %% [markdown]
# # Capacity of the machine types, and the price of each way to grow
#
# How many PCI devices does a virtual machine take? Theory says 256 functions a bus. This notebook computes what is
# left of that on each machine type, what each kind of controller adds and what it costs, and how much of it the
# firmware boots. Nothing is started for it: pcisim works offline. Every figure is computed below, by the rules of
# libvirt 12.9.

# %%
from bisect import bisect_left

import pcisim
from pcisim import plot
from pcisim.capacity.max_count import how_many_more
from pcisim.capacity.report import BUS_NUMBERS, THEORETICAL, capacity
from pcisim.catalogue.versions import DEFAULT_VERSION, libvirt_version

RULES = libvirt_version(DEFAULT_VERSION)
BARE = ["<memballoon model='none'/>", "<controller type='usb' model='none'/>"]  # else libvirt adds both


def domain(machine, *elements):
    """Return a definition with these elements, and nothing that libvirt adds unasked but the root bus and SATA."""
    lines = "\n    ".join([*BARE, *elements])
    return f"""<domain type='qemu'>
  <name>guest</name>
  <memory unit='GiB'>1</memory>
  <os><type arch='x86_64' machine='{machine}'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    {lines}
  </devices>
</domain>"""


def controllers(*models):
    """Return PCI controllers with the indexes from 1."""
    return [f"<controller type='pci' index='{n}' model='{model}'/>" for n, model in enumerate(models, 1)]


def room_of(machine, *elements):
    return capacity(pcisim.assign(domain(machine, *elements)).placement)


# %% [markdown]
# ## An empty machine
#
# The root bus of `pc` is conventional PCI, that of `q35` is PCI Express; `isapc` and `microvm` have no PCI bus that
# libvirt knows of. *Cold* slots take a device at the next boot, *hot* ones while the guest runs: the root bus of
# `q35` has none of those.

# %%
empty = {machine: room_of(machine) for machine in ("pc", "q35", "isapc", "microvm")}
plot.Table(
    ["machine", "root bus", "functions in theory", "free functions", "free slots, cold", "free slots, hot"],
    [
        [
            machine,
            found.buses[0].model if found.buses else "none",
            THEORETICAL * len(found.buses),
            sum(found.functions_cold.values()),
            found.room.express_cold + found.room.conventional_cold,
            found.room.express_hot + found.room.conventional_hot,
        ]
        for machine, found in empty.items()
    ],
)

# %% [markdown]
# Who holds what: the machine's own functions, the places that libvirt prefers for certain devices, and the rest. A
# device without an address takes function 0 of an empty slot; the other seven functions are for addresses that
# somebody writes down.

# %%
plot.bus_map(pcisim.assign(domain("pc")))

# %%
plot.bus_map(pcisim.assign(domain("q35")))

# %% [markdown]
# ## What one more controller brings, and what it costs
#
# Each way to grow takes slots of bus 0 and gives slots on new buses. Beside the addresses it uses up bus numbers,
# memory of the emulator for each port, and I/O windows of the firmware: bridges with a hotplug controller ask for
# one even when nothing is behind them, ports only for devices with I/O ports. The last row of each machine is not a
# controller: eight devices in one slot, with addresses written by hand. That costs nothing but the work, and cannot
# be done to a running guest.
#
# *Hot* is what a running guest takes: QEMU plugs nothing into the bus of an expander, whatever libvirt thinks.


# %%
def by_hand(count, slot=5):
    """Return network cards in the functions of one slot."""
    place = "<address type='pci' domain='0' bus='0' slot='{}' function='{}'{}/>"
    return [
        "<interface type='user'><model type='virtio'/>"
        + place.format(slot, function, " multifunction='on'" if not function else "")
        + "</interface>"
        for function in range(count)
    ]


PORT, TO_PCI, DMI, BRIDGE = "pcie-root-port", "pcie-to-pci-bridge", "dmi-to-pci-bridge", "pci-bridge"
EXPANDER, UPSTREAM, DOWNSTREAM = "pci-expander-bus", "pcie-switch-upstream-port", "pcie-switch-downstream-port"
ways = {
    ("pc", "a bridge"): controllers(BRIDGE),
    ("pc", "an expander bus"): controllers(EXPANDER),
    ("pc", "multifunction by hand"): by_hand(8),
    ("q35", "a root port"): controllers(PORT),
    ("q35", "eight root ports"): controllers(*[PORT] * 8),
    ("q35", "a switch of eight"): controllers(PORT, UPSTREAM, *[DOWNSTREAM] * 8),
    ("q35", "a bridge behind a port"): controllers(PORT, TO_PCI),
    ("q35", "a bridge behind a DMI bridge"): controllers(DMI, BRIDGE),
    ("q35", "multifunction by hand"): by_hand(8),
}
prices = {}
rows = []
for (machine, way), elements in ways.items():
    before, after = empty[machine], room_of(machine, *elements)
    endpoints = [bus for bus in after.buses[1:] if bus.plug and bus.free_slots]
    prices[machine, way] = price = {
        "plug": endpoints[0].plug if endpoints else after.buses[0].plug,
        "devices": sum(bus.free_slots for bus in endpoints) or after.buses[0].used - before.buses[0].used,
        "hot": sum(bus.hot_slots for bus in endpoints),
        "spent": before.buses[0].free_slots - after.buses[0].free_slots,
        "numbers": after.bus_numbers - before.bus_numbers,
        "memory": (after.port_memory_kib - before.port_memory_kib) / 1024,
        "windows": len(after.io.asking),
    }
    rows.append([machine, way, *price.values()])
plot.Table(
    [
        "machine",
        "way",
        "takes",
        "devices",
        "of them hot",
        "slots of bus 0",
        "bus numbers",
        "MiB for ports",
        "I/O windows",
    ],
    rows,
    caption="What each way brings (devices) and costs",
)

# %% [markdown]
# Eight root ports share one slot of bus 0, as eight functions of it; libvirt does that by itself. A switch takes
# one function only, but two bus numbers more than its ports, and its ports cost as much memory as root ports. As
# trees:

# %%
plot.topology_tree(pcisim.assign(domain("q35", *ways["q35", "eight root ports"])))

# %%
plot.topology_tree(pcisim.assign(domain("q35", *ways["q35", "a switch of eight"])))

# %% [markdown]
# ## All the way: what libvirt accepts, and what boots
#
# The same ways, as often as libvirt accepts them; then as often as SeaBIOS still boots. A root port with nothing or
# with a modern virtio device behind it asks for no I/O window, so that only addresses and bus numbers end it.
# Bridges always ask, and the firmware has room for few windows. *Boots* is what the I/O windows decide; nothing
# else was asked of the firmware here.


# %%
def repeated(machine, *models):
    """Return how often these controllers are accepted and how often the guest boots, with the capacity of both."""

    def grown(count):
        return room_of(machine, *controllers(*models * count))

    def refused(count):
        try:
            grown(count)
        except pcisim.PcisimError as error:
            return error.headline
        return ""

    accepted = bisect_left(range(BUS_NUMBERS), True, key=lambda count: bool(refused(count))) - 1
    booting = bisect_left(range(accepted + 1), True, key=lambda count: not grown(count).io.boots) - 1
    return accepted, grown(accepted), booting, grown(booting), refused(accepted + 1)


def slots(found):
    """Return the slots behind new controllers."""
    return sum(bus.free_slots for bus in found.buses[1:] if bus.plug)


growth = {
    ("pc", "bridges"): repeated("pc", BRIDGE),
    ("pc", "expander buses"): repeated("pc", EXPANDER),
    ("q35", "root ports"): repeated("q35", PORT),
    ("q35", "switches of eight"): repeated("q35", PORT, UPSTREAM, *[DOWNSTREAM] * 8),
    ("q35", "bridges behind ports"): repeated("q35", PORT, TO_PCI),
}
plot.Table(
    [
        "machine",
        "way",
        "accepted",
        "slots then",
        "bus numbers",
        "MiB for ports",
        "boots",
        "slots then",
        "windows asked",
        "room",
    ],
    [
        [
            machine,
            way,
            accepted,
            slots(found),
            found.bus_numbers,
            found.port_memory_kib / 1024,
            booting,
            slots(booted),
            len(booted.io.asking),
            booted.io.profile.windows,
        ]
        for (machine, way), (accepted, found, booting, booted, _) in growth.items()
    ],
    caption=f"Of {BUS_NUMBERS} bus numbers; I/O windows as measured with {empty['q35'].io.profile.name}",
)

# %% [markdown]
# Why one more is refused:

# %%
for (machine, way), (accepted, *_, error) in growth.items():
    print(f"{machine}, {accepted + 1} {way}: {error}")

# %% [markdown]
# ## Devices: what fits and what boots
#
# Left to itself, libvirt adds ports and bridges as devices need them. What that accepts and what then boots are two
# answers: a device with I/O ports makes the port above it ask for a window. Below what is accepted there may be
# holes: see the next notebook.


# %%
def boots_up_to(machine, device, more):
    """Return the highest count up to which every count that libvirt accepts boots."""
    accepted = [n for n in range(1, more.most + 1) if not any(low <= n <= high for low, high in more.holes)]

    def stops(count):
        return not capacity(pcisim.assign(pcisim.Guest.of(machine, {device: count})).placement).io.boots

    return ([0, *accepted])[bisect_left(accepted, True, key=stops)]


devices = {}
for machine in ("pc", "q35"):
    for device in ("virtio-blk", "virtio-net", "e1000e", "e1000", "rtl8139"):
        more = how_many_more(pcisim.Guest.of(machine), device, RULES)
        devices[machine, device] = (more.most, boots_up_to(machine, device, more))
plot.Table(
    ["machine", "device", "accepted up to", "boots up to"],
    [[machine, device, *answer] for (machine, device), answer in devices.items()],
)

# %% [markdown]
# ## By hand, to the last function
#
# The root bus of `q35` takes PCI Express devices at any function that is free, cold and at addresses that somebody
# writes down. It needs no port, so no further bus number, no memory and no window.

# %%
free = range(1, 0x1F)
full = pcisim.assign(domain("q35", *[line for slot in free for line in by_hand(8, slot)]))
packed = capacity(full.placement)
cards = sum(label.startswith("interface:") for label in full.addresses)
print(f"{cards} network cards; bus numbers: {packed.bus_numbers}, ports: {packed.ports}, boots: {packed.io.boots}")
plot.bus_map(full)

# %% [markdown]
# ## The whole report
#
# The capacity of a guest as pcisim reports it: each bus, and the budgets beside the addresses.

# %%
capacity(pcisim.assign(pcisim.Guest.of("q35", {"virtio-blk": 20, "virtio-net": 3})).placement)
