"""Packing: the layout with the fewest PCI controllers that holds a guest.

libvirt gives each endpoint a slot of its own and stops where its own growth stops.  A bus has 256 functions, though,
and a bridge or port can hang on nearly all of them.  `DensePolicy` finds, of all legal layouts, the one with the fewest
controllers; of those the one with the most empty slots that take hotplug; of those the one whose places are lowest.

    wanted        what keeps its place, and what looks for one, in libvirt's order
    composition   how many controllers of each model it takes: arithmetic
    layout        which functions are taken, and who takes them: bits
    policy        all of it together, and whether the firmware gets past its I/O

Source: libvirt rules 2.1 to 2.3, QEMU rules 1.2 and 3.2, firmware rules 1.1, 1.3 and 3.1 to 3.3.
"""
