# %% [markdown]
# # libvirt's holes
#
# Ask libvirt for more and more disks on an otherwise empty `pc`: it refuses a count, and accepts the next. This
# notebook computes which counts are refused, shows why, and what to paste instead. Nothing is started: pcisim
# places as libvirt 12.9 does.

# %%
import pcisim
from pcisim import plot
from pcisim.capacity.fits import fits
from pcisim.capacity.max_count import how_many_more
from pcisim.catalogue.versions import DEFAULT_VERSION, libvirt_version
from pcisim.formats.domain.text import element_lines, render
from pcisim.libvirt.completion import complete
from pcisim.libvirt.growth import BRIDGE_BUDGET, growth
from pcisim.libvirt.policy import LibvirtPolicy

RULES = libvirt_version(DEFAULT_VERSION)
POLICY = LibvirtPolicy(RULES)
VIDEO = {"no video": {}, "vga": {"vga": 1}}


def answers(machines, device):
    return {
        f"{machine}, {name}": how_many_more(pcisim.Guest.of(machine, video), device, RULES)
        for machine in machines
        for name, video in VIDEO.items()
    }


# %% [markdown]
# ## virtio disks
#
# What is asked for against what is accepted: a refused count is accepted as none of it.

# %%
virtio = answers(("pc", "q35"), "virtio-blk")
plot.capacity_curve(virtio)

# %%
plot.Table(
    ["guest", "accepted up to", "holes", "counts refused below that", "why not one more"],
    [
        [name, more.most, len(more.holes), sum(high - low + 1 for low, high in more.holes), more.reason]
        for name, more in virtio.items()
    ],
)

# %% [markdown]
# The first holes of `pc` without video, enlarged, and checked against the engine that places them, count by count:

# %%
END = 130
plot.capacity_curve({"pc, no video": virtio["pc, no video"]}, upto=END)

# %%


def refused(count):
    try:
        pcisim.assign(pcisim.Guest.of("pc", {"virtio-blk": count}))
    except pcisim.PcisimError:
        return True
    return False


predicted = [n for low, high in virtio["pc, no video"].holes for n in range(low, high + 1) if n <= END]
placed = [n for n in range(END + 1) if refused(n)]
assert placed == predicted
print(f"refused up to {END}: {placed}")

# %% [markdown]
# ## Why
#
# libvirt goes over the devices once before it places anything for good, to find out which bridges are missing. On
# that trip it places the devices first, adds a bridge whenever no slot is left, and only then looks for slots for
# the bridges that it added: behind the devices, in what is left of the last one. When the last bridge is too full
# for them, it gives up instead of adding one more. Around the first hole:


# %%
def trip(count):
    """Return what libvirt's first trip finds for so many disks: slots, wants, new bridges and what is left for them."""
    demand = POLICY.demand(complete(pcisim.Guest.of("pc", {"virtio-blk": count}), RULES))
    grown = growth(demand)
    slots = grown.budget(BRIDGE_BUDGET)
    verdict = "accepted" if grown.fits else "refused"
    return [count, demand.free_conventional, demand.conventional, grown.bridges, slots.available, verdict]


first = virtio["pc, no video"].holes[0][0]
steps = [trip(count) for count in range(first - 3, first + 3)]
assert all((verdict == "refused") == refused(count) for count, *_, verdict in steps)
plot.Table(["disks", "free slots of bus 0", "slots wanted", "bridges added", "slots left for them", "libvirt"], steps)

# %% [markdown]
# The slots wanted are more than the disks: the memory balloon that libvirt adds takes one, and one is kept for a
# device that it only imagines. One disk more than the first hole needs another bridge, and that brings slots for
# all of them. Every further bridge must find a slot too, so that each hole is wider than the one before:

# %%
holes = virtio["pc, no video"].holes
widths = [high - low + 1 for low, high in holes]
assert widths == list(range(1, len(holes) + 1))
print(f"{len(holes)} holes, from {widths[0]} to {widths[-1]} counts wide")
print("bridges for the count after each:", [trip(high + 1)[3] for _, high in holes])

# %% [markdown]
# On `q35` virtio disks sit behind root ports. Each new disk brings its own port, and ports only ever take from bus
# 0: there is no last bridge that could be too full, so there are no holes. Conventional devices have them there
# too, since they sit on bridges:

# %%
conventional = answers(("pc", "q35"), "e1000")
plot.capacity_curve(conventional)

# %%
plot.Table(
    ["guest", "accepted up to", "first holes"],
    [
        [name, more.most, ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in more.holes[:5])]
        for name, more in conventional.items()
    ],
)

# %% [markdown]
# ## What to paste instead
#
# Bridges that the definition names are placed before the devices, so that they find their slots. `pcisim fits`
# looks for the fewest that make a count fit:

# %%
answer = fits(pcisim.Guest.of("pc"), {"virtio-blk": first}, POLICY)
lines = [line for controller in answer.controllers for _, line in element_lines(controller)]
print(answer.headline)
print("\n".join(lines))

# %% [markdown]
# With these lines in the definition, the refused count is accepted:

# %%
definition = render(pcisim.Guest.of("pc", {"virtio-blk": first}))
fixed = pcisim.assign(definition.replace("  </devices>", "\n".join([*lines, "  </devices>"])))
disks = sum(label.startswith("disk:") for label in fixed.addresses)
print(f"{disks} disks on {len(fixed.topology.buses)} buses")
fixed

# %% [markdown]
# The same for the beginning of other holes:

# %%
remedies = []
for low, high in holes[:8]:
    found = fits(pcisim.Guest.of("pc"), {"virtio-blk": low}, POLICY)
    models = [controller.model for controller in found.controllers]
    remedies.append([low, f"{low}-{high}", f"{len(models)} x {models[0]}"])
plot.Table(["disks", "hole", "paste"], remedies)

# %% [markdown]
# ## Packed, there are no holes
#
# The policy `dense` does not place as libvirt does: it looks for the layout with the fewest controllers, eight devices
# a slot, and writes every address down, so that libvirt takes it unchanged. Whatever count fits, all lower ones do.
# The counts that libvirt refuses, one by one up to where the enlarged picture ends:


# %%
def bridges(count, policy):
    """Return how many bridges a policy adds for so many disks; nothing when it finds no layout."""
    try:
        plan = pcisim.assign(pcisim.Guest.of("pc", {"virtio-blk": count}), policy)
    except pcisim.PcisimError:
        return None
    return len(plan.topology.buses) - 1


assert all(bridges(count, "dense") is not None for count in range(END + 1))
plot.Table(
    ["disks", "libvirt", "bridges for one that fits", "bridges with dense"],
    [
        [
            count,
            "refused",
            trip(next(high for low, high in holes if low <= count <= high) + 1)[3],
            bridges(count, "dense"),
        ]
        for count in placed
    ],
)

# %% [markdown]
# That costs hot-unplug: a device that shares its slot cannot be detached while the guest runs. And `dense` only takes
# what the firmware boots, which libvirt never looks at: a virtio disk on a conventional bus has I/O ports, and they
# run out. `dense:modern=on` makes the disks modern ones, which have none. Every fourth hole, and the last:

# %%
table = []
for low, high in [*holes[:-1:4], holes[-1]]:
    found = [bridges(low, policy) for policy in ("dense", "dense:modern=on")]
    table.append([f"{low}-{high}", "refused", *("no layout boots" if count is None else count for count in found)])
assert all(row[-1] != "no layout boots" for row in table)
plot.Table(["disks", "libvirt", "bridges with dense", "bridges with dense:modern=on"], table)
