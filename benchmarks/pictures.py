"""Take the pictures of the README and the documentation from the app: docs/pictures/*.svg.

    python benchmarks/pictures.py [--out DIR] [NAME ...]

MovieLens 100K must be on disk. ``model4`` and ``bayes`` are trained on it with seed 0, each in its own home, so that
the pictures depend on nothing else. Two runs give the same files, except for Train, which shows the seconds of the
epochs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cftui.home import Home
from cftui.tui.main import CftuiApp

OUT = Path(__file__).resolve().parent.parent / "docs" / "pictures"
# Rich loads its font from a CDN. A picture should load nothing, so use the fonts of the reader's system.
FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
# The ids that Rich generates change with each run, so they are replaced by the name of the picture.
IDS = re.compile(r"terminal-\d+")


@dataclass(frozen=True)
class Picture:
    """A picture and the keys that lead to it; ``text:`` types a text, and ``rest`` waits."""

    title: str
    keys: tuple[str, ...]
    size: tuple[int, int] = (120, 36)
    recipe: str = "model4"


PICTURES = {
    "search": Picture("cftui: search", ("3", "text:silence of the lam"), (120, 44)),
    "me": Picture("cftui: become a user", ("3", "escape", "m", "5", "4", "2", "5", "3"), recipe="bayes"),
    "sure": Picture("cftui: how sure is it?", ("3", "text:raising arizona"), (120, 36), "bayes"),
    "map": Picture("cftui: map", ("4", "rest", "slash", "text:fargo", "enter"), (150, 40)),
    "train": Picture("cftui: train", ("2",)),
    "dataset": Picture("cftui: dataset", ("1",)),
}


async def take(home: Home, picture: Picture) -> str:
    """Return the app's screen after the keys, as SVG. Raises TimeoutError if the model does not open."""
    app = CftuiApp(home)
    app.title = picture.title
    async with app.run_test(size=picture.size) as pilot:

        async def until(ready: Callable[[], bool]) -> None:
            async with asyncio.timeout(60):
                while not ready():
                    await pilot.pause(0.05)
            await pilot.pause(0.5)

        await until(lambda: app.chosen is not None and not app.activity)
        for key in picture.keys:
            if key == "rest":
                await until(lambda: not app.screen.workers)
            elif key.startswith("text:"):
                for letter in key.removeprefix("text:"):
                    await pilot.press("space" if letter == " " else letter)
            else:
                await pilot.press(key)
                await pilot.pause(0.2)
        await until(lambda: not app.activity)
        return app.export_screenshot(title=picture.title)


def tidy(svg: str, name: str) -> str:
    """Remove the fonts from the network, and replace the ids that change with each run."""
    svg = (
        FACES.sub("", svg)
        .replace("Fira Code, monospace", FONT)
        .replace("font-family: Fira Code", f"font-family: {FONT}")
    )
    return IDS.sub(f"cftui-{name}", svg)


def prepare(home: Home, recipe: str) -> None:
    """Link the data set, and train the model."""
    home.data.mkdir(parents=True)
    (home.data / "ml-100k").symlink_to(Home.find().data / "ml-100k")
    environment = {**os.environ, "CFTUI_HOME": str(home.root)}
    command = [sys.executable, "-m", "cftui", "train", recipe, "--seed", "0", "--device", "cpu", "--name", recipe]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(PICTURES)}")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        homes: dict[str, Home] = {}
        for name in arguments.names or PICTURES:
            picture = PICTURES[name]
            if picture.recipe not in homes:
                homes[picture.recipe] = Home(Path(scratch).resolve() / picture.recipe)
                prepare(homes[picture.recipe], picture.recipe)
            svg = tidy(asyncio.run(take(homes[picture.recipe], picture)), name)
            path = arguments.out / f"{name}.svg"
            path.write_text(svg, encoding="utf-8")
            print(f"{path} ({len(svg) / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
