"""The line under the chart: what the run is worth, beside its baselines and the other runs on the same ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from cftui.tui.session.app import session_of
from cftui.tui.shell.remarks import remark

if TYPE_CHECKING:
    from cftui.engine.runs.verdict import Remark

# On a low screen the chart needs the lines.
LOW, ROWS, ROWS_LOW = 30, 3, 2
# What gives way first if there is no room for all remarks.
LEAST_FIRST = ("neutral", "good", "overfit", "bad")
CAN_GO = LEAST_FIRST[:2]
GAP = "  "
# The key that trains a run again and keeps its best epoch.
KEEP_BEST = "b"
# Cells of a mark and the blank after it.
MARK = 2


class VerdictLine(Static):
    """The remarks of a verdict, as many as there is room for; the first always stays."""

    _remarks: tuple[Remark, ...] = ()

    def on_mount(self) -> None:
        self.watch(self.app, "run_rows", self._judge)
        self.watch(self.app, "followed", self._judge)

    def _judge(self) -> None:
        """Judge the run on show among all runs, as they were last read."""
        from cftui.engine.runs.verdict import verdict

        app = session_of(self)
        found = [row.run.result for row in app.run_rows if row.run.result is not None]
        own = next((one for one in found if app.followed and one.run == app.followed.name), None)
        remarks = verdict(own, found).remarks if own is not None else ()
        # Draw only what is new: over SSH every repaint is paid for.
        if remarks != self._remarks:
            self._remarks = remarks
            self._draw()

    def on_resize(self) -> None:
        # What is drawn decides how many rows there are: not before this layout is done.
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        rows = ROWS_LOW if self.app.size.height < LOW else ROWS
        width = max(self.content_size.width, 10)
        lines = fitted(self._remarks, width, rows)
        shown = [Content(GAP).join([remark(one.kind, words(one, width)) for one in line]) for line in lines]
        self.update(Content("\n").join(shown))


def words(one: Remark, width: int) -> str:
    """What a remark says, and the key for what can be done about it here, in a line that fits the width."""
    if one.offer != "keep_best":
        return one.words
    question = f"{one.words}: keep best? ({KEEP_BEST})"
    return question if len(question) + MARK <= width else f"{one.words} ({KEEP_BEST})"


def shortened(one: Remark, level: int) -> Remark:
    """The remark in fewer words, and still with its key."""
    if not level or not one.shorter:
        return one
    key = f" ({KEEP_BEST})" if one.offer == "keep_best" else ""
    return replace(one, words=f"{one.at(level)}{key}", offer="")


def fitted(remarks: Sequence[Remark], width: int, rows: int) -> list[list[Remark]]:
    """Lay remarks out in rows of this width.

    Without room for all, those give way that one can do without; then the others are put in fewer words, and at last
    the least important of them are left out. The first always stays.
    """
    lines: list[list[Remark]] = []
    for level, can_go in enumerate((CAN_GO, CAN_GO, LEAST_FIRST)):
        kept = [shortened(one, level) for one in remarks]
        while _height(lines := _lines(kept, width), width) > rows:
            found = [one for one in reversed(kept[1:]) if one.kind in can_go]
            if not found:
                break
            kept.remove(min(found, key=lambda one: LEAST_FIRST.index(one.kind)))
        else:
            break
    return lines


def _lines(remarks: Sequence[Remark], width: int) -> list[list[Remark]]:
    """As many remarks to a line as it holds."""
    lines: list[list[Remark]] = []
    for one in remarks:
        if lines and _width([*lines[-1], one], width) <= width:
            lines[-1].append(one)
        else:
            lines.append([one])
    return lines


def _width(line: Sequence[Remark], width: int) -> int:
    return sum(len(words(one, width)) + MARK for one in line) + len(GAP) * (len(line) - 1)


def _height(lines: Sequence[Sequence[Remark]], width: int) -> int:
    """Rows that the lines take; one that is too long is wrapped."""
    return sum(-(-_width(line, width) // width) for line in lines)
