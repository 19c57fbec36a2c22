# %% [markdown]
# # What the guest sees
#
# The addresses in a definition are not those of the guest: its `bus` is the index of a controller, and the
# firmware numbers buses by where their bridges sit. Three complaints that users bring to forums, each told before
# anything boots: an interface that got another name, a machine that stops before its first line, a device that
# never appears.

# %%
import pcisim
from pcisim import plot
from pcisim.compare import compare
from pcisim.formats.lspci import tree

# %% [markdown]
# ## "My interface was renamed, and I did not touch it"
#
# A guest with three root ports that somebody wrote by hand, and a network card behind the first of them.


# %%
def port(index, slot):
    return f"""
    <controller type='pci' index='{index}' model='pcie-root-port'>
      <address type='pci' domain='0' bus='0' slot='{slot:#x}' function='0'/>
    </controller>"""


def guest(*controllers):
    return f"""
<domain type='qemu'>
  <name>web</name>
  <memory unit='MiB'>512</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/>
    <controller type='pci' index='0' model='pcie-root'/>{"".join(controllers)}
    <interface type='user'>
      <mac address='52:54:00:00:00:01'/>
      <model type='virtio'/>
      <address type='pci' domain='0' bus='1' slot='0' function='0'/>
    </interface>
    <memballoon model='none'/>
  </devices>
</domain>
"""


before = pcisim.assign(guest(port(1, 8), port(2, 9), port(3, 10)))
plot.guest_map(before)

# %% [markdown]
# One more port, for a disk that is to come. It has the next free index, but the slot before the others:

# %%
after = pcisim.assign(guest(port(1, 8), port(2, 9), port(3, 10), port(4, 7)))
plot.guest_map(after)

# %% [markdown]
# In the definition the card stays where it was. In the guest the new port takes the first bus number, all others
# move up by one, and the name of the interface follows its bus:

# %%
print(compare(before, after))

# %% [markdown]
# The same port behind the others would have renamed nothing. `pcisim diff` prints this, and `pcisim check` notes
# each interface that is named after a bus number that the definition does not show.

# %%
print(compare(before, pcisim.assign(guest(port(1, 8), port(2, 9), port(3, 10), port(4, 11)))))

# %% [markdown]
# ## "It hangs before the first line"
#
# A window for I/O ports has `4 KiB` at least, and all of them come out of `64 KiB`. A root port asks for one only when
# something behind it has I/O ports; a bridge with a hotplug controller always does. libvirt and QEMU accept any number;
# SeaBIOS stops at the first that does not fit, and the screen stays black.


# %%
def with_bridges(count):
    place = [f"addr={2 + n // 8:#x}.{n % 8},multifunction=on" for n in range(count)]
    ports = [f"pcie-root-port,id=p{n},chassis={n + 1},{place[n]}" for n in range(count)]
    return [*ports, *(f"pcie-pci-bridge,id=b{n},bus=p{n}" for n in range(count))]


answers = {count: pcisim.simulate_qemu("q35", with_bridges(count)) for count in range(10, 18)}
plot.Table(
    ["bridges", "QEMU starts", "SeaBIOS boots", "why not"],
    [[n, answer.accepted, answer.view.boots, answer.view.reason] for n, answer in answers.items()],
)

# %% [markdown]
# The same ports with modern virtio devices, which have no I/O ports, ask for nothing:


# %%
def with_disks(count):
    ports = with_bridges(count)[:count]
    return [*ports, *(f"virtio-rng-pci,bus=p{n}" for n in range(count))]


most = max(count for count, answer in answers.items() if answer.view.boots)
lines = {count: pcisim.simulate_qemu("q35", with_disks(count)).view.boots for count in (most, most + 1, 4 * most)}
print(f"bridges: at most {most}; ports with virtio behind them: {lines}")

# %% [markdown]
# ## "QEMU took the device, and the guest has never heard of it"
#
# A port leads to one slot. libvirt refuses an address above it, QEMU does not: it starts, shows the device in its
# own lists, and the firmware even gives it addresses. Linux looks into slot `0` of a port and nowhere else.

# %%
lost = pcisim.simulate_qemu(
    "q35",
    [
        "pcie-root-port,id=port,chassis=1,addr=2",
        "virtio-rng-pci,id=first,bus=port,addr=0",
        "virtio-net-pci,id=second,bus=port,addr=1",
    ],
)
plot.guest_map(lost.view)

# %%
print("\n".join(tree(lost.view, verbose=True)))
for function in lost.view.unseen:
    print(f"{function.label}: {'; '.join(function.remarks)}")
