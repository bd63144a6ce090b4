"""``cftui runs lists``: the lists of several runs on the same ratings, as figures or side by side for one user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_json, print_table
from cftui.cli.reading import load
from cftui.cli.verb import Session, Verb, pass_session
from cftui.errors import CftuiError

if TYPE_CHECKING:
    from cftui.analysis.trained import TrainedModel
    from cftui.home import Home


@click.command(cls=Verb)
@click.argument("names", metavar="[RUN]...", nargs=-1)
@click.option("--user", metavar="ID", help="Print the lists of two to four runs side by side for this user.")
@pass_session
def lists(session: Session, names: tuple[str, ...], user: str | None) -> None:
    """Compare the lists of runs that were trained on the same ratings.

    \b
    cftui runs lists                              all runs on the ratings of the latest
    cftui runs lists RUN                          all runs on the ratings of RUN
    cftui runs lists A B                          these two
    cftui runs lists A B popularity --user 196    their lists for one user

    Accuracy is NDCG@10. Novelty is the mean self-information of what is recommended, in bits: the fewer users rated
    it, the higher. Popularity and item kNN stand beside the runs. A run is judged once and the figures are kept with
    it; on a large set, a sample of 1,000 users is judged. With --user, ✓ marks what the user liked among the ratings
    that were held back, and a number says which place the item has in the first list.
    """
    model, chosen = _chosen(session, names)
    if user is None:
        _print_points(session, model, chosen)
    else:
        _print_side_by_side(session, model, chosen if len(names) > 1 else [], user)


def _chosen(session: Session, names: tuple[str, ...]) -> tuple[TrainedModel, list[str]]:
    """The first run, loaded, and the full names of all, each once."""
    from cftui.analysis.evaluation.side_by_side import POPULARITY
    from cftui.engine.runs.folder import find

    full = list(dict.fromkeys(one if one == POPULARITY else find(session.home, one).name for one in names))
    first = next((one for one in full if one != POPULARITY), "latest")
    return load(session, first), full


def _check(model: TrainedModel, home: Home, names: list[str]) -> None:
    from cftui.analysis.evaluation.comparing import check_same_ratings
    from cftui.analysis.evaluation.side_by_side import POPULARITY
    from cftui.engine.runs.folder import find

    for name in names:
        if name != POPULARITY:
            check_same_ratings((model.name, model.trained_on), (name, find(home, name).config().trained_on))


def _print_points(session: Session, model: TrainedModel, names: list[str]) -> None:
    from cftui.analysis.evaluation.list_points import list_points

    _check(model, session.home, names)
    only = names if len(names) > 1 else []
    points = [
        one
        for one in list_points(model, model.ratings(session.home), session.home)
        if not only or not one.recipe or one.name in only
    ]
    points.sort(key=lambda one: -one.ndcg)
    if session.json:
        print_json(
            [{"run": one.name, "recipe": one.recipe, "ndcg": one.ndcg, "novelty": one.novelty} for one in points]
        )
        return
    rows = [{"run": one.name, "recipe": one.recipe, "NDCG@10": one.ndcg, "novelty": one.novelty} for one in points]
    print_table(rows, {"NDCG@10": ".4f", "novelty": ".2f"})
    narrate("novelty: mean self-information of what is recommended, in bits")


def _print_side_by_side(session: Session, model: TrainedModel, names: list[str], user: str) -> None:
    from cftui.analysis.evaluation.side_by_side import side_by_side

    code = model.users.code(user)
    if not code:
        raise CftuiError(f"no user {user} in {model.data_name}", kind="unknown", option="user")
    found = side_by_side(model, model.ratings(session.home), session.home, names=names)
    shown = found.lists(code)
    if shown is None:
        raise CftuiError(f"nothing of user {user} is held back to judge lists by", hint="choose another --user")
    rows: dict[str, list[dict[str, Any]]] = {
        name: [{"title": model.titles[one.code], "hit": bool(one.hit), "first": one.first} for one in places]
        for name, places in shown.items()
    }
    if session.json:
        print_json({**model.facts(), "user": user, "ndcg": dict(found.ndcg), "lists": rows})
        return
    first = found.names[0]

    def cell(name: str, at: int) -> str:
        if at >= len(rows[name]):
            return ""
        one = rows[name][at]
        place = "" if name == first else f"{one['first'] or '-'} "
        return f"{place}{one['title']}{' ✓' if one['hit'] else ''}"

    length = max(len(places) for places in rows.values())
    heads = {name: f"{name} {found.ndcg[name]:.3f}" for name in rows}
    print_table([{"place": at + 1, **{heads[name]: cell(name, at) for name in rows}} for at in range(length)])
    narrate("✓: liked, and held back; a number: the place in the first list")
