"""The process that imports, and what it says."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from signal import SIGINT

GRACE_SECONDS = 3.0
# Options that are fields of the screen, under the names that they have there.
_FIELDS = {"--noun": "one is a", "--skip-bad": "skip bad"}


class ImportChild:
    """``cftui data import``, started and listened to; interrupted, it leaves nothing behind.

    Attributes:
        said: its lines, the last of which is the reason if it fails.
        stopped: it was told to stop.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stopped = False
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, words: Sequence[str]) -> bool:
        """Whether it went well. Raises OSError or ValueError if it cannot be started."""
        self._process = child = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "cftui", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if self.stopped:
            self.stop()
        assert child.stderr is not None
        try:
            async for line in child.stderr:
                self.said.append(line.decode(errors="replace").strip())
            return not await child.wait()
        except asyncio.CancelledError:
            self.stop()
            raise

    def stop(self) -> None:
        """As Ctrl+C does; and by force, where that is ignored: what is left then is swept away by the next import."""
        self.stopped = True
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(SIGINT)
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._end)

    def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()

    def reason(self, files: Iterable[Path]) -> str:
        """Why it failed, in words of the screen: ``files`` without their folders, options by the names of fields."""
        if self.stopped:
            return "stopped; nothing was imported"
        line = self.said[-1] if self.said else "the import failed, and says nothing"
        line = re.sub(r"^cftui( data import)?: ", "", line).removesuffix(" (see cftui data import --help)")
        for path in files:
            line = line.replace(str(path), path.name)
        for option, name in _FIELDS.items():
            line = line.replace(option, name)
        return re.sub(r"(?<!\S)\(?--(?=[a-z])", lambda found: found[0].replace("--", ""), line)

    @property
    def told(self) -> str:
        """What was imported, and what was passed over."""
        return "\n".join(line.partition(" Next: ")[0] for line in self.said if not line.startswith("guessed "))
