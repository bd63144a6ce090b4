"""The pane of the prediction for the chosen user, and what there is to know of the item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from cftui.text import level, plural, printable, scaled
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.interval_bar import given_mark, interval_bar, interval_words
from cftui.tui.shell.rows import called, gauge, histogram

if TYPE_CHECKING:
    from cftui.analysis.ranking import About
    from cftui.analysis.users.people import Person

# Cells of an interval's track at the most.
TRACK_MOST = 40
# What is said of an item; its tags have a line of their own only where there is room for one more.
LINES_ABOUT = 6


class Prediction(Static):
    """What the user would give the item. Says when it has another size: what it shows depends on its width."""

    class Resized(Message):
        """It has."""

    _said = ""

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def answer(self, opened: OpenModel, who: Person, item: int, epoch: int | None = None) -> None:
        """Show the prediction.

        Args:
            epoch: the earlier epoch that other panes show. Only its items were kept, so predictions stay as trained.
        """
        import numpy as np

        from cftui.analysis import ranking

        model, given = opened.model, who.rating(item)
        about = ranking.about(model, opened.ratings, item)
        width = self.content_size.width
        self.border_title = Content(f"{called(who)} would {'give' if model.rates else 'choose'}")
        if not model.rates:
            first = _place(opened, who, item)
            said = f"chose it {plural(round(given or 0), 'time')}" if model.counted else f"gave {given or 0:g}"
            self._said = "unseen" if given is None else said
        elif opened.sure:
            first = self._interval(opened, who, item, given, width)
        else:
            predicted = float(model.rate(who.row, np.array([item]))[0])
            low, high = model.rating_range
            words = f"{scaled(predicted, model.rating_range)} "
            said = f"  gave {level(given)}" if given is not None else "  unseen"
            # The shortest gauge leaves one empty column before the frame.
            room = width - len(words) - len(said) - len(gauge(predicted, low, high, 1))
            first = Text.assemble((words, "bold"), gauge(predicted, low, high, min(max(room, 5), 24)), said)
            self._said = ""
        self.border_subtitle = Content("  ".join(filter(None, (self._said, "as trained" if epoch is not None else ""))))
        self._about(opened, about, first)

    def _interval(self, opened: OpenModel, who: Person, item: int, given: float | None, width: int) -> Text:
        """The 90 % interval of the prediction. The rating given is in the frame, since the line is full."""
        import numpy as np

        from cftui.analysis.evaluation.intervals import NINETY, intervals

        found, scale = intervals(opened.model, who.row, np.array([item])), opened.model.rating_range
        mean, half = float(found.centre[0]), NINETY * float(found.sd[0])
        words = interval_words(mean, mean - half, mean + half, scale)
        low, high = (level(end) for end in scale)
        # A space after the words, and around the bar; the bar has a frame of its own.
        room = width - len(words) - len(low) - len(high) - 5
        if room < 7:
            low, high, room = "", "", width - len(words) - 3
        track = min(max(room, 3), TRACK_MOST)
        bar = interval_bar(mean, mean - half, mean + half, scale, track, given)
        said = "unseen" if given is None else f"{given_mark(mean, given, scale, track)} gave {level(given)}"
        self._said = f"{said}   90 % interval"
        return Text.assemble((f"{words} ", "bold"), (f"{low} ".lstrip(), "dim"), bar, (f" {high}".rstrip(), "dim"))

    def _about(self, opened: OpenModel, about: About, first: Text) -> None:
        """The prediction, and beneath it what there is to know of the item."""
        width, scale = self.content_size.width, opened.model.rating_range
        rank = "" if about.rank is None else f"no. {about.rank:,} of {len(opened.model.items) - 1:,}"
        genres, tags = Text(" ".join(about.genres) or "no genre"), Text(", ".join(about.tags), style="dim")
        roomy = self.content_size.height > LINES_ABOUT
        lines = [
            first,
            Text(printable(about.title), style="bold"),
            *([genres, tags] if tags and roomy else [Text.assemble(genres, "  ", tags)]),
            Text(f"{plural(about.ratings, 'rating')}, mean {scaled(about.mean, scale)}"),
            Text("no bias" if about.bias is None else f"bias {scaled(about.bias, scale, '+')}, {rank}"),
            histogram(about, width),
        ]
        if opened.model.counted:
            lines[-3:] = [Text(f"{plural(about.ratings, 'user')}, {about.mean:.2f} times each")]
        self.update(Text("\n", no_wrap=True, overflow="ellipsis").join(lines), layout=False)


def _place(opened: OpenModel, who: Person, item: int) -> Text:
    """Where the item stands among what the user has not rated; a score alone would mean nothing."""
    from cftui.analysis import ranking

    place, of = ranking.place(opened.model, who, item)
    if place is None:
        return Text("no score: too few ratings", style="bold")
    return Text.assemble((f"no. {place:,}", "bold"), f" of {of:,} unseen {opened.model.nouns}")
