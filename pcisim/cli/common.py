"""What the commands share: their input, their output, their files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import cast

from pcisim.catalogue.profiles import OVMFS, PROFILES, SEABIOSES
from pcisim.catalogue.versions import DEFAULT_VERSION, OLDEST
from pcisim.cli.manner import AUTO, COLORS, manner
from pcisim.cli.wrapping import terminal_width, width_of, wrapped
from pcisim.errors import InputError, PcisimError, UsageError, counted
from pcisim.formats.plain import printable, printable_lines
from pcisim.guest import MOST_DEVICES, Guest
from pcisim.plan import Plan, assign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from pcisim.capacity.max_count import Counted
    from pcisim.catalogue.versions import Libvirt
    from pcisim.placement import Placement
    from pcisim.plan import HostPci
    from pcisim.requests import Wish

STDIN = "-"
_PATTERN = frozenset("*?[")
STDOUT = "-"


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal: argparse makes one for every option, and asks `shutil`, which imports much."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal_width() - 2)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return list(_filled(" ".join(text.split()), width))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "".join(f"{line}\n".lstrip(" ") if not line.strip() else f"{line}\n" for line in help_lines(text, width))

    def _format_usage(self, usage: str | None, actions: Any, groups: Any, prefix: str | None) -> str:
        """Return the usage, broken between options; argparse takes brackets in a metavar for its own."""
        if usage is not None:
            return super()._format_usage(usage, actions, groups, prefix)
        parts = [self._part(action) for action in actions if action.help is not argparse.SUPPRESS]
        parts = [part for part in parts if part.startswith("[-")] + [
            part for part in parts if not part.startswith("[-")
        ]
        begins = f"{'usage: ' if prefix is None else prefix}{self._prog}"
        lines, line = [], begins
        for part in parts:
            if len(line) + 1 + len(part) > self._width:
                lines.append(line)
                line = " " * min(len(begins), 8) + " " + part
            else:
                line += f" {part}"
        return "\n".join([*lines, line]) + "\n\n"

    def _part(self, action: argparse.Action) -> str:
        """Return an option or argument as the usage has it."""
        if not action.option_strings:
            return self._format_args(action, self._get_default_metavar_for_positional(action))
        name = action.option_strings[0]
        if action.nargs != 0:
            name += f" {self._format_args(action, self._get_default_metavar_for_optional(action))}"
        return name if action.required else f"[{name}]"


def help_lines(text: str, width: int) -> list[str]:
    """Return the lines of a help's text: paragraphs are filled, commands and their remarks stay lines of their own.

    Args:
        text: the text; what is indented is a command, with a remark after three blanks.
        width: how wide lines may be.
    """
    lines: list[str] = []
    paragraph: list[str] = []

    def fill() -> None:
        lines.extend(_filled(" ".join(paragraph), width))
        paragraph.clear()

    for line in text.splitlines():
        if line.startswith(" "):
            fill()
            lines += _command_lines(line, width)
        elif not line or line.endswith(":"):
            fill()
            lines.append(line)
        else:
            paragraph.append(line)
    fill()
    return lines


def _filled(text: str, width: int) -> Iterable[str]:
    return wrapped([text], width, 0) if text else ()


def _command_lines(line: str, width: int) -> list[str]:
    """Return a command of a help; where it is too wide, its remark is below it, and it goes on after a backslash."""
    if len(line) <= width:
        return [line]
    command, _, remark = line.partition("   ")
    *first, last = wrapped([command], width - 2)
    remarks = [f"      {each}" for each in _filled(remark.strip(), width - 6)]
    return [*(f"{each} \\" for each in first), last, *remarks]


HELP = frozenset({"?", "help"})
"""What lists the words that an option takes."""
LIBVIRT = "PCISIM_LIBVIRT"
"""The environment variable that sets the default of ``--libvirt``; the library does not look at it."""


def add_debug(parser: argparse.ArgumentParser, **options: object) -> None:
    """Add ``--debug``, which may stand before the command or after it."""
    parser.add_argument(
        "--debug",
        action="store_true",
        help="show a traceback with every error",
        **{"default": argparse.SUPPRESS, **options},  # type: ignore[arg-type]
    )


def add_manner(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a command prints, as far as it has none of its own of that name."""
    parser.add_argument(
        "--isolated",
        action="store_true",
        help="use no settings of pcisim.toml or pyproject.toml",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print results and errors only, no notes")
    taken = "-v" in parser._option_string_actions
    names = () if taken else ("-v", "--verbose")
    if names:
        parser.add_argument(*names, dest="tell", action="store_true", help="say which versions and settings are used")
    parser.set_defaults(tell=False)
    parser.add_argument(
        "--color",
        choices=COLORS,
        default=AUTO,
        help="colours: on a terminal (auto, default; $NO_COLOR switches them off), always or never; they need rich",
    )


def add_guest_options(parser: argparse.ArgumentParser, *, policy: bool = True) -> None:
    """Add the options that say which guest is meant, which libvirt, and by which policy unless several are compared."""
    parser.add_argument(
        "guests",
        nargs="*",
        metavar="FILE|DIR|-",
        help="domain XML: files, directories of *.xml, patterns; - is standard input, which is also read where nothing"
        " is named and a document is piped in",
    )
    parser.add_argument("--machine", metavar="TYPE", help="a guest without XML: its machine type, such as q35")
    parser.add_argument("--arch", metavar="ARCH", help="the architecture of that guest (default: x86_64)")
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="MODEL[=N][,KEY=VALUE...]",
        help="devices of that guest, by QEMU's name without -pci, and PCI controllers, by libvirt's: virtio-blk=3 or"
        " virtio-blk,count=3,hotpluggable=on; --device=help lists them",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="LABEL:KEY=VALUE",
        help="a requirement for where a device sits: disk:vda:hotpluggable=on, hostdev:0:group=gpu,"
        " interface:0:node=1 (may be repeated)",
    )
    parser.add_argument(
        "--group-by-host-slot",
        action="store_true",
        help="host devices that share a slot on the host share one in the guest, with the same function numbers",
    )
    add_libvirt(parser)
    if policy:
        parser.add_argument(
            "--policy",
            default="libvirt",
            metavar="POLICY",
            help="the placement policy: libvirt (default), dense, hotplug or qemu, with options as in hotplug:spare=4;"
            " --policy=help lists them",
        )
    add_host_pci(parser)
    add_debug(parser)


