"""The README's one table, taken from the tables of docs/benchmarks.md: nothing is measured here.

python benchmarks/readme.py            print it
python benchmarks/readme.py --write    also put it into the README
"""

from __future__ import annotations

import sys

from markdown import README, put, rows_of, table

# The rows of the table `bayes` that the README shows, and what it calls them.
SHOWN = {
    "`model4`, the chapter's": "`model4`, the chapter's model",
    "`hybrid`": "`hybrid`, model4 plus genres, ages and the like",
    "**`bayes`**": "**`bayes`**, with calibrated 90 % intervals",
    "Surprise 1.1.5 `SVD()`": "Surprise 1.1.5 `SVD()`",
    "Surprise `SVDpp()`": "Surprise 1.1.5 `SVDpp()`",
    "myFM 0.4.0, implicit sets and side information": "myFM 0.4.0, with side information",
}
OURS, THEIRS = "**cftui `model4`**", "fastai 2.8.12"


def summary() -> str:
    """The table, and a sentence on speed."""
    rows = {row["run here"]: row for row in rows_of("bayes")}
    text = table(
        ["MovieLens 100K", "RMSE, fold u1", "MSE, mean of five random splits", "time to fit"],
        [
            [name, rows[key]["RMSE on u1"], rows[key]["MSE, five random splits"], rows[key]["fitting"]]
            for key, name in SHOWN.items()
        ],
    )
    speed = {(row[""], row["settings"]): row for row in rows_of("compare")}
    ours, theirs = speed[OURS, "batch 64"], speed[THEIRS, "batch 64, each row once an epoch"]
    return (
        f"{text}\n\nOn one thread, `model4` fits in {ours['fitting']} where fastai's learner takes {theirs['fitting']} "
        f"for the same loss ({ours['MSE, mean of 5 splits']}).\n\n{lists()}"
    )


def lists() -> str:
    """A sentence on lists: NDCG@10 of the recipes that recommend, of the best of other libraries, and of popularity."""
    ndcg = {row["ranked by"]: float(row["NDCG@10"]) for row in rows_of("recommend")}
    theirs = {name: value for name, value in ndcg.items() if name.startswith(("implicit", "RecTools"))}
    best = max(theirs, key=lambda name: theirs[name])
    ours = {"`ease`": ndcg["**`ease`**, with its search"], "`ials`": ndcg["`ials`"]}
    said = [f"{name} {value:.3f}" for name, value in ours.items()]
    said += [f"{best} {theirs[best]:.3f}", f"`model4` {ndcg['`model4`']:.3f}", f"popularity {ndcg['popularity']:.3f}"]
    return f"The lists of ten, by NDCG on the same five random splits: {', '.join(said)}."


def main() -> None:
    text = summary()
    print(text)
    if "--write" in sys.argv:
        put("summary", text, README)


if __name__ == "__main__":
    main()
