"""Which version of libvirt a command answers as: ``--libvirt``, ``PCISIM_LIBVIRT``, or the newest that was measured."""

from __future__ import annotations

import argparse
import os

from pcisim.catalogue.profiles import profile_of
from pcisim.catalogue.versions import DEFAULT_VERSION, SINCE, VERSIONS, Libvirt, followed, libvirt_version
from pcisim.cli import common
from pcisim.errors import UsageError

AUTO = "auto"
_OPTIONS = ("libvirt", "libvirt_old", "libvirt_new")
_QUESTIONS = (
    (("virsh", "--readonly", "version", "--daemon"), "Running against daemon: ", "the daemon that virsh connects to"),
    (("virsh", "--version"), "", "virsh"),
    (("libvirtd", "--version"), "(libvirt) ", "libvirtd"),
    (("virtqemud", "--version"), "(libvirt) ", "virtqemud"),
)
"""How to ask, what stands before the version in the answer, and who it was."""
_PATIENCE = 10
"""Seconds to wait for an answer."""


def settle(arguments: argparse.Namespace) -> None:
    """Put a version with its profile in the place of what the options say, and say what there is to know of it.

    Raises:
        UsageError: there is no such version, or none on this machine; or no such profile or firmware.
    """
    given = vars(arguments)
    arguments.libvirt_chosen = False
    for option in _OPTIONS:
        if option not in given or (given[option] is None and option != "libvirt"):
            continue
        text, origin = given[option], ""
        if text is None and os.environ.get(common.LIBVIRT):
            text, origin = os.environ[common.LIBVIRT], common.LIBVIRT
        arguments.libvirt_chosen |= text is not None
        text = DEFAULT_VERSION if text is None else text
        if text == AUTO:
            text = _asked()
        try:
            rules = libvirt_version(text)
        except UsageError as error:
            error.details = (*error.details, *([f"{origin} says so"] if origin else []))
            raise
        profile = profile_of(arguments.profile or rules.profile, seabios=arguments.seabios, ovmf=arguments.ovmf)
        setattr(arguments, option, rules._replace(profile=profile))
        if not rules.measured:
            common.say(remark(rules))


def remark(rules: Libvirt) -> str:
    """Say of a version that was not measured which one it follows."""
    model = VERSIONS[followed(rules.release)]
    also = any(getattr(rules, name) != getattr(model, name) for name in SINCE)
    return f"libvirt {rules.version} was not measured: as {model.version}" + (
        ", with what is known to have come in between" if also else ""
    )


def _asked() -> str:
    """Ask this machine for its libvirt, and say what was found."""
    import subprocess

    for command, before, who in _QUESTIONS:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL, check=True
            )
        except (OSError, subprocess.SubprocessError, ValueError):
            continue
        for line in done.stdout.splitlines():
            _, found, version = line.partition(before) if before else ("", " ", line)
            if found and version.strip():
                common.say(f"libvirt {version.strip()}, according to {who}")
                return version.strip()
    raise UsageError(
        "--libvirt auto: no libvirt answers on this machine",
        code="no-libvirt",
        details=(f"asked: {', '.join(' '.join(command) for command, *_ in _QUESTIONS)}",),
        remedy="name the version: --libvirt 10.0",
    )
