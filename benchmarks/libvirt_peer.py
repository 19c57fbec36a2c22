"""The peer of the ratios: a live libvirt, asked through its Python module.

Runs under the Python that has the packaged `libvirt` module.  One JSON line in,
``{"xml": ..., "rounds": n}``, one out: the seconds of each ``defineXML`` + ``XMLDesc``, and the
addressed XML.
"""

from __future__ import annotations

import json
import sys
import time

import libvirt

VIR_DOMAIN_UNDEFINE_KEEP_NVRAM = 64


def main(uri: str) -> None:
    """Answer until standard input ends."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    connection = libvirt.open(uri)
    for line in sys.stdin:
        question = json.loads(line)
        seconds = []
        for _ in range(question["rounds"]):
            begin = time.perf_counter()
            domain = connection.defineXML(question["xml"])
            addressed = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            seconds.append(time.perf_counter() - begin)
            domain.undefineFlags(VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
        print(json.dumps({"seconds": seconds, "xml": addressed, "version": connection.getLibVersion()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
