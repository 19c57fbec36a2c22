"""``pcisim example``: the guests that come with pcisim."""

from __future__ import annotations

import pytest

from tests.cli.running import EXAMPLES, Done, example, run

LIST = """\
conflict     refused: two devices ask for one address
desktop      a q35 desktop as an installer writes it: no address yet
renamed      a q35 guest whose network interface is renamed: port 1 comes after port 2
server       a pc server: two of its devices have addresses, the new ones have none
"""


def test_lists_them() -> None:
    assert run("example") == Done(0, LIST, "")


@pytest.mark.parametrize("name", [path.stem for path in sorted(EXAMPLES.glob("*.xml"))])
def test_prints_one(name: str) -> None:
    assert run("example", name) == Done(0, example(name).decode(), "")
    status = 1 if name == "conflict" else 0
    assert run("tree", "-", given=example(name)).status == status
    assert run("assign", "-", given=example(name)).status == status


@pytest.mark.parametrize("name", ["guest", "", "../examples/server", "server.xml"])
def test_an_unknown_one(name: str) -> None:
    assert run("example", name) == Done(
        2, "", f"no example {name!r}\n  there are: conflict, desktop, renamed, server\n"
    )
