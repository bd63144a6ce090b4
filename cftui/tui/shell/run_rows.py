"""The columns of a table of runs, as many as fit, and their cells."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from cftui.engine.models.method import LOSS
from cftui.engine.runs.folder import LIVE
from cftui.engine.runs.summaries import JudgedRun, RunSummary
from cftui.engine.runs.verdict import Kind, kind_of, points
from cftui.text import figure, number, printable, sparkline
from cftui.tui.shell.columns import GAP, Column, line

IN_USE, BEST, LIVE_MARK, DEAD_MARK = "▸", "*", "●", "✗"
ENDED_BADLY = ("failed", "dead", "damaged")
# Narrower than this, what differs cannot be read: another column gives way.
LEAST_WHAT = 14
LONGEST_NAME = 16
CURVE = 8
Cell = Callable[["RunRow"], str | Text]
Styles = Callable[[], Mapping[Kind, str]]


@dataclass(frozen=True)
class RunRow:
    """A run in a table.

    Attributes:
        in_use: whether it is the model that the other screens show.
        mark: the mark of its curve in the chart, if it is selected.
    """

    judged: JudgedRun
    in_use: bool = False
    mark: str = ""

    @property
    def run(self) -> RunSummary:
        return self.judged.run


@dataclass(frozen=True)
class _Entry:
    """A column that may be left out: those of a higher rank first, those of rank 0 never."""

    rank: int
    column: Column
    cell: Cell


class RunColumns:
    """The columns for these rows that fit the width."""

    def __init__(self, rows: Sequence[RunRow], width: int, styles: Styles = dict) -> None:
        """Args: styles: the colours of what is better and worse than a baseline, asked for at each drawing."""
        self._rows = rows
        entries = _entries(rows, styles)
        while _needed(entries) > width and (last := max(entries, key=lambda entry: entry.rank)).rank:
            entries.remove(last)
        self._cells = [entry.cell for entry in entries]
        self.columns = [entry.column for entry in entries]
        self._titles = {column.title for column in self.columns}

    def render(self, index: int, width: int) -> Text:
        """One row. Tags and a note that have no column follow what differs."""
        row = self._rows[index]
        cells = [cell(row) for cell in self._cells]
        written = {"tags": _tags(row), "note": printable(row.run.note)}
        if more := "  ".join(text for title, text in written.items() if text and title not in self._titles):
            at = next(at for at, column in enumerate(self.columns) if not column.width)
            cells[at] = Text.assemble(cells[at], (f"  {more}", "italic"))
        return line(self.columns, cells, width)

    def words(self, index: int) -> str:
        """What a filter looks in."""
        run = self._rows[index].run
        return " ".join([run.name, run.what, run.data, run.split, run.status, _tags(self._rows[index]), run.note])


def _needed(entries: Sequence[_Entry]) -> int:
    return sum(entry.column.width or LEAST_WHAT for entry in entries) + GAP * (len(entries) - 1)


def _entries(rows: Sequence[RunRow], styles: Styles) -> list[_Entry]:
    """All columns that have something to say about these rows."""
    runs = [row.run for row in rows]
    order = places(runs)

    def entry(
        rank: int, title: str, width: int, cell: Cell, values: Sequence[Any] | None = None, right: bool = False
    ) -> _Entry:
        return _Entry(rank, Column(title, width, right, values), cell)

    def by_order(known: Callable[[RunSummary], bool]) -> list[int | None]:
        return [order[run.name] if known(run) else None for run in runs]

    longest = max((len(run.name) for run in runs), default=0)
    found = [
        entry(0, " ", 3, _marks),
        entry(0, "run", min(max(longest, 6), LONGEST_NAME), lambda row: row.run.name, [run.name for run in runs]),
        entry(0, "what differs", 0, _what, [run.what for run in runs]),
    ]
    if len({run.data for run in runs}) > 1:
        found.append(entry(3, "data", 10, lambda row: row.run.data, [run.data for run in runs]))
    if len({run.comparable for run in runs if run.comparable}) > len({run.data for run in runs if run.comparable}):
        found.append(entry(6, "split", 9, _split, [_split(row) for row in rows]))
    found += [
        entry(0, "loss", 7, _loss, by_order(lambda run: run.valid_loss is not None), right=True),
        entry(1, "baseline", 8, lambda row: _versus(row, styles()), [_minus(row) for row in rows], right=True),
    ]
    if any(run.ndcg is not None or (run.result and run.result.lists) for run in runs):
        found.append(entry(4, "NDCG@10", 10, _lists, [_ndcg(run) for run in runs]))
    found += [
        entry(5, "curve", CURVE, lambda row: sparkline(row.run.curve, CURVE)),
        entry(2, "when", 8, _when, [run.created for run in runs]),
    ]
    if any(run.tags for run in runs):
        found.append(entry(7, "tags", 12, _tags, [_tags(row) for row in rows]))
    if any(run.note for run in runs):
        found.append(entry(8, "note", 30, lambda row: Text(printable(row.run.note), "italic")))
    return found


def places(runs: Sequence[RunSummary]) -> dict[str, int]:
    """The place of each run, from 0, among those that can be compared with it; group follows group.

    Figures of different data sets, splits or kinds have no common order.
    """
    groups: dict[Any, list[RunSummary]] = {}
    for run in runs:
        groups.setdefault(run.comparable, []).append(run)
    found: list[RunSummary] = []
    for key, group in groups.items():
        sign = -1 if key is not None and key[1].higher_is_better else 1
        found += sorted((run for run in group if run.figure is not None), key=lambda run: sign * (run.figure or 0.0))
        found += [run for run in group if run.figure is None]
    return {run.name: place for place, run in enumerate(found)}


def _marks(row: RunRow) -> Text:
    """``▸*●``: in use, the best of its kind, live or dead; the mark of its curve before all."""
    state = LIVE_MARK if row.run.status in LIVE else DEAD_MARK if row.run.status in ENDED_BADLY else " "
    first = row.mark or (IN_USE if row.in_use else " ")
    return Text.assemble((first, "bold"), (BEST if row.judged.best else " ", "bold"), state)


def _what(row: RunRow) -> Text:
    run = row.run
    if run.problem:
        return Text(printable(run.problem))
    recipe = "" if run.name.startswith(run.recipe) else f"{run.recipe} "
    return Text.assemble(recipe, ", ".join(run.differs)) if run.differs or recipe else Text("defaults", "dim")


def _split(row: RunRow) -> str:
    run = row.run
    return f"{run.split}/{run.result.trained_on.seed}" if run.result else run.split


def _loss(row: RunRow) -> str:
    loss = row.run.valid_loss
    return "-" if loss is None else number(loss, 4) if loss < 100 else figure(loss)


def _versus(row: RunRow, styles: Mapping[Kind, str]) -> Text:
    verdict = row.judged.verdict
    if verdict is None or verdict.margin is None:
        return Text("-")
    return Text(verdict.cell, styles.get(kind_of(verdict.margin), ""))


def _minus(row: RunRow) -> float | None:
    """The margin, turned around so that the best comes first."""
    margin = row.judged.verdict.margin if row.judged.verdict else None
    return None if margin is None else -margin


def _lists(row: RunRow) -> str:
    run = row.run
    if run.result and run.result.lists:
        return run.result.lists.cell
    return "" if run.ndcg is None else points(run.ndcg)


def _ndcg(run: RunSummary) -> float | None:
    found = run.result.lists.ndcg if run.result and run.result.lists else run.ndcg
    return None if found is None else -found


def _when(row: RunRow) -> str:
    """How far it is or how it ended, unless it ended well; else when it was begun."""
    run = row.run
    if run.status == "running":
        return f"live {run.progress:.0%}"
    if run.status != "done":
        return run.status
    return moment(run.created, datetime.datetime.now().astimezone())


def moment(created: str, now: datetime.datetime) -> str:
    """``12:04`` today, ``30 Nov`` this year, else ``Nov 2025``; the machine's own time."""
    try:
        then = datetime.datetime.fromisoformat(created).astimezone(now.tzinfo)
    except ValueError:
        return ""
    if then.date() == now.date():
        return f"{then:%H:%M}"
    return f"{then.day} {then:%b}" if then.year == now.year else f"{then:%b %Y}"


def _tags(row: RunRow) -> str:
    return " ".join(f"#{tag}" for tag in row.run.tags)


def settings_line(row: RunRow) -> str:
    """A run in words, for a list without columns: what it trains, and its figure."""
    run, verdict = row.run, row.judged.verdict
    score = run.result.score if run.result else LOSS
    figure = "-" if run.figure is None else points(run.figure) if score.higher_is_better else number(run.figure, 4)
    return f"{run.what}  {figure}  {verdict.against_baseline if verdict else ''}"
