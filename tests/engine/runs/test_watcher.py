"""``[notify]``: a command and a webhook are told how a run ended, also if it was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cftui import settings
from cftui.engine.runs import notice
from cftui.engine.runs.events import StartEvent
from cftui.engine.runs.folder import RunFolder, process_identity
from cftui.engine.runs.watcher import watched
from cftui.home import Home
from cftui.settings import Notify

from ...waiting import until


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file into which the command of the settings writes what it is told."""
    monkeypatch.setenv("CFTUI_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("CFTUI_STATE_DIR", str(tmp_path))
    told = tmp_path / "told"
    (tmp_path / "config.toml").write_text(f"[notify]\ncommand = 'cat > {told}.part && mv {told}.part {told}'\n")
    return told


@pytest.fixture
def run(tiny_runs, tmp_path: Path) -> RunFolder:
    """A run of one's own that this process has trained."""
    path = tmp_path / "home" / "models" / "mine"
    shutil.copytree(tiny_runs[1]["model4"].path, path)
    run = RunFolder(path)
    first, *rest = run.events_file.read_text().splitlines()
    run.events_file.write_text("\n".join([json.dumps({**json.loads(first), **process_identity()}), *rest, ""]))
    return run


def home_of(run: RunFolder) -> Home:
    return Home(run.path.parent.parent)


def begin(run: RunFolder) -> StartEvent:
    return StartEvent(event="start", run=run.name)


def test_the_command_is_told_when_the_trainer_closes_its_end(run: RunFolder, told: Path) -> None:
    heard: list[Any] = []
    with watched(home_of(run), heard.append) as emit:
        emit(begin(run))
        assert heard == [begin(run)]
        assert not told.exists()
    until(told.exists, "the command")
    said = json.loads(told.read_text())
    assert (said["run"], said["status"], said["recipe"]) == ("mine", "done", "model4")
    assert said["text"].startswith("run mine done after")


KILLED = """
import os, signal, sys
from pathlib import Path
from cftui.engine.runs.folder import RunFolder, process_identity
from cftui.engine.runs.watcher import watched
from cftui.home import Home
import json
run = RunFolder(Path(sys.argv[1]))
first, *rest = run.events_file.read_text().splitlines()
run.events_file.write_text("\\n".join([json.dumps({**json.loads(first), **process_identity()}), *rest[:-1], ""]))
with watched(Home(run.path.parent.parent), lambda event: None) as emit:
    emit({"event": "start", "run": run.name})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_was_killed_tells_as_well(run: RunFolder, told: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, run.path], check=False)
    assert done.returncode == -signal.SIGKILL
    until(told.exists, "the command")
    said = json.loads(told.read_text())
    assert (said["run"], said["status"]) == ("mine", "dead")
    assert "is gone" in said["text"]


def test_without_notify_nobody_watches_and_a_mistake_stops_no_training(run: RunFolder, told: Path, monkeypatch) -> None:
    def started(*words: object, **more: object) -> None:
        raise AssertionError("a watcher was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    for text in ("", "[notify]\non = []\ncommand = 'x'\n", "[notify]\nnonsense = 1\n"):
        settings.config_file().write_text(text)
        with watched(home_of(run), lambda event: None) as emit:
            emit(begin(run))


def end(run: RunFolder, told: Path, on: str) -> None:
    """Watch the run to its end with these settings, and wait until its watcher has ended."""
    config = settings.config_file()
    config.write_text(config.read_text() + f"on = {on}\n")
    watcher = subprocess.Popen(
        [sys.executable, "-m", "cftui.engine.runs.watcher", run.path, str(os.getpid())], stdin=subprocess.DEVNULL
    )
    assert watcher.wait(60) == 0


def test_only_the_ends_that_are_asked_for_are_told(run: RunFolder, told: Path) -> None:
    end(run, told, '["failed", "dead"]')
    assert not told.exists()


def test_a_run_that_another_process_has_taken_over_is_that_ones_affair(run: RunFolder, told: Path) -> None:
    text = run.events_file.read_text()
    run.events_file.write_text(text.replace(f'"pid": {os.getpid()}', '"pid": 1'))
    end(run, told, '["done"]')
    assert not told.exists()


def test_the_notice_of_a_failed_run_has_its_reason(run: RunFolder) -> None:
    history = run.history()
    history.ending = {"event": "failed", "run": "mine", "step": 3, "reason": "the loss exploded"}
    said = notice.notice(run, history, "failed")
    assert said["text"] == "run mine failed: the loss exploded"
    assert said["folder"] == str(run.path)


SAID = {"run": "mine", "status": "done", "text": 'it\'s "done"; $(rm)', "value": None}


def test_the_command_has_the_message_in_its_environment_and_its_failure_is_said(tmp_path: Path) -> None:
    assert notice.send(Notify(f'printf "%s|%s" "$CFTUI_TEXT" "$CFTUI_VALUE" > {tmp_path}/out'), SAID) == []
    assert (tmp_path / "out").read_text() == SAID["text"] + "|"
    (failure,) = notice.send(Notify("echo broken >&2; exit 3"), SAID)
    assert "exit status 3 broken" in failure


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any], list[int]]]:
    """An address, what it was sent, and the statuses that it answers with, the last one for ever."""
    sent: list[Any] = []
    statuses = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret", sent, statuses
    server.shutdown()
    server.server_close()


def test_the_webhook_gets_the_notice_and_is_tried_again(server, monkeypatch) -> None:
    monkeypatch.setattr(notice, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "*")
    address, sent, statuses = server
    assert notice.send(Notify(webhook=address), SAID) == []
    assert sent == [SAID]
    statuses[:] = [503, 500, 200]
    assert notice.send(Notify(webhook=address), SAID) == []
    assert len(sent) == 4
    statuses[:] = [404]
    (failure,) = notice.send(Notify(webhook=address), SAID)
    assert "404" in failure
    assert "secret" not in failure
    assert len(sent) == 7
