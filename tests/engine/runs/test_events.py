"""The event log: complete lines only, across writers that were killed and runs that were resumed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cftui.engine.runs.events import EventReader, EventWriter, History, read_history, where_in_words


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def epoch(number: int, step: int, loss: float | None) -> Any:
    return {"event": "epoch", "epoch": number, "step": step, "valid_loss": loss, "elapsed": step / 10}


def event(kind: str, **fields: object) -> Any:
    """An event without the fields that do not matter here."""
    return {"event": kind, **fields}


def window(step: int) -> Any:
    return {"event": "window", "step": step, "loss": 1.0, "elapsed": step / 10}


def test_a_reader_sees_each_event_once_and_at_once(log: Path) -> None:
    reader = EventReader(log)
    assert reader.poll() == []
    with EventWriter(log) as writer:
        writer.write(window(1))
        assert reader.poll() == [window(1)]
        assert reader.poll() == []
        writer.write(window(2))
        writer.write(window(3))
        assert reader.poll() == [window(2), window(3)]


def test_half_a_line_is_not_an_event_yet(log: Path) -> None:
    reader = EventReader(log)
    line = json.dumps(window(1)).encode() + b"\n"
    log.write_bytes(line[:10])
    assert reader.poll() == []
    with log.open("ab") as file:
        file.write(line[10:])
    assert reader.poll() == [window(1)]


def test_a_torn_line_does_not_swallow_the_next_writers_event(log: Path) -> None:
    log.write_bytes(json.dumps(window(1)).encode() + b'\n{"event": "win')
    with EventWriter(log) as writer:
        writer.write(window(2))
    assert EventReader(log).poll() == [window(1), window(2)]


def test_rubbish_lines_are_passed_over(log: Path) -> None:
    log.write_bytes(b'\x00\xff\n[1]\n{"no": "event"}\n' + json.dumps(window(1)).encode() + b"\n")
    assert EventReader(log).poll() == [window(1)]


def test_what_is_not_finite_is_written_as_null(log: Path) -> None:
    with EventWriter(log) as writer:
        writer.write(event("epoch", valid_loss=float("nan"), train_loss=float("inf")))
    assert json.loads(log.read_text(), parse_constant=pytest.fail) == {
        "event": "epoch",
        "valid_loss": None,
        "train_loss": None,
    }


def test_history_folds_what_happened() -> None:
    history = History()
    history.extend([event("start", steps=40), window(10), epoch(0, 10, 0.9), window(20)])
    assert history.progress == 0.5
    assert history.elapsed == 2.0
    history.extend([epoch(1, 20, 0.8), epoch(2, 30, None), epoch(3, 40, 0.85), event("done")])
    assert history.best == epoch(1, 20, 0.8)
    assert history.last == epoch(3, 40, 0.85)
    assert history.progress == 1.0
    assert history.ending == event("done")


def test_a_resume_forgets_what_happened_in_vain() -> None:
    history = History()
    history.extend([event("start", steps=40, run="r"), window(10), epoch(0, 10, 0.9), window(20)])
    history.extend([epoch(1, 20, 0.8), window(25), event("stopped")])
    history.extend([{"event": "resume", "step": 20, "steps": 40, "pid": 7}])
    assert history.ending is None
    assert [w["step"] for w in history.windows] == [10, 20]
    assert [e["step"] for e in history.epochs] == [10, 20]
    assert history.start == {"event": "resume", "step": 20, "steps": 40, "run": "r", "pid": 7}
    history.extend([{"event": "resume", "step": 10, "steps": 40}])
    assert [e["step"] for e in history.epochs] == [10]


def test_a_resumed_run_has_the_processes_of_now() -> None:
    history = History()
    history.extend([event("start", steps=40, processes=4, device="cpu"), event("resume", step=20)])
    assert where_in_words(history.start) == "cpu"
    history.extend([event("resume", step=20, processes=2)])
    assert where_in_words(history.start) == "2 processes, cpu"


def test_a_history_of_nothing_has_no_best_and_no_progress(log: Path) -> None:
    history = read_history(log)
    assert (history.best, history.last, history.ending, history.progress, history.elapsed) == (None, None, None, 0, 0)


@pytest.mark.parametrize(
    "line",
    [
        "null",
        "7",
        "[]",
        '{"event": []}',
        '{"event": "epoch"}',
        '{"event": "epoch", "epoch": "one", "step": 1, "elapsed": 1}',
        '{"event": "window", "step": null, "elapsed": 1}',
        '{"event": "epoch", "epoch": 1, "step": 1, "elapsed": 1, "valid_loss": "low"}',
        '{"event": "start", "steps": "many"}',
        '{"event": "resume"}',
    ],
)
def test_a_line_that_is_no_event_is_left_out(log: Path, line: str) -> None:
    log.write_text(json.dumps(window(1)) + f"\n{line}\n" + json.dumps(epoch(1, 2, 1.0)) + "\n")
    history = read_history(log)
    assert [one["step"] for one in history.windows] == [1]
    assert [one["step"] for one in history.epochs] == [2]
    assert history.start is None


def test_a_log_that_was_cut_and_written_anew_is_read_from_its_beginning(log: Path) -> None:
    reader = EventReader(log)
    log.write_text("".join(json.dumps(window(step)) + "\n" for step in range(5)))
    assert len(reader.poll()) == 5
    log.write_text(json.dumps(window(9)) + "\n")
    assert reader.poll() == [window(9)]


def test_a_log_that_is_no_file_holds_no_event(log: Path) -> None:
    log.mkdir()
    assert EventReader(log).poll() == []


@pytest.mark.parametrize("kind", ["fifo", "folder", "link"])
def test_what_is_no_log_holds_no_events_and_keeps_nobody_waiting(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    if kind == "fifo":
        os.mkfifo(log)
    elif kind == "folder":
        log.mkdir()
    else:
        log.symlink_to(tmp_path / "gone")
    assert EventReader(log).poll() == []
