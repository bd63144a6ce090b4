"""``cftui eval``: is a run any good, and is a recipe, over folds?"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_json, print_table
from cftui.cli.reading import load
from cftui.cli.train import options_of, training_options
from cftui.cli.verb import Session, Verb, pass_session
from cftui.engine.interrupts import StopRequested, stop_requests
from cftui.engine.recipes import RECIPES, Options, Recipe, recipe
from cftui.errors import CftuiError

if TYPE_CHECKING:
    from cftui.analysis.calibration import Calibration
    from cftui.data.splits import Split
    from cftui.engine.crossval import FoldScore

OFFICIAL = "official"
OF_RANKING = ("k", "relevant", "users")
SCORES = ("mse", "rmse", "mae", "seconds")
COVERAGE = "in 90 %"
# Width and format of each score, and of the coverage.
CELLS = (*((11, ".6f"),) * 3, (9, ".2f"), (9, ".1%"))
# As a shell has it for a command that Ctrl+C ended: what was printed is not the whole.
INTERRUPTED = 130


class Folds(click.ParamType):
    """A number of random folds, or ``official``."""

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


@click.command("eval", cls=Verb)
@click.argument("name", metavar="[RUN|RECIPE]", required=False)
@click.option("--run", "run_name", metavar="RUN", help="The run to score: name, prefix, or latest [default: latest].")
@click.option("-k", type=click.IntRange(1, 10_000), metavar="N", default=10, show_default=True, help="Items in a list.")
@click.option("--relevant", type=float, metavar="RATING", help="What is liked [default: 4 on 1..5, else alike].")
@click.option("--users", type=click.IntRange(1), metavar="N", help="Rank for a sample of N users [default: for all].")
@click.option("--folds", type=Folds(), metavar="N|official", help="Train RECIPE on N random folds, or on u1..u5.")
@training_options
@pass_session
@click.pass_context
def evaluate(
    context: click.Context,
    session: Session,
    name: str | None,
    run_name: str | None,
    folds: int | str | None,
    k: int,
    relevant: float | None,
    users: int | None,
    **training: Any,
) -> None:
    """Score a run, or cross-validate a recipe.

    \b
    cftui eval                      the latest run
    cftui eval --run NAME           another one
    cftui eval model4 --folds 5     a recipe, trained and scored on each of five folds; no run is kept

    A run is scored by the error of its predictions on its own training and validation ratings, and by precision,
    recall, NDCG and MAP at k beside those of the most rated items. For these, relevant are a user's validation ratings
    of --relevant or more; ranked is every item with a training rating that the user has not rated in training (a
    relevant item without one counts as missed), ties by item code; the mean is over the users with something relevant.
    Of a bayes run also: how many validation ratings its 90 % intervals hold, all in all and by fifth of predicted
    standard deviation.

    Folds take the options of `cftui train`, from --data on. A row is printed as each ends; then the mean and the
    standard deviation (n - 1). --patience and --keep-best choose by the ratings that are scored.
    """
    given = [p for p in context.command.params if _was_given(context, p)]
    if folds is None:
        _refuse(given, list(training), "goes with RECIPE --folds; a run has been trained already")
        if name is not None and run_name is not None:
            raise click.UsageError("name the run once: as RUN or with --run")
        named = run_name if name is None else name
        _evaluate_run(session, "latest" if named is None else named, k, relevant, users)
        return
    _refuse(given, ["run_name"], "names a run, --folds trains a recipe; give one of them")
    _refuse(given, OF_RANKING, "goes with a run; folds are scored by their errors")
    if name is None:
        raise click.UsageError("--folds needs a recipe, such as: cftui eval model4 --folds 5")
    chosen, data, device, fast = recipe(name), training.pop("data_name"), training.pop("device"), training.pop("fast")
    options = options_of(chosen, fast, training)
    with stop_requests() as stop_requested:
        _evaluate_folds(session, chosen, options, folds, data, device, stop_requested)


def _was_given(context: click.Context, param: click.Parameter) -> bool:
    source = context.get_parameter_source(param.name) if param.name else None
    return source not in (None, click.core.ParameterSource.DEFAULT)


def _refuse(given: list[click.Parameter], names: Any, why: str) -> None:
    for param in given:
        if param.name in names:
            raise click.UsageError(f"{max(param.opts, key=len)} {why}")


def _evaluate_run(session: Session, run_name: str, k: int, relevant: float | None, users: int | None) -> None:
    from cftui.analysis import evaluation, ranking
    from cftui.engine.runs import all_runs

    if run_name in RECIPES and not any(run.name.startswith(run_name) for run in all_runs(session.home)):
        raise CftuiError(f"no run {run_name!r}; to cross-validate the recipe: cftui eval {run_name} --folds 5")
    model = load(session, run_name)
    ratings = model.ratings(session.home)
    scores = ranking.evaluate(model, ratings)
    parts = {part: {"ratings": s.n, "mse": s.mse, "rmse": s.rmse, "mae": s.mae} for part, s in scores.items()}
    split = model.split(ratings)
    if relevant is not None:
        evaluation.check_threshold(ratings, split, relevant)
    sure = ranking.calibration(model, ratings)
    scorers = {"model": evaluation.predicted(model), "popularity": evaluation.popularity(ratings, split)}
    if not session.json:
        # At once: the ranking of a large data set takes its time.
        rows = [{"part": part, **row} for part, row in parts.items()]
        print_table(rows, {"ratings": ",", "mse": ".6f", "rmse": ".6f", "mae": ".6f"})
        if sure is not None:
            _print_calibration(sure)
        print(flush=True)
    with _progress(session.json) as progress:
        found = evaluation.evaluate_rankings(
            ratings, split, scorers, k=k, relevant=relevant, sample=users, progress=progress
        )
    by_scorer = {name: one.as_json() for name, one in found.rankings.items()}
    if session.json:
        about = {"k": found.k, "relevant": found.relevant, "users": found.users, "protocol": found.protocol}
        calibrated = {} if sure is None else {"calibration": sure.as_json()}
        ranked = {"ranking": {**about, **by_scorer}}
        print_json({**model.facts(), "split": model.options.split, **parts, **calibrated, **ranked})
        return
    if not found.users:
        print(f"no ranking: no validation rating of {found.relevant:g} or more")
        return
    table = [
        {"ranked by": name, **{f"{metric}@{k}": value for metric, value in one.items()}}
        for name, one in by_scorer.items()
    ]
    print_table(table, {f"{metric}@{k}": ".4f" for metric in by_scorer["model"]})
    print(f"\n{found.users:,} users; {found.protocol}")


def _print_calibration(found: Calibration) -> None:
    rows = [{"valid, by predicted sd": f"fifth {at}", **asdict(part)} for at, part in enumerate(found.fifths, 1)]
    rows.append({"valid, by predicted sd": "all", **asdict(found.whole)})
    print(f"\n90 % intervals hold for {found.whole.coverage:.1%} of the validation ratings")
    print_table(rows, {"ratings": ",", "sd": ".3f", "rmse": ".3f", "coverage": ".1%"})


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's stderr; what is done at one go draws nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("users ranked for"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("rank")

    def show(done: int, of: int) -> None:
        if done < of:
            bar.start()
        bar.update(task, completed=done, total=of)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def _evaluate_folds(
    session: Session,
    chosen: Recipe,
    options: Options,
    folds: int | str,
    data: str,
    device: str,
    stop_requested: StopRequested,
) -> None:
    from cftui.data import splits
    from cftui.engine import device as devices
    from cftui.engine.crossval import cross_validate
    from cftui.engine.training import open_ratings

    where = devices.choose(device)
    ratings = open_ratings(session.home, data, options.item_key)
    if isinstance(folds, int):
        parts, count, kind = splits.folds(ratings, folds, options.seed), folds, "random"
    else:
        parts, count, kind = splits.official_folds(ratings), len(ratings.known_splits), OFFICIAL
    facts = {"recipe": chosen.name, "data": data, "kind": kind, "folds": count}
    headed = False

    def head(fold: Split) -> None:
        """Above the first row, once nothing can be wrong with the options any more."""
        nonlocal headed
        if not headed and not session.json:
            work = f"{options.epochs} epochs of batches of {options.bs:,}"
            if chosen.sampled:
                work = f"{options.epochs} sweeps, {options.factors} factors,"
            narrate(
                f"{chosen.name} on {data}: {count} {kind} folds, {work} "
                f"on {devices.describe(where)}, seed {options.seed}"
            )
            print(_row("fold", "ratings", *SCORES, *([COVERAGE] if chosen.sampled else [])), flush=True)
        headed = True

    found = []
    for fold in cross_validate(chosen, options, ratings, parts, where, stop_requested, head):
        found.append(fold)
        numbers = _numbers(fold)
        if session.json:
            print_json({"event": "fold", "fold": fold.name, "ratings": fold.score.n, **numbers})
        else:
            print(_row(fold.name, f"{fold.score.n:,}", *numbers.values()), flush=True)
    mean, sd = _summary(found)
    whole = len(found) == count
    if session.json:
        ended = "done" if whole else "stopped"
        print_json({"event": ended, **facts, "finished": len(found), "mean": mean, "sd": sd})
    elif whole:
        print(_row("mean", "", *mean.values()))
        print(_row("sd", "", *sd.values()))
    if not whole:
        narrate(f"cftui: stopped after {len(found)} of {count} folds{_in_words(mean, sd)}")
        raise click.exceptions.Exit(INTERRUPTED)


def _numbers(fold: FoldScore) -> dict[str, float]:
    score = fold.score
    numbers = dict(zip(SCORES, (score.mse, score.rmse, score.mae, fold.seconds), strict=True))
    return numbers if fold.coverage is None else {**numbers, "coverage": fold.coverage}


def _summary(found: list[FoldScore]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and standard deviation (n - 1) of each score; NaN where there are too few folds for it."""
    columns = {name: [_numbers(fold)[name] for fold in found] for name in (_numbers(found[0]) if found else SCORES)}
    mean = {name: statistics.fmean(values) if found else float("nan") for name, values in columns.items()}
    sd = {name: statistics.stdev(values) if len(found) > 1 else float("nan") for name, values in columns.items()}
    return mean, sd


def _row(name: str, ratings: str, *scores: float | str) -> str:
    """Of the fold called ``name``: the numbers of ``_numbers``, or what these are called."""
    cells = [
        f"{score if isinstance(score, str) else format(score, spec):>{width}}"
        for score, (width, spec) in zip(scores, CELLS, strict=False)
    ]
    return f"{name:<12}{ratings:>11}" + "".join(cells)


def _in_words(mean: dict[str, float], sd: dict[str, float]) -> str:
    if mean["mse"] != mean["mse"]:
        return ""
    spread = f" (sd {sd['mse']:.4f})" if sd["mse"] == sd["mse"] else ""
    return f": mean MSE {mean['mse']:.4f}{spread}, RMSE {mean['rmse']:.4f}, MAE {mean['mae']:.4f}"