def add_libvirt(parser: argparse.ArgumentParser) -> None:
    """Add ``--libvirt``, and the options that say which QEMU and firmware go with it."""
    parser.add_argument(
        "--libvirt",
        metavar="VERSION",
        help=f"the libvirt version to emulate: any from {'.'.join(map(str, OLDEST))} on, or auto for this machine's"
        f" (default: ${LIBVIRT}, else {DEFAULT_VERSION})",
    )
    parser.add_argument(
        "--profile",
        metavar="QEMU",
        help=f"the QEMU, firmware and kernel: {', '.join(PROFILES)} (default: those that this libvirt version was"
        " measured with)",
    )
    for option, name, rows in (("--seabios", "SeaBIOS", SEABIOSES), ("--ovmf", "OVMF", OVMFS)):
        parser.add_argument(
            option, metavar="VERSION", help=f"the version of {name}: {', '.join(rows)} (default: the profile's)"
        )


def add_host_pci(parser: argparse.ArgumentParser) -> None:
    """Add ``--host-pci``, which says which host devices are conventional."""
    parser.add_argument(
        "--host-pci",
        action="append",
        default=[],
        metavar="ADDRESS=pci|auto",
        help="mark a host device as conventional PCI, such as 0000:06:12.0=pci; auto reads this machine's sysfs"
        " (default: all host devices are PCI Express)",
    )


