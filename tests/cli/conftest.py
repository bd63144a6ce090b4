"""Running verbs: in this process (fast), or as the program a person starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cftui.cli.main import main
from cftui.home import Home

from ..waiting import until

READ = ("ease", "model1", "model4", "collab-nn", "cross-entropy")

PROGRAM = [sys.executable, "-m", "cftui"]


@dataclass
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout, read strictly."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        return json.loads(self.out, parse_constant=refuse)

    @property
    def progress(self) -> list[str]:
        """The lines of narration on stderr under ``--json``."""
        return [json.loads(line)["progress"] for line in self.err.splitlines()]

    @property
    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``cli(home, "runs", "--json")`` in this process."""
    monkeypatch.delenv("CFTUI_HOME", raising=False)
    monkeypatch.delenv("CFTUI_DEBUG", raising=False)

    def open_app(home: Home, ascii_only: bool = False) -> None:
        print(f"app at {home.root}")

    def run(home: Home, *arguments: object) -> Outcome:
        capsys.readouterr()
        status = main(open_app, [*map(str, arguments), "--home", str(home.root)])
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def fails(cli: Cli) -> Callable[..., str]:
    """Run a verb that must end with a status and exactly one line on stderr; returns the line."""

    def run(home: Home, *arguments: object, status: int = 1) -> str:
        outcome = cli(home, *arguments)
        assert outcome.status == status, outcome
        assert outcome.out == ""
        return only_line(outcome.err)

    return run


def only_line(text: str) -> str:
    """The one line of an error, as the form without ``--json`` has it."""
    lines = text.split("\n")
    if lines[0].startswith('{"error": '):
        lines[0] = f"cftui: {json.loads(lines[0])['error']['message']}"
    assert len(lines) == 2, f"not exactly one line: {text!r}"
    assert lines[1] == ""
    assert lines[0].startswith("cftui")
    assert "internal error" not in lines[0]
    assert "Traceback" not in text
    return lines[0]


@pytest.fixture
def own_home(tiny_runs, tmp_path: Path) -> Home:
    """The tiny data and a run of each kind of model, to keep profiles and caches beside."""
    home = Home(tmp_path / "home")
    shutil.copytree(tiny_runs[0].data, home.data)
    for name in READ:
        shutil.copytree(tiny_runs[1][name].path, home.models / f"{name}.run")
    return home


def environment(**more: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CFTUI")}
    return {**inherited, "PYTHONUNBUFFERED": "", **more}


def program(home: Home, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments), "--home", str(home.root)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=120, **options)


class Background:
    """A verb running in a process of its own."""

    def __init__(self, home: Home, *arguments: object, log: Path) -> None:
        self.log = log
        command = [*PROGRAM, *map(str, arguments), "--home", str(home.root)]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env=environment(), start_new_session=True
            )

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to become true while the process runs."""

        def met() -> bool:
            if condition():
                return True
            assert self.process.poll() is None, self.log.read_text()
            return False

        until(met)


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Callable[..., Background]]:
    started: list[Background] = []

    def start(home: Home, *arguments: object) -> Background:
        started.append(Background(home, *arguments, log=tmp_path / f"background-{len(started)}.log"))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
