"""What several live tests ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.live import URI_VARIABLES, LiveLibvirt, configured


@pytest.fixture(scope="module", params=["11.3", "12.9"])
def taking(request: pytest.FixtureRequest) -> Iterator[tuple[str, LiveLibvirt]]:
    """Return a version that takes plans, and a connection to a daemon of that version."""
    uri = configured(request.param)
    if uri is None:
        pytest.skip(f"{URI_VARIABLES[request.param]} is not set: no libvirt {request.param} to ask")
    with LiveLibvirt(uri) as client:
        yield request.param, client
