"""The line below the chart: how far a live run is and what it uses of the machine, or how a run ended."""

from __future__ import annotations

import datetime

from rich.text import Text

from cftui.engine.runs.events import History, Memory, where_in_words
from cftui.engine.runs.usage_text import in_words, megabytes
from cftui.text import parts_in_words
from cftui.tui.session.following import Followed

BAR = 5
# A fact with its importance: where there is no room for all, the least important gives way as a whole.
Fact = tuple[int, str]
IMPORTANCE = {"gpu": 7, "cpu": 5, "memory": 4, "gpu_memory": 4, "power": 3, "temperature": 2}


def status_line(followed: Followed, width: int) -> Text:
    """Progress, time left, speed, device and its use while a run is live; how it ended afterwards."""
    history = followed.history
    if history.start is None:
        return Text(f"{followed.name}: starting (loading PyTorch)" if followed.live else followed.problem or "no log")
    if followed.problem:
        facts = [(9, followed.problem)]
    elif followed.live:
        facts = [*_progress(history), (6, _speed(history)), (2, where_in_words(history.start)), *_use(history)]
        if not history.epochs:
            facts.append((7, parts_in_words(history.start)))
    else:
        state = history.ending["event"] if history.ending else "dead"
        facts = [(9, f"{state} after {history.elapsed:.1f} s"), (6, _speed(history))]
        facts += [(5, where_in_words(history.start)), (4, _memory(history))]
    room = max(width - 2, 20)
    text = Text("  ".join(_fitting(facts, room)), no_wrap=True)
    text.truncate(room, overflow="ellipsis")
    return text


def _fitting(facts: list[Fact], room: int) -> list[str]:
    """The facts for which there is room, in their order."""
    kept = [fact for fact in facts if fact[1]]
    while len(kept) > 1 and len("  ".join(text for _, text in kept)) > room:
        kept.remove(min(kept))
    return [text for _, text in kept]


def _progress(history: History) -> list[Fact]:
    done = history.progress
    filled = round(BAR * done)
    seconds = int(history.elapsed / done * (1 - done)) if done else None
    left = "" if seconds is None else f"{str(datetime.timedelta(seconds=seconds)).removeprefix('0:')} left"
    return [(1, "█" * filled + "░" * (BAR - filled)), (9, f"{done:.0%}"), (8, left)]


def _speed(history: History) -> str:
    speed = (history.last.get("ratings_per_second") if history.last else None) or 0.0
    if not speed and history.windows and history.elapsed and history.start:
        speed = history.windows[-1]["step"] * history.start["batch_size"] / history.elapsed
    if speed >= 1e6:
        return f"{speed / 1e6:.1f}M ratings/s"
    return f"{speed / 1000:,.0f}k ratings/s" if speed else ""


def _use(history: History) -> list[Fact]:
    """What the run uses, as its log said last; logs of older versions say only how much memory."""
    if history.usage is None:
        return [(IMPORTANCE["memory"], _memory(history))]
    return [(IMPORTANCE[name], words) for name, words in in_words(history.usage).items()]


def _memory(history: History) -> str:
    last: Memory = history.windows[-1] if history.windows else {}
    parts = [("", last.get("memory")), ("GPU ", last.get("gpu_memory"))]
    return "  ".join(f"{name}{megabytes(size)}" for name, size in parts if size)
