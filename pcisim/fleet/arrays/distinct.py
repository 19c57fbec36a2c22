"""Which guests are alike, found without sorting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pcisim.fleet.arrays.request import FAMILIES, MOST_BITS, Counts, Fleet, capped

Indices = NDArray[np.int32]
Keys = NDArray[np.int64]

_KEY_BITS = 63
_SLOT_BITS = 18
"""The table of a round stays within the processor's second cache."""
_MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD)
_BLOCK = 1 << 16


_ALIKE = 4
"""How often a guest must occur, on average, to be worth finding; it also bounds the memory for the distinct ones."""
_MOST_KINDS = 1 << 16
"""Copying from more of them, which no cache holds, takes as long as placing every guest."""


def distinct(fleet: Fleet) -> tuple[Fleet, Indices | None]:
    """Return a fleet of one guest of each kind, and for each guest the number of its kind.

    Returns:
        The fleet itself and ``None`` when its guests are hardly ever alike.
    """
    table, bits = fleet.table, fleet.bits
    most = min(len(table) // _ALIKE, _MOST_KINDS)
    kinds: NDArray[np.integer] = fleet.families
    known = len(FAMILIES)
    columns = [column for column, size in enumerate(bits) if size]
    while True:
        used = (known - 1).bit_length()
        taken: list[int] = []
        while columns and used + sum(bits[n] for n in taken) + bits[columns[0]] <= _KEY_BITS:
            taken.append(columns.pop(0))
        found = _distinct(_keys(table, taken, bits, kinds, used), most)
        if found is None:
            return fleet, None
        first, kinds = found
        known = len(first)
        if not columns:
            return Fleet(fleet.devices, table[first], fleet.families[first], bits), found[1]


def _keys(table: Counts, columns: list[int], bits: Sequence[int], kinds: NDArray[np.integer], used: int) -> Keys:
    """Return the numbers of some columns of each row, and what is known of its kind, side by side in one number."""
    weights = np.zeros(table.shape[1], np.int64)
    shift = used
    for column in columns:
        weights[column] = 1 << shift
        shift += bits[column]
    keys = np.empty(len(table), np.int64)
    for begin in range(0, len(table), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        part = table[block]
        if MOST_BITS in bits:
            part = capped(part)
        np.matmul(part.astype(np.int64, copy=False), weights, out=keys[block])
        keys[block] |= kinds[block]
    return keys


def _distinct(keys: Keys, most: int) -> tuple[Indices, Indices] | None:
    """Return an index of each different key, and for each key the number of its index.

    In each round every key writes its index into a slot of a table: those that find the index of an equal key there
    are done, the others go on to the next round.
    """
    first: list[Indices] = []
    kinds = np.empty(len(keys), np.int32)
    left: Indices | None = None
    count = 0
    mixer = 0
    slots = np.empty(1 << _SLOT_BITS, np.int32)
    while left is None or len(left):
        own = keys if left is None else keys[left]
        place = own.view(np.uint64) * np.uint64(_MIXERS[mixer % len(_MIXERS)] + 2 * (mixer // len(_MIXERS)))
        place >>= np.uint64(64 - _SLOT_BITS)
        index = np.arange(len(own), dtype=np.int32)
        slots[place] = index
        winner = slots[place]
        same = own[winner] == own
        chosen = np.flatnonzero(winner == index).astype(np.int32)
        if count + len(chosen) > most or np.count_nonzero(same) < len(same) // 2:
            return None
        slots[place[chosen]] = np.arange(count, count + len(chosen), dtype=np.int32)
        number = slots[place]
        count += len(chosen)
        first.append(chosen if left is None else left[chosen])
        if left is None:
            kinds[same] = number[same]
            left = np.flatnonzero(~same).astype(np.int32)
        else:
            kinds[left[same]] = number[same]
            left = left[~same]
        mixer += 1
    return np.concatenate(first) if first else np.zeros(0, np.int32), kinds
