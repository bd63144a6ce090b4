"""``cftui tour``: the chapter from the data to the map, as one verb."""

from __future__ import annotations

import click

from cftui.cli.output import narrate, print_facts, print_json, print_table, records
from cftui.cli.verb import HyperParameter, Session, Verb, pass_session
from cftui.engine.models.options import Options

EXAMPLE = "Silence of the Lambs, The (1991)"
DATA = "ml-100k"
USER = 196


@click.command(cls=Verb)
@click.option(
    "--seed",
    type=HyperParameter(Options.option("seed")),
    default=0,
    show_default=True,
    help="Seed of split, weights and order.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@pass_session
def tour(session: Session, seed: int, device: str) -> None:
    """Run the chapter in half a minute.

    The tour fetches MovieLens 100K, trains model4 on it, and shows biases, similar items, a prediction and the map.
    """
    import numpy as np

    from cftui.analysis import ranking
    from cftui.analysis.maps import components
    from cftui.analysis.maps import mapping as maps
    from cftui.analysis.trained import TrainedModel
    from cftui.cli.data import readable
    from cftui.cli.progress import DownloadBar
    from cftui.cli.train import EventPrinter
    from cftui.data import statistics
    from cftui.data.store import catalog, sources
    from cftui.engine import device as devices
    from cftui.engine.models.recipes import recipe
    from cftui.engine.training import train

    home, where = session.home, devices.choose(device)
    data_set = catalog.find(DATA, home)
    if not data_set.is_present:
        with DownloadBar(quiet=session.json) as bar:
            sources.get(DATA, home, say=narrate, progressbar=bar)
    tables = data_set.tables
    facts = statistics.describe(tables)

    def heading(text: str) -> None:
        if not session.json:
            print(f"\n{text}\n{'-' * len(text)}")

    heading(tables.label)
    if not session.json:
        print_facts(readable(facts, tables.noun))
        print()
        print_table(records(statistics.head(tables)))
    heading("model4: dot product, sigmoid range, biases, weight decay")
    run = train(
        home,
        recipe("model4"),
        recipe("model4").options(seed=seed),
        data=DATA,
        device=where,
        emit=EventPrinter(session.json),
    )
    model = TrainedModel.load(run)

    biases = ranking.biases(model)
    ends = {"least liked": biases.head(5), "most liked": biases.tail(5)[::-1]}
    item, user = model.item_code(EXAMPLE), model.user_code(USER)
    neighbours = ranking.similar(model, item, 5)
    well_known = ranking.similar(model, item, 5, only=ranking.Filter(min_ratings=50))
    predicted = float(model.predict(np.array([user]), np.array([item]))[0])
    shown, axes = maps.principal_map(model)
    corners = components.farthest(shown.table)
    if session.json:
        parts = {"biases": ends, "neighbours": neighbours, "corners": corners}
        print_json(
            {
                "facts": facts,
                "run": run.name,
                "biases": {name: records(end.drop(columns="code")) for name, end in parts["biases"].items()},
                "neighbours": records(neighbours.drop(columns="code")),
                "prediction": {"user": USER, "title": EXAMPLE, "predicted": predicted},
                "corners": records(corners.drop(columns="code")),
            }
        )
        return

    for name, end in ends.items():
        heading(f"{name} {tables.nouns} (item bias)")
        print_table(records(end[["bias", "ratings", "title"]]), {"bias": "+.3f"})
    for name, near in (("nearest", neighbours), ("nearest with 50 ratings or more", well_known)):
        heading(f"{EXAMPLE}: {name} (cosine)")
        print_table(records(near[["cosine", "ratings", "title"]]), {"cosine": ".3f"})
    heading(f"user {USER} would give {EXAMPLE}")
    print(f"{predicted:.2f}")
    heading("quadrant corners (PC1 {:.1%}, PC2 {:.1%} of the variance)".format(*axes.variance))
    shown = corners[["3", "2", "title"]].rename(columns={"3": "quadrant", "2": "distance"})
    print_table(records(shown), {"distance": ".4f"})
    narrate(f"\nthe run is kept in {run.path}; try next: cftui, or cftui similar 'Fargo (1996)'")
