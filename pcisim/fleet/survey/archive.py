"""Domain XML in tar archives: the members are found once, and read from where they stand."""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from pcisim.errors import InputError
from pcisim.fleet.survey.answers import Answers
from pcisim.fleet.survey.batch import GUESTS, Stamp, Unread, ordinary, reason, shown
from pcisim.fleet.survey.files import SUFFIX
from pcisim.fleet.survey.rows import Row, error_row
from pcisim.formats.xml.document import most_bytes

_COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ\0": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}
_MOST_LINKS = 16


class Member(NamedTuple):
    """Where a member of an archive stands."""

    path: str
    offset: int
    size: int


class Members(NamedTuple):
    """Some members of an archive.

    Args:
        archive: its absolute path.
        stamp: what it was when they were listed.
        members: where they stand.
    """

    archive: str
    stamp: Stamp
    members: tuple[Member | Unread, ...]

    @property
    def size(self) -> int:
        """Return how many members there are."""
        return len(self.members)

    def rows(self, answers: Answers) -> list[Row]:
        """Read the members and return their rows, in order.

        Raises:
            InputError: the archive cannot be read any more.
        """
        libvirt = answers.question.libvirt
        try:
            with ordinary(self.archive) as number:
                rows = [self._row(member, number, answers) for member in self.members]
                self.stamp.check(number)
        except InputError as error:
            return [error_row(member.path, None, None, libvirt, error) for member in self.members]
        except OSError as error:
            raise _cannot_read(self.archive, error) from error
        return rows

    def _row(self, member: Member | Unread, number: int, answers: Answers) -> Row:
        if isinstance(member, Unread):
            return error_row(member.path, None, None, answers.question.libvirt, member.error)
        data = os.pread(number, min(member.size, most_bytes() + 1), member.offset)
        return answers.of_document(member.path, data)


def archive_batches(archive: str) -> Iterator[Members]:
    """Yield the members of an archive whose names end in ``.xml``, in their order.

    A link to a member that is read anyway is left out.  Nothing is unpacked, and a link that leads out of
    the archive is followed nowhere: its row says so.

    Args:
        archive: a tar archive, not compressed.

    Raises:
        InputError: it cannot be read, is cut off, compressed, no tar archive, or without such a member.
    """
    stamp, listed = _list(archive)
    found = [_place(name, entry, listed) for name, entry in listed.items() if name.endswith(SUFFIX)]
    members = [member for member in found if member is not None]
    if not members:
        raise InputError(
            f"no domain XML in {shown(archive)}: no member has a name that ends in {SUFFIX}", code="no-guests"
        )
    path = os.path.abspath(archive)
    for start in range(0, len(members), GUESTS):
        yield Members(path, stamp, tuple(members[start : start + GUESTS]))


class _Listed(NamedTuple):
    """A member as the archive lists it: the place of a file, or where a link leads."""

    name: str
    place: Member | None
    holes: bool = False
    leads_to: str = ""
    written: str = ""
    hard: bool = False


def _list(archive: str) -> tuple[Stamp, dict[str, _Listed]]:
    """Return what an archive is, and its files and links by name; of two members of a name the last one counts."""
    listed: dict[str, _Listed] = {}
    try:
        with ordinary(archive) as number, open(number, "rb", closefd=False) as stream:
            stamp = Stamp.of(number)
            with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as tar:
                offset = -1
                while (info := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them
                    if info.offset <= offset:
                        raise tarfile.ReadError("a header is damaged")  # as tarfile itself says
                    offset = info.offset
                    entry = _entry(archive, info)
                    if entry is not None:
                        listed[posixpath.normpath(info.name)] = entry
                if not _has_end(tar):
                    raise tarfile.ReadError("it has no end mark")
    except OSError as error:
        raise _cannot_read(archive, error) from error
    except _DAMAGE as error:
        raise _damaged(archive, _WHY.get(type(error), str(error))) from error
    return stamp, listed


_WHY = {IndexError: "a header is cut off", RecursionError: "headers without a member", MemoryError: "a size is absurd"}
_DAMAGE = (tarfile.TarError, ValueError, ArithmeticError, EOFError, LookupError, TypeError, RecursionError, MemoryError)
"""What `tarfile` raises when a header lies or ends too soon."""


def _place(name: str, entry: _Listed, listed: dict[str, _Listed]) -> Member | Unread | None:
    """Return where what is listed stands; ``None`` for a link to a member that is read anyway."""
    file = entry
    if entry.place is None:
        target = _target(name, listed)
        if target not in listed or listed[target].place is None:
            return Unread(entry.name, _lost(entry.written, target))
        if target.endswith(SUFFIX) and not entry.hard:
            return None
        file = listed[target]
    assert file.place is not None
    if file.holes:
        return Unread(entry.name, InputError("cannot be read: it is stored with holes", code="cannot-read"))
    return file.place._replace(path=entry.name)


def _entry(archive: str, info: tarfile.TarInfo) -> _Listed | None:
    """Return what an archive lists, ``None`` for what is neither a file nor a link."""
    path = f"{shown(archive)}:{shown(info.name)}"
    if info.issym():
        leads_to = posixpath.join(posixpath.dirname(info.name), info.linkname)
        return _Listed(path, None, False, leads_to, shown(info.linkname))
    if info.islnk():
        return _Listed(path, None, False, info.linkname, shown(info.linkname), hard=True)
    return _Listed(path, Member(path, info.offset_data, info.size), info.issparse()) if info.isfile() else None


def _target(name: str, listed: dict[str, _Listed]) -> str:
    """Return where a link leads, along further links."""
    for _ in range(_MOST_LINKS):
        entry = listed.get(name)
        if entry is None or entry.place is not None:
            break
        name = posixpath.normpath(entry.leads_to)
    return name


def _lost(written: str, target: str) -> InputError:
    if target.startswith(("/", "../")) or target == "..":
        return InputError(f"cannot be read: the link leads out of the archive, to {written}", code="link-outside")
    return InputError(
        f"cannot be read: the link leads to {written}, which is not a file of the archive", code="cannot-read"
    )


def _has_end(tar: tarfile.TarFile) -> bool:
    """Return whether an archive has its end mark, a block of zeros; without it something is missing.

    `tarfile` reads over that, and over a header that is cut off.
    """
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    return tar.fileobj.read(tarfile.BLOCKSIZE) == tarfile.NUL * tarfile.BLOCKSIZE


def _damaged(archive: str, why: str) -> InputError:
    try:
        with open(archive, "rb") as stream:
            head = stream.read(8)
    except OSError:
        head = b""
    for magic, program in _COMPRESSED.items():
        if head.startswith(magic):
            return InputError(
                f"{shown(archive)} is compressed, so that its members cannot be read one by one",
                code="archive-compressed",
                remedy=f"{program} it first",
            )
    return InputError(
        f"{shown(archive)} is damaged or cut off: {why}",
        code="archive-damaged",
        details=("nothing of it was read",),
        remedy="make or copy the archive again; 'tar -tf' shows how far it goes",
    )


def _cannot_read(archive: str, error: OSError) -> InputError:
    return InputError(f"cannot read {shown(archive)}: {reason(error)}", code="cannot-read")
