"""Passwords of a definition are in nothing that is printed but the document (`fits --format xml` prints it too) and a
difference of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pcisim
from pcisim.diagnose import check
from pcisim.fleet.survey.run import survey
from tests.cli.running import run
from tests.guests import disks, domain, nic

SECRET = "hunter2-\u00e9"
GRAPHICS = (
    f"<graphics type='vnc' port='-1' passwd='{SECRET}'/>",
    f"<graphics type='spice' passwd='{SECRET}' passwdValidTo='2030-01-01T00:00:00'/>",
    f"<graphics type='rdp' username='{SECRET}' passwd='{SECRET}'/>",
)
OTHERS = (
    f"<disk type='network' device='disk'><auth username='u'><secret type='iscsi' uuid='{SECRET}'/></auth>"
    f"<source protocol='iscsi' name='iqn.x:{SECRET}/1'/><target dev='vdz' bus='virtio'/></disk>",
)
GUESTS = {
    "sound": domain("q35", nic(), disks(2), *GRAPHICS, *OTHERS),
    "refused": domain("pc", nic("virtio", "<address type='pci' slot='2'/>") * 2, *GRAPHICS),
    "address": domain("pc", GRAPHICS[0].replace("/>", "><address type='pci' slot='99'/></graphics>"), nic()),
    "type": domain("pc", GRAPHICS[0].replace("'vnc'", "'frob'"), nic()),
    "twice": domain("pc", GRAPHICS[0].replace("/>", f" passwd='{SECRET}'/>"), nic()),
    "cut": domain("pc", nic()) [:-20] + f"<graphics type='vnc' passwd='{SECRET}",
    "broken": domain("pc", f"<graphics type='vnc' passwd='{SECRET}<'/>"),
    "entity": domain("pc", f"<graphics type='vnc' passwd='{SECRET}&{SECRET};'/>"),
    "no-room": domain("pc", disks(70), *GRAPHICS),
    "arguments": domain("pc", nic(), *GRAPHICS).replace("<domain type='qemu'>", (
        "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        f"<qemu:commandline><qemu:arg value='-object'/><qemu:arg value='secret,id=s,data={SECRET}'/>"
        f"<qemu:arg value='-device'/><qemu:arg value='e1000,bus=pci.0,addr=5,x={SECRET}'/></qemu:commandline>"
    )),
}  # fmt: skip
CALLS = (
    ("assign", "--format=json"), ("assign", "--format=addresses"), ("assign", "--format=qemu"),
    ("assign", "--format=qemu", "--policy=qemu"), ("assign", "--explain=interface:0"), ("assign", "--in-place"),
    ("tree",), ("tree", "--view=guest"), ("guest",), ("guest", "--format=json"), ("lspci",), ("lspci", "-v"),
    ("capacity",), ("capacity", "--format=json"), ("fits", "--add=virtio-net=3"),
    ("fits", "--add=virtio-net=300"), ("fits", "--add=e1000=3", "--format=json"), ("check", "-v"),
    ("check", "--format=json"), ("check", "--format=github"), ("attach", "--device=virtio-net"),
    ("attach", "--device=virtio-net", "--format=json"), ("fleet",), ("fleet", "--format=json"),
    ("fleet", "--format=csv"), ("fleet", "--format=jsonl"),
)  # fmt: skip


def hidden(text: str) -> bool:
    """Return whether a text has nothing of the secret, in whatever encoding or escape."""
    return "hunter2" not in text


@pytest.mark.parametrize("case", GUESTS)
def test_outputs(case: str, tmp_path: Path) -> None:
    path = tmp_path / "guest.xml"
    for words in CALLS:
        for debug in ((), ("--debug",)):
            path.write_text(GUESTS[case])
            done = run(*words, *debug, str(path))
            assert done.status < 5
            assert hidden(done.out), [line for line in done.out.splitlines() if not hidden(line)]
            assert hidden(done.err), [line for line in done.err.splitlines() if not hidden(line)]
    done = run("detach", str(path), "interface:0")
    assert hidden(done.out + done.err)
    other = tmp_path / "other.xml"
    other.write_text(GUESTS["sound"].replace(SECRET, f"{SECRET}-new"))
    for form in ("text", "json"):
        for files in ((path, other), (other, path)):
            done = run("diff", "--format", form, *map(str, files))
            assert hidden(done.out + done.err)


@pytest.mark.parametrize("case", GUESTS)
def test_the_words_of_explain(case: str, tmp_path: Path) -> None:
    """What stands before the patch, which is a difference of the document."""
    path = tmp_path / "guest.xml"
    path.write_text(GUESTS[case])
    for text in ("No more available PCI slots", "Attempted double use of PCI Address 0000:00:02.0"):
        done = run("explain", text, str(path))
        assert hidden(done.out.partition("\n--- ")[0])
        assert hidden(done.err)


def test_what_is_attached(tmp_path: Path) -> None:
    path, device = tmp_path / "guest.xml", tmp_path / "device.xml"
    path.write_text(GUESTS["sound"])
    for element in (*GRAPHICS, *OTHERS, OTHERS[0].replace("vdz", "vda"), OTHERS[0][:-3]):
        device.write_text(element)
        done = run("attach", str(path), str(device))
        assert hidden(done.out + done.err)


@pytest.mark.parametrize("case", GUESTS)
def test_objects(case: str) -> None:
    """Neither what the library returns nor what it raises shows one, as a notebook or a log would print it."""
    try:
        plan = pcisim.assign(GUESTS[case])
    except pcisim.PcisimError as error:
        texts = [repr(error), *error.explanation(), json.dumps(error.__dict__, default=str)]
    else:
        texts = [repr(plan), str(plan), repr(plan.placement), repr(plan.placement.guest), json.dumps(plan.to_json())]
    assert all(map(hidden, texts))
    for finding in check(GUESTS[case]):
        assert hidden(repr(finding))


def test_rows(tmp_path: Path) -> None:
    for case, text in GUESTS.items():
        (tmp_path / f"{case}.xml").write_text(text)
    for row in survey(tmp_path, workers=1):
        assert hidden(repr(row))
    out = tmp_path / "rows.csv"
    run("fleet", str(tmp_path), "-o", str(out), "--raw", "--workers=1")
    assert hidden(out.read_text())
