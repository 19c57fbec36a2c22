"""QEMU arguments that a definition passes on as they are: every answer says that they are not counted."""

from __future__ import annotations

import json

import pytest

from pcisim.catalogue.versions import libvirt_version
from pcisim.diagnose import check
from pcisim.formats.domain.raw_arguments import NAMESPACE, raw_arguments, summary
from pcisim.formats.domain.reader import read
from pcisim.guest import Guest
from tests.cli.running import run
from tests.guests import BARE, domain, nic

PLAIN = ["-cpu", "host,hv_time"]
DEVICE = ["-device", "virtio-rng-pci"]
TWO = "2 raw QEMU arguments of <qemu:commandline> are not counted"


def passing(words: list[str], *, prefix: str = "qemu", declared: bool = True) -> str:
    """Return a guest with raw arguments, the first on line 4."""
    arguments = "".join(f"<{prefix}:arg value='{word}'/>" for word in words)
    text = domain("q35", BARE, nic("virtio"), head=f"<{prefix}:commandline>{arguments}</{prefix}:commandline>")
    return text.replace("<domain ", f"<domain xmlns:{prefix}='{NAMESPACE}' ") if declared else text


@pytest.mark.parametrize(("prefix", "declared"), [("qemu", True), ("q", True), ("qemu", False)])
def test_arguments_are_found_by_their_namespace(prefix: str, declared: bool) -> None:
    guest = read(passing(DEVICE, prefix=prefix, declared=declared), libvirt_version("11.3"))
    assert [element.get("value") for element in raw_arguments(guest)] == DEVICE


def test_other_elements_are_none() -> None:
    guest = read(passing(DEVICE, prefix="x", declared=False), libvirt_version("11.3"))
    assert raw_arguments(guest) == []
    assert raw_arguments(Guest.of("q35", {"virtio-net": 1})) == []
    assert summary([]) == ""


def test_check_never_finds_nothing() -> None:
    text = domain("q35", BARE, nic("virtio"))
    before = check(text)
    (note,) = [finding for finding in check(passing(PLAIN)) if finding not in before]
    assert (note.code, note.severity, note.line, note.headline) == ("raw-arguments", "note", 4, TWO)
    (warning,) = [finding for finding in check(passing(DEVICE)) if finding not in before]
    assert (warning.code, warning.severity, warning.line, warning.headline) == ("raw-device", "warning", 4, TWO)
    assert "refuses to start" in warning.details[1]
    assert "addr=" in warning.remedy
    assert "nothing found" not in run("check", "-", given=passing(PLAIN).encode()).err


def test_check_says_so_of_what_libvirt_refuses() -> None:
    broken = passing(DEVICE).replace("</devices>", "<controller type='pci' model='nonsense'/></devices>")
    assert {finding.code for finding in check(broken)} == {"unknown-model", "raw-device"}


COMMANDS = (["capacity", "-"], ["fits", "-", "--add", "virtio-net=1"], ["guest", "-"],
            ["attach", "-", "--device", "virtio-net"])  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_commands_say_so(words: list[str]) -> None:
    note = f"note: {TWO}; 'pcisim check' says more"
    assert note in run(*words, given=passing(DEVICE).encode()).err.splitlines()
    assert "not counted" not in run(*words, given=domain("q35", BARE, nic("virtio")).encode()).err


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_json_counts_them(words: list[str]) -> None:
    for text, count in ((passing(DEVICE), 2), (domain("q35", BARE, nic("virtio")), 0)):
        assert json.loads(run(*words, "--format", "json", given=text.encode()).out)["raw_arguments"] == count


def test_one_argument() -> None:
    assert summary(raw_arguments(read(passing(["-S"]), libvirt_version("11.3")))) == (
        "1 raw QEMU argument of <qemu:commandline> is not counted"
    )
