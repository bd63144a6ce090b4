"""What is said when a run has ended, failed or died, and how: by a command, or by a request to an address."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from typing import Any

from cftui.engine.runs.events import History
from cftui.engine.runs.folder import RunFolder
from cftui.settings import Notify
from cftui.text import number, one_line

COMMAND_SECONDS = 60.0
WEBHOOK_SECONDS = 10.0
# The pauses between attempts to reach an address.
PAUSES = (1.0, 5.0)


def notice(run: RunFolder, history: History, status: str) -> dict[str, Any]:
    """What a program gets to know about a run that is no longer trained.

    Returns:
        ``run``, ``status`` (done, stopped, failed or dead), ``text`` (a sentence), ``recipe``, ``data``, ``score`` and
        ``value`` (the figure by which the run is judged), ``seconds``, ``host`` and ``folder``.
    """
    config, score = run.config(), history.score
    last: Any = history.ending if status in ("done", "stopped") else history.last
    value = (last or {}).get(score.key)
    if status in ("failed", "dead"):
        text = f"run {run.name} {status}: {run.obituary(history)}"
    else:
        figure = "" if value is None else f", {score.label} {number(value, 4)}"
        text = f"run {run.name} {status} after {history.elapsed:,.0f} s of fitting{figure}"
    return {
        "run": run.name,
        "status": status,
        "text": one_line(text),
        "recipe": config.recipe.name,
        "data": config.data.name,
        "score": score.label,
        "value": value,
        "seconds": round(history.elapsed, 1),
        "host": platform.node(),
        "folder": str(run.path),
    }


def send(how: Notify, said: dict[str, Any]) -> list[str]:
    """Run the command and call the address. Return a line for each that failed."""
    failures = []
    if how.command and (problem := _run(how.command, said)):
        failures.append(f"notify command {how.command!r}: {problem}")
    if how.webhook and (problem := _post(how.webhook, said)):
        failures.append(f"notify webhook: {problem}")
    return failures


def _run(command: str, said: dict[str, Any]) -> str:
    """Run a line of the shell, with the notice as JSON on its stdin and in ``CFTUI_...``. Return what went wrong."""
    variables = {f"CFTUI_{name.upper()}": "" if value is None else str(value) for name, value in said.items()}
    try:
        done = subprocess.run(
            command,
            shell=True,
            input=json.dumps(said),
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return str(error)
    return f"exit status {done.returncode} {one_line(done.stderr.strip())}" if done.returncode else ""


def _post(address: str, said: dict[str, Any]) -> str:
    """Send the notice as JSON. Return what went wrong with the last attempt."""
    import requests

    problem = ""
    for pause in (*PAUSES, None):
        try:
            requests.post(address, json=said, timeout=WEBHOOK_SECONDS).raise_for_status()
        except requests.RequestException as error:
            # The address may hold a secret, and the message of the error holds the address.
            status = error.response.status_code if error.response is not None else ""
            problem = f"{type(error).__name__} {status}".strip()
        else:
            return ""
        if pause is not None:
            time.sleep(pause)
    return problem
