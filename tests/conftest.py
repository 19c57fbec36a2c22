"""Settings of hypothesis: `HYPOTHESIS_PROFILE=thorough` looks much further than the default."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# guests are large examples, and about half of them are refused, as they would be by libvirt
_TOLERATED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

settings.register_profile(
    "default",
    deadline=None,
    max_examples=20,
    stateful_step_count=40,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=_TOLERATED,
)
settings.register_profile(
    "thorough", deadline=None, max_examples=1000, stateful_step_count=80, suppress_health_check=_TOLERATED
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can search; pytest makes its own private again and again."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where nothing may be skipped, unless `PCISIM_MAY_SKIP` is in its reason."""
    report = yield
    allowed = os.environ.get("PCISIM_MAY_SKIP", "")
    if os.environ.get("PCISIM_NO_SKIPS") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr)
        if not allowed or allowed not in reason:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped where nothing may be: {reason}"
    return report
