"""The table of a run's epochs, or of its sweeps."""

from __future__ import annotations

from typing import Any, cast

from rich.text import Text

from cftui.engine.models.method import LOSS, NDCG
from cftui.engine.runs.events import EpochEvent, History
from cftui.text import number
from cftui.tui.shell.table import Table

# Table measures every cell: of a long run the last epochs are shown.
EPOCHS_SHOWN = 200
# The chapter's columns and the root mean squared error; widths that fit beside the form at 80 columns.
EPOCHS = {"epoch": 6, "train_loss": 11, "valid_loss": 11, "rmse": 7, "time": 8}
# A sweep takes no time worth a column; what matters is how sure the model is, and how rightly.
SWEEPS = {"sweep": 6, "train_loss": 11, "valid_loss": 11, "rmse": 6, "coverage": 9}
SWEEPS_WIDE = {"sweep": 6, "train_loss": 11, "valid_loss": 11, "rmse": 7, "noise": 7, "coverage": 10}
# A model that predicts no ratings is judged by its lists.
LISTS = {"epoch": 6, "train_loss": 11, "NDCG@10": 9, "time": 8}


class EpochTable(Table):
    """Rows as they come, the newest under the cursor as long as nobody moves it away or sorts them.

    Attributes:
        hint: what to press for what the table stands in the place of.
    """

    hint = ""
    _history: History | None = None
    _name = ""
    _shown = 0
    _columns: dict[str, int] = {}

    def show(self, name: str, history: History | None) -> None:
        """Draw what is new of the run's history; all of it where that is another run's."""
        epochs = history.epochs if history else []
        columns = self._fitting(history)
        anew = name != self._name or self._shown > len(epochs) or columns != self._columns
        # A run of many sweeps: now and then all rows but the last are dropped.
        if anew or self.row_count + len(epochs) - self._shown > 2 * EPOCHS_SHOWN:
            at_end = anew or self._at_end
            self.clear(columns=columns != self._columns)
            if columns != self._columns:
                for title, width in columns.items():
                    self.add_column(Text(title, justify="right"), key=title, width=width)
            self._shown = 0
        else:
            at_end = self._at_end
        self._name, self._history, self._columns = name, history, columns
        new = epochs[max(self._shown, len(epochs) - EPOCHS_SHOWN) :]
        for epoch in new:
            self.add_row(*_cells(epoch, columns))
        self._shown = len(epochs)
        if new and at_end:
            self.move_cursor(row=self.row_count - 1)
        self._say()

    @property
    def _at_end(self) -> bool:
        # In an order of their own, the newest is anywhere.
        return not self.arrangement.by and self.cursor_row >= self.row_count - 1

    def _fitting(self, history: History | None) -> dict[str, int]:
        if history is None:
            return EPOCHS
        if history.score == NDCG or history.unit != "sweep":
            shown = LISTS if history.score == NDCG else EPOCHS
            return {history.unit if column == "epoch" else column: width for column, width in shown.items()}
        return SWEEPS_WIDE if self.size.width > sum(SWEEPS_WIDE.values()) else SWEEPS

    def on_resize(self) -> None:
        if self._fitting(self._history) != self._columns:
            self.show(self._name, self._history)

    def _say(self) -> None:
        history = self._history
        if history is None:
            self.border_title, self.border_subtitle = "epochs", ""
            return
        one, best, last = history.unit, history.best, history.last
        self.border_title = f"{one}s"
        if one == "sweep" and last and "draws" in last:
            draws = last.get("draws") or 0
            self.border_title = f"sweeps  {draws:,} draws kept" if draws else "sweeps  burning in"
        score = history.score.key
        label = "" if score == LOSS.key else f"{history.score.label} "
        found = f"best: {one} {best['epoch']}, {label}{number(cast(Any, best)[score], 6)}" if best else ""
        self.border_subtitle = "   ".join(filter(None, (found, self.hint)))


def _cells(epoch: EpochEvent, columns: dict[str, int]) -> list[Text]:
    def cell(name: str, digits: int) -> str:
        value = epoch.get(name)
        return number(value, digits) if isinstance(value, float) else "-"

    minutes, seconds = divmod(epoch.get("seconds", 0.0), 60)
    coverage = epoch.get("coverage")
    cells = {
        "train_loss": cell("train_loss", 6),
        "valid_loss": cell("valid_loss", 6),
        "rmse": cell("rmse", 3),
        "NDCG@10": cell("ndcg", 4),
        "noise": cell("noise", 3),
        "coverage": "-" if coverage is None else f"{coverage:.1%}".replace("%", " %"),
        "time": f"{int(minutes):02d}:{seconds:04.1f}",
    }
    # The first column counts, whatever the unit is called.
    return [Text(cells.get(name, str(epoch["epoch"])), justify="right") for name in columns]