def lists_devices(arguments: argparse.Namespace) -> bool:
    """Print what devices or policies there are if that is what was asked, and return whether it was."""
    if getattr(arguments, "policy", None) in HELP:
        from pcisim.policies import listed

        write_stdout("".join(f"{line}\n" for line in listed()))
        return True
    asked = (*arguments.device, *getattr(arguments, "add", ()), *getattr(arguments, "of", ()))
    if not HELP & set(asked):
        return False
    from pcisim.catalogue.devices import CONTROLLER_MODELS, DEVICE_MODELS

    lines = []
    for row in (*DEVICE_MODELS.values(), *CONTROLLER_MODELS.values()):
        element, _, kind = row.element.partition("/")
        what = f"<{element} type='{kind}'>" if kind else f"<{element}>"
        lines.append(f"{row.name:26} {what} {row.model}".rstrip() + "\n")
    write_stdout("".join(lines))
    return True


def plan_of(
    arguments: argparse.Namespace, change: Callable[[bytes, Any], bytes] | None = None, option: str = ""
) -> Plan:
    """Return the plan of the guest that the options describe.

    Args:
        arguments: what the command line says.
        change: what is done to a file's document, and with which host devices, before it is placed.
        option: which option changes it; complaints name it, since lines are then others than the file's.

    Raises:
        UsageError: neither a file nor a machine, or both.
        PcisimError: the guest cannot be read, or is refused.
    """
    guest, host_pci, name = guest_of(arguments, change, option)
    wishes = wishes_of(arguments)
    plan = assigned(
        guest,
        arguments.policy,
        libvirt=arguments.libvirt,
        host_pci=host_pci,
        name=name,
        wishes=wishes,
        group_by_host_slot=arguments.group_by_host_slot,
    )
    if any(wish.group for wish in plan.source.wishes.values()):
        say("note: libvirt attaches and detaches what shares a slot only while the guest is off")
    say_what_differs(plan, arguments)
    return plan


def guest_of(
    arguments: argparse.Namespace, change: Callable[[bytes, Any], bytes] | None = None, option: str = ""
) -> tuple[Guest | bytes, HostPci, str | None]:
    """Return the guest that the options describe, what they say of host devices, and the name of the file.

    Args:
        arguments: as for `plan_of`.
        change: as for `plan_of`.
        option: as for `plan_of`.

    Raises:
        UsageError: neither a file nor a machine, or both.
        InputError: the file cannot be read.
    """
    name = None
    guest: Guest | bytes
    host_pci = host_pci_of(arguments.host_pci)
    if arguments.machine is not None and (not option or arguments.file is None):
        if arguments.file is not None:
            raise UsageError("both a file and --machine are given", code="usage", remedy="give one or the other")
        if arguments.host_pci:
            raise UsageError(
                "--host-pci goes with a file", code="usage", remedy="a guest of --device has no host devices of yours"
            )
        guest = Guest.of(arguments.machine, checked_requests(arguments.device), arch=arguments.arch or "x86_64")
    elif arguments.file is None:
        raise UsageError(
            "no guest: neither a file nor --machine is given",
            code="usage",
            remedy="name a file of domain XML, - for standard input, or a --machine with --device options",
        )
    elif arguments.arch is not None:
        raise UsageError(
            "--arch goes with --machine", code="usage", remedy="a file names its architecture in <os><type arch='...'>"
        )
    elif arguments.device:
        raise UsageError(
            "--device goes with --machine", code="usage", remedy="a file has its devices inside: add it to the XML"
        )
    else:
        name = "<stdin>" if arguments.file == STDIN else arguments.file
        guest = read_bytes(arguments.file)
        if change is not None:
            guest = change(guest, host_pci)
        if option:
            name += f" (after {option})"
    return guest, host_pci, name


def wishes_of(arguments: argparse.Namespace) -> dict[str, Wish] | None:
    """Return what ``--set`` wishes for, by label; ``None`` for nothing."""
    if not arguments.set:
        return None
    from pcisim.requests import read_wishes

    return read_wishes(arguments.set)


