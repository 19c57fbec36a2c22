"""Limits on processor time, which say something on a quiet machine only: `make limits` holds them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

LIMITED = bool(os.environ.get("PCISIM_LIMITS"))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Hold what is done to so many seconds of this process's time, where limits are held."""
    begin = time.process_time()
    yield
    spent = time.process_time() - begin
    assert not LIMITED or spent < seconds, f"{spent:.2f} s, and the limit is {seconds:g} s"
