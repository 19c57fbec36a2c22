"""Literal tables, one row a model: controllers, machines, devices, libvirt versions."""