def say_what_differs(plan: Plan, arguments: argparse.Namespace) -> None:
    """Say in one line what other versions that were measured make of a guest; nothing where they agree."""
    differences = plan.version_differences()
    if differences:
        from pcisim.version_differences import sentence

        say(sentence(differences, plan.rules.version) + ("" if arguments.libvirt_chosen else "; choose with --libvirt"))


def assigned(
    guest: Guest | bytes,
    policy: str = "libvirt",
    *,
    libvirt: str | Libvirt,
    host_pci: HostPci = None,
    name: str | None = None,
    wishes: Mapping[str, Wish] | None = None,
    group_by_host_slot: bool = False,
) -> Plan:
    """Return what `pcisim.assign` does; what a refusal says is to be done was tried.

    Args:
        guest: as for `pcisim.assign`.
        policy: as for `pcisim.assign`.
        libvirt: as for `pcisim.assign`.
        host_pci: as for `pcisim.assign`.
        name: as for `pcisim.assign`.
        wishes: as for `pcisim.assign`.
        group_by_host_slot: as for `pcisim.assign`.

    Raises:
        PcisimError: as for `pcisim.assign`.
    """
    manner.document_read = name or ""
    try:
        return assign(
            guest,
            policy,
            libvirt=libvirt,
            host_pci=host_pci,
            name=name,
            wishes=wishes,
            group_by_host_slot=group_by_host_slot,
        )
    except UsageError:
        raise
    except PcisimError as error:
        from pcisim.diagnose import Judge, remedy_of

        error.remedy = remedy_of(error, guest, Judge(libvirt, policy, host_pci))
        raise


def checked_requests(options: list[str], option: str = "--device") -> list[str]:
    """Return what options ask for, after a check of their syntax and of how many devices there are.

    Args:
        options: the values of the option.
        option: its name.

    Raises:
        UsageError: see `pcisim.requests.read_request`; or the count is absurd.
    """
    from pcisim.requests import read_request

    total = 0
    for text in options:
        total += read_request(text, option).number
        if total > MOST_DEVICES:
            raise UsageError(
                f"{option} {text}: at most {MOST_DEVICES} are allowed",
                code="usage",
                remedy="no guest has room for more than a few thousand devices",
            )
    return options


def device_counts(options: list[str], option: str = "--device") -> dict[str, int]:
    """Return how many of each model options ask for.

    Args:
        options: the values of the option.
        option: its name.

    Raises:
        UsageError: as `checked_requests`; or something is wished for of their places, which are not looked at.
    """
    from pcisim.requests import NO_WISH, read_request

    counts: dict[str, int] = {}
    for text in checked_requests(options, option):
        request = read_request(text, option)
        if request.wish != NO_WISH:
            raise UsageError(
                f"{option} {text}: only how many there are can be said here",
                code="usage",
                details=(
                    "where devices go is asked for with --set, and with --device where --machine describes the guest",
                ),
                remedy=f"write {option} {request.model}={request.number}",
            )
        counts[request.model] = counts.get(request.model, 0) + request.number
    return counts


def host_pci_of(options: list[str]) -> Mapping[str, str] | str | None:
    """Return what the ``--host-pci`` options say, after a check of their syntax.

    Raises:
        UsageError: no address, or a kind that is none.
    """
    if not options:
        return None
    if options == ["auto"]:
        return "auto"
    from pcisim.formats.host_pci import lookup

    table: dict[str, str] = {}
    for option in options:
        address, _, kind = option.partition("=")
        if not kind:
            raise UsageError(
                f"--host-pci {option}: neither ADDRESS=pci nor auto alone",
                code="usage",
                remedy="write --host-pci 0000:06:12.0=pci, once for each device",
            )
        try:
            lookup({address: kind})
        except InputError as error:
            raise UsageError(
                f"--host-pci {option}: {error.headline}", code="usage", details=error.details, remedy=error.remedy
            ) from error
        table[address] = kind
    return table


def is_one(name: str) -> bool:
    """Return whether a name is of one file, not of a directory or of a pattern that matches many."""
    try:
        return name == STDIN or not (
            os.path.isdir(name) or (not _PATTERN.isdisjoint(name) and not os.path.lexists(name))
        )
    except ValueError:  # no file has that name
        return True


