"""The error texts that people paste, one row each: what a text means, by which rule, and what to do.

A pattern is a run of words; ``*`` stands for whatever varies: addresses, numbers, names.  Upper and lower
case, quotes and punctuation do not matter, nor does what comes before and after.

Source: libvirt's texts as asked of 11.3.0 (and 9.0.0), sections 7 and 8 of its behaviour; QEMU's as asked of
7.2 and 10.0; SeaBIOS's and Linux's as measured.
"""

from __future__ import annotations

import re

from pcisim._record import record

LIBVIRT, QEMU, SEABIOS, LINUX, KUBEVIRT = "libvirt", "QEMU", "SeaBIOS", "Linux", "KubeVirt"


@record
class Text:
    """One row."""

    speaker: str
    patterns: tuple[str, ...]
    codes: tuple[str, ...]
    """The findings that are this error, as `pcisim.diagnose.RULES` names them."""
    meaning: str
    rule: str
    """The rule behind it; libvirt's with the sections of its behaviour that say so."""
    remedy: str

    @property
    def rule_text(self) -> str:
        """Return the rule for people, without the sections."""
        return re.sub(r" \([\d., ]+\)(?=;|$)", "", self.rule)

    @property
    def title(self) -> str:
        """Return the first pattern, as people search for it."""
        return self.patterns[0].replace("*", "...")


_HOT = ("no-hot-slot", "hotplug-off")

