"""What libvirt's QEMU driver does with a definition, one module for each step."""
