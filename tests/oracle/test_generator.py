"""Laws of the generator: reproducible, well-formed, and no clause left out. No libvirt is asked."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from tests.oracle import others
from tests.oracle.draft import CLAUSES
from tests.oracle.generator import all_tags, count_tags, generate
from tests.oracle.other_clauses import OTHER_CLAUSES
from tests.oracle.others import generate_other


@pytest.mark.slow
def test_every_clause_is_hit_at_least_five_times_in_5000_seeds() -> None:
    rare = {tag: hits for tag, hits in count_tags(1, 5000, generate, all_tags()).items() if hits < 5}
    assert rare == {}


def test_no_tag_is_unknown() -> None:
    known = set(all_tags())
    for seed in range(1, 500):
        assert set(generate(seed).tags) <= known


def test_a_seed_always_gives_the_same_domain() -> None:
    assert [generate(seed) for seed in range(20)] == [generate(seed) for seed in range(20)]


def test_every_domain_is_well_formed() -> None:
    for seed in range(1, 500):
        assert ET.fromstring(generate(seed).xml).tag == "domain"


def test_every_tag_names_its_section() -> None:
    assert [tag for tag in all_tags() if not re.match(r"(\d+(\.\d)?|style)/\S+$", tag)] == []


def test_mistakes_are_rows_of_section_8() -> None:
    tags = {tag for clause in CLAUSES if clause.refusal for tag in clause.tags}
    assert {tag.split("/")[0] for tag in tags} == {"5.2", "8.1", "8.2", "8.3"}


@pytest.mark.slow
def test_every_clause_of_other_architectures_is_hit_at_least_five_times_in_3000_seeds() -> None:
    hits = count_tags(1, 3000, generate_other, others.all_tags())
    assert [tag for clause in OTHER_CLAUSES for tag in clause.tags if hits[tag] < 5] == []


def test_domains_of_other_architectures_are_reproducible_and_well_formed() -> None:
    for seed in range(1, 300):
        case = generate_other(seed)
        assert case == generate_other(seed)
        assert ET.fromstring(case.xml).tag == "domain"
        assert [tag for tag in case.tags if not re.match(r"\d+(\.\d)?/\S+$", tag)] == []
