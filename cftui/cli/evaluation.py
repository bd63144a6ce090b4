"""``cftui eval``: the scores of a run, or of a recipe over folds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.folds import HEADINGS, Folds, evaluate_folds, print_rankings
from cftui.cli.output import narrate, print_json, print_table
from cftui.cli.reading import load
from cftui.cli.train import options_of, training_options
from cftui.cli.verb import Session, Verb, pass_session
from cftui.engine.interrupts import stop_requests
from cftui.engine.models.recipes import RECIPES, recipe
from cftui.errors import CftuiError
from cftui.text import plural

if TYPE_CHECKING:
    from cftui.analysis.evaluation.calibration import Calibration
    from cftui.data.ratings import Ratings
    from cftui.data.splits import Split
    from cftui.engine.rankings import Evaluation


class Lengths(click.ParamType):
    """The type of ``-k``: one or more lengths of a list."""

    name = "lengths"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(sorted({int(part) for part in str(value).split(",")}))
        except ValueError:
            found = (0,)
        if not all(1 <= one <= MOST for one in found):
            self.fail(f"{value!r}: must be a whole number from 1 to {MOST:,}, or several with commas", param, ctx)
        return found


# The longest list that is judged.
MOST = 10_000
OF_RANKING = ("k", "relevant", "users")


@click.command("eval", cls=Verb)
@click.argument("name", metavar="[RUN|RECIPE]", required=False)
@click.option(
    "--run", "run_name", metavar="RUN", help="The run to score: a name, a unique prefix, or latest [default: latest]."
)
@click.option(
    "-k",
    type=Lengths(),
    metavar="N[,N...]",
    default="10",
    show_default=True,
    help="Length of a list; several lengths, such as 5,10,20, are judged at once.",
)
@click.option(
    "--relevant",
    type=float,
    metavar="RATING",
    help="Relevance threshold: ratings of this or more are relevant [default: 4 on a 1-5 scale, scaled otherwise].",
)
@click.option(
    "--users", type=click.IntRange(1), metavar="N", help="Rank for a random sample of N users [default: all users]."
)
@click.option(
    "--rated-by",
    "rater_name",
    metavar="RUN",
    help="Also judge lists ordered by both runs: the score of this one times a root of the chance, by RUN, that the "
    "item would be liked.",
)
@click.option(
    "--protocol",
    metavar="NAME",
    help="Train and judge the lists of RECIPE as others do: cftui, recommenders, codex, last-out, global-time, "
    "unseen-users or sampled.",
)
@click.option(
    "--folds",
    type=Folds(),
    metavar="N|official",
    help="Train and score RECIPE on N random folds, or on the official folds u1..u5.",
)
@training_options
@pass_session
@click.pass_context
def evaluate(
    context: click.Context,
    session: Session,
    name: str | None,
    run_name: str | None,
    rater_name: str | None,
    protocol: str | None,
    folds: int | str | None,
    k: tuple[int, ...],
    relevant: float | None,
    users: int | None,
    **training: Any,
) -> None:
    """Score a run, or cross-validate a recipe.

    \b
    cftui eval                          score the latest run
    cftui eval --run NAME               score another run
    cftui eval --run A --rated-by B     judge the lists of two runs as one recommender
    cftui eval ease --protocol recommenders      train a recipe and judge its lists as others judge theirs
    cftui eval model4 --folds 5         train and score a recipe on each of five folds; no run is kept
    cftui eval model4 --folds 5 -k 10   score its ranked lists too

    The scores of a run are the errors of its predictions on its own training and validation ratings, and the metrics
    at k of its ranked lists beside popularity, item kNN and chance: how far to trust them, what the lists are like, and
    for whom they are good. Validation ratings of --relevant or more are relevant. A user's list ranks all items that
    have a training rating and that the user has not rated in training; ties are ordered by item code. A relevant item
    without a training rating counts as missed. The metrics are means over the users who have relevant items. For a
    bayes run, the calibration says how many validation ratings lie within their 90 % intervals, in all and by fifth of
    the predicted standard deviation.

    With --folds, all options of `cftui train` from --data on apply. Each fold prints a row when it ends; the mean and
    the standard deviation (n - 1) follow. The ranked lists are scored only if -k, --relevant or --users is given.
    --patience and --keep-best choose the epoch by the ratings that are scored, so the scores are then optimistic.
    """
    given = [p for p in context.command.params if _was_given(context, p)]
    if protocol is not None:
        if folds is not None:
            raise click.UsageError("--protocol brings its own splits; leave out --folds")
        _refuse(given, ["run_name", "rater_name"], "scores a run, and --protocol trains a recipe; give one of them")
        _refuse(given, ["relevant", "users"], "is set by the protocol")
        if name is None:
            raise click.UsageError("--protocol needs a recipe, such as: cftui eval ease --protocol recommenders")
        _judge(session, given, name, protocol, max(k), training)
        return
    if folds is None:
        _refuse(given, list(training), "has no effect on a run; to train a recipe on folds, add --folds N")
        if name is not None and run_name is not None:
            raise click.UsageError("the run is given twice, as RUN and with --run; give it once")
        chosen_run = run_name if name is None else name
        _evaluate_run(session, "latest" if chosen_run is None else chosen_run, rater_name, k, relevant, users)
        return
    _refuse(given, ["run_name", "rater_name"], "scores a run, and --folds trains a recipe; give one of them")
    if name is None:
        raise click.UsageError("--folds needs a recipe, such as: cftui eval model4 --folds 5")
    chosen, data, device, fast = recipe(name), training.pop("data_name"), training.pop("device"), training.pop("fast")
    options = options_of(chosen, fast, training)
    ranked = any(param.name in OF_RANKING for param in given)
    ranking = {"k": max(k), "relevant": relevant, "sample": users} if ranked else None
    with stop_requests() as stop_requested:
        evaluate_folds(session, chosen, options, folds, data, device, ranking, stop_requested)


def _judge(
    session: Session, given: list[click.Parameter], name: str, protocol: str, k: int, training: dict[str, Any]
) -> None:
    from cftui.analysis.evaluation import protocols
    from cftui.cli.protocols import evaluate_protocol

    named = {param.name for param in given}
    if "seed" not in named:
        training["seed"] = protocols.protocol(protocol).seed
    chosen, data, device, fast = recipe(name), training.pop("data_name"), training.pop("device"), training.pop("fast")
    options = options_of(chosen, fast, training)
    length = k if "k" in named else None
    with stop_requests() as stop_requested:
        evaluate_protocol(
            session, chosen, options, protocol, data, device, length, training.get("graded"), stop_requested
        )


def _was_given(context: click.Context, param: click.Parameter) -> bool:
    source = context.get_parameter_source(param.name) if param.name else None
    return source not in (None, click.core.ParameterSource.DEFAULT)


def _refuse(given: list[click.Parameter], names: Any, why: str) -> None:
    for param in given:
        if param.name in names:
            raise click.UsageError(f"{max(param.opts, key=len)} {why}")


def _evaluate_run(
    session: Session,
    run_name: str,
    rater_name: str | None,
    lengths: tuple[int, ...],
    relevant: float | None,
    users: int | None,
) -> None:
    from cftui.analysis.evaluation import accuracy, lists
    from cftui.analysis.evaluation.beside_popularity import LENGTH, note_lists
    from cftui.engine import rankings as evaluation
    from cftui.engine.list_baselines import beside_baselines
    from cftui.engine.runs.folder import all_runs
    from cftui.engine.runs.index import verdict_on

    if run_name in RECIPES and not any(run.name.startswith(run_name) for run in all_runs(session.home)):
        raise CftuiError(f"no run {run_name!r}; to cross-validate the recipe: cftui eval {run_name} --folds 5")
    model = load(session, run_name)
    ratings = model.ratings(session.home)
    scores = accuracy.evaluate(model, ratings)
    parts = {part: {"ratings": s.n, "mse": s.mse, "rmse": s.rmse, "mae": s.mae} for part, s in scores.items()}
    split = model.split(ratings)
    if relevant is not None:
        evaluation.check_threshold(ratings, split.valid, relevant)
    sure = accuracy.calibration(model, ratings)
    if not session.json and parts:
        # Print the errors now, because ranking a large data set takes long.
        rows = [{"part": part, **row} for part, row in parts.items()]
        print_table(rows, {"ratings": ",", "mse": ".6f", "rmse": ".6f", "mae": ".6f"})
        if sure is not None:
            _print_calibration(sure)
        print(flush=True)
    scorers = {"model": evaluation.predicted(model.module)}
    if rater_name is not None:
        from cftui.analysis.pair import Pair

        both = Pair.of(model, load(session, rater_name), ratings)
        scorers |= {"both": both.scorer(), "rater": evaluation.predicted(both.rater.module)}
    with _progress(session.json) as progress:
        found = beside_baselines(
            ratings,
            split,
            scorers,
            k=max(lengths),
            relevant=relevant,
            sample=users,
            progress=progress,
        )
    if max(lengths) == LENGTH and relevant is None and users is None:
        note_lists(model, found)
    worth = verdict_on(session.home, model.folder())
    by_length = {k: {name: one.as_json() for name, one in found.at(k).items()} for k in lengths}
    if session.json:
        about = {"k": found.k, "relevant": found.relevant, "users": found.users, "protocol": found.protocol}
        calibrated = {} if sure is None else {"calibration": sure.as_json()}
        ranked: dict[str, Any] = {"ranking": {**about, **by_length[found.k]}}
        if len(by_length) > 1:
            ranked["ranking"]["by_length"] = {str(k): one for k, one in by_length.items()}
        if found.users:
            ranked["lists"] = {
                name: {
                    "ndcg_interval": asdict(interval),
                    **lists.beyond(ratings, split, found, name).as_json(),
                    "ndcg_by_activity": lists.by_activity(ratings, split, found, name),
                    "recall_by_popularity": lists.by_popularity(ratings, split, found, name),
                }
                for name, interval in lists.doubt(found).items()
            }
        said = {"verdict": worth and worth.as_json()}
        print_json({**model.facts(), "split": model.options.split, **parts, **calibrated, **ranked, **said})
        return
    if worth is not None:
        print(f"{worth}\n")
    if not found.users:
        if not len(split.valid):
            print(f"no ranking: split {model.options.split} has no validation ratings")
        else:
            print(f"no ranking: no validation rating is {found.relevant:g} or more; give a lower --relevant")
        return
    for k in sorted(lengths):
        print_rankings(by_length[k], k)
        print()
    _print_lists(found, ratings, split)
    print(f"{plural(found.users, 'user')}; {found.protocol}")
    versus = lists.difference(found, "model", "popularity")
    if versus.is_chance or versus.of.mean < 0:
        print(f"\n{versus.in_words('this run', 'popularity')}")
        narrate("for better lists on these ratings: cftui train ease")


def _print_lists(found: Evaluation, ratings: Ratings, split: Split) -> None:
    """Print how far the NDCG can be trusted, what the lists are like, and for whom they are good."""
    from cftui.analysis.evaluation import lists

    rows, terciles = [], []
    for name, interval in lists.doubt(found).items():
        what = lists.beyond(ratings, split, found, name)
        heading = f"lists of {found.k}"
        rows.append(
            {
                heading: HEADINGS.get(name, name),
                "NDCG, 95 %": f"{interval.low:.3f} to {interval.high:.3f}",
                "coverage": f"{what.coverage:.1%}",
                "Gini": what.gini,
                "novelty": what.novelty,
                "ratings": what.popularity,
                "diversity": what.diversity,
            }
        )
        activity = lists.by_activity(ratings, split, found, name)
        of_items = lists.by_popularity(ratings, split, found, name)
        terciles.append(
            {
                heading: HEADINGS.get(name, name),
                **{f"users: {part}": value for part, value in zip(("few", "some", "many"), activity, strict=True)},
                **{f"items: {part}": value for part, value in zip(("few", "some", "many"), of_items, strict=True)},
            }
        )
    print_table(rows, {"Gini": ".3f", "novelty": ".2f", "ratings": ".0f", "diversity": ".3f"})
    print("\nby tercile of the number of ratings: NDCG by user, share of the relevant found by item\n")
    print_table(terciles, dict.fromkeys(list(terciles[0])[1:], ".3f"))
    print()


def _print_calibration(found: Calibration) -> None:
    rows = [{"valid, by predicted sd": f"fifth {at}", **asdict(part)} for at, part in enumerate(found.fifths, 1)]
    rows.append({"valid, by predicted sd": "all", **asdict(found.whole)})
    print(f"\n{found.whole.coverage:.1%} of the validation ratings lie within their 90 % intervals")
    print_table(rows, {"ratings": ",", "sd": ".3f", "rmse": ".3f", "coverage": ".1%"})


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr if that is a terminal. Work that is done in one step draws nothing.

    Yields:
        A function to call with the number of users done and the number of all.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("users ranked"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
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
