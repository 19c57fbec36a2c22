"""Text in and out: domain XML, QEMU arguments, JSON, `lspci` views."""
