"""How devices are asked for in one word: ``MODEL``, ``MODEL=N``, ``MODEL,count=N[,KEY=VALUE...]``.

The same on the command line (``--device``, ``--add``, ``--of``) and in the library (`Guest.of`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pcisim.errors import UsageError

_MOST_DIGITS = 19


class Wish(NamedTuple):
    """What is wished for of a device's place."""

    hotpluggable: bool = False
    """Whether it can be detached while the guest runs: alone in its slot, on a bus that takes hotplug."""
    group: str = ""
    """The name of the group with which it shares a slot; "" for none."""
    node: int | None = None
    """The NUMA node of the guest on whose expander bus it sits (0 to 127); ``None`` for no such wish."""
    complex: int = 0
    """Which of the expander buses of that node (0 to 255)."""

    @property
    def where(self) -> str:
        """Return the node and which of its expanders as they are written; "" for no such wish."""
        return "" if self.node is None else f"node={self.node}" + (f",complex={self.complex}" if self.complex else "")


NO_WISH = Wish()
WISHES = ("hotpluggable", "group", "node", "complex")
"""What may be wished for, by name."""
MOST_NODES = 128
"""How many NUMA nodes QEMU has."""
_NUMBERS = {"node": MOST_NODES - 1, "complex": 255}
"""The highest value of what is a number: there are no more than 256 buses."""


class Request(NamedTuple):
    """A number of devices of one model."""

    model: str
    number: int = 1
    wish: Wish = NO_WISH


def read_request(text: str, option: str = "") -> Request:
    """Return what a text asks for.

    Args:
        text: ``MODEL``, ``MODEL=N`` or ``MODEL,count=N[,KEY=VALUE...]``.
        option: the option that it is of, for complaints.

    Raises:
        UsageError: an unknown property, a count that is none, or a value that the property cannot have.
    """
    named = f"{option} {text}".strip()
    head, *properties = text.split(",")
    model, equals, number = head.partition("=")
    texts = [number] if equals else []
    wish = NO_WISH
    for property_ in properties:
        key, _, value = property_.partition("=")
        if key == "count":
            texts.append(value)
        elif key in WISHES:
            wish = _with(wish, key, value, named)
        else:
            raise UsageError(
                f"{named}: unknown property {property_!r}",
                code="usage",
                details=(f"the properties are {', '.join(('count', *WISHES))}",),
                remedy=f"write {f'{option} {model}'.strip()},count=20",
            )
    for number in texts:
        if not number.isascii() or not number.isdigit():
            example = f"{model}=3" if equals else f"{model},count=20"
            raise UsageError(
                f"{named}: {number!r} is not a valid count", code="usage", remedy=f"write {option} {example}"
            )
    counts = [int(number[:_MOST_DIGITS]) if len(number) > _MOST_DIGITS else int(number) for number in texts]
    return Request(model, counts[-1] if counts else 1, wish)


def read_wishes(texts: Iterable[str]) -> dict[str, Wish]:
    """Return what is wished for, by label, from texts such as ``LABEL:KEY=VALUE[,KEY=VALUE...]``.

    Args:
        texts: several of one label add up.

    Raises:
        UsageError: one has another form, or an unknown key or value.
    """
    wishes: dict[str, Wish] = {}
    for text in texts:
        label, colon, settings = text.rpartition(":")
        if not colon or not label or "=" not in settings:
            raise UsageError(
                f"--set {text}: it is not LABEL:KEY=VALUE", code="usage", remedy="write --set disk:vda:hotpluggable=on"
            )
        for setting in settings.split(","):
            key, _, value = setting.partition("=")
            if key not in WISHES:
                raise UsageError(
                    f"--set {text}: nothing that can be wished for is called {key!r}",
                    code="usage",
                    details=(f"there is: {', '.join(WISHES)}",),
                )
            wishes[label] = _with(wishes.get(label, NO_WISH), key, value, f"--set {text}")
    return wishes


def _with(wish: Wish, key: str, value: str, named: str) -> Wish:
    if key == "group":
        if not value:
            raise UsageError(f"{named}: a group has a name", code="usage", remedy="write group=gpu")
        return wish._replace(group=value)
    if key in _NUMBERS:
        most = _NUMBERS[key]
        if not value.isascii() or not value.isdigit() or len(value) > len(str(most)) or int(value) > most:
            raise UsageError(f"{named}: {key} is a number from 0 to {most}, not {value!r}", code="usage")
        return wish._replace(node=int(value)) if key == "node" else wish._replace(complex=int(value))
    if value not in ("on", "off"):
        raise UsageError(f"{named}: {key} is on or off, not {value!r}", code="usage")
    return wish._replace(hotpluggable=value == "on")
