"""Unpack zstd frame by frame: the reader of the package zstandard takes a file that was cut short for a whole one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import IO, Any

from cftui.errors import missing_library

# Packed bytes read at a time: four of them can unpack to 128 kB.
STEP = 4096
# What `zstd --long=31` needs.
_WINDOW = 2**31


class ZstdFile:
    """The unpacked bytes of a file of zstd frames, one behind the other."""

    def __init__(self, raw: IO[bytes], mode: str = "rb") -> None:
        """Raises CftuiError if the library that it needs is not installed."""
        self._raw, self._rest = raw, b""
        self._frame: Any = None
        self._new_frame, self._damaged = _library(raw.name)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, however many they are; empty at the end.

        Raises:
            OSError: the file is damaged.
            EOFError: it ends within a frame.
        """
        while packed := self._rest or self._raw.read(STEP):
            self._rest, self._frame = b"", self._frame or self._new_frame()
            try:
                block: bytes = self._frame.decompress(packed)
            except self._damaged as error:
                raise OSError(str(error)) from None
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
            if block:
                return block
        if self._frame is not None:
            raise EOFError("it ends within a frame")
        return b""

    def __enter__(self) -> ZstdFile:
        return self

    def __exit__(self, *error: object) -> None:
        """The packed file is closed by who opened it."""


def _library(name: str) -> tuple[Callable[[], Any], type[Exception]]:
    """What makes a decompressor of one frame, and what that raises for damaged bytes."""
    if sys.version_info >= (3, 14):
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]

        return zstd.ZstdDecompressor, zstd.ZstdError
    if find_spec("zstandard") is None:
        raise missing_library(f"{name}: unpacking zstd", "zstandard", "zstd")
    import zstandard  # type: ignore[import-not-found,unused-ignore]

    return lambda: zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj(), zstandard.ZstdError
