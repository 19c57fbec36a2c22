"""``pcisim check``: its lines, its formats, its exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pcisim import diagnose
from pcisim.cli.check import text_lines
from pcisim.cli.reports import github_line
from pcisim.diagnose import RULES, Finding
from tests.cli.running import EXAMPLES, Done, run
from tests.guests import at, disk, disks, domain, nic, pci

CLEAN = domain("pc", disks(2), nic())
DOUBLE = domain("pc", nic("virtio", at(0, 5)), disk(0, at(0, 5)))
LOST = domain("pc", nic("virtio", at(0, 5, 1)))
NOT_JUDGED = f"  not checked: {'; '.join(diagnose.NOT_JUDGED)}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("clean", CLEAN), ("double", DOUBLE), ("lost", LOST), ("broken", "<domain>")):
        (tmp_path / f"{name}.xml").write_text(text)
    (tmp_path / "garbage.xml").write_bytes(bytes(range(256)))
    return tmp_path


def check(folder: Path, *words: str) -> Done:
    """Run the command on files of a folder."""
    return run("check", *(str(folder / word) if word.endswith(".xml") else word for word in words))


@pytest.mark.parametrize(
    ("files", "status"),
    [
        (["clean.xml"], 0),
        (["lost.xml"], 0),
        (["clean.xml", "double.xml", "lost.xml"], 1),
        (["missing.xml"], 3),
        (["broken.xml"], 3),
        (["garbage.xml"], 3),
        (["double.xml", "missing.xml"], 3),
        ([""], 3),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_exit_status(folder: Path, files: list[str], status: int, form: str) -> None:
    assert check(folder, *files, "--format", form).status == status


def test_line_and_remedy(folder: Path) -> None:
    done = check(folder, "double.xml", "clean.xml")
    assert done.out.replace(f"{folder}/", "").splitlines() == [
        "double.xml:10: error: Attempted double use of PCI Address 0000:00:05.0 [slot-occupied]",
        "  interface:0 asks for it",
        "  disk:vda holds it already (line 11)",
        "  to do: leave the address of interface:0 out, or take the first empty slot of bus 0: 0x03,"
        " or share the slot: function='0x1' is free",
    ]
    assert done.err == f"2 files: 1 error, as libvirt 12.9\n{NOT_JUDGED}"


def test_what_is_not_judged_is_said(folder: Path) -> None:
    assert check(folder, "clean.xml").err.splitlines()[-1] == NOT_JUDGED.rstrip()
    done = check(folder, "clean.xml", "--format", "json")
    assert json.loads(done.out)["not_judged"] == list(diagnose.NOT_JUDGED)
    assert "not checked" not in done.err + check(folder, "clean.xml", "--format", "github").err


def test_others_are_checked_all_the_same(folder: Path) -> None:
    done = check(folder, "missing.xml", "garbage.xml", "double.xml")
    assert [line.rpartition("[")[2] for line in done.out.splitlines() if line[0] != " "] == [
        "cannot-read]",
        "xml-encoding]",
        "slot-occupied]",
    ]
    assert done.err == f"3 files: 3 errors, as libvirt 12.9; 2 cannot be read\n{NOT_JUDGED}"


def test_standard_input() -> None:
    done = run("check", "-", given=DOUBLE.encode())
    assert done.out.startswith("<stdin>:10: error: ")
    assert run("check", "-", given=CLEAN.encode("utf-16")) == Done(
        0, "", f"1 file: no findings, as libvirt 12.9\n{NOT_JUDGED}"
    )


def test_examples_are_sound_but_for_the_one_that_is_meant_not_to_be() -> None:
    for path in EXAMPLES.glob("*.xml"):
        assert run("check", str(path)).status == (path.stem == "conflict"), path


def test_json(folder: Path) -> None:
    done = check(folder, "lost.xml", "missing.xml", "--format", "json")
    document = json.loads(done.out)
    assert list(document) == ["schema", "libvirt", "measured", "profile", "files", "not_judged", "summary"]
    assert (document["schema"], document["libvirt"]) == ("pcisim.check/1", "12.9")
    assert document["summary"] == {"errors": 1, "warnings": 1, "notes": 0, "unreadable": 1}
    lost, missing = document["files"]
    assert (Path(lost["file"]).name, lost["readable"], missing["readable"]) == ("lost.xml", True, False)
    assert lost["findings"] == [
        {
            "severity": "warning",
            "code": "orphan-function",
            "headline": "slot 0000:00:05 has no function 0, so that the guest never sees interface:0",
            "parties": ["interface:0"],
            "line": 10,
            "details": [],
            "remedy": "write function='0x0' in the address of interface:0",
        }
    ]
    (unread,) = missing["findings"]
    assert (unread["code"], unread["line"]) == ("cannot-read", None)


def test_github(folder: Path) -> None:
    done = check(folder, "lost.xml", "--format", "github")
    assert done.out.replace(str(folder), "") == (
        "::warning file=/lost.xml,line=10,title=orphan-function::slot 0000:00:05 has no function 0,"
        " so that the guest never sees interface:0%0Ato do: write function='0x0' in the address of interface:0\n"
    )


def test_github_escapes() -> None:
    finding = Finding("note", "a,b", "100% of\r\n::error::x", (), 3, ("one\x1b[0m",), "two")
    assert github_line("a:b,c%.xml", finding) == (
        "::notice file=a%3Ab%2Cc%25.xml,line=3,title=a%2Cb::100%25 of%0A%0A::error::x%0Aone\\x1b[0m%0Ato do: two\n"
    )
    assert github_line("f", Finding("error", "x", "y")) == "::error file=f,title=x::y\n"


def test_lines_hold_no_control_characters() -> None:
    finding = Finding("error", "x", "a\nb\x1b[1m", (), None, ("1", "2", "3", "4"), "c\td")
    assert text_lines("f\ng", [finding]) == [
        "f\\ng: error: a\\nb\\x1b[1m [x]\n",
        "  1\n",
        "  2\n",
        "  3\n",
        "  to do: c\\td\n",
    ]
    assert "  4\n" in text_lines("f", [finding], verbose=True)


def test_version(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(domain("pc", "<panic model='pvpanic'/>", pci("pci-bridge", 1)))
    assert check(tmp_path, "a.xml").status == 0
    old = check(tmp_path, "a.xml", "--libvirt", "9.0")
    assert (old.status, old.err) == (1, f"1 file: 1 error, as libvirt 9.0\n{NOT_JUDGED}")
    assert check(tmp_path, "a.xml", "--libvirt", "8").status == 2


def test_host_devices(tmp_path: Path) -> None:
    """62 conventional cards on q35 are a hole; whether a host device is one, the definition does not say."""
    source = "<source><address domain='0' bus='0x06' slot='0x12' function='0'/></source>"
    hostdev = f"<hostdev mode='subsystem' type='pci' managed='yes'>{source}</hostdev>"
    (tmp_path / "a.xml").write_text(domain("q35", *[nic("e1000")] * 61, hostdev))
    assert check(tmp_path, "a.xml").status == 0
    done = check(tmp_path, "a.xml", "--host-pci", "0000:06:12.0=pci")
    assert (done.status, "[no-slot-for-controller]" in done.out) == (1, True)
    done = check(tmp_path, "a.xml", "--host-pci", "0000:06:12.0=nonsense")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("host device 0000:06:12.0 cannot be 'nonsense'\n")


@pytest.mark.parametrize("words", [["check"], ["check", "--format", "yaml", "-"], ["check", "--nonsense", "-"]])
def test_usage(words: list[str]) -> None:
    assert run(*words).status == 2


def test_unreadable_codes_are_errors_like_any_other() -> None:
    assert {rule.severity for rule in RULES.values() if rule.code.startswith("xml-")} == {"error"}


def test_what_is_not_covered_is_neither_sound_nor_unsound(folder: Path) -> None:
    (folder / "sparc.xml").write_text(domain("sun4u").replace("x86_64", "sparc64"))
    done = check(folder, "sparc.xml")
    assert (done.status, "[unknown-architecture]" in done.out) == (4, True)
    assert check(folder, "clean.xml", "sparc.xml").status == 4
    assert check(folder, "double.xml", "sparc.xml").status == 1
    assert check(folder, "broken.xml", "sparc.xml").status == 3
