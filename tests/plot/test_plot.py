"""Pictures: what they show is what the topology says, and everything on them can be read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from hypothesis import given, reject, settings
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text

import pcisim
from pcisim import plot
from pcisim.address import pack
from pcisim.capacity.max_count import More, how_many_more
from pcisim.capacity.report import capacity
from pcisim.catalogue.connectors import PCI_BRIDGE
from pcisim.catalogue.versions import DEFAULT_VERSION, libvirt_version
from pcisim.catalogue.x86_machines import OWNER_KINDS, PREFERRED, RESERVED
from pcisim.errors import UsageError
from pcisim.guest import Guest
from pcisim.plot._canvas import LOOKS, fitted, shortened, style, text_width
from pcisim.plot._view import DEVICES, FREE, KINDS, UNUSABLE, BusContents, ranges
from pcisim.topology import Topology
from tests.guests import BARE, at, disk, disks, domain, nic, pci, video
from tests.property.strategies import Drawn, drawn_guests
from tests.sampled import one_in

RULES = libvirt_version(DEFAULT_VERSION)
PORT = "pcie-root-port"


def plan_of(machine: str, *devices: str) -> pcisim.Plan:
    return pcisim.assign(domain(machine, *devices))


def desktop() -> pcisim.Plan:
    return pcisim.assign(Guest.of("q35", {"virtio-blk": 20, "virtio-net": 3}))


@lru_cache
def packed() -> pcisim.Plan:
    """Return a guest that is packed into few buses, 8 functions a slot."""
    return pcisim.assign(Guest.of("q35", {"virtio-blk": 30, "virtio-net": 4, "vga": 1}), "dense")


GUESTS: dict[str, Callable[[], pcisim.Plan]] = {
    "empty pc": lambda: plan_of("pc", BARE),
    "empty q35": lambda: plan_of("q35", BARE),
    "pc with video": lambda: plan_of("pc", video("vga"), disks(3)),
    "pc with bridges": lambda: plan_of("pc", BARE, disks(65)),
    "one function": lambda: plan_of("pc", BARE, nic("virtio", at(0, 5, 0, "off"))),
    "many functions": lambda: plan_of("q35", BARE, *[nic("virtio", at(0, 5, f)) for f in range(8)]),
    "conventional": lambda: plan_of("q35", nic("e1000"), nic("rtl8139")),
    "expander": lambda: plan_of("pc", BARE, pci("pci-expander-bus", 1)),
    "desktop": desktop,
}


def patches(figure: Figure, pattern: str) -> list[tuple[str, Patch]]:
    """Return the names and patches whose name matches."""
    named = [(str(p.get_gid()), p) for axes in figure.axes for p in axes.patches if p.get_gid()]
    return [(name, patch) for name, patch in named if re.fullmatch(pattern, name)]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in written(figure)]


def written(figure: Figure) -> list[Text]:
    return [text for axes in figure.axes for text in axes.texts if text.get_text()]


def flat(figure: Figure) -> str:
    """Return everything that is written, each text on a line of its own."""
    return "\n".join(text.replace("\n", " ") for text in texts(figure))


def boxes(figure: Figure) -> list[tuple[str, Any]]:
    """Return what is written and where it is, in pixels, as Agg draws it."""
    with style():
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        return [(text.get_text(), text.get_window_extent(renderer)) for text in written(figure)]


def assert_readable(figure: Figure) -> None:
    """Assert that no text leaves the picture or touches another one."""
    width, height = figure.get_size_inches() * figure.dpi
    places = boxes(figure)
    for text, box in places:
        assert 0 <= box.x0 <= box.x1 <= width, text
        assert 0 <= box.y0 <= box.y1 <= height, text
    places.sort(key=lambda item: item[1].x0)
    for number, (text, box) in enumerate(places):
        for other, its in places[number + 1 :]:
            if its.x0 >= box.x1 - 1:
                break
            # ascenders and descenders that nobody uses may touch
            assert its.y0 >= box.y1 - 3 or its.y1 <= box.y0 + 3, f"{text!r} and {other!r} overlap"


# --- bus maps


@pytest.mark.parametrize("name", one_in(3, list(GUESTS)))
def test_as_many_patches_of_each_kind_as_the_bus_has(name: str) -> None:
    plan = GUESTS[name]()
    report = capacity(plan.placement)
    for bus in {0, len(plan.topology.buses) - 1}:
        figure = plot.bus_map(plan, bus)
        names = [name for name, _ in patches(figure, rf"[a-z-]+-{bus:02x}\.[0-9a-f]{{2}}\.[0-7]")]
        assert len(set(names)) == len(names) == 256
        drawn = Counter(name.rpartition("-")[0] for name in names)
        assert set(drawn) <= set(KINDS)
        row = report.buses[bus]
        host_bridge = 0 if bus else 1
        held = {kind: sum(h.kind == kind for h in row.held) for kind in OWNER_KINDS}
        assert sum(drawn[kind] for kind in DEVICES) == held["device"] == row.used
        assert drawn["built-in"] == held["built-in"] + host_bridge
        assert drawn[UNUSABLE] == row.unusable - host_bridge
        assert drawn[FREE] + drawn[PREFERRED] + drawn[RESERVED] == row.free_functions


def test_kinds_of_an_empty_pc() -> None:
    figure = plot.bus_map(plan_of("pc", BARE))
    names = {name for name, _ in patches(figure, r".*-00\..*") if not name.startswith((FREE, UNUSABLE))}
    assert names == {
        "built-in-00.00.0",
        "built-in-00.01.0",
        "reserved-00.01.1",
        "reserved-00.01.2",
        "built-in-00.01.3",
        "preferred-00.02.0",
    }


def test_a_preferred_place_whose_slot_is_used_is_free() -> None:
    figure = plot.bus_map(plan_of("q35", BARE, nic("virtio", at(0, 0x1B, 1))))
    names = {name for name, _ in patches(figure, r".*-00\.1b\..*")}
    assert {"free-00.1b.0", "network-00.1b.1"} <= names


def test_owners_are_named() -> None:
    text = flat(plot.bus_map(plan_of("pc", BARE, video("vga"), disks(2))))
    for label in (
        "i440FX host bridge",
        "PIIX4 power management",
        "video:0 vga",
        "disk:vda virtio",
        "slot",
        "function 7",
    ):
        assert label in text
    assert "pc (x86_64): bus 0x00 pci-root" in text
    assert "256 functions in theory: 3 built in, 2 for chipset controllers, 3 held by devices" in text


def test_the_empty_port() -> None:
    figure = plot.bus_map(desktop(), 26)
    assert len(patches(figure, r"free-1a\.00\.[0-7]")) == 8
    assert "a port has one slot behind it" in flat(figure)


def test_a_topology_alone_is_drawn_too() -> None:
    plan = desktop()
    held = rf"({'|'.join(DEVICES)})-.*"
    from_topology = {name for name, _ in patches(plot.bus_map(plan.topology), held)}
    assert from_topology == {name for name, _ in patches(plot.bus_map(plan), held)}
    assert plot.svg(plot.bus_map(plan.placement)) == plot.svg(plot.bus_map(plan))


@pytest.mark.parametrize("name", one_in(3, list(GUESTS)))
def test_bus_map_is_readable(name: str) -> None:
    figure = plot.bus_map(GUESTS[name]())
    assert_readable(figure)
    cells = {patch.get_x() for _, patch in patches(figure, r"[a-z-]+-00\.00\.[0-7]")}  # type: ignore[attr-defined]
    assert len(cells) == 8
    edges = sorted(cells)
    step = edges[1] - edges[0]
    checked = 0
    top, bottom = (figure.get_figheight() - y for y in (0.95, 9.27))  # of the grid, from below
    for text, box in boxes(figure):
        left, right = box.x0 / figure.dpi, box.x1 / figure.dpi
        if left < edges[0] or not bottom < box.y0 / figure.dpi < top:
            continue
        cell = max(edge for edge in edges if edge <= left)
        assert right <= cell + step, text
        checked += 1
    assert checked >= 6


def test_bus_maps_show_all_functions_of_all_buses() -> None:
    figure = plot.bus_maps(desktop())
    seen: Counter[int] = Counter()
    for name, _ in patches(figure, r"[a-z-]+-[0-9a-f]{2}\..*"):
        bus, slots, function = re.fullmatch(r".*-([0-9a-f]{2})\.([0-9a-f-]+)(\.[0-7])?", name).groups()  # type: ignore[union-attr]
        first, _, last = slots.partition("-")
        seen[int(bus, 16)] += 1 if function else 8 * (int(last, 16) - int(first, 16) + 1)
    assert seen == dict.fromkeys(range(27), 256)
    text = flat(figure)
    assert "bus 0x1a pcie-root-port (pci:26)" in text
    assert "pci:1 … pci:8 pcie-root-port (8)" in text
    assert "pci:25, pci:26 pcie-root-port" in text
    assert text.count("disk:vd") == 20
    assert_readable(figure)


def test_maps_of_a_packed_guest_name_every_function() -> None:
    plan = packed()
    assert len(patches(plot.bus_map(plan, 1), r"(network|storage|controller)-01\.00\.[0-7]")) == 8
    figure = plot.bus_maps(plan)
    text = texts(figure)
    assert "interface:0 … interface:3 virtio (4), usb:0 qemu-xhci, disk:vda … disk:vdc virtio (3)" in text
    assert not any(line.endswith("…") for line in text)
    assert text.count("S") == len(patches(figure, r"storage-.*"))
    assert_readable(figure)


def test_bus_maps_of_some_buses() -> None:
    figure = plot.bus_maps(desktop(), [26, 3])
    assert {name[-7:-5] for name, _ in patches(figure, r"[a-z-]+-[0-9a-f]{2}\.00\.[0-7]")} == {"1a", "03"}


def test_bus_maps_say_how_many_are_missing() -> None:
    plan = pcisim.assign(Guest.of("q35", {"virtio-blk": 100}))
    figure = plot.bus_maps(plan)
    assert f"{len(plan.topology.buses) - 48} more buses are not shown" in flat(figure)
    assert_readable(figure)


# --- what kinds look like


def test_kinds_differ_in_black_and_white() -> None:
    def grey(kind: str) -> float:
        red, green, blue = to_rgb(LOOKS[kind].fill)
        return 0.299 * red + 0.587 * green + 0.114 * blue

    for kind in KINDS:
        for other in KINDS:
            if kind < other:
                marks = [(LOOKS[k].hatch, LOOKS[k].letter) for k in (kind, other)]
                assert marks[0] != marks[1] or abs(grey(kind) - grey(other)) > 0.15, (kind, other)
    for kind in KINDS:
        ink = 0.3 if LOOKS[kind].ink != "#ffffff" else 1.0
        assert abs(grey(kind) - ink) > 0.3, f"{kind}: its text has too little contrast"


def test_kinds_of_devices_differ_in_colour_and_letter() -> None:
    assert len({LOOKS[kind].fill for kind in KINDS}) == len(KINDS)
    letters = [LOOKS[kind].letter for kind in KINDS if LOOKS[kind].letter]
    assert len(set(letters)) == len(letters) == len(KINDS) - len((FREE, UNUSABLE))


def test_kinds_of_devices() -> None:
    host = '<hostdev mode="subsystem" type="pci"><source><address bus="6" slot="0" function="0"/></source></hostdev>'
    scsi = '<controller type="scsi" model="virtio-scsi"/>'
    plan = plan_of(
        "pc",
        BARE,
        video("vga"),
        nic("virtio"),
        disk(0),
        host,
        scsi,
        pci("pci-bridge", 1),
        "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    )
    view = BusContents(plan)
    kinds = {cell.label.partition(" ")[0]: cell.kind for cell in view.cells(0) if cell.kind in DEVICES}
    assert kinds == {
        "video:0": "display",
        "interface:0": "network",
        "disk:vda": "storage",
        "scsi:0": "storage",
        "hostdev:0": "host",
        "pci:1": "controller",
        "rng:0": "other",
    }


def test_the_legend_has_every_kind_that_is_shown() -> None:
    plan = plan_of("pc", video("vga"), nic("virtio"))
    for draw in (plot.bus_map, plot.bus_maps, plot.topology_tree):
        figure = draw(plan)
        names = {name for name, _ in patches(figure, r"[a-z-]+-[0-9a-f]{2}\..*|legend-.*")}
        legend = {name.removeprefix("legend-") for name in names if name.startswith("legend-")}
        kinds = {kind for kind in KINDS if any(name.startswith(f"{kind}-") for name in names)}
        assert legend == kinds, draw


# --- trees


@pytest.mark.parametrize("name", one_in(3, list(GUESTS)))
def test_tree_shows_every_bus_and_is_readable(name: str) -> None:
    plan = GUESTS[name]()
    figure = plot.topology_tree(plan)
    names = {name for name, _ in patches(figure, "bus-.*")}
    assert names == {f"bus-{bus.index:02x}" for bus in plan.topology.buses}
    assert_readable(figure)


def test_tree_of_thirty_buses_shows_everything() -> None:
    plan = pcisim.assign(Guest.of("q35", {"virtio-blk": 24, "virtio-net": 2}))
    assert len(plan.topology.buses) == 30
    figure = plot.topology_tree(plan)
    text = flat(figure)
    for label in plan.addresses:
        assert re.search(rf"^{label}\b", text, re.MULTILINE), label
    assert_readable(figure)


def test_empty_ports_are_marked_free() -> None:
    plan = plan_of("q35", BARE, *[pci(PORT, n) for n in (1, 2)], pci(PORT, 3, "<target hotplug='off'/>"))
    figure = plot.topology_tree(plan)
    text = texts(figure)
    assert len(patches(figure, r"free-0[123]\.00")) == 3
    assert text.count("free") == 2 + 1  # the legend's
    assert text.count("free, no hotplug") == 1
    assert "29 slots free, no hotplug" in text


def test_a_root_bus_without_acpi_takes_no_hotplug() -> None:
    xml = domain("pc", BARE)
    assert "30 slots free" in texts(plot.topology_tree(pcisim.assign(xml)))
    plan = pcisim.assign(xml.replace("<features><acpi/></features>", ""))
    assert "30 slots free, no hotplug" in texts(plot.topology_tree(plan))


def test_ports_of_a_switch_are_not_for_devices() -> None:
    models = [PORT, "pcie-switch-upstream-port", "pcie-switch-downstream-port"]
    figure = plot.topology_tree(plan_of("q35", BARE, *[pci(m, n) for n, m in enumerate(models, 1)]))
    assert "31 slots free, for controllers only" in texts(figure)
    assert {name for name, _ in patches(figure, "bus-.*")} == {"bus-00", "bus-01", "bus-02", "bus-03"}


@pytest.mark.parametrize(
    ("machine", "devices", "folded"),
    [
        ("q35", {"virtio-blk": 200}, "disk:vda … disk:vdgr virtio (200)"),
        ("pc", {"virtio-blk": 928}, "disk:vda … disk:vdae virtio (31)"),
        ("q35", {"virtio-net": 100, "virtio-blk": 100}, "interface:0 … interface:99 virtio (100)"),
    ],
)
def test_large_trees_are_folded(machine: str, devices: dict[str, int], folded: str) -> None:
    figure = plot.topology_tree(pcisim.assign(Guest.of(machine, devices)))
    assert folded in texts(figure)
    assert figure.get_figheight() < 15
    assert figure.get_figwidth() < 20
    assert_readable(figure)


def test_mixed_ports_are_folded_at_last() -> None:
    models = [nic("virtio", at(n, 0)) if n % 2 else "" for n in range(1, 201)]
    figure = plot.topology_tree(plan_of("q35", BARE, *[pci(PORT, n) for n in range(1, 201)], *models))
    assert "100 ports free" in texts(figure)
    assert "200 buses 0x01-0xc8" in texts(figure)
    assert "interface:0 … interface:99 virtio (100)" in texts(figure)
    assert_readable(figure)


def test_trees_have_no_gaps() -> None:
    """The rows of a bus are one below the other, however much hangs on them, and no two boxes overlap."""
    for plan in (pcisim.assign(Guest.of("q35", {"virtio-blk": 9, "e1000": 40, "vga": 1})), packed()):
        figure = plot.topology_tree(plan)
        places = sorted(-p.get_y() for _, p in patches(figure, r"[a-z-]+-00\.[0-9a-f].*"))  # type: ignore[attr-defined]
        steps = [b - a for a, b in pairwise(places)]
        assert len(steps) > 5
        assert max(steps) == pytest.approx(min(steps))
        boxes = [p.get_bbox() for _, p in patches(figure, "bus-.*")]  # type: ignore[attr-defined]
        for number, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:number])
    assert_readable(figure)


def test_deep_trees_are_cut() -> None:
    bridges = [pci("pci-bridge", n, at(n - 1, 3)) for n in range(1, 120)]
    figure = plot.topology_tree(plan_of("pc", BARE, *bridges))
    hidden = re.search(r"→ (\d+) buses", flat(figure))
    assert hidden
    drawn = len(patches(figure, "bus-.*"))
    assert drawn + int(hidden[1]) == 120
    assert figure.get_figwidth() < 30
    assert_readable(figure)


def test_many_subtrees_are_counted() -> None:
    bridges = [pci("pci-bridge", n) for n in range(1, 250)]
    nics = [nic("virtio", at(n, 3)) for n in range(1, 250)]
    figure = plot.topology_tree(plan_of("pc", BARE, *bridges, *nics))
    assert figure.get_figheight() < 12
    text = flat(figure)
    behind = [int(found) for found in re.findall(r"^(\d+) buses$", text, re.MULTILINE)]
    assert sum(behind) == 249
    assert "249 network devices" in text
    assert_readable(figure)


def test_no_bus() -> None:
    plan = plan_of("isapc", BARE)
    figure = plot.topology_tree(plan)
    assert texts(figure) == ["isapc (x86_64)", "no PCI bus"]
    assert texts(plot.topology_tree(Topology())) == ["topology", "no PCI bus"]
    with pytest.raises(UsageError, match="there is no bus 0") as caught:
        plot.bus_map(plan)
    assert caught.value.details == ("the guest has no PCI bus",)
    with pytest.raises(UsageError, match="no bus to draw"):
        plot.bus_maps(plan)


def test_a_circle_is_drawn_once() -> None:
    plan = plan_of("pc", BARE, pci("pci-bridge", 1), pci("pci-bridge", 2))
    one, two = (d for d in plan.placement.guest.controllers if d.type == "pci" and d.index)
    topology = Topology()
    for bus in plan.topology.buses:
        topology.add_bus(bus.model)
    topology.reserve(pack(1, 1), PCI_BRIDGE, two)
    topology.reserve(pack(2, 1), PCI_BRIDGE, one)
    figure = plot.topology_tree(topology)
    assert "(a circle)" in flat(figure)
    assert "leads to no root" in flat(figure)


# --- curves


def curve(machine: str, device: str = "virtio-blk", **guest: int) -> More:
    return how_many_more(Guest.of(machine, guest), device, RULES)


def spans(figure: Figure, kind: str) -> list[tuple[int, int]]:
    return [tuple(map(int, name.split("-")[1:])) for name, _ in patches(figure, f"{kind}-.*")]  # type: ignore[misc]


def test_curve_shows_every_hole() -> None:
    more = curve("pc")
    figure = plot.capacity_curve(more)
    refused, accepted = spans(figure, "refused"), spans(figure, "accepted")
    assert tuple(refused[:-1]) == more.holes
    assert refused[-1][0] == more.most + 1
    counts = [n for low, high in accepted for n in range(low, high + 1)]
    holes = [n for low, high in more.holes for n in range(low, high + 1)]
    assert sorted(counts + holes) == list(range(more.most + 1))
    text = texts(figure)
    assert {"59", "89-90", "899-927", "928"} <= set(text)
    assert "up to 928 of virtio-blk" in text
    assert_readable(figure)


def test_curves_of_several_machines() -> None:
    rows = {"pc": curve("pc"), "q35": curve("q35"), "q35, vga": curve("q35", vga=1)}
    figure = plot.capacity_curve(rows)
    assert len(figure.axes) == 3
    assert {"q35: up to 237 of virtio-blk", "q35, vga: up to 229 of virtio-blk"} <= set(texts(figure))
    assert texts(figure).count("nothing below that is refused") == 2
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert_readable(figure)


@pytest.mark.parametrize("upto", one_in(3, [1, 58, 59, 60, 130, 928, 2000]))
def test_curve_up_to(upto: int) -> None:
    more = curve("pc")
    figure = plot.capacity_curve(more, upto=upto)
    refused = {n for low, high in more.holes for n in range(low, high + 1)}
    shown = {n for low, high in spans(figure, "accepted") for n in range(low, high + 1)}
    assert shown == {n for n in range(min(upto, more.most) + 1) if n not in refused}
    assert_readable(figure)


@pytest.mark.parametrize("more", [More("x", -1, (), "no room"), More("x", 0, (), "no room"), More("x", 1, (), "full")])
def test_curve_of_little(more: More) -> None:
    figure = plot.capacity_curve(more)
    assert_readable(figure)
    if more.most < 0:
        assert {"does not fit as it is", "no room"} <= set(texts(figure))


# --- SVG


FIGURES = {
    "map": lambda: plot.bus_map(desktop()),
    "maps": lambda: plot.bus_maps(desktop()),
    "tree": lambda: plot.topology_tree(desktop()),
    "curve": lambda: plot.capacity_curve(curve("pc")),
    "guest": lambda: plot.guest_map(desktop()),
}


@pytest.mark.parametrize("name", one_in(2, list(FIGURES)))
def test_svg_is_well_formed_and_keeps_text(name: str) -> None:
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    text = plot.svg(figure)
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    found = {"".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")}
    wanted = {line for text in texts(figure) for line in text.split("\n")}
    assert wanted <= found
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(set(ids)) == len(ids)
    assert len(text) < 200_000
    assert "<dc:date>" not in text
    assert not any(line != line.strip() for line in text.splitlines())


@pytest.mark.parametrize("name", one_in(3, list(FIGURES)))
def test_svg_is_the_same_every_time(name: str) -> None:
    figure = FIGURES[name]()
    first = plot.svg(figure)
    assert first == plot.svg(figure) == plot.svg(FIGURES[name]())
    with matplotlib.rc_context(
        {"font.size": 20, "axes.facecolor": "black", "svg.fonttype": "path", "hatch.linewidth": 9}
    ):
        assert plot.svg(FIGURES[name]()) == first


@pytest.mark.slow
def test_svg_is_the_same_in_another_process() -> None:
    program = (
        "import sys, pcisim\nfrom pcisim import plot\n"
        "plan = pcisim.assign(pcisim.Guest.of('q35', {'virtio-blk': 20, 'virtio-net': 3}))\n"
        "sys.stdout.write(plot.svg(plot.topology_tree(plan)) + plot.svg(plot.bus_map(plan)))"
    )
    answers = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            encoding="utf-8",
            check=True,
            cwd=Path(pcisim.__file__).parent.parent,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
        )
        answers.add(done.stdout)
    assert answers == {plot.svg(plot.topology_tree(desktop())) + plot.svg(plot.bus_map(desktop()))}


@pytest.mark.parametrize("target", one_in(3, ["vd$x$", "vd<&>'", "vd日本", "vd\t", "v" * 200, "vd_^{2}", "vd\\frac"]))
def test_any_label_can_be_drawn(target: str) -> None:
    plan = pcisim.assign(Guest.of("pc", {"virtio-blk": 1}))
    device = plan.placement.guest.devices["disk"][0]
    device.label = f"disk:{target}"
    for figure in (plot.bus_map(plan), plot.bus_maps(plan), plot.topology_tree(plan), plot.guest_map(plan)):
        ElementTree.fromstring(plot.svg(figure))
        assert_readable(figure)


@given(drawn_guests())
@settings(max_examples=3)
def test_any_guest_can_be_drawn(drawn: Drawn) -> None:
    try:
        plan = pcisim.assign(drawn.text)
    except pcisim.PcisimError:
        reject()
    for figure in (plot.topology_tree(plan), plot.guest_map(plan)):
        assert_readable(figure)
        ElementTree.fromstring(plot.svg(figure))
    ElementTree.fromstring(plot.svg(plot.bus_maps(plan, [0])))


# --- the guest's numbers


def ports_out_of_order() -> pcisim.Plan:
    """Return two ports in the other order, a lone function 1, and an expander."""
    ports = pci("pcie-root", 0) + pci(PORT, 1, at(0, 9)) + pci(PORT, 2, at(0, 8))
    expander = pci("pcie-expander-bus", 3, "<target busNr='64'/>") + pci(PORT, 4, at(3, 0))
    devices = [nic("virtio", at(bus, 0)) for bus in (1, 2, 4)]
    return plan_of("q35", BARE, ports + expander, *devices, nic("virtio", at(0, 5, 1)))


def test_guest_map_marks_what_differs() -> None:
    figure = plot.guest_map(ports_out_of_order())
    assert_readable(figure)
    assert len(patches(figure, r"moved-\d+")) == 4
    assert len(patches(figure, r"lost-\d+")) == 1
    assert [text for text in texts(figure) if text.startswith("en")] == ["enp1s0", "enp2s0", "enp65s0"]
    assert [texts(figure).count(mark) for mark in ("≠", "✗", "never seen")] == [4, 1, 1]
    assert "4 not where they are configured, 1 never seen" in flat(figure)


def test_guest_map_is_legible_in_black_and_white() -> None:
    figure = plot.guest_map(ports_out_of_order())
    (moved, *_), (lost,), (same, *_) = (patches(figure, rf"{kind}-\d+") for kind in ("moved", "lost", "same"))
    assert moved[1].get_linewidth() > 2 * same[1].get_linewidth()
    assert lost[1].get_hatch()
    assert not moved[1].get_hatch()


def test_guest_map_by_firmware_and_scheme() -> None:
    plan = plan_of("pc", BARE, pci("pci-bridge", 1, at(0, 4)), nic("virtio", at(1, 5)))
    assert "enp1s5 / ens5" in texts(plot.guest_map(plan))
    assert "ens5" in texts(plot.guest_map(plan, scheme="v257", firmware="ovmf"))
    assert "ovmf" in flat(plot.guest_map(plan, firmware="ovmf"))


def test_guest_map_of_a_view() -> None:
    devices = ["pcie-root-port,id=p,chassis=1", "virtio-rng-pci,id=a,bus=p", "virtio-rng-pci,id=b,bus=p,addr=1"]
    view = pcisim.simulate_qemu("q35", devices).view
    assert view is not None
    figure = plot.guest_map(view)
    assert_readable(figure)
    assert "6 functions, 1 never seen" in texts(figure)
    assert len(patches(figure, r"same-\d+")) == 2


def test_large_guest_maps_are_folded() -> None:
    figure = plot.guest_map(pcisim.assign(Guest.of("q35", {"virtio-blk": 120, "virtio-net": 3, "e1000": 3})))
    assert_readable(figure)
    assert figure.get_figheight() < 16
    assert "without a difference" in flat(figure)
    assert len(patches(figure, r"moved-\d+")) == 6


def test_guest_map_of_a_guest_that_does_not_boot() -> None:
    bridges = "".join(pci("pcie-to-pci-bridge", index) for index in range(30, 46))
    figure = plot.guest_map(plan_of("q35", BARE, pci("pcie-root", 0), bridges))
    assert_readable(figure)
    assert "does not boot: " in flat(figure)


@pytest.mark.parametrize("subject", [None, "q35", 3, Guest.of("pc"), b"<domain/>"])
def test_no_subject_of_a_guest_map(subject: Any) -> None:
    with pytest.raises(UsageError, match="guest_map shows a Plan or a GuestView"):
        plot.guest_map(subject)


# --- garbage


@pytest.mark.parametrize("subject", [None, "q35", 3, Guest.of("pc"), [], b"<domain/>"])
@pytest.mark.parametrize("draw", [plot.bus_map, plot.bus_maps, plot.topology_tree])
def test_no_subject(draw: Any, subject: object) -> None:
    with pytest.raises(UsageError, match="a picture shows a Plan, a Placement or a Topology"):
        draw(subject)


@pytest.mark.parametrize("bus", [-1, 27, 256, True, None, "0", 0.0, "0x00", 10**30])
def test_no_such_bus(bus: Any) -> None:
    with pytest.raises(UsageError, match="there is no bus"):
        plot.bus_map(desktop(), bus)
    with pytest.raises(UsageError, match="there is no bus"):
        plot.bus_maps(desktop(), [bus])


@pytest.mark.parametrize("buses", [3, object()])
def test_no_list_of_buses(buses: Any) -> None:
    with pytest.raises(UsageError, match="takes indexes of buses"):
        plot.bus_maps(desktop(), buses)


@pytest.mark.parametrize("more", [None, {}, [], {"pc": 3}, "pc", {"pc": None}, [More("x", 1, (), "")]])
def test_no_curve(more: Any) -> None:
    with pytest.raises(UsageError, match="takes what how_many_more returned"):
        plot.capacity_curve(more)


@pytest.mark.parametrize("upto", [0, -1, True, "3", 2.5])
def test_no_bound(upto: Any) -> None:
    with pytest.raises(UsageError, match="a positive integer"):
        plot.capacity_curve(curve("q35"), upto=upto)


@pytest.mark.parametrize("figure", [None, "figure", 3])
def test_no_figure(figure: Any) -> None:
    with pytest.raises(UsageError, match="svg takes a Figure"):
        plot.svg(figure)


def test_no_such_picture() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pie'"):
        plot.pie  # noqa: B018


# --- text that has to fit


def test_shortened() -> None:
    assert shortened("short", 7, 2) == "short"
    cut = shortened("x" * 100, 7, 1)
    assert cut.endswith("…")
    assert text_width(cut, 7) <= 1 < text_width(cut + "xx", 7)


def test_fitted() -> None:
    assert fitted("one two", 2, 0.3, (7.0, 6.0)) == ("one two", 7.0)
    assert fitted("alpha beta gamma", 0.6, 0.26, (7.0, 6.0))[0] == "alpha beta\ngamma"
    text, size = fitted("several words and averyveryverylongword", 0.8, 0.26, (7.0, 6.0))
    assert size == 6.0
    assert text.endswith("…")
    assert all(text_width(line, size) <= 0.8 for line in text.split("\n"))


def test_ranges() -> None:
    assert ranges([]) == ""
    assert ranges([3]) == "03"
    assert ranges([3, 4, 5, 30]) == "03-05, 1e"


def test_view_knows_256_functions() -> None:
    view = BusContents(desktop())
    cells = view.cells(0)
    assert [(cell.slot, cell.function) for cell in cells] == [(s, f) for s in range(32) for f in range(8)]


# --- what shows itself in a notebook


def test_a_plan_and_a_topology_show_their_tree() -> None:
    plan = desktop()
    assert plan._repr_svg_() == plot.svg(plot.topology_tree(plan))
    assert plan.topology._repr_svg_() == plot.svg(plot.topology_tree(plan.topology))
    picture: Any = plot.bus_map(plan)
    assert picture._repr_svg_() == plot.svg(picture)


def test_a_capacity_shows_a_table() -> None:
    html = capacity(desktop().placement)._repr_html_()
    assert html is not None
    root = ElementTree.fromstring(f"<div>{html.replace('<br>', '<br/>')}</div>")
    rows = [[cell.text for cell in row] for row in root.iter("tr")]
    assert rows[0][:4] == ["bus", "model", "takes", "used"]
    assert [row[0] for row in rows[1:]] == ["0x00", "0x01-0x19", "0x1a"]
    assert rows[1][3:9] == ["27", "2", "219", "8", "26", "0"]
    assert rows[3][3:9] == ["0", "0", "8", "248", "1", "1"]
    assert "bus numbers: 27 of 256" in html


def test_table() -> None:
    rows: list[list[object]] = [["a<b", 1234], ["long", None], ["x", True], ["y", 2.25]]
    table = plot.Table(["name", "count"], rows, "caption & all")
    assert str(table).splitlines() == [
        "caption & all",
        "name  count",
        "a<b     1,234",
        "long  unknown",
        "x     yes",
        "y         2.2",
    ]
    html = table._repr_html_()
    ElementTree.fromstring(html)
    assert '<td align="right">1,234</td>' in html
    assert "a&lt;b" in html
    assert "<caption>caption &amp; all</caption>" in html
    assert "<td>yes</td>" in html
    with pytest.raises(UsageError, match="a row of 1 values under 2 names"):
        plot.Table(["a", "b"], [[1]])


def test_without_matplotlib_the_text_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("matplotlib", "pcisim.plot."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert desktop()._repr_svg_() is None
    assert capacity(desktop().placement)._repr_html_()
    with pytest.raises(ImportError, match=r"pip install 'pcisim\[plot\]'"):
        plot.bus_map  # noqa: B018


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    program = (
        "import sys, pcisim, pcisim.plot\nfrom pcisim.capacity.report import capacity\n"
        "plan = pcisim.assign(pcisim.Guest.of('q35', {'virtio-blk': 2}))\n"
        "assert capacity(plan.placement)._repr_html_()\nassert not {'matplotlib', 'numpy'} & set(sys.modules)\n"
        "assert plan._repr_svg_()\nassert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(pcisim.__file__).parent.parent)


def test_disk_helpers_are_used() -> None:
    assert "disk:vdc virtio" in flat(plot.topology_tree(plan_of("pc", BARE, disk(2))))
