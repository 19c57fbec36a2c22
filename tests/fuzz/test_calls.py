"""A hundred calls of the fuzzer: no status 70, no hang, no control character, no file changed by a refusal."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.calls import faults


def test_calls(tmp_path: Path) -> None:
    broken = []
    for seed in range(100):
        folder = tmp_path / str(seed)
        folder.mkdir()
        broken += [f"seed {seed}: {text}" for text in faults(folder, seed)]
    assert not broken
