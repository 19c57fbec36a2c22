"""Each JSON document that a command prints is valid by the schema of its name, and each schema has one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pcisim.cli import COMMANDS, parser
from pcisim.cli.schema import schemas
from tests.cli.running import EXAMPLES, run
from tests.cli.schemas import complaints, documents, schema

DESKTOP, SERVER, CONFLICT = (str(EXAMPLES / f"{name}.xml") for name in ("desktop", "server", "conflict"))
S390 = ("--arch", "s390x", "--machine", "", "--device", "e1000")
CALLS: tuple[tuple[str, ...], ...] = (
    ("assign", DESKTOP),
    ("assign", *S390),
    ("assign", str(EXAMPLES), "missing.xml"),
    ("tree", DESKTOP, SERVER),
    ("tree", "--machine", "microvm"),
    ("tree", "--view", "guest", DESKTOP),
    ("guest", SERVER),
    ("guest", str(EXAMPLES)),
    ("lspci", DESKTOP),
    ("capacity", DESKTOP, "--of", "virtio-blk", "--of", "e1000"),
    ("capacity", *S390),
    ("fits", SERVER, "--add", "virtio-blk=3"),
    ("fits", SERVER, "--add", "virtio-blk=40", "--hotplug"),
    ("fits", "--machine", "q35", "--add", "virtio-blk=300"),
    ("recommend", SERVER, "--later", "virtio-net=2"),
    ("recommend", "--machine", "q35", "--device", "virtio-blk=300"),
    ("attach", DESKTOP, "--device", "virtio-net=2"),
    ("attach", DESKTOP, "--device", "e1000", "--config"),
    ("detach", DESKTOP, "interface:0"),
    ("detach", DESKTOP, "memballoon:0"),
    ("check", str(EXAMPLES), "missing.xml"),
    ("check", "--limits", "rhel7", SERVER),
    ("explain", "No more available PCI slots"),
    ("explain", "Attempted double use of PCI Address 0000:00:08.0", CONFLICT),
    ("diff", DESKTOP, SERVER),
    ("diff", "--each", "--libvirt-old", "9.0", "--libvirt-new", "12.9", str(EXAMPLES)),
    ("fleet", str(EXAMPLES), "--workers", "1"),
    ("example",),
    ("example", "desktop"),
)


@pytest.fixture(scope="module")
def printed() -> dict[tuple[str, ...], list[Any]]:
    return {words: list(documents(run(*words, "--format", "json").out)) for words in CALLS}


@pytest.mark.parametrize("words", CALLS, ids=lambda words: " ".join(words)[:60])
def test_what_is_printed_is_valid(words: tuple[str, ...], printed: dict[tuple[str, ...], list[Any]]) -> None:
    assert [complaints(document) for document in printed[words]] == [[] for _ in printed[words]]


def test_rows_of_a_fleet_are_valid() -> None:
    for line in run("fleet", str(EXAMPLES), "--workers", "1", "--format", "jsonl").out.splitlines():
        Draft202012Validator(schema("fleet")).validate(json.loads(line))


def test_every_command_prints_json_and_every_schema_is_tried(printed: dict[tuple[str, ...], list[Any]]) -> None:
    assert {words[0] for words in CALLS} == {*COMMANDS} - {"help", "schema"}
    names = {document["schema"] for found in printed.values() for document in found}
    assert names | {"pcisim.fleet/1"} == {f"pcisim.{name}/1" for name in schemas()}


@pytest.mark.parametrize("name", schemas())
def test_schemas_are_strict(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))

    def objects(node: object) -> Iterator[Mapping[str, Any]]:
        if isinstance(node, dict):
            if node.get("type") in ("object", ["object", "null"]):
                yield node
            for inner in node.values():
                yield from objects(inner)
        elif isinstance(node, list):
            for inner in node:
                yield from objects(inner)

    assert schema(name)["properties"]["schema"] == {"const": f"pcisim.{name}/1"}
    for node in objects(schema(name)):
        assert "additionalProperties" in node
        assert "properties" not in node or node["additionalProperties"] is False
    assert run("schema", name).out == schemas()[name].read_text(encoding="utf-8")


def test_names_of_schemas() -> None:
    assert run("schema").out.split() == [*schemas()]
    assert run("schema", "pcisim.plan/1") == run("schema", "plan")
    assert run("schema", "pcisim.plan/9").status == 2
    done = run("schema", "capacty")
    assert (done.status, done.err.splitlines()[-1]) == (2, "  to do: did you mean capacity?")


def test_help_of_a_command_is_what_its_option_prints() -> None:
    assert run("help").out == run("--help").out
    for command in COMMANDS:
        assert run("help", command).out == run(command, "--help").out
    assert "did you mean check" in run("help", "chek").err
    assert parser().prog == "pcisim"