# fmt: off
TEXTS = (
    Text(LIBVIRT, ("No more available PCI slots",), ("no-more-slots", *_HOT, "no-slot-for-controller"),
         "no bus that accepts the device has an empty slot; said of a definition, and of a device that is attached"
         " to a running guest, where no bus can be added",
         "an automatic device takes a whole empty slot of a bus for its kind; a running guest needs one that takes"
         " hotplug (6.3, 7.6)",
         "add a controller with free slots before the next start: a pcie-root-port for each PCI Express or virtio"
         " device on q35, a pcie-root-port and a pcie-to-pci-bridge for conventional ones (rtl8139, e1000),"
         " a pci-bridge on pc"),
    Text(LIBVIRT, ("Attempted double use of PCI Address *", "Attempted double use of PCI slot *"), ("slot-occupied",),
         "two devices, or a device and the machine, ask for one function of one slot",
         "a function has one owner; the chipset's are taken from the start (6.5, 4.3)",
         "leave the address of one of the two out; sharing the slot takes another function,"
         " and multifunction='on' on function 0"),
    Text(LIBVIRT, ("Invalid PCI address * slot must be >= *",), ("slot-range",),
         "slot 0 of that bus cannot be used",
         "slot 0 belongs to the host bridge of a root bus and to the hotplug controller of a pci-bridge or"
         " pcie-to-pci-bridge (2)",
         "use a slot from 0x01 to 0x1f, or leave the address out"),
    Text(LIBVIRT, ("Invalid PCI address * slot must be <= *",), ("slot-range",),
         "a port has one slot behind it, slot 0",
         "a pcie-root-port and a pcie-switch-downstream-port lead to a single slot (2)",
         "write slot='0x00', or give the device a port of its own by leaving the address out"),
    Text(LIBVIRT, ("Invalid PCI address * Only PCI buses up to * are available",), ("bus-missing",),
         "no controller has the index that the address names as its bus",
         "the bus of an address is the index of a PCI controller (6.5)",
         "add the controller with that index, or name another bus, or leave the address out"),
    Text(LIBVIRT, ("Invalid PCI address * Only PCI domain 0 is available",), ("domain-range",),
         "the address has another domain than 0",
         "a guest of libvirt has one PCI domain, 0 (6.5); the address of a host device goes into <source>",
         "write domain='0x0000'"),
    Text(LIBVIRT, ("Invalid PCI address * must be <= *", "Invalid PCI address bus=*", "Invalid PCI address slot=*",
                   "Invalid PCI address function=*"), ("address-range",),
         "a part of the address is out of range",
         "bus to 0xff, slot to 0x1f, function to 7; numbers without 0x are decimal (1.1)",
         "correct the number; slot='10' is slot 0x0a"),
    Text(LIBVIRT, ("No PCI buses available",), ("no-pci-bus",),
         "a device needs a PCI address, and the machine type has no PCI bus",
         "libvirt knows no PCI bus of isapc, microvm and other machines; the memory balloon and USB need one"
         " too (4.1, 4.2)",
         "use a machine of type pc or q35, or take out every device on PCI: <memballoon model='none'/> and"
         " <controller type='usb' model='none'/> included"),
    Text(LIBVIRT, ("The device at PCI address * cannot be plugged into the PCI controller with index * It requires a"
                   " controller that accepts a *",
                   "The PCI controller with index=* doesn't allow * auto-assignment",
                   "doesn't allow auto-assignment"),
         ("wrong-plug",),
         "the bus that the address names does not take that kind of device",
         "each kind of bus accepts some plugs: a root port sits on pcie-root or a pcie-expander-bus, a pci-bridge"
         " on a conventional bus, an endpoint not on an upstream port (2)",
         "leave the address out, or name a bus that accepts it"),
    Text(LIBVIRT, ("The device at PCI address * needs to be an integrated device",), ("not-integrated",),
         "the device must sit on bus 0",
         "a virtio IOMMU and pvpanic are parts of the root bus (2, 3.1)",
         "write bus='0x00', or leave the address out"),
    Text(LIBVIRT, ("The device at PCI address * requires hotplug capability but the PCI controller with index * doesn't"
                   " support hotplug", "requires hotplug capability but the PCI controller * doesn't support hotplug",
                   "requires hotplug capability"), _HOT,
         "the device is attached to a running guest at an address on a bus without hotplug",
         "pcie-root, a dmi-to-pci-bridge, and ports with <target hotplug='off'/> take devices only while the guest"
         " is off (2, 7.6)",
         "name a port that takes hotplug, or attach with --config and start the guest anew"),
    Text(LIBVIRT, ("Only PCI device addresses with function=0 are supported",), (),
         "a device is attached to a running guest at a function other than 0",
         "libvirt attaches function 0 only (7.6)",
         "attach it at function 0 of an empty slot, or with --config and start the guest anew"),
    Text(LIBVIRT, ("a PCI slot is needed to connect a PCI controller model=* but none is available and it cannot be"
                   " automatically added", "a PCI slot is needed to connect a PCI controller"),
         ("no-slot-for-controller",),
         "a PCI controller has no bus to sit on: every bus that accepts it is full, or there is none",
         "libvirt adds pci-bridges and pcie-root-ports by itself, and no other controller; the bridges that it adds"
         " need a slot behind all devices, which is why 59 disks may be refused and 60 accepted (6.6, 12)",
         "list the controllers yourself, so that they are placed first"),
    Text(LIBVIRT, ("Cannot automatically add a new PCI bus for a device with connect flags *",), ("cannot-grow",),
         "a controller found no bus, and libvirt adds none for its kind; flags 2000 are a pcie-to-pci-bridge, flags"
         " 00 a device that libvirt knows no PCI bus for",
         "a pcie-to-pci-bridge needs a free root or downstream port (6.6)",
         "list a pcie-root-port with a lower index before the pcie-to-pci-bridge; take an isa or xenbus"
         " controller out"),
    Text(LIBVIRT, ("PCI controller at index * has bus=* but index must be larger than bus",), ("bridge-order",),
         "a pci-bridge sits on a bus with an index that is not lower than its own",
         "a pci-bridge needs a higher index than the bus it is on; a lone pci-bridge on q35 finds only itself (7.3)",
         "number the bridge higher; on q35 add a pcie-root-port and a pcie-to-pci-bridge before it"),
    Text(LIBVIRT, ("No free busNr lower than current lowest busNr is available",), ("no-bus-number",),
         "no bus number is left for one more expander",
         "libvirt counts down by two from 254, or from the lowest busNr that is written (7.2)",
         "write <target busNr='...'/> on each expander, with room above each for the buses below it"),
    Text(LIBVIRT, ("No usable target index found",), ("no-host-bridge",),
         "no number is left for one more host bridge of pseries",
         "host bridges are numbered from 0 to 30; libvirt adds one for each 31 devices more (6.6, 7.2)",
         "use fewer devices, or list pci-bridges, which need no such number"),
    Text(LIBVIRT, ("Only the PCI controller with index 0 can have target index 0 and vice versa",), ("target-range",),
         "a host bridge of pseries has the number of another",
         "the default host bridge is number 0, all others are numbered from 1 to 30 (7)",
         "leave <target index='...'/> out: libvirt numbers them"),
    Text(LIBVIRT, ("The PCI controller with index=0 can't be associated with a NUMA node",), ("wrong-option",),
         "the default host bridge of pseries has a <node>",
         "the default host bridge belongs to the whole machine (7)",
         "put the devices on another <controller type='pci' model='pci-root'/>, with the node"),
    Text(LIBVIRT, ("Setting the 64-bit PCI hole size is not supported for machine *",), ("wrong-option",),
         "a root bus has a <pcihole64>, on another machine than pc and q35",
         "only the root buses of pc and q35 have one (7)",
         "take the <pcihole64> element out"),
    Text(LIBVIRT, ("zPCI uid * is already reserved", "zPCI fid * is already reserved"), ("zpci-occupied",),
         "two devices of an s390 guest have one uid or fid; libvirt prints the number in octal",
         "each is unique in a guest; what is given is reserved before anything is filled in (1.4)",
         "give one of them another number, or leave <zpci> out"),
    Text(LIBVIRT, ("This QEMU binary doesn't support zPCI", "Invalid PCI address uid=* must be *"),
         ("zpci", "address-range"),
         "a <zpci> element on a machine that has none, or a number out of range",
         "guests of s390 have a uid from 1 to 0xffff and a fid (1.4)",
         "take the <zpci> element out; libvirt numbers the devices of an s390 guest"),
    Text(LIBVIRT, ("The CCW devno * is in use already",), ("ccw-occupied",),
         "two devices of an s390 guest have one CCW address",
         "each device on the channel subsystem has an address of its own (4.4)",
         "give one of them another devno, or leave the address out"),
    Text(LIBVIRT, ("Required option * is not set for PCI controller with index *",), ("required-option",),
         "a PCI controller does not say what it is made of, and nobody fills it in",
         "libvirt fills it in for a stored definition of a machine with PCI, not for a device that is attached, and not"
         " on machines where it gives no PCI addresses (7)",
         "write <model name='...'/> and the <target>; on a machine without PCI take the controller out"),
    Text(LIBVIRT, ("Primary IDE controller must have PCI address 0:0:1.1",
                   "PIIX3 USB controller at index 0 must have PCI address 0:0:1.2",
                   "Primary SATA controller must have PCI address 0:0:1f.2"), ("fixed-place",),
         "a controller of the chipset is written at another address than its own",
         "IDE 0 is 00:01.1 and PIIX3 USB 0 is 00:01.2 on pc, SATA 0 is 00:1f.2 on q35 (4.3)",
         "leave the address of that controller out"),
    Text(LIBVIRT, ("Bus 0 must be PCI for integrated PIIX3 USB or IDE controllers",), ("wrong-root",),
         "an IDE or PIIX3 USB controller is written at pc's place in a guest of another machine type",
         "only pc has these places (6.2)",
         "leave the address out"),
    Text(LIBVIRT, ("The PCI controller with index=* must be model=* for this machine type but model=* was found"
                   " instead",), ("wrong-root",),
         "controller 0 is the root bus, and the definition says something else",
         "a controller without an index gets the lowest unused one, which is 0 when the root bus is not listed"
         " (4.2, 5.2)",
         "list the root bus first: <controller type='pci' index='0' model='pcie-root'/> (q35) or 'pci-root' (pc)"),
    Text(LIBVIRT, ("pci-root and pcie-root controllers should have index 0",), ("root-index",),
         "a root bus has another index than 0", "a guest has one root bus, at index 0 (7)",
         "write index='0', or another model"),
    Text(LIBVIRT, ("pci-root and pcie-root controllers should not have an address",), ("root-address",),
         "a root bus has an address", "a root bus sits on nothing (7)", "take the <address> out"),
    Text(LIBVIRT, ("Multiple * controllers with index *", "Duplicate USB controllers with index *"),
         ("duplicate-index",),
         "two controllers of one type have one index", "an index names one controller of its type (8.1)",
         "give one of them another index, or leave it out"),
    Text(LIBVIRT, ("PCI controller model was not set correctly",), ("no-model",),
         "a PCI controller has no model", "every PCI controller but the root needs one (8.1)",
         "write model='pcie-root-port' (q35) or model='pci-bridge' (pc)"),
    Text(LIBVIRT, ("Unknown model type *",), ("unknown-model",),
         "libvirt knows no controller of that model", "QEMU's names go into <model name='...'/> (8.1)",
         "write one of libvirt's models"),
    Text(LIBVIRT, ("PCI controller index * too high maximum is *",), ("index-range",),
         "the index of a PCI controller is above 255, or would have to be, for all the devices to get a place",
         "a bus number has eight bits (8.3)",
         "number the controllers from 1 without gaps, or take devices away"),
    Text(LIBVIRT, ("PCI controller * out of range must be *",), ("target-range",),
         "a number in <target> is out of range",
         "busNr 1 to 254, chassisNr 1 to 255, chassis and port 0 to 255, index 0 to 30 (7)",
         "write a number in range, or leave the option out"),
    Text(LIBVIRT, ("Option * is not valid for PCI controller with index *",), ("wrong-option",),
         "the controller does not know an option of its <target>",
         "chassisNr is a pci-bridge's, chassis and port a port's, busNr an expander's (7)",
         "take the option out"),
    Text(LIBVIRT, ("Option * has invalid value for PCI controller with index *",), ("wrong-model-name",),
         "<model name=...> is not a QEMU device that this controller is made of",
         "each model has its own (7)", "leave <model name> out"),
    Text(LIBVIRT, ("is configured for a NUMA node * not present in the domain's",), ("numa-node",),
         "an expander names a NUMA node that the guest does not have",
         "<node> of an expander is a cell of <cpu><numa> (7)", "add the cell, or name one that is there"),
    Text(LIBVIRT, ("pci-expander-bus controllers are only supported on 440fx-based machinetypes",
                   "pcie-expander-bus controllers are not supported with this machine type",
                   "pcie-expander-bus controllers are only supported *"), ("wrong-machine",),
         "the expander is not for this machine type",
         "pc has the pci-expander-bus, q35 the pcie-expander-bus (7)", "use the other model"),
    Text(LIBVIRT, ("No master USB controller specified",), ("usb-no-master",),
         "USB companion controllers without their master",
         "ich9-uhci1 to 3 are companions of an ich9-ehci1 with the same index (8.1)",
         "add <controller type='usb' index='0' model='ich9-ehci1'/>"),
    Text(LIBVIRT, ("Can't add another USB controller: USB is disabled for this domain",
                   "USB is disabled for this domain but USB devices are present in the domain XML",
                   "Can't add USB * device. USB bus is disabled"), ("usb-disabled",),
         "a USB controller of model 'none' switches USB off, and something else is USB",
         "model='none' stands alone (8.1)", "take the device out, or the controller of model 'none'"),
    Text(LIBVIRT, ("virtio disk cannot have an address of type *",), ("wrong-address-type",),
         "a disk on bus virtio has an address of another type than pci", "virtio disks are PCI devices here (6.4)",
         "leave the address out"),
    Text(LIBVIRT, ("Invalid address type * for the disk * with the bus type *",
                   "PCI host devices must use 'pci' or 'unassigned' address type",
                   "CCW addresses are not supported by machine type *",
                   "address of type 'unassigned' is supported only for hostdevs",
                   "cannot use CCW address type for device *",
                   "requires address type * pci", "can go only on PCI bus", "is supported only with PCI address type"),
         ("wrong-address-type",),
         "the device cannot have an address of that type", "each kind of device has its type of address (8.3)",
         "leave the address out"),
    Text(LIBVIRT, ("ACPI index is only supported for PCI devices", "Zero is not permitted"), ("acpi-index",),
         "an ACPI index of a device without a PCI address, or of 0",
         "<acpi index='N'/> is for PCI devices, from 1 (1.5)",
         "take the <acpi> element out, or number from 1"),
    Text(LIBVIRT, ("video type * is only valid as primary video device",), ("secondary-video",),
         "a second video device is of a type that only the primary one can be",
         "secondary video devices are qxl or virtio (8.3)", "use model type='virtio' for it"),
    Text(LIBVIRT, ("IDE controllers are unsupported for this QEMU binary or machine type",
                   "Only a single IDE controller is supported for this machine type"), ("no-ide", "second-ide"),
         "the machine has no IDE controller, or no second one", "pc has one, q35 none (8.3)",
         "use bus='sata' for the disks"),
    Text(LIBVIRT, ("only a single * device is supported",), ("second-device",),
         "a device is there twice of which a guest has one", "one balloon, vsock, IOMMU and pstore (8.1)",
         "take one of them out"),
    Text(LIBVIRT, ("Multiple panic devices with model *",), ("duplicate-panic",),
         "two panic devices have one model", "one of each model (8.1)", "take one of them out"),
    Text(LIBVIRT, ("target * duplicated for disk sources",), ("duplicate-target",),
         "two disks have one target name", "a target names one disk (8.1)", "give one of them another target"),
    Text(LIBVIRT, ("Invalid value for attribute * in element * non-negative integer value",
                   "Invalid value for attribute * in element *"), ("bad-number", "bad-attribute", "unknown-word",
                                                                 "address-type"),
         "an attribute is out of syntax",
         "numbers are decimal, 0x hexadecimal or 0 octal, without sign and blanks; multifunction is on or off (1.1)",
         "correct the attribute"),
    Text(LIBVIRT, ("IOMMU device: 'virtio' *",), ("wrong-machine", "needs-acpi", "wrong-address-type"),
         "a virtio IOMMU in a guest that cannot have one", "q35 with ACPI (8.3)",
         "use q35 with <features><acpi/></features>"),
    Text(LIBVIRT, ("No slot address available for a multi-function PCI device",
                   "cannot hot unplug multifunction PCI device", "multifunction * hotplug"), (),
         "a function of a slot that holds several cannot be attached or detached by itself",
         "libvirt attaches and detaches whole devices at function 0 (7.6)",
         "change the stored definition with --config and start the guest anew"),

    Text(QEMU, ("PCI: slot * function * not available for * in use by *",), ("slot-occupied", "chipset-function",
                                                                             "virtual-functions"),
         "two devices are at one address, or one where the machine has a function of its own",
         "pc: 00.0, 01.0, 01.1 (IDE, also when libvirt lists none), 01.3; q35: 00.0, 1f.0, 1f.2, 1f.3; with"
         " defaults also the video and network card",
         "move one of them: on pc take 00:01.4 instead of 00:01.1; without libvirt add -nodefaults"),
    Text(QEMU, ("VF addr overflows",), ("virtual-functions",),
         "an igb, or another card with SR-IOV, sits too high on its bus for its virtual functions",
         "QEMU holds eight functions for an igb, from 16 slots above it on, every second one",
         "give it a slot up to 0x0e, or one behind a port of its own"),
    Text(QEMU, ("PCI: slot * function * not available for * reserved",), ("slot-occupied",),
         "the slot is reserved on that bus", "some buses keep slots from devices", "use another slot"),
    Text(QEMU, ("PCI: no slot/function available for * all in use or reserved",), (),
         "a device without an address found no slot whose function 0 is free",
         "QEMU's own placing looks at function 0 of each slot only: 30 slots on pc and q35, 32 on a bridge",
         "give addresses, with bridges or ports behind which there is room"),
    Text(QEMU, ("PCI: single function device can't be populated in function *",
                "PCI: * indicates single function but * is already populated"), ("single-function",),
         "function 0 of the slot does not say that there are others",
         "the multifunction bit of function 0 decides, whatever the order",
         "write multifunction='on' in the address of function 0"),
    Text(QEMU, ("PCI: slot * function 0 already occupied by * new func * cannot be exposed to guest",), (),
         "a function is attached to a slot whose function 0 is there already",
         "while the guest runs, functions 1 to 7 come first and function 0 last, with the multifunction bit",
         "use an empty slot, or detach function 0 first"),
    Text(QEMU, ("PCI: Only PCI/PCIe bridges can be plugged into *",), ("wrong-plug", "duplicate-bus-nr"),
         "an endpoint, or another expander, is on the bus of an expander",
         "a pxb-pcie takes ports and bridges; without bus= QEMU chooses the expander instead of the root bus",
         "put the device behind a port on the expander, and write bus= on every device"),
    Text(QEMU, ("Can't add chassis slot error *",), ("duplicate-chassis",),
         "two ports have one pair of chassis and slot number",
         "QEMU's key is (chassis, slot); libvirt gives a chassis and no slot, so that each port needs a chassis of"
         " its own; port= does not count",
         "leave chassis out of <target>, or number it differently"),
    Text(QEMU, ("Bus * not found",), ("bus-before-controller", "controller-circle"),
         "a device names a bus that is not there, or not yet: the order of the command line counts",
         "libvirt writes the controllers in the order of their indexes",
         "give a controller a higher index than the one whose bus it is on"),
    Text(QEMU, ("Bus number * is already in use", "Bus * is already in use"), ("duplicate-bus-nr",),
         "two expanders have one busNr", "each root bus has a number of its own", "write another busNr"),
    Text(QEMU, ("Bridge chassis not specified", "Each bridge is required to be assigned a unique chassis id"), (),
         "a pci-bridge has no chassis_nr, or 0", "QEMU wants a number from 1 to 255",
         "write chassis_nr=; libvirt does so by itself"),
    Text(QEMU, ("Path too long for VMState",), ("bridge-depth",),
         "bridges are nested too deep", "QEMU has names for 49 levels", "put the device nearer to the root"),
    Text(QEMU, ("a PCI device with acpi-index * already exist",), ("duplicate-acpi-index",),
         "two devices have one ACPI index", "libvirt does not check it, QEMU does", "number them differently"),
    Text(QEMU, ("acpi-index should be less or equal to *",), ("acpi-index-range",),
         "an ACPI index above 16383", "QEMU's limit; libvirt has none", "number the devices from 1"),
    Text(QEMU, ("Bus * does not support hotplugging",), _HOT,
         "a device is attached to a bus that takes none while the guest runs",
         "q35's root bus, expanders, and ports with hotplug off; pc's root with its ACPI hotplug off (7.6)",
         "attach to a port or bridge that takes hotplug"),
    Text(QEMU, ("Unsupported PCI slot * for standard hotplug controller",), ("slot-range",),
         "slot 0 of a bridge whose own hotplug controller is in force", "valid are slots 1 to 31",
         "use a slot from 1; libvirt never uses slot 0"),
    Text(QEMU, ("pxb devices cannot reside on a PCIe bus", "pxb-pcie devices cannot reside on a PCI bus",
                "PXB devices can be attached only to root bus"), ("wrong-machine", "wrong-plug"),
         "an expander for the other kind of machine, or not on the root bus",
         "pxb is for pc, pxb-pcie for q35, both on the root bus", "use the other one, on the root bus"),
    Text(QEMU, ("Property * addr doesn't take value *",), ("address-range", "bad-number"),
         "an address out of range or syntax", "addr= is hexadecimal without prefix: slot to 1f, function to 7",
         "addr=a is slot 10"),
    Text(QEMU, ("No 'PCI' bus found for device *",), ("no-pci-bus",),
         "the machine has no PCI bus", "microvm has one with pcie=on only", "use pc or q35"),
    Text(QEMU, ("PCI resource reserve cap: PREF32 and PREF64 conflict",), (),
         "a port reserves both kinds of prefetchable memory", "one of the two", "leave one out"),

    Text(SEABIOS, ("PCI: out of I/O address space", "out of I/O address space"), ("io-space",),
         "bridges ask for more I/O ports than there are: the guest does not boot",
         "a window is 4 KiB at least; room for 14 on q35, 8 on pc (qemu-7.2/seabios-1.16.2)",
         "take bridges away, or devices with I/O ports from behind them"),
    Text(SEABIOS, ("PCI: out of 32bit address space", "out of 32bit address space"), (),
         "memory windows below 4 GiB do not fit", "what cannot move above 4 GiB has to fit below",
         "reserve less, or use 64-bit prefetchable windows"),
    Text(LINUX, ("can't assign; no space", "no space for * io size", "failed to assign * io"),
         ("io-windows", "io-space", "bus-numbers-overlap"),
         "the guest's kernel found no room for a window of a bridge",
         "it gives 4 KiB of I/O to each hotplug port until none is left; harmless where nothing needs I/O ports",
         "nothing, if devices work; else fewer bridges or devices without I/O ports"),
    Text(KUBEVIRT, ("No space left on the root PCI bus",), _HOT,
         "the root complex of the guest is full", "28 places are left for devices on the root bus",
         "put fewer devices on the root bus; use ports"),
)
# fmt: on
