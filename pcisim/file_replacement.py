"""Replace files as a whole: what is there is the old file or the new one, whatever comes between.

The new file is made in the folder of the old one, exclusively, for its owner alone, and it has the owner and
the attributes of the old one before a byte is in it.  What cannot be kept - the owner, an access control list,
other names of the file - is a refusal that says what it is.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from pcisim.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import BinaryIO, Self

ACL = "system.posix_acl_access"
_OF_THE_CONTENT = ("security.ima", "security.evm")
"""Attributes that the kernel computes from what a file holds: they are never carried over."""
_PRIVATE = 0o600


class Terminated(SystemExit):
    """SIGTERM or SIGHUP came while there was a temporary file; the status is the one that shells give it."""


def replaceable(name: str) -> bool:
    """Return whether a file can be replaced: an ordinary one, or one that is not there yet.

    Anything else, such as ``/dev/null`` or a pipe, has to be written to as it is.

    Raises:
        OSError: it cannot be looked at.
        ValueError: no file can have that name.
    """
    if not name or name.endswith(os.sep):
        return False
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except FileNotFoundError:
        return True


class Replacement:
    """A new file that takes the place of another when it is complete.

    A context manager: at the end of its block the temporary file is removed unless `commit` was called, and so it is
    when SIGINT, SIGTERM or SIGHUP comes within.

    Args:
        name: the file to replace or to create; of a symbolic link, the one that it leads to.
        read: what the file held when it was read: it is replaced only if it still does.
        force: replace it although something of it cannot be kept.
        mode: of a file that is not there yet, before the umask: 0 to 0o666.
        temporary: names for the temporary file within the folder, of which the first free one is taken.
        last: replace it also if it is another file by then: of two runs the last one wins.

    Attributes:
        path: the temporary file, while there is one.
        replaced: whether the new file is in place.
    """

    def __init__(
        self,
        name: str,
        *,
        read: bytes | None = None,
        force: bool = False,
        mode: int = 0o666,
        temporary: Iterable[str] | None = None,
        last: bool = False,
    ) -> None:
        self.path = ""
        self.replaced = False
        self._name = name
        self._target = os.path.realpath(name)
        self._read = read
        self._force = force
        self._mode = mode
        self._last = last
        self._names = _hidden_names() if temporary is None else temporary
        self._old: _Properties | None = None
        self._stream: BinaryIO | None = None
        self._signals = _Signals(self._remove)

    @property
    def stream(self) -> BinaryIO:
        """Return where to write.

        Raises:
            ValueError: it is not open.
        """
        if self._stream is None:
            raise ValueError("the new file is not open yet")
        return self._stream

    @property
    def replaces(self) -> bool:
        """Return whether there is an old file."""
        return self._old is not None

    def open(self) -> Self:
        """Make the temporary file, with the owner and the attributes of the old one.

        Raises:
            OSError: it cannot be made, or the old file may not be written.
            InputError: something of the old file cannot be kept (code ``file-loss``).
        """
        self._old = _Properties.of(self._target)
        if self._old is not None and not os.access(self._target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        try:
            with self._signals.held():
                self._stream = os.fdopen(self._create(), "wb")
            self._take_over(_PRIVATE)
            return self
        except BaseException:
            self.discard()
            raise

    def commit(self) -> None:
        """Put the new file in the place of the old one.

        Raises:
            OSError: it cannot be written, or not put there.
            InputError: the old file is no longer the one that was read (code ``file-changed``).
        """
        self.stream.flush()
        self._take_over()
        os.fsync(self.stream.fileno())
        written = os.fstat(self.stream.fileno())
        self.stream.close()
        if not self._last:
            self._check_unchanged()
        if not os.path.samestat(written, os.lstat(self.path)):
            raise OSError(17, f"another program has replaced {self.path}")
        with self._signals.held():
            os.replace(self.path, self._target)
            self.path, self.replaced = "", True

    def discard(self) -> None:
        """Remove the temporary file, if it is there."""
        try:
            self._remove()
        finally:
            self._signals.as_before()

    def __enter__(self) -> Self:
        try:
            self._signals.watched()
            return self.open()
        except BaseException:
            self.discard()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.discard()

    def _remove(self) -> None:
        with self._signals.held():
            if self.path:
                with suppress(FileNotFoundError):
                    os.unlink(self.path)
                with suppress(OSError, RuntimeError):  # what could not be written; a signal in the middle of a write
                    self.stream.close()
                self.path = ""

    def _create(self) -> int:
        for name in self._names:
            path = os.path.join(os.path.dirname(self._target), name)
            with suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                number = os.open(path, flags, self._mode if self._old is None else _PRIVATE)
                self.path = path
                return number
        raise FileExistsError(17, "No name for a temporary file is free")

    def _take_over(self, mode: int | None = None) -> None:
        """Give the temporary file what the old one has beside its content; the mode may be another for now."""
        if self._old is None:
            return
        lost = self._old.give(self.stream.fileno(), mode)
        if lost and not self._force:
            raise InputError(f"cannot replace {self._name} without loss", code="file-loss", details=tuple(lost))

    def _check_unchanged(self) -> None:
        """Refuse to undo what somebody else has done to the file meanwhile."""
        now = _Properties.of(self._target)
        if self._read is None and now is None:
            return
        if now != self._old or (self._read is not None and _content(self._target, len(self._read) + 1) != self._read):
            raise InputError(
                f"cannot write {self._name}: another program has changed it meanwhile",
                code="file-changed",
                remedy="run the command again",
            )


class _Properties(NamedTuple):
    """What a file has beside its content."""

    mode: int
    owner: int
    group: int
    links: int
    attributes: tuple[tuple[str, bytes | None], ...]

    @classmethod
    def of(cls, path: str) -> _Properties | None:
        """Return those of a file, or ``None`` if it is not there."""
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None
        return cls(found.st_mode, found.st_uid, found.st_gid, found.st_nlink, tuple(_attributes(path).items()))

    def give(self, number: int, mode: int | None = None) -> list[str]:
        """Give them to an open file, and return what cannot be kept.

        Nobody gains access by a loss: where a group or an access control list cannot be kept, the mode's bits
        for the group would mean somebody else, and are not given.

        Args:
            number: the file's descriptor.
            mode: another mode.
        """
        lost = []
        kept = stat.S_IMODE(self.mode)
        if self.links > 1:
            lost.append("it has other names (hard links), which would keep the old content")
        now = os.fstat(number)
        if now.st_gid != self.group and not _allowed(os.fchown, number, -1, self.group):
            lost.append(f"its group is {self.group}, and would be {now.st_gid}")
            kept &= ~(stat.S_ISGID | stat.S_IRWXG)
        if now.st_uid != self.owner and not _allowed(os.fchown, number, self.owner, -1):
            lost.append(f"its owner is user {self.owner}, and would be user {now.st_uid}")
            kept &= ~stat.S_ISUID
        old, new = dict(self.attributes), _attributes(number)
        for name, value in old.items():
            if new.get(name) == value and value is not None:
                continue
            if value is None or not _allowed(os.setxattr, number, name, value):
                lost.append(f"its {'access control list' if name == ACL else f'attribute {name}'} cannot be kept")
                if name == ACL:
                    kept &= ~stat.S_IRWXG
        if ACL in new and ACL not in old:  # the folder's default for new files
            os.removexattr(number, ACL)
        os.fchmod(number, kept if mode is None else mode)
        return lost


def _attributes(file: str | int) -> dict[str, bytes | None]:
    """Return a file's extended attributes, the access control list among them, where the system has any."""
    found: dict[str, bytes | None] = {}
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in sorted(os.listxattr(file)):
                if name not in _OF_THE_CONTENT:
                    found[name] = None
                    with suppress(OSError):
                        found[name] = os.getxattr(file, name)
    return found


