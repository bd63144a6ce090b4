"""What the chart shows of a run with one NDCG: those of the lambdas it tried, or its own beside its baselines."""

from __future__ import annotations

import math
from typing import Any

from cftui.engine.runs.events import History
from cftui.tui.shell.colours import Colours

LABEL = "NDCG@10"
# The names of the baselines.
LINES = {"global_mean": "mean", "bias_only": "bias only", "popularity": "popularity", "item_knn": "item kNN"}


def is_curve(history: History) -> bool:
    """Whether the scores are a curve over sweeps, which is drawn as a curve of losses is."""
    return len(history.epochs) > 1


def draw_scores(plt: Any, history: History, colours: Colours) -> None:
    """Draw on an empty plotext figure what is no curve over sweeps."""
    if len(history.trials) > 1:
        _over_lambda(plt, history, colours)
    elif history.epochs:
        _beside_baselines(plt, history, colours)
    else:
        plt.title("no score yet")


def _over_lambda(plt: Any, history: History, colours: Colours) -> None:
    """The search: each lambda with what it came to within the training ratings."""
    tried = [(one["l2"], ndcg) for one in history.trials if (ndcg := one.get("ndcg")) is not None and one["l2"] > 0]
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


def _beside_baselines(plt: Any, history: History, colours: Colours) -> None:
    ndcg = history.epochs[-1].get("ndcg")
    if ndcg is None:
        plt.title("no score: this run has no validation ratings that are high enough")
        return
    bars = {LINES[name]: value for name, value in history.baselines.items() if name in LINES}
    bars["this run"] = ndcg
    plt.bar(list(bars), list(bars.values()), orientation="horizontal", color=colours.valid, width=0.4)
    plt.title(f"{LABEL} on the validation ratings")
