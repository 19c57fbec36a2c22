"""Random domains made from libvirt's own RELAX NG grammar, and what its refusals of them say."""
