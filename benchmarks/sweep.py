"""Measure what a sweep gains: the setting that it chooses on each of five random splits, and its validation loss.

    python benchmarks/sweep.py            print the table
    python benchmarks/sweep.py --write    also put it into docs/benchmarks.md

For each seed, `cftui sweep model4` tries its default grid: 16 pairs of weight decays, each scored on a fifth of the
training ratings. Only the chosen setting is scored on the validation ratings. The settings are five epochs, batch 64,
50 factors and learning rate 5e-3.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown import put, table

from cftui.data.splits import split
from cftui.engine import device
from cftui.engine.models.recipes import RECIPES
from cftui.engine.sweep import as_words
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

RECIPE = "model4"


def swept(home: Path, seed: int, words: list[str]) -> dict:
    """Run ``cftui sweep --json`` and return its last line."""
    command = [sys.executable, "-m", "cftui", "sweep", RECIPE, "--seed", str(seed), "--json", "--device", "cpu"]
    done = subprocess.run([*command, "--home", home, *words], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("words", nargs="*", help="more arguments for cftui sweep, after --")
    arguments = parser.parse_args()

    ratings = open_ratings(Home.find(), "ml-100k")
    rows, found, plain = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(Home.find().data / "ml-100k", home / "data" / "ml-100k")
        for seed in range(arguments.seeds):
            outcome = swept(home, seed, arguments.words)
            trainer = fitter_for(
                RECIPES[RECIPE],
                RECIPES[RECIPE].options(seed=seed),
                ratings,
                split(ratings, "random", seed),
                device.choose("cpu"),
            )
            trainer.fit()
            plain.append(trainer.validate().mse)
            found.append(outcome["valid_loss"])
            setting = as_words(outcome["setting"])
            rows.append([str(seed), setting, f"{outcome['inner_loss']:.4f}", f"{found[-1]:.4f}", f"{plain[-1]:.4f}"])
            print(" | ".join(rows[-1]), file=sys.stderr)
    rows.append(["mean", "", "", f"**{statistics.mean(found):.4f}**", f"{statistics.mean(plain):.4f}"])
    text = table(
        ["seed", "chosen", "loss it was chosen by", "loss on the held-back fifth", f"`{RECIPE}` as it is"], rows
    )
    print(text)
    if arguments.write:
        put("sweep", text + "\n\n`python benchmarks/sweep.py --write`.")


if __name__ == "__main__":
    main()
