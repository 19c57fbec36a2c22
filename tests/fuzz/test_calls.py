"""Three hundred calls of the fuzzer: no status 70, no hang, no control character, no file changed by a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.calls import faults


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_calls(tmp_path: Path, start: int) -> None:
    broken = []
    for seed in range(start, start + 100):
        folder = tmp_path / str(seed)
        folder.mkdir()
        broken += [f"seed {seed}: {text}" for text in faults(folder, seed)]
    assert not broken
