"""``cftui eval RECIPE --folds``: the cross-validation of a recipe."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import INTERRUPTED_STATUS, narrate, print_json, print_table
from cftui.cli.verb import Session
from cftui.engine.interrupts import StopRequested
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import Recipe
from cftui.text import number

if TYPE_CHECKING:
    from cftui.data.splits import Split
    from cftui.engine.crossval import FoldScore
    from cftui.engine.models.architectures import Architecture
    from cftui.engine.rankings import Evaluation

OFFICIAL = "official"
SCORES = ("mse", "rmse", "mae", "seconds")
COVERAGE = "in 90 %"
# Width and format of each score and of the coverage.
CELLS = (*((11, ".6f"),) * 3, (9, ".2f"), (9, ".1%"))


class Folds(click.ParamType):
    """The type of ``--folds``: a number of random folds, or ``official``."""

    name = "folds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == OFFICIAL:
            return OFFICIAL
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 2:
            self.fail(f"{value!r}: must be a whole number from 2, or {OFFICIAL}", param, ctx)
        return number


def evaluate_folds(
    session: Session,
    chosen: Recipe,
    options: Options,
    folds: int | str,
    data: str,
    device: str,
    ranking: dict[str, Any] | None,
    stop_requested: StopRequested,
) -> None:
    """Train and score ``chosen`` on each fold; print a row per fold, then the mean and the standard deviation.

    Args:
        folds: the number of random folds, or ``official``.
        ranking: the options of ``evaluate_rankings``, or None to score no ranked lists.

    Raises:
        click.exceptions.Exit: a stop was requested before the last fold.
    """
    import numpy as np

    from cftui.data import splits
    from cftui.engine import device as devices
    from cftui.engine import rankings as evaluation
    from cftui.engine.crossval import cross_validate
    from cftui.engine.list_baselines import beside_baselines
    from cftui.engine.training import open_ratings

    where = devices.choose(device)
    ratings = open_ratings(session.home, data, options.item_key)
    if isinstance(folds, int):
        parts, count, kind = splits.folds(ratings, folds, options.seed), folds, "random"
    else:
        parts, count, kind = splits.official_folds(ratings), len(ratings.known_splits), OFFICIAL
    if ranking is not None and ranking["relevant"] is not None:
        # Every rating is a validation rating in one of the folds.
        evaluation.check_threshold(ratings, np.arange(len(ratings)), ranking["relevant"])
    facts = {"recipe": chosen.name, "data": data, "kind": kind, "folds": count}
    headed = False

    def head(fold: Split) -> None:
        """Print the heading before the first row, when the options are known to be valid."""
        nonlocal headed
        if not headed and not session.json:
            narrate(
                f"{chosen.name} on {data}: {count} {kind} folds, {options.in_words()} "
                f"on {devices.describe(where)}, seed {options.seed}"
            )
            print(_row("fold", "ratings", *SCORES, *([COVERAGE] if chosen.fitting.intervals else [])), flush=True)
        headed = True

    def rank(fold: Split, model: Architecture) -> Evaluation:
        return beside_baselines(ratings, fold, {"model": evaluation.predicted(model)}, **(ranking or {}))

    found = []
    judge = rank if ranking is not None else None
    for fold in cross_validate(chosen, options, ratings, parts, where, stop_requested, head, judge):
        found.append(fold)
        numbers = _numbers(fold)
        if session.json:
            ranked: dict[str, Any] = {"ranking": _rankings(lists)} if (lists := _lists([fold])) else {}
            print_json({"event": "fold", "fold": fold.name, "ratings": fold.score.n, **numbers, **ranked})
        else:
            print(_row(fold.name, f"{fold.score.n:,}", *numbers.values()), flush=True)
    mean, sd = _summary(found)
    whole = len(found) == count
    lists = _lists(found)
    if session.json:
        ended = "done" if whole else "stopped"
        ranked = {"ranking": {"protocol": lists[0].protocol, **_rankings(lists)}} if lists else {}
        print_json({"event": ended, **facts, "finished": len(found), "mean": mean, "sd": sd, **ranked})
    elif whole:
        print(_row("mean", "", *mean.values()))
        print(_row("sd", "", *sd.values()))
        if lists:
            print()
            print_rankings(_rankings(lists), lists[0].k)
            print(f"\nmean of the folds; {lists[0].protocol}")
    if not whole:
        narrate(f"cftui: stopped after {len(found)} of {count} folds{_in_words(mean, sd)}")
        raise click.exceptions.Exit(INTERRUPTED_STATUS)


def _lists(found: list[FoldScore[Evaluation]]) -> list[Evaluation]:
    """Return the evaluations of the ranked lists, without folds that have no relevant ratings."""
    return [fold.judged for fold in found if fold.judged and fold.judged.users]


def _rankings(found: list[Evaluation]) -> dict[str, dict[str, float]]:
    """Return the mean over the folds of each metric, by scorer."""
    metrics = {name: [one.rankings[name].as_json() for one in found] for name in found[0].rankings}
    return {
        name: {metric: statistics.fmean(one[metric] for one in ones) for metric in ones[0]}
        for name, ones in metrics.items()
    }


def _numbers(fold: FoldScore) -> dict[str, float]:
    score = fold.score
    numbers = dict(zip(SCORES, (score.mse, score.rmse, score.mae, fold.seconds), strict=True))
    return numbers if fold.coverage is None else {**numbers, "coverage": fold.coverage}


def _summary(found: list[FoldScore]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the mean and the standard deviation (n - 1) of each score, NaN if there are too few folds."""
    columns = {name: [_numbers(fold)[name] for fold in found] for name in (_numbers(found[0]) if found else SCORES)}
    mean = {name: statistics.fmean(values) if found else float("nan") for name, values in columns.items()}
    sd = {name: statistics.stdev(values) if len(found) > 1 else float("nan") for name, values in columns.items()}
    return mean, sd


def _row(name: str, ratings: str, *scores: float | str) -> str:
    """Format a row: the name of a fold, its number of ratings and its scores; or the heading of these."""
    cells = [
        f"{score if isinstance(score, str) else format(score, spec):>{width}}"
        for score, (width, spec) in zip(scores, CELLS, strict=False)
    ]
    return f"{name:<12}{ratings:>11}" + "".join(cells)


def _in_words(mean: dict[str, float], sd: dict[str, float]) -> str:
    if mean["mse"] != mean["mse"]:
        return ""
    spread = f" (sd {number(sd['mse'], 4)})" if sd["mse"] == sd["mse"] else ""
    return f": mean MSE {number(mean['mse'], 4)}{spread}, RMSE {number(mean['rmse'], 4)}, MAE {number(mean['mae'], 4)}"


# The headings of the metrics, short enough for all of them to fit into eighty columns.
HEADINGS = {"ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "hit_rate": "hit rate", "rbp": "RBP", "item_knn": "item kNN"}


def print_rankings(by_scorer: dict[str, dict[str, float]], k: int) -> None:
    """Print the metrics of the ranked lists, a row for each scorer."""
    table = [
        {f"lists of {k}": HEADINGS.get(name, name), **{HEADINGS.get(at, at): value for at, value in one.items()}}
        for name, one in by_scorer.items()
    ]
    print_table(table, dict.fromkeys((HEADINGS.get(at, at) for at in by_scorer["model"]), ".4f"))
