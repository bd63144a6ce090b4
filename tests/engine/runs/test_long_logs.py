"""Lists and logs that grow: bounded memory, no event but windows left out, rows read again only if files changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cftui.engine.runs import events, index, kept_summaries
from cftui.engine.runs.events import EventReader, History, read_history
from cftui.engine.runs.folder import RunFolder, find
from cftui.engine.runs.index import RunIndex
from cftui.engine.runs.summaries import summarise
from cftui.engine.runs.verdict import Peers, Result, verdict
from cftui.engine.runs.windows import KEPT, MANY, WindowClock
from cftui.errors import CftuiError
from cftui.home import Home


def window(step: int, **more: float) -> Any:
    return {"event": "window", "step": step, "loss": 1.0, "mean": 1.0, "min": 1.0, "max": 1.0, "elapsed": 0.1, **more}


def epoch(number: int, step: int) -> Any:
    return {"event": "epoch", "epoch": number, "step": step, "valid_loss": 0.9, "elapsed": 0.2}


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of 1,000 windows with an epoch after each hundred, read in small blocks."""
    monkeypatch.setattr(events, "BLOCK_BYTES", 2_000)
    monkeypatch.setattr(events, "BYTES_AT_ONCE", 5_000)
    path = tmp_path / "events.jsonl"
    lines = []
    for number in range(10):
        lines += [window(100 * number + at) for at in range(1, 101)] + [epoch(number, 100 * (number + 1))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_of_a_long_log_windows_are_left_out_and_nothing_else(log: Path) -> None:
    history = read_history(log)
    assert [one["epoch"] for one in history.epochs] == list(range(10))
    assert len(history.windows) < 300
    assert history.windows[-1]["step"] == 1000


def test_what_is_added_to_a_long_log_is_read_whole(log: Path) -> None:
    reader = EventReader(log)
    reader.poll()
    with log.open("a") as file:
        file.write("".join(json.dumps(window(step)) + "\n" for step in range(1001, 1021)))
    assert [dict(one)["step"] for one in reader.poll()] == list(range(1001, 1021))


def test_a_list_needs_no_windows_but_the_last(log: Path) -> None:
    history = read_history(log, windows=False)
    assert len(history.epochs) == 10
    assert history.windows[-1]["step"] == 1000
    assert len(history.windows) <= log.stat().st_size // 2_000 + 1


def test_a_line_that_never_ends_takes_no_more_memory_than_a_block(log: Path) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole + b"x" * 9_000 + b"\n" + json.dumps(epoch(10, 1100)).encode() + b"\n")
    assert read_history(log).epochs[-1]["epoch"] == 10


def test_a_history_of_many_windows_keeps_their_extremes() -> None:
    history = History()
    spike = {7: {"max": 99.0}, 20_001: {"min": -5.0}}
    history.extend(window(step, **spike.get(step, {})) for step in range(1, 50_001))
    assert len(history.windows) <= MANY
    assert history.windows[-1]["step"] == 50_000
    assert max(one["max"] for one in history.windows) == 99
    assert min(one["min"] for one in history.windows) == -5
    steps = [one["step"] for one in history.windows]
    assert steps == sorted(steps)


def test_windows_are_logged_by_time_once_there_are_many() -> None:
    clock = WindowClock()
    logged = [elapsed for elapsed in range(1, 1_000_001) if clock.is_due(float(elapsed))]
    assert logged[:KEPT] == list(range(1, KEPT + 1))
    # A logarithm: 2,000 for each factor of e.
    assert len(logged) < KEPT * 8
    assert logged[-1] > 999_000


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("epoch", "x", "field epoch.epoch 'x' is not a whole number from 0"),
        ("step", 10**30, "field epoch.step 1000000000000000000000000000000 is not a whole number from 0"),
        ("elapsed", -1, "field epoch.elapsed -1 is not a number of seconds"),
        ("valid_loss", [], "field epoch.valid_loss [] is not a number or null"),
        ("step", None, "field epoch.step None is not a whole number from 0"),
    ],
)
def test_a_field_that_cannot_be_is_named_with_its_line(log: Path, field: str, value: object, words: str) -> None:
    log.write_text(json.dumps(window(1)) + "\n" + json.dumps({**epoch(0, 1), field: value}) + "\n")
    history = read_history(log)
    assert history.epochs == []
    assert history.fault == f"{log}:2: {words}"


@pytest.fixture
def home(tiny_runs: Any, tmp_path: Path) -> Home:
    """A home with twelve copies of a run."""
    made = Home(tmp_path / "home")
    for number in range(12):
        copy = RunFolder(Path(shutil.copytree(tiny_runs[1]["model4"].path, made.models / f"m{number:02}")))
        # Another test may have judged its lists, which no longer count once a log is written to.
        copy.lists_file.unlink(missing_ok=True)
    return made


def test_a_run_with_an_odd_field_is_listed_with_it(home: Home) -> None:
    run = RunFolder(home.models / "m00")
    with run.events_file.open("a") as file:
        file.write(json.dumps({**epoch(0, 1), "epoch": {}}) + "\n")
    row = summarise(run)
    assert row.status == "done"
    assert "events.jsonl" in row.problem
    assert "field epoch.epoch" in row.problem


def test_an_ambiguous_prefix_names_ten_runs_and_says_how_many_there_are(home: Home) -> None:
    with pytest.raises(CftuiError, match=r"m00, m01, .*, m09 \.\.\. \(12 in all\); give more letters"):
        find(home, "m")


def test_rows_are_kept_for_the_next_process(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_summaries, "WORTH_KEEPING", 5)
    first = RunIndex(home).read()
    read: list[str] = []

    def counted(run: RunFolder, *args: Any) -> Any:
        read.append(run.name)
        return summarise(run, *args)

    monkeypatch.setattr(index, "summarise", counted)
    assert RunIndex(home).read() == first
    assert read == []
    with RunFolder(home.models / "m03").events_file.open("a") as file:
        file.write("\n")
    assert RunIndex(home).read() == first
    assert read == ["m03"]


@pytest.mark.parametrize("damage", ["flip", "cut", "version", "folder"])
def test_damaged_rows_count_for_nothing(home: Home, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_summaries, "WORTH_KEEPING", 5)
    first = RunIndex(home).read()
    path = kept_summaries.cache_file(home)
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        damaged = {"flip": content.replace(b"0.", b"9."), "cut": content[:-9], "version": b"0 " + content}
        path.write_bytes(damaged[damage])
    assert kept_summaries.read_rows(home) == {}
    assert RunIndex(home).read() == first


def test_a_verdict_depends_on_few_of_many_runs(home: Home) -> None:
    results = [summarise(RunFolder(path)).result for path in sorted(home.models.iterdir())]
    known = [
        Result(**{**vars(one), "value": 1.0 - at / 50, "baselines": one.baselines if at == 4 else {}})
        for at, one in enumerate(results)
        if one is not None
    ]
    peers = Peers(known)
    assert len(peers.of(known[0])) <= 3
    for one in known:
        assert verdict(one, peers.of(one)) == verdict(one, known)
