"""A progress bar for downloads, with the interface that pooch expects."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class DownloadBar:
    """tqdm's ``total``, ``update``, ``reset`` and ``close`` over ``rich.progress``, on stderr.

    The bar appears with the first byte, so a source that cannot be reached draws nothing.

    Args:
        quiet: draw nothing at all; under ``--json``, stderr holds JSON only.
    """

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

        self.total = 0
        self._quiet = quiet
        self._progress = Progress(
            BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=Console(stderr=True), transient=True
        )
        self._task = self._progress.add_task("download", total=None)

    def update(self, amount: int) -> None:
        if self._quiet:
            return
        if not self._progress.live.is_started:
            self._progress.start()
        self._progress.update(self._task, advance=amount, total=self.total or None)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        # Stopping a bar that never showed would print an empty line.
        if self._progress.live.is_started:
            self._progress.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