def _allowed(call: object, *arguments: object) -> bool:
    try:
        call(*arguments)  # type: ignore[operator]
    except OSError:
        return False
    return True


def _content(path: str, most: int) -> bytes:
    """Return what an ordinary file holds, of something else nothing."""
    with open(path, "rb", opener=_looking) as stream:
        return stream.read(most) if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) else b""


def _looking(path: str, flags: int) -> int:
    """Open a file without following a link or waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _hidden_names() -> Iterator[str]:
    """Yield names that are short, since that of the target may be as long as a name can be."""
    for _ in range(100):
        yield f".pcisim-{os.urandom(8).hex()}.tmp"


class _Signals:
    """SIGINT, SIGTERM and SIGHUP while there is a temporary file: what they end, ends without it.

    The handlers remove it, wherever they interrupt, since an exception may come too early or too late for a ``with``.

    Args:
        remove: removes the file.
    """

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove = remove
        self._before: dict[int, Callable[[int, FrameType | None], object] | int] = {}
        self._held = False
        self._waiting: list[int] = []

    def watched(self) -> None:
        """From now on the file is removed."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                before = signal.getsignal(number)
                if before not in (None, signal.SIG_IGN):  # not Python's; ignored, as nohup has it
                    self._before[number] = before
                    signal.signal(number, self._come)

    def as_before(self) -> None:
        """From now on signals do what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let signals wait until the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            while self._waiting:
                self._come(self._waiting.pop(0), None)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._waiting.append(number)
            return
        try:
            handler = self._before[number]
            (handler if callable(handler) else _terminate)(number, frame)
        except BaseException:
            self._remove()
            self.as_before()
            raise


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Terminated(128 + number)
