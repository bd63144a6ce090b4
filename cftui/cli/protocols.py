"""``cftui eval RECIPE --protocol NAME``: judge a recipe's lists as others judge theirs."""

from __future__ import annotations

import statistics
from typing import Any

import click

from cftui.cli.folds import HEADINGS
from cftui.cli.output import INTERRUPTED_STATUS, narrate, print_json, print_table
from cftui.cli.verb import Session
from cftui.engine.interrupts import StopRequested
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import Recipe
from cftui.text import plural

NAMES = {**HEADINGS, "map_r": "MAP (by r)"}


def evaluate_protocol(
    session: Session,
    chosen: Recipe,
    options: Options,
    name: str,
    data: str,
    device: str,
    k: int | None,
    graded: bool | None,
    stop_requested: StopRequested,
) -> None:
    """Fit a recipe as the protocol says, and print the metrics that the protocol reports.

    Raises:
        click.exceptions.Exit: a stop was requested before the last part.
    """
    from cftui.analysis.evaluation import lists, protocols
    from cftui.engine import device as devices
    from cftui.engine.training import open_ratings

    how = protocols.protocol(name)
    ratings = open_ratings(session.home, data, options.item_key)
    count = len(list(how.parts(ratings, options.seed)))
    narrate(f"{chosen.name} on {data} by protocol {how.name}: {how.summary}; seed {options.seed}")
    found = []
    where = devices.choose(device)
    judged = protocols.judge(chosen, options, how, ratings, where, graded=graded, k=k, should_stop=stop_requested)
    for one in judged:
        found.append(one)
        if count > 1:
            narrate(f"part {len(found)} of {count}: NDCG@{one.k} {one.rankings['model'].ndcg:.4f}")
    if len(found) < count:
        narrate(f"stopped after {len(found)} of {count} parts")
        raise click.exceptions.Exit(INTERRUPTED_STATUS)
    rows = {
        scorer: {metric: statistics.fmean(how.figures(one, scorer)[metric] for one in found) for metric in how.metrics}
        for scorer in found[0].lists
    }
    facts: dict[str, Any] = {"recipe": chosen.name, "data": data, "protocol": how.name, "seed": options.seed}
    facts |= {"k": found[0].k, "relevant": how.relevant_in_words(ratings), "users": sum(one.users for one in found)}
    if session.json:
        ndcg = lists.doubt(found[0])["model"] if len(found) == 1 else None
        interval = {} if ndcg is None else {"ndcg_interval": {"low": ndcg.low, "high": ndcg.high}}
        print_json({**facts, "summary": how.summary, "source": how.source, **interval, "lists": rows})
        return
    table = [
        {f"lists of {found[0].k}": NAMES.get(scorer, scorer), **{NAMES.get(at, at): value for at, value in row.items()}}
        for scorer, row in rows.items()
    ]
    print_table(table, dict.fromkeys((NAMES.get(metric, metric) for metric in how.metrics), ".4f"))
    print(f"\n{plural(facts['users'], 'user')}; {facts['relevant']}" + (f"; see {how.source}" if how.source else ""))