def read_bytes(name: str, kind: str = "a file of domain XML") -> bytes:
    """Return the content of a file, or of standard input for ``-``; `kind` says what to name instead of a wrong one.

    No more is read than any document may have, so that an endless file is refused for its size.

    Raises:
        InputError: it cannot be read.
    """
    from pcisim.formats.xml.document import most_bytes

    if name == STDIN and sys.stdin is None:
        raise InputError("cannot read standard input: it is closed", code="cannot-read")
    try:
        if name == STDIN:
            return sys.stdin.buffer.read(most_bytes() + 1)
        with open(name, "rb") as stream:
            return stream.read(most_bytes() + 1)
    except (OSError, ValueError) as error:
        shown = "standard input" if name == STDIN else name or "a file without a name"
        wrong_name = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError | ValueError)
        raise InputError(
            f"cannot read {shown}: {_reason(error)}",
            code="cannot-read",
            remedy=f"name {kind}" if wrong_name else "",
        ) from error


def write_file(
    name: str,
    data: bytes,
    *,
    in_place: bool = False,
    read: bytes | None = None,
    force: bool = False,
    mode: int = 0o666,
) -> None:
    """Write a file, or standard output for ``-``.

    A file is replaced as a whole, and a link is followed.  What is not a regular file, such as
    ``/dev/null`` or a pipe, is written to as it is.

    Args:
        name: the file.
        data: all that is to be in it.
        in_place: whether to take nothing but an ordinary file that is there.
        read: as for `Replacement`.
        force: as for `Replacement`.
        mode: as for `Replacement`.

    Raises:
        InputError: it cannot be written; an ordinary file is as it was.
    """
    if name == STDOUT:
        write_stdout(data)
        return
    from pcisim.file_replacement import Replacement, replaceable

    elsewhere = "-o FILE writes the result elsewhere" if in_place else ""
    new = None
    try:
        if replaceable(name):
            new = Replacement(name, read=read, force=force, mode=mode)
            with new:
                new.stream.write(data)
                new.commit()
            return
        if not in_place:
            with open(name, "wb") as stream:
                stream.write(data)
            return
        problem = "not a regular file"
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        if new is not None:
            complain(f"interrupted: {name} " + ("is written" if new.replaced else "is as it was"))
        raise
    except InputError as error:
        if error.code == "file-loss":
            error.remedy = "; ".join(filter(None, ("--force replaces it all the same", elsewhere)))
        raise
    except (OSError, ValueError) as error:
        problem = _reason(error) if name else "it has no name"
    raise InputError(
        f"cannot write {name or 'the file'}: {problem}",
        code="cannot-write",
        details=("the file is as it was; a new one is made in its directory, and then takes its place",)
        if new is not None and new.replaces
        else (),
        remedy=elsewhere,
    )


def write_stdout(data: str | bytes) -> None:
    """Print data as it is; a text for people is wrapped on a terminal, and what cannot be shown is escaped.

    Raises:
        InputError: standard output cannot be written, for example on a full disk.
        BrokenPipeError: nobody reads it any more.
    """
    stream = sys.stdout
    if stream is None:
        raise InputError("cannot write the output: standard output is closed", code="cannot-write")
    encoding = stream.encoding or "utf-8"
    if isinstance(data, str):
        data = _fitted(data, width_of(stream)).encode(encoding, "backslashreplace")
    if manner.title:
        data = printable_lines(manner.take_title()).encode(encoding, "backslashreplace") + data
    try:
        stream.flush()
        if hasattr(stream, "buffer"):
            stream.buffer.write(data)
        else:
            stream.write(data.decode(encoding, "replace"))
        stream.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        drop_stdout()
        raise InputError(f"cannot write the output: {_reason(error)}", code="cannot-write") from error


def _fitted(text: str, width: int | None) -> str:
    """Return text as a terminal of some width can show it."""
    text = printable_lines(text)
    return text if width is None else "".join(f"{line}\n" for line in wrapped(text.splitlines(), width))


