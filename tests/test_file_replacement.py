"""Files are replaced as a whole, with all that belongs to them, or left alone: real files, links, lists and signals."""

from __future__ import annotations

import os
import signal
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pcisim import file_replacement
from pcisim.errors import InputError
from pcisim.file_replacement import ACL, Replacement, Terminated, replaceable

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for above in (tmp_path, *list(tmp_path.parents)[:-2]):
        above.chmod(above.stat().st_mode | 0o011)
    path = tmp_path / "folder" / "guest.xml"
    path.parent.mkdir()
    path.parent.chmod(0o777)
    path.write_text("old")
    return path


def replace(path: Path, **options: Any) -> None:
    with Replacement(str(path), **options) as new:
        new.stream.write(b"new")
        new.commit()


def access_list(group: int, bob: int) -> bytes:
    """Return an access control list with the rights of the owning group and of user 1234, which is also the mask."""
    nobody = 0xFFFFFFFF
    entries = [(1, 6, nobody), (2, bob, 1234), (4, group, nobody), (16, bob | group, nobody), (32, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def as_nobody(call: Callable[[], object]) -> str:
    """Return what a call raises, or "", as a user who is not root."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        answer = ""
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            call()
        except InputError as error:
            answer = "\n".join([error.code, *error.explanation()])
        except BaseException as error:
            answer = repr(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said


def test_the_temporary_file_is_nobody_elses(file: Path) -> None:
    """It has its owner before a byte is in it, and nobody else reads it, whatever the umask is."""
    owner = (12345, 54321) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    os.chown(file, *owner)
    file.chmod(0o664)
    umask = os.umask(0)
    try:
        with Replacement(str(file)) as new:
            found = os.stat(new.path)
            assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), found.st_size) == (*owner, 0o600, 0)
            assert os.path.dirname(new.path) == str(file.parent)
            new.stream.write(b"new")
            new.stream.flush()
            assert stat.S_IMODE(os.stat(new.path).st_mode) == 0o600
            new.commit()
            assert new.replaced
    finally:
        os.umask(umask)
    found = file.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (*owner, 0o664)
    assert file.read_text() == "new"
    assert os.listdir(file.parent) == ["guest.xml"]


def test_what_is_not_committed_leaves_nothing(file: Path) -> None:
    with Replacement(str(file)) as new:
        new.stream.write(b"new")
    assert not new.replaced
    assert (file.read_text(), os.listdir(file.parent)) == ("old", ["guest.xml"])


@pytest.mark.parametrize(("mode", "made"), [(0o666, 0o640), (0o600, 0o600)])
def test_a_new_file_has_the_mode_of_any_other(file: Path, mode: int, made: int) -> None:
    umask = os.umask(0o027)
    try:
        replace(file.with_name("other"), mode=mode)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(file.with_name("other").stat().st_mode) == made


def test_a_planted_link_is_not_followed(file: Path) -> None:
    victim = file.with_name("victim")
    victim.write_text("precious")
    file.with_name("one").symlink_to("victim")
    file.with_name("two").symlink_to("nowhere")
    with Replacement(str(file), temporary=["one", "two", "three"]) as new:
        assert os.path.basename(new.path) == "three"
        new.commit()
    assert (victim.read_text(), file.with_name("nowhere").exists()) == ("precious", False)
    with pytest.raises(FileExistsError):
        replace(file, temporary=["one", "two"])


def test_links_are_followed_to_what_they_mean(file: Path) -> None:
    link = file.with_name("link.xml")
    link.symlink_to("guest.xml")
    replace(link)
    assert (link.is_symlink(), file.read_text()) == (True, "new")


@pytest.mark.parametrize(
    ("name", "answer"),
    [("guest.xml", True), ("new.xml", True), ("folder", False), ("fifo", False), ("new/", False), ("", False)],
)
def test_replaceable(name: str, answer: bool, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    Path("folder").mkdir()
    os.mkfifo("fifo")
    assert replaceable(name) == answer


# what belongs to a file


@pytest.mark.parametrize("force", [False, True])
def test_lists_and_attributes_are_kept(file: Path, force: bool) -> None:
    os.setxattr(file, "user.note", b"mine")
    os.setxattr(file, ACL, access_list(group=0, bob=6))
    before = file.stat().st_mode
    replace(file, force=force)
    assert (os.getxattr(file, "user.note"), os.getxattr(file, ACL)) == (b"mine", access_list(group=0, bob=6))
    assert (file.stat().st_mode, file.read_text()) == (before, "new")


def test_the_folders_list_for_new_files_does_not_open_an_old_one(file: Path) -> None:
    """The mode's bits for the group would be a mask that lets others in."""
    file.chmod(0o660)
    os.setxattr(file.parent, "system.posix_acl_default", access_list(group=6, bob=6))
    replace(file)
    assert os.listxattr(file) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o660
    replace(file.with_name("new"))
    assert os.listxattr(file.with_name("new")) == [ACL]


def test_hard_links_are_a_loss(file: Path) -> None:
    file.with_name("other.xml").hardlink_to(file)
    with pytest.raises(InputError) as caught:
        replace(file)
    assert caught.value.code == "file-loss"
    assert caught.value.explanation() == [
        f"cannot replace {file} without loss",
        "  it has other names (hard links), which would keep the old content",
    ]
    assert sorted(os.listdir(file.parent)) == ["guest.xml", "other.xml"]
    replace(file, force=True)
    assert (file.read_text(), file.with_name("other.xml").read_text()) == ("new", "old")


@as_root
def test_an_owner_that_cannot_be_kept_is_a_loss(file: Path) -> None:
    os.chown(file, 1234, 4321)
    file.chmod(0o6666)
    assert as_nobody(lambda: replace(file)).splitlines() == [
        "file-loss",
        f"cannot replace {file} without loss",
        f"  its group is 4321, and would be {NOBODY}",
        f"  its owner is user 1234, and would be user {NOBODY}",
    ]
    assert (file.read_text(), os.listdir(file.parent)) == ("old", ["guest.xml"])
    assert as_nobody(lambda: replace(file, force=True)) == ""
    found = file.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (NOBODY, NOBODY, 0o606)


@as_root
def test_an_attribute_that_cannot_be_kept_is_a_loss(file: Path) -> None:
    capability = struct.pack("<IIIII", 0x02000000, 1, 0, 0, 0)
    os.chown(file, NOBODY, NOBODY)
    os.setxattr(file, "security.capability", capability)
    assert as_nobody(lambda: replace(file)).splitlines()[2:] == ["  its attribute security.capability cannot be kept"]
    replace(file)
    assert os.getxattr(file, "security.capability") == capability
    assert as_nobody(lambda: replace(file, force=True)) == ""
    assert os.listxattr(file) == []


@as_root
def test_a_list_that_cannot_be_kept_opens_the_file_to_nobody(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bits for the group are the list's mask: without the list they would be the group's."""
    os.setxattr(file, ACL, access_list(group=0, bob=6))
    assert stat.S_IMODE(file.stat().st_mode) == 0o660
    monkeypatch.setattr(file_replacement, "_allowed", lambda call, *arguments: False)
    with pytest.raises(InputError) as caught:
        replace(file)
    assert caught.value.details == ("its access control list cannot be kept",)
    replace(file, force=True)
    assert (stat.S_IMODE(file.stat().st_mode), os.listxattr(file)) == (0o600, [])


def test_a_file_that_may_not_be_written_is_not_replaced(file: Path) -> None:
    file.chmod(0o444)
    if os.geteuid() == 0:
        assert as_nobody(lambda: replace(file)) == "PermissionError(13, 'Permission denied')"
    else:
        with pytest.raises(PermissionError):
            replace(file)
    assert file.read_text() == "old"


# what others do meanwhile


def _another_kind(path: Path, make: Callable[[Path], object]) -> None:
    path.rename(path.with_name("moved"))
    make(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("odd"),
    "longer": lambda path: path.write_text("old and more"),
    "mode": lambda path: path.chmod(0o600),
    "attribute": lambda path: os.setxattr(path, "user.note", b"mine"),
    "other-name": lambda path: path.with_name("other").hardlink_to(path),
    "gone": os.unlink,
    "folder": lambda path: _another_kind(path, os.mkdir),
    "fifo": lambda path: _another_kind(path, os.mkfifo),
    "link": lambda path: _another_kind(path, lambda link: link.symlink_to("moved")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_changes_of_others_are_not_undone(what: str, file: Path) -> None:
    with Replacement(str(file), read=b"old") as new:
        CHANGES[what](file)
        with pytest.raises(InputError) as caught:
            new.commit()
    assert caught.value.code == "file-changed"
    assert caught.value.headline == f"cannot write {file}: another program has changed it meanwhile"
    assert not new.replaced
    assert not [name for name in os.listdir(file.parent) if name.startswith(".")]


def test_the_same_text_in_another_file_is_no_change(file: Path) -> None:
    """As another run leaves it that did the same."""
    with Replacement(str(file), read=b"old") as new:
        replace(file.with_name("other"))
        file.with_name("other").write_text("old")
        file.with_name("other").rename(file)
        new.stream.write(b"new")
        new.commit()
    assert file.read_text() == "new"


def test_a_file_that_was_not_read_is_replaced_whatever_it_holds(file: Path) -> None:
    with Replacement(str(file)) as new:
        file.write_text("odd")
        new.commit()
    with Replacement(str(file)) as new:
        file.unlink()
        new.commit()
    assert file.read_text() == ""
    with Replacement(str(file.with_name("new"))) as new:
        file.with_name("new").write_text("somebody's")
        with pytest.raises(InputError, match="another program"):
            new.commit()
    assert file.with_name("new").read_text() == "somebody's"


# signals


@pytest.fixture
def kept_handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOST = 400
"""More than the lines that a replacement runs through."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the file that is compared, unclosed
@pytest.mark.usefixtures("kept_handlers")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("ending", ["commit", "fail"])
def test_a_signal_at_every_line(ending: str, number: signal.Signals, file: Path) -> None:
    """Whenever it comes, the file is whole, nothing is left behind, and what `replaced` says is so."""
    seen = set()
    for when in range(MOST):
        file.write_text("old")
        new = Replacement(str(file), read=b"old")
        sent = _signalled(number, when, new, ending)
        assert os.listdir(file.parent) == ["guest.xml"]
        assert file.read_text() == ("new" if new.replaced else "old")
        seen.add(new.replaced)
        if not sent:
            break
    assert 20 < when < MOST - 1
    assert seen == ({False, True} if ending == "commit" else {False})


def _signalled(number: signal.Signals, when: int, new: Replacement, ending: str) -> bool:
    """Replace a file, or fail to, send the signal before a line of the module, and return whether it came to that."""
    left = when
    sent = False

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal left, sent
        if frame.f_code.co_filename != file_replacement.__file__:
            return None
        if event == "line" and not sent and signal.getsignal(number) is not signal.SIG_DFL:
            left -= 1
            if left < 0:
                sent = True
                signal.raise_signal(number)
        return trace

    status = 0
    try:
        sys.settrace(trace)
        with new:
            new.stream.write(b"new")
            if ending == "fail":
                raise OSError("as on a full disk")
            new.commit()
    except KeyboardInterrupt:
        status = 130
    except Terminated as stop:
        status = int(str(stop.code))
    except OSError:
        assert ending == "fail"
    finally:
        sys.settrace(None)
    assert status == (128 + number if sent else 0)
    return sent


@pytest.mark.usefixtures("kept_handlers")
@pytest.mark.parametrize("number", SIGNALS)
def test_ignored_signals_stay_ignored(number: signal.Signals, file: Path) -> None:
    """As `nohup` wants it."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Replacement(str(file)) as new:
            signal.raise_signal(number)
            new.commit()
    finally:
        signal.signal(number, before)
    assert new.replaced
