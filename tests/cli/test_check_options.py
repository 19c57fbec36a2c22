"""What `pcisim check` reports, fixes and prints for other tools, and the settings of a project."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from pathlib import Path
from unittest.mock import Mock
from xml.etree import ElementTree

import pytest

from pcisim.cli.settings import find_settings
from pcisim.diagnose import RULES
from pcisim.errors import InputError
from tests.cli.running import EXAMPLES, example, is_tidy, run

CONFLICT, DESKTOP = str(EXAMPLES / "conflict.xml"), str(EXAMPLES / "desktop.xml")
WARNING = (
    b"<domain><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>"
    b"<interface type='user'><model type='virtio'/>"
    b"<address type='pci' domain='0' bus='0' slot='5' function='1'/></interface></devices></domain>"
)
"""An interface that the guest never sees: its slot has no function 0."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with a guest that libvirt refuses."""
    shutil.copy(CONFLICT, tmp_path / "conflict.xml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def codes(*words: str, given: bytes = b"") -> list[str]:
    document = json.loads(run("check", "--format", "json", *words, given=given).out)
    return [finding["code"] for file in document["files"] for finding in file["findings"]]


def test_select_and_ignore() -> None:
    assert codes("-", given=WARNING) == ["orphan-function"]
    assert codes("-", "--select", "slot-occupied,orphan-function", given=WARNING) == ["orphan-function"]
    assert codes("-", "--select", "slot-occupied", given=WARNING) == []
    assert codes(CONFLICT, "--ignore", "orphan-function", "--ignore", "slot-occupied") == []
    assert run("check", CONFLICT, "--ignore", "slot-occupied").status == 0
    assert codes("missing.xml", "--select", "slot-occupied") == ["cannot-read"]


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_code(option: str) -> None:
    done = run("check", option, "slot-ocupied", DESKTOP)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"{option} slot-ocupied: no finding has that code\n  to do: did you mean slot-occupied")
    assert is_tidy(done.err)


@pytest.mark.parametrize("codes_given", ["", ","])
def test_a_selection_of_nothing_is_an_error(codes_given: str) -> None:
    done = run("check", "--select", codes_given, CONFLICT)
    assert (done.status, done.out, done.err.splitlines()[0]) == (2, "", "--select names no code")


def test_strict_lets_warnings_count() -> None:
    assert RULES["orphan-function"].severity == "warning"
    assert run("check", "-", given=WARNING).status == 0
    assert run("check", "-", "--strict", given=WARNING).status == 1
    assert run("check", "--strict", DESKTOP).status == 0


