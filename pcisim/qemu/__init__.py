"""QEMU's own rules: what it makes of ``-machine`` and ``-device``, with no libvirt in between."""
