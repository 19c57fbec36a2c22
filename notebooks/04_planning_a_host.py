# %% [markdown]
# # Planning a host
#
# From a table of the guests that are to run on a host to what each of them needs: the machine type, the ports, the
# spares for what is plugged in later, and how much room is left. For each guest three layouts are compared: what
# libvirt does by itself; the policy `dense`, which packs eight devices into a slot; and `hotplug`, which keeps slots
# empty. Nothing is started: pcisim places as libvirt 12.9 does.

# %%
import csv

import pcisim
from pcisim import plot
from pcisim.requests import Wish

# %% [markdown]
# ## What is planned
#
# One line for each kind of guest: how many of them there will be, the machine type (or several to choose from), the
# devices, and how many disks and interfaces will come while the guest runs.

# %%
PLANNED = """\
name,guests,machines,virtio-blk,virtio-net,e1000,vga,later virtio-blk,later virtio-net
web,40,q35,1,1,0,0,0,1
database,6,q35,24,2,0,0,4,0
router,4,q35,0,16,0,0,0,4
archive,2,q35,300,2,0,0,0,0
appliance,8,pc,59,0,1,0,0,0
desktop,12,pc q35,2,0,2,1,2,0
"""
LATER = "later "
DEVICES = ("virtio-blk", "virtio-net", "e1000", "vga")
planned = {row["name"]: row for row in csv.DictReader(PLANNED.splitlines())}
plot.Table(
    list(planned["web"]), [[int(text) if text.isdigit() else text for text in row.values()] for row in planned.values()]
)

# %% [markdown]
# ## What each layout comes to
#
# `pcisim.recommend` places each guest by each policy. A guest with more than one virtio disk has a row more: its
# disks on few SCSI controllers, which is how many people solve it.
#
# *Controllers* are the ports and bridges beside the root bus. *Empty* are slots that take a device while the guest
# runs. *Detachable* are devices that can go while it runs: none that shares its slot. *Lacking* are slots for the
# devices that come later.


# %%
def answer(row):
    devices = {model: int(row[model]) for model in DEVICES}
    later = {model: int(row[LATER + model]) for model in DEVICES if LATER + model in row}
    machines = row["machines"].split()
    policies = ["libvirt", "dense", f"hotplug:spare={sum(later.values())}"]
    return pcisim.recommend(pcisim.Guest.of(machines[0], devices), policies, later=later, machines=machines)


def empty(layout):
    room = layout.capacity.room
    return room.express_hot + room.conventional_hot


answers = {name: answer(row) for name, row in planned.items()}
rows = []
for name, found in answers.items():
    for layout in found.layouts:
        figures = ["", "", "", ""]
        if layout.fits:
            detachable = f"{layout.detachable} of {layout.devices}"
            figures = [layout.controllers, empty(layout), detachable, sum(layout.later.values())]
        mark = "recommended" if layout is found.best else ""
        rows.append([name, layout.machine, layout.policy, layout.fits, *figures, mark])
plot.Table(["guest", "machine", "policy", "fits", "controllers", "empty", "detachable", "lacking", ""], rows)

# %% [markdown]
# Why some do not fit, in libvirt's words:

# %%
for name, found in answers.items():
    for layout in found.layouts:
        if not layout.fits:
            print(f"{name}, {layout.policy} on {layout.machine}: {layout.reason}")

# %% [markdown]
# ## The price of packing
#
# Fewer controllers mean fewer bus numbers and less memory of the emulator; but devices that share a slot stay until
# the guest is shut down. Between the two there is more than one choice: under `dense` some devices can be wished a
# slot of their own. For the database, one device more at a time, the disks first:


# %%
def database(own):
    """Return the database packed, with so many of its disks and interfaces in slots of their own."""
    guest = pcisim.Guest.of("q35", {model: int(planned["database"][model]) for model in DEVICES})
    labels = [device.label for element in ("disk", "interface") for device in guest.devices[element]]
    wishes = {label: Wish(hotpluggable=True) for label in labels[:own]}
    return pcisim.recommend(guest, ["dense"], wishes=wishes).layouts[0]


own = range(1, sum(int(planned["database"][model]) for model in DEVICES) + 1)
by_policy = {layout.policy: layout for layout in answers["database"].layouts}
scsi = by_policy.pop("virtio-scsi")
front = {policy: [(layout.controllers, layout.detachable)] for policy, layout in by_policy.items()}
mixed = [database(count) for count in own]
front["dense, some devices in slots of their own"] = [(layout.controllers, layout.detachable) for layout in mixed]
plot.layout_front(front)

# %% [markdown]
# Filled marks are the front: no other layout has as many detachable devices with fewer controllers. What libvirt and
# `hotplug` have beyond it are empty ports, for devices that come later, and ports for devices that can never be
# detached. The SCSI controllers are left out of the
# picture, since they would beat most of it: their disks need no slot at all. The price is another one: the disks have
# other names in the guest, and another driver.

# %%
print(f"virtio-scsi: {scsi.controllers} controllers, {scsi.detachable} devices can be detached")
for cost in scsi.costs:
    print(cost)

# %% [markdown]
# ## What packed buses look like
#
# The archive does not fit as libvirt places it. Packed, it does, in full ports; the first buses:

# %%
archive = next(layout for layout in answers["archive"].layouts if layout.policy == "dense")
plot.bus_maps(archive.plan, range(4))

# %% [markdown]
# ## The plan
#
# What to take for each guest. *Empty* slots are the room while it runs. *Head-room* is how many interfaces more could
# be planned from the start, when the policy may add ports and bridges for them.

# %%
chosen = {name: found.best for name, found in answers.items()}
plan = [
    [
        name,
        layout.machine,
        layout.policy,
        layout.capacity.ports,
        layout.controllers - layout.capacity.ports,
        empty(layout),
        layout.plan.max_count("virtio-net").most,
    ]
    for name, layout in chosen.items()
]
plot.Table(["guest", "machine", "policy", "ports", "bridges", "empty", "head-room"], plan)

# %% [markdown]
# And what that comes to on the host:

# %%
totals = [
    [name, count, count * layout.devices, count * layout.controllers, count * layout.capacity.port_memory_kib / 1024]
    for name, layout in chosen.items()
    for count in [int(planned[name]["guests"])]
]
sums = [sum(column) for column in list(zip(*totals, strict=True))[1:]]
plot.Table(["guest", "guests", "devices", "controllers", "MiB for ports"], [*totals, ["all", *sums]])
