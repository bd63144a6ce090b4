"""The one launcher of child processes: this program's verbs, run with ``--json``.

Training, fetching and importing are processes of their own, so that neither a slow network nor a long computation
holds up the screen or keeps the app from quitting. Textual draws on descriptor 2, which a child must never share.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from signal import SIGINT
from typing import Any

from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.tui.session import children

# How long a child that was interrupted may take to end before it is terminated.
GRACE_SECONDS = 3.0


def _command(home: Home, words: Sequence[str]) -> list[str]:
    # What is said in JSON need not be read out of sentences.
    return [sys.executable, "-m", "cftui", *words, "--json", f"--home={home.root}"]


def start_detached(home: Home, name: str, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a verb that trains run ``name`` in a session of its own; neither quitting nor a lost terminal reaches it.

    Its narration and errors go to ``train.log`` in the run folder. Its events are in the event log already.
    """
    run = RunFolder(home.models / name)
    run.path.mkdir(parents=True, exist_ok=True)
    with run.log_file.open("ab") as log:
        return subprocess.Popen(
            _command(home, words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )


class Job:
    """A verb in a child process. It ends with the app, and can be stopped.

    Attributes:
        narration: The lines of narration so far.
        stopped: Whether ``stop`` was called.
    """

    def __init__(self, home: Home, words: Sequence[str], heard: Callable[[str], object] = lambda line: None) -> None:
        """Args: heard: Called with each line of narration as it comes."""
        self.narration: list[str] = []
        self.stopped = False
        self._words, self._heard = _command(home, words), heard
        self._error: CftuiError | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> Any:
        """Return what the verb printed, parsed from JSON.

        Raises:
            CftuiError: The verb failed; the error is its own.
            OSError, ValueError: It could not be started.
        """
        self._process = child = await asyncio.create_subprocess_exec(
            *self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        children.add(child.pid)
        if self.stopped:
            self.stop()
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            answer, _ = await asyncio.gather(child.stdout.read(), self._listen(child.stderr))
            status = await child.wait()
        except asyncio.CancelledError:
            self.stop()
            raise
        finally:
            children.discard(child.pid)
        if status:
            raise self._error or CftuiError(f"cftui {self._words[3]} ended with status {status} and said nothing")
        return json.loads(answer)

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            said = parse_line(line.decode(errors="replace"))
            if isinstance(said, CftuiError):
                self._error = said
            elif said:
                self.narration.append(said)
                self._heard(said)

    def stop(self) -> None:
        """Interrupt the child as Ctrl+C does; terminate it if it ignores that."""
        self.stopped = True
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(SIGINT)
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._end)

    def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()


def parse_line(line: str) -> CftuiError | str:
    """Parse a line of a verb's stderr: its error, or a line of narration.

    What is no JSON object comes from a library, such as a warning, and counts as narration.
    """
    try:
        said = json.loads(line)
    except ValueError:
        return line.strip()
    error = said.get("error") if isinstance(said, dict) else None
    if isinstance(error, dict):
        parts = {name: str(error[name]) for name in ("where", "hint", "option") if name in error}
        return CftuiError(str(error.get("what", error["message"])), kind=error["kind"], **parts)
    return str(said.get("progress", "")) if isinstance(said, dict) else line.strip()
