"""Texts as numbers: equal texts have one, so that columns of them are compared, counted and joined as integers."""

import hashlib
import unicodedata
from collections.abc import Iterable
from threading import RLock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Codes = NDArray[np.int32]
# The numbers of no text at all, and of the empty one.
NULL, EMPTY = -1, 0


class Texts:
    """All texts of a history. It only grows: a number means the same text for ever. Any number of threads may ask."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._codes: dict[str | None, int] = {None: NULL, "": EMPTY}
        self._list: list[str] = [""]
        self._array = pa.array(self._list, pa.large_string())
        self._made_ids: dict[int, int] = {}
        self._is_made = np.zeros(0, bool)
        self._folded = pa.array([], pa.large_string())

    def __len__(self) -> int:
        return len(self._list)

    def __getitem__(self, code: int) -> str:
        return self._list[code]

    def code(self, text: str | None) -> int:
        """The text's number, a new one if it is new."""
        with self._lock:
            found = self._codes.get(text)
            if found is None:
                assert text is not None
                found = self._codes[text] = len(self._list)
                self._list.append(text)
            return found

    def found(self, text: str) -> int:
        """The text's number; of one that is nowhere a number that no column has."""
        return self._codes.get(text, NULL - 1)

    def known(self, texts: Iterable[str]) -> Codes:
        """The numbers of those texts that have one."""
        return np.array([self._codes[text] for text in texts if text in self._codes], np.int32)

    def coded(self, column: pa.ChunkedArray) -> Codes:
        """A column's numbers."""
        encoded = column.combine_chunks().dictionary_encode()
        own = np.array([self.code(text) for text in encoded.dictionary.to_pylist()] + [NULL], np.int32)
        return own[encoded.indices.fill_null(len(own) - 1).to_numpy(zero_copy_only=False)]

    def holding(self, text: str) -> NDArray[np.bool_]:
        """For each number whether its text holds another, whatever the case, accents and width of both; the last is for
        no text at all."""
        there = pc.match_substring(self._all_folded(), _folded(text)).to_numpy(zero_copy_only=False)
        return np.append(there, False)

    def folded(self, codes: Codes) -> pa.Array:
        """The texts of numbers as they are looked for, null where there is none."""
        return _taken(self._all_folded(), codes)

    def _all_folded(self) -> pa.Array:
        with self._lock:
            if new := self._list[len(self._folded) :]:
                self._folded = pa.concat_arrays([self._folded, pa.array(map(_folded, new), pa.large_string())])
            return self._folded

    def are_made(self, codes: Codes) -> NDArray[np.bool_]:
        """Whether each is an id that was made from names, ``names:…``; no text is none."""
        with self._lock:
            new = [text.startswith("names:") for text in self._list[len(self._is_made) :]]
            are = self._is_made = np.append(self._is_made, np.array(new, bool)) if new else self._is_made
        return are[codes] & (codes != NULL)

    def array(self, codes: Codes) -> pa.Array:
        """The texts of numbers, null where there is none."""
        with self._lock:
            if len(self._array) < len(self._list):
                tail = pa.array(self._list[len(self._array) :], pa.large_string())
                self._array = pa.concat_arrays([self._array, tail])
            array = self._array
        return _taken(array, codes)

    def made_artist_ids(self, names: Codes) -> Codes:
        """The numbers of the ids that are made from artists' names, as ``credits`` makes them."""
        return np.array([self._made_artist_id(int(name)) for name in names], np.int32)

    def _made_artist_id(self, name: int) -> int:
        made = self._made_ids.get(name)
        if made is None:
            digest = hashlib.sha256(f"artist\x1f{self._list[name]}".encode()).hexdigest()
            made = self._made_ids[name] = self.code(f"names:{digest[:22]}")
        return made


def _taken(array: pa.Array, codes: Codes) -> pa.Array:
    return array.take(pa.array(codes.astype(np.int32), pa.int32(), mask=codes < 0))


def _folded(text: str) -> str:
    """As the questions have it: NORMALIZE_AND_CASEFOLD(…, NFKD) without marks."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(one for one in folded if not unicodedata.category(one).startswith("M"))


def numbered(values: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Distinct values in their order, and for each value its place among them; all are from 0 to below ``most``."""
    if len(values) * 8 < most:  # to sort a few is quicker than to look all of them up
        distinct, places = np.unique(values, return_inverse=True)
        return distinct, places
    is_there = np.zeros(most, bool)
    is_there[values] = True
    distinct = np.flatnonzero(is_there)
    place = np.empty(most, np.intp)
    place[distinct] = np.arange(len(distinct))
    return distinct.astype(values.dtype), place[values]
