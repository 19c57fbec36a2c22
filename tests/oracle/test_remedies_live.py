"""Law: what pcisim tells is to be done about a golden guest is accepted by the libvirt that is running."""

from __future__ import annotations

import re

import pytest

from pcisim.diagnose import Judge, examine
from pcisim.diagnose.trial import ways_out
from tests.oracle.live import LiveLibvirt
from tests.oracle.test_live import live
from tests.record_goldens import cases, not_covered, read_answer, read_guest

__all__ = ["live"]
pytestmark = pytest.mark.oracle

OF_THE_HOST = re.compile(
    r"No emulator found|Unknown architecture|not supported by this version of QEMU|without spice graphics|maxMemory"
)
"""What libvirt says next of a guest whose place is right: it lacks what pcisim does not look at."""


def test_remedies_are_accepted(live: tuple[str, LiveLibvirt]) -> None:
    version, client = live
    asked, refused = 0, []
    for case in cases():
        if version in not_covered(case) or version not in read_answer(case):
            continue
        before = examine(read_guest(case), libvirt=version)
        for finding in before.findings:
            for way in ways_out(finding, before, Judge(version)):
                if way.text.startswith("ask for --libvirt") or way.diagnosis.errors:
                    continue
                document = way.document if isinstance(way.document, str) else way.document.decode()
                answer = client.ask(document)
                asked += 1
                if not answer.ok and not OF_THE_HOST.search(answer.error):
                    refused.append((case, way.text, answer.error))
    assert refused == []
    assert asked > 400
