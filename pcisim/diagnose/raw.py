"""What is said of QEMU arguments that a definition passes on as they are."""

from __future__ import annotations

from pcisim.diagnose.finding import NOTE, WARNING, Finding
from pcisim.formats.domain.raw_arguments import has_device, raw_arguments, summary
from pcisim.guest import Guest


def uncounted(guest: Guest) -> list[Finding]:
    """Return the finding that a guest has raw arguments, if it has any."""
    arguments = raw_arguments(guest)
    if not arguments:
        return []
    headline, line = summary(arguments), arguments[0].line
    if not has_device(arguments):
        unread = "pcisim does not read them: whatever they add or change is missing from every answer"
        return [Finding(NOTE, "raw-arguments", headline, line=line, details=(unread,))]
    details = (
        "there is a -device among them: without bus= and addr= it takes the first free slot of the root bus, before"
        " libvirt's own devices get theirs",
        "if the definition gives that slot to another device, QEMU refuses to start",
    )
    remedy = "write bus= and addr= of a place that 'pcisim tree' shows as free"
    return [Finding(WARNING, "raw-device", headline, line=line, details=details, remedy=remedy)]