def test_fix_writes_what_explain_shows(folder: Path) -> None:
    file = folder / "conflict.xml"
    file.chmod(0o640)
    before = run("check", str(file))
    shown = run("check", "--fix", "--print-diff", str(file))
    patch = run("explain", "Attempted double use of PCI Address", str(file)).out
    assert file.read_bytes() == example("conflict")
    assert (before.status, shown.status) == (1, 1)
    assert shown.out.splitlines()[2:] == patch[patch.index("--- ") :].splitlines()[2:]
    assert "1 can be fixed" in shown.err
    done = run("check", "--fix", str(file), DESKTOP)
    assert (done.status, "1 fixed" in done.err) == (0, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert codes(str(file), "--select", "slot-occupied") == []
    assert file.read_bytes() != example("conflict")
    after = file.read_bytes()
    assert run("check", "--fix", str(file)).status == 0
    assert file.read_bytes() == after


def test_fix_leaves_alone_what_is_not_selected(folder: Path) -> None:
    assert run("check", "--fix", "--ignore", "slot-occupied", "conflict.xml").status == 0
    assert (folder / "conflict.xml").read_bytes() == example("conflict")


@pytest.mark.parametrize(
    ("words", "headline"),
    [
        (("--print-diff", CONFLICT), "--print-diff goes with --fix"),
        (("--fix", "--print-diff", "--format", "json", CONFLICT), "--print-diff does not go with --format"),
        (("--fix", "-"), "--fix needs a file"),
        (("--fix",), "--fix needs a file"),
    ],
)
def test_wrong_calls(words: tuple[str, ...], headline: str) -> None:
    done = run("check", *words, given=example("conflict"))
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(headline)


def test_sarif(folder: Path) -> None:
    shutil.copy(DESKTOP, folder / "a b.xml")
    (log,) = json.loads(run("check", "--format", "sarif", ".", "missing.xml").out)["runs"]
    rules = [rule["id"] for rule in log["tool"]["driver"]["rules"]]
    assert log["invocations"] == [{"executionSuccessful": False, "exitCode": 3}]
    places = {}
    for result in log["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        places[result["ruleId"]] = result["locations"][0]["physicalLocation"]
    assert places["slot-occupied"] == {"artifactLocation": {"uri": "./conflict.xml"}, "region": {"startLine": 15}}
    assert places["cannot-read"] == {"artifactLocation": {"uri": "missing.xml"}}


def test_junit(folder: Path) -> None:
    (folder / "warned & <odd>.xml").write_bytes(WARNING)
    for options, failures in (((), 1), (("--strict",), 2)):
        done = run("check", "--format", "junit", ".", "missing.xml", *options)
        root = ElementTree.fromstring(done.out)
        assert root.attrib == {"name": "pcisim check", "tests": "3", "failures": str(failures), "errors": "1"}
        assert [case.get("name") for case in root.iter("testcase")] == [
            "slot-occupied",
            "orphan-function",
            "cannot-read",
        ]
        assert len(list(root.iter("failure"))) == failures
    assert ElementTree.fromstring(run("check", "--format", "junit", DESKTOP).out).attrib["tests"] == "1"


# settings


@pytest.mark.parametrize("shared", [False, True])
def test_settings_of_a_folder_above(folder: Path, shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'ignore = ["slot-occupied"]\nstrict = true\nlibvirt = "11.3"\nprofile = "qemu-10.0"\n'
    file = folder / ("pyproject.toml" if shared else "pcisim.toml")
    file.write_text("[tool.pcisim]\n" + text if shared else text)
    below = folder / "below" / "more"
    below.mkdir(parents=True)
    (folder / "below" / "pyproject.toml").write_text("[tool.other]\nname = 'pcisim'\n")
    monkeypatch.chdir(below)
    assert run("check", "../../conflict.xml").status == 0
    assert run("check", "../../conflict.xml", "--isolated").status == 1
    assert run("check", "../../conflict.xml", "--ignore", "").status == 1
    assert run("check", "-", given=WARNING).status == 1
    document = json.loads(run("assign", DESKTOP, "--format", "json").out)
    assert (document["libvirt"], document["profile"]) == ("11.3", "qemu-10.0")
    assert json.loads(run("assign", DESKTOP, "--format", "json", "--libvirt", "9.0").out)["libvirt"] == "9.0"
    monkeypatch.setenv("PCISIM_LIBVIRT", "10.0")
    assert json.loads(run("assign", DESKTOP, "--format", "json").out)["libvirt"] == "10.0"
    assert f"settings: {file}" in run("tree", "-v", DESKTOP).err


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("strct = true", 2, "unknown key 'strct'"),
        ("strict = 1", 2, "strict must be true or false, not 1"),
        ("select = 'a'", 2, "select must be a list of codes, not 'a'"),
        ("select = [1]", 2, "select must be a list of codes, not [1]"),
        ("libvirt = 11.3", 2, "libvirt must be a string, not 11.3"),
        ("strict =", 3, "not TOML"),
    ],
)
def test_bad_settings(text: str, status: int, says: str, folder: Path) -> None:
    (folder / "pcisim.toml").write_text(text)
    done = run("check", DESKTOP)
    assert (done.status, done.out) == (status, "")
    assert str(folder / "pcisim.toml") in done.err.partition("\n")[0]
    assert says in done.err.partition("\n")[0]
    assert is_tidy(done.err)
    assert run("check", "--isolated", DESKTOP).status == 0


def test_a_code_in_settings_that_does_not_exist(folder: Path) -> None:
    (folder / "pcisim.toml").write_text('ignore = ["slot-ocupied"]')
    assert run("check", DESKTOP).status == 2
    assert run("tree", DESKTOP).status == 0


def test_settings_that_are_no_file(folder: Path) -> None:
    os.mkfifo(folder / "pcisim.toml")
    assert find_settings()[1] == {}
    (folder / "pcisim.toml").unlink()
    (folder / "pcisim.toml").mkdir()
    assert find_settings()[1] == {}


def test_settings_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pcisim.toml").write_text("strict = true")
    monkeypatch.setattr("builtins.open", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(InputError, match=r"cannot read .*pcisim\.toml: Permission denied"):
        find_settings()


def test_no_settings(folder: Path) -> None:
    assert find_settings()[1] == {}


def test_severities_are_coloured() -> None:
    plain, coloured = (
        run("check", "--color", how, str(EXAMPLES / "renamed.xml"), str(EXAMPLES / "conflict.xml"))
        for how in ("never", "always")
    )
    assert "\x1b[1;31m" in coloured.out
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured.out) == plain.out
