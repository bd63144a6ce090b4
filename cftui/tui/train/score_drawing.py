"""What the chart shows of a run that is judged by its lists: NDCG over sweeps, over lambda, or beside its baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cftui.engine.runs.events import History
from cftui.tui.shell.colours import Colours

LABEL = "NDCG@10"


def draw_scores(
    plt: Any, history: History, others: Sequence[tuple[str, Any, History]], colours: Colours, lines: Mapping[str, str]
) -> None:
    """Draw on an empty plotext figure.

    Args:
        others: mark, colour and history of the runs to draw over it.
        lines: how the baselines are called.
    """
    if len(history.trials) > 1 and len(history.epochs) <= 1:
        _over_lambda(plt, history, colours)
    elif len(history.epochs) > 1:
        _over_units(plt, history, others, colours, lines)
    elif history.epochs:
        _beside_baselines(plt, history, colours, lines)
    else:
        plt.title("no score yet")


def scores(history: History) -> list[tuple[int, float]]:
    """The epochs that have a score: their number from 1, and the score."""
    return [(event["epoch"] + 1, ndcg) for event in history.epochs if (ndcg := event.get("ndcg")) is not None]


def _over_lambda(plt: Any, history: History, colours: Colours) -> None:
    """The search: each lambda with what it came to within the training ratings."""
    tried = [(trial["l2"], trial["ndcg"]) for trial in history.trials if trial["ndcg"] is not None]
    if not tried:
        plt.title("nothing relevant within the training ratings to judge lambda by")
        return
    at = [math.log(l2) for l2, _ in tried]
    plt.plot(at, [ndcg for _, ndcg in tried], marker="braille", color=colours.train)
    plt.scatter(at, [ndcg for _, ndcg in tried], marker="o", color=colours.valid)
    best = max(tried, key=lambda pair: pair[1])
    plt.scatter([math.log(best[0])], [best[1]], marker="@", color=colours.best)
    plt.xticks(at, [f"{l2:g}" for l2, _ in tried])
    plt.title(f"{LABEL} within the training ratings, by lambda")


def _over_units(
    plt: Any, history: History, others: Sequence[tuple[str, Any, History]], colours: Colours, lines: Mapping[str, str]
) -> None:
    found = scores(history)
    if not found:
        plt.title("no scores: this run has no validation ratings that are high enough")
        return
    end = max(max(at for at, _ in found), (history.start or {}).get("epochs") or 1)
    for name, value in history.baselines.items():
        if name in lines:
            plt.hline(value, colours.lines)
    for mark, colour, other in others:
        pairs = scores(other)
        plt.plot([at for at, _ in pairs], [ndcg for _, ndcg in pairs], marker=mark, color=colour)
        end = max(end, *(at for at, _ in pairs)) if pairs else end
    plt.scatter([at for at, _ in found], [ndcg for _, ndcg in found], marker="o", color=colours.valid)
    best = max(found, key=lambda pair: pair[1])
    plt.scatter([best[0]], [best[1]], marker="@", color=colours.best)
    plt.xlim(0, end)
    plt.title(f"{LABEL} on the validation ratings, by {history.unit}")


def _beside_baselines(plt: Any, history: History, colours: Colours, lines: Mapping[str, str]) -> None:
    found = scores(history)
    if not found:
        plt.title("no score: this run has no validation ratings that are high enough")
        return
    bars = {lines[name]: value for name, value in history.baselines.items() if name in lines}
    bars["this run"] = found[-1][1]
    plt.bar(list(bars), list(bars.values()), orientation="horizontal", color=colours.valid, width=0.4)
    plt.title(f"{LABEL} on the validation ratings")