def drop_stdout() -> None:
    """Send what is still to be written nowhere, or the interpreter complains at its end."""
    _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # where it is no real file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_json(document: dict[str, Any]) -> None:
    """Print a JSON document; of several guests they are the items of one array."""
    write_stdout(manner.document(document).encode())


def say(*lines: str) -> None:
    """Print lines on stderr that a quiet run leaves out."""
    if not manner.quiet:
        complain(*lines)


def complain(*lines: str) -> None:
    """Print lines on stderr, whatever the options; if that is impossible, there is nobody to be told."""
    stream = sys.stderr
    if stream is None or not lines:
        return
    lines = (manner.headline(lines[0]), *lines[1:])
    text = "\n".join(wrapped(map(printable, lines), width_of(stream))) + "\n"
    encoding = stream.encoding or "utf-8"
    data = text.encode(encoding, "backslashreplace")
    try:
        if hasattr(stream, "buffer"):
            stream.flush()
            stream.buffer.write(data)
        else:
            stream.write(data.decode(encoding, "replace"))
        stream.flush()
    except (OSError, ValueError):
        _drop(stream)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]


def answers_as_libvirt(plan: Plan, command: str) -> None:
    """Refuse a policy for which a command has no answer.

    Raises:
        UsageError: the plan is not libvirt's.
    """
    from pcisim.libvirt.policy import LibvirtPolicy

    if not isinstance(plan.policy, LibvirtPolicy):
        raise UsageError(
            f"{command} answers as libvirt places, not {plan.policy.describe()}",
            code="usage",
            remedy="leave --policy out",
        )


def counted_policy(plan: Plan, command: str) -> Counted:
    """Return the policy of a plan for which a command can count.

    Raises:
        UsageError: the policy does not place for libvirt.
    """
    if not hasattr(plan.policy, "rules"):
        answers_as_libvirt(plan, command)
    return cast("Counted", plan.policy)


def uncounted_arguments(plan: Plan) -> int:
    """Say on stderr that a definition passes arguments on to QEMU that are not counted, and return how many."""
    from pcisim.formats.domain.raw_arguments import raw_arguments, summary

    arguments = raw_arguments(plan.source)
    if arguments:
        say(f"note: {summary(arguments)}; 'pcisim check' says more")
    return len(arguments)


def warn_if_it_will_not_boot(placement: Placement, plan: Plan | None = None) -> None:
    """Say on stderr when a guest's firmware stops for want of I/O ports.

    Args:
        placement: the placed guest.
        plan: the plan that it is of, where there is one: then what to do was tried.
    """
    from pcisim.enumeration.io_windows import stops

    budget = stops(placement)
    if budget is None or budget.profile is None:
        return
    say(
        f"warning: this guest will not boot: {counted(len(budget.asking), 'bridge asks', 'bridges ask')} for an I/O"
        f" window, and {budget.profile.name} has room for {budget.profile.windows}"
        " (it stops with 'out of I/O address space')",
        f"  asking: {budget.bridges}",
    )
    if plan is not None:
        from pcisim.diagnose import Judge, remedy_of

        remedy = remedy_of("io-space", plan.source, Judge(plan.rules, plan.policy))
        if remedy:
            say(f"  to do: {remedy}")


def warn_if_it_is_unsound(plan: Plan) -> None:
    """Say on stderr what libvirt accepts, and the emulator or the guest does not."""
    from pcisim.placement.quick_check import is_doubtful

    if not is_doubtful(plan.placement):
        return
    from pcisim.diagnose import NOTE
    from pcisim.diagnose.diagnosis import sound

    for finding in sound(plan.placement, whole=False):
        if finding.severity != NOTE and finding.code != "address-rewritten":  # that is among the replacements
            at = f" (line {finding.line})" if finding.line else ""
            say(
                f"warning: {finding.headline}{at} [{finding.code}]",
                *(f"  {detail}" for detail in finding.details),
                *((f"  to do: {finding.remedy}",) if finding.remedy else ()),
            )
