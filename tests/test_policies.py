"""The table of policies: how they are written, and what every one of them promises."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import pytest

import pcisim
from pcisim.catalogue.versions import Libvirt, libvirt_version
from pcisim.errors import UsageError
from pcisim.guest import Guest
from pcisim.libvirt.completion import complete
from pcisim.placement import Placement, Policy
from pcisim.policies import POLICIES, Option, PolicyRow, Value, placed, policy_of
from tests.guests import BARE, at, disks, domain, nic, pci, video

RULES = libvirt_version("11.3")
DOCUMENTS = {
    "pc": domain("pc", disks(3), nic("e1000", at(0, 0x15)), video("vga"), pci("pci-root"), pci("pci-bridge")),
    "q35": domain("q35", disks(3), nic("virtio"), video("qxl")),
    "q35 with ports": domain("q35", BARE, disks(2), *[pci("pcie-root-port", n) for n in (1, 2, 3)]),
    "empty": domain("q35", BARE),
}


class Told:
    """A policy that keeps what it was told."""

    def __init__(self, rules: Libvirt, options: Mapping[str, Value]) -> None:
        self.options = dict(options)

    def place(self, guest: Guest, *, log: bool = False) -> Placement:
        raise NotImplementedError

    def describe(self) -> str:
        return "none"


TABLE = {
    "told": PolicyRow(
        "told",
        "keeps what it was told",
        Told,
        (
            Option("spare", "how many", 1, 0, 255),
            Option("mixed", "whether", False),
            Option("firmware", "which", "seabios", words=("seabios", "ovmf", "none")),
        ),
    )
}


def told(text: str) -> dict[str, Value]:
    policy = policy_of(text, RULES, TABLE)
    assert isinstance(policy, Told)
    return policy.options


def test_options_have_defaults() -> None:
    assert told("told") == {"spare": 1, "mixed": False, "firmware": "seabios"}


def test_options_are_read_by_their_kind() -> None:
    assert told("told:spare=4:firmware=none:mixed=on") == {"spare": 4, "mixed": True, "firmware": "none"}
    assert told("told:spare=255:mixed=off")["spare"] == 255


SPARE = "spare is a number from 0 to 255: how many"


@pytest.mark.parametrize(
    ("text", "headline", "detail"),
    [
        ("other", "unknown policy 'other'", "known: told"),
        ("", "unknown policy ''", "known: told"),
        ("told:", "policy 'told' has no option ''", "its options: spare, mixed, firmware"),
        ("told:spear=1", "policy 'told' has no option 'spear'", "its options: spare, mixed, firmware"),
        ("told:spare", "policy 'told:spare': spare cannot be ''", SPARE),
        ("told:spare=256", "policy 'told:spare=256': spare cannot be '256'", SPARE),
        ("told:spare=-1", "policy 'told:spare=-1': spare cannot be '-1'", SPARE),
        ("told:spare=1.5", "policy 'told:spare=1.5': spare cannot be '1.5'", SPARE),
        ("told:mixed=yes", "policy 'told:mixed=yes': mixed cannot be 'yes'", "mixed is on or off: whether"),
        ("told:firmware=bios", "policy 'told:firmware=bios': firmware cannot be 'bios'",
         "firmware is seabios or ovmf or none: which"),
    ],
)  # fmt: skip
def test_what_is_no_policy(text: str, headline: str, detail: str) -> None:
    with pytest.raises(UsageError) as caught:
        policy_of(text, RULES, TABLE)
    assert (caught.value.headline, caught.value.details) == (headline, (detail,))


def test_a_policy_object_stands_for_itself() -> None:
    policy = Told(RULES, {})
    assert policy_of(policy, RULES) is policy


@pytest.mark.parametrize("value", [None, 3, object(), ["libvirt"]])
def test_what_cannot_place_is_no_policy(value: object) -> None:
    with pytest.raises(UsageError, match="a policy is a name or an object with place"):
        policy_of(value, RULES)  # type: ignore[arg-type]


# what every policy promises


def facts(guest: Guest) -> object:
    """Return everything that a policy might change of a guest."""
    return deepcopy([{name: getattr(d, name) for name in d.fields} for d in guest.all_devices()])


def places(placement: Placement) -> dict[str, int]:
    return {device.label: packed for device, packed in placement.addresses.items()}


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest) -> Policy:
    return policy_of(request.param, RULES)


@pytest.fixture(params=DOCUMENTS)
def guest(request: pytest.FixtureRequest) -> Guest:
    return complete(pcisim.assign(DOCUMENTS[request.param]).source, RULES)


def test_it_changes_none_of_its_arguments(policy: Policy, guest: Guest) -> None:
    guest.document = None
    for device in guest.all_devices():
        device.origin = None
    before = facts(guest)
    policy.place(guest)
    assert facts(guest) == before


def test_it_gives_no_address_twice(policy: Policy, guest: Guest) -> None:
    placement = policy.place(guest)
    packed = list(placement.addresses.values())
    assert len(packed) == len(set(packed))
    placement.topology.check()


def test_it_gives_the_same_answer_twice(policy: Policy, guest: Guest) -> None:
    first, second = policy.place(guest), policy.place(guest)
    assert places(first) == places(second)
    assert [d.label for d in first.added] == [d.label for d in second.added]


def test_it_keeps_the_addresses_that_are_written_down(policy: Policy, guest: Guest) -> None:
    given = {d.label: d.address for d in guest.all_devices() if d.address is not None}
    assert places(policy.place(guest)).items() >= given.items()


def test_it_says_what_it_does_in_one_line(policy: Policy) -> None:
    assert policy.describe().strip()
    assert "\n" not in policy.describe()


@pytest.mark.parametrize("name", POLICIES)
def test_placed_is_the_way_from_a_definition_to_addresses(name: str) -> None:
    source = Guest.of("q35", {"virtio-blk": 2})
    plan = pcisim.assign(source, name)
    assert places(placed(source, policy_of(name, RULES), RULES)) == places(plan.placement)
    assert list(source.devices) == ["disk"]
