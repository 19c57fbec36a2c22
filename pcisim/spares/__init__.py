"""Room for devices that come later: libvirt's own places, and controllers that nobody needs yet.

libvirt gives each endpoint a slot or port of its own and keeps one spare port.  `HotplugPolicy` leaves all of that
where it is and appends as many ports and bridges as are asked for; its presets do what managers of virtual machines do.

    extension     a placement to which controllers are appended; nothing that is there moves
    presets       what virt-install, Nova and KubeVirt do: one row each
    policy        what is asked for, and all of it together

Source: libvirt rules 6.3 to 6.6 and 7.6.
"""
