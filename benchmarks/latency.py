"""Measure the latency with 59,047 titles: of single functions, and of the app from a key to the last byte on a pty.

    python benchmarks/latency.py                       make ratings in the shape of ML-25M, train on them, measure
    python benchmarks/latency.py --home DIR            keep data and run in DIR, and reuse them the next time
    python benchmarks/latency.py --shape tiny --keys 4 --home DIR      check quickly whether the script works

The ratings are synthetic (``cftui data synth``), and ``model4`` is trained on them for one epoch with a large batch.
Every item gets a title made of words from the titles of MovieLens 100K, because searching needs realistic titles. The
app runs on one thread. A key without an answer after PATIENCE seconds counts as that many. On a machine that does
other things as well, compare the processor's time, and that with the least that a key press costs in the same run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import long_log
import numpy as np
from markdown import put, table
from pty_app import Terminal

from cftui import settings
from cftui.data.store import catalog
from cftui.data.synth import generate as synth
from cftui.data.synth import shapes
from cftui.engine.runs.folder import RunFolder
from cftui.home import Home

RUN = "model4-synth"
TRAIN = ("--epochs", "1", "--lr", "0.05", "--device", "cpu")
SIZES = ((80, 24), (160, 48))
BUDGET = 50
LEAST = "the least: a step in a text field"
LONG, LONG_EPOCHS = "long", 8_000
PATIENCE = 2.0  # seconds
UP, DOWN, RIGHT, LEFT, ESCAPE, CLEAR = b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b", b"\x15"
SCREENS = [b"\x1bOP", b"\x1bOQ", b"\x1bOR", b"\x1bOS"]  # F1 to F4
YEAR = re.compile(r" \(\d{4}\)$")


# Set-up


def prepare(home: Home, shape: str) -> None:
    """Make the data set, a model trained on it and realistic titles, unless they exist already."""
    home.data.mkdir(parents=True, exist_ok=True)
    if not catalog.find("ml-100k", home).is_present:
        (home.data / "ml-100k").symlink_to(Home.find().data / "ml-100k")
    synth.make(shape, home, say=lambda line: print(line, file=sys.stderr))
    if not (home.models / RUN).is_dir():
        words = ["train", "model4", "--data", f"{shapes.PREFIX}{shape}", "--name", RUN, *TRAIN]
        words += ["--bs", str(min(131_072, shapes.shape(shape).ratings // 50))]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "env": environment(home)}
        subprocess.run([sys.executable, "-m", "cftui", *words], check=True, **quiet)
        rename_items(home)
    if not (home.models / LONG).is_dir():
        long_log.make(home, LONG, LONG_EPOCHS, data=f"{shapes.PREFIX}{shape}")


def rename_items(home: Home) -> None:
    """Give the run's items titles with words and lengths drawn from the titles of MovieLens 100K."""
    known = [YEAR.sub("", title).split() for title in catalog.open_tables("ml-100k", home).items["title"]]
    path = home.models / RUN / "vocabulary.json"
    vocabulary = json.loads(path.read_text())
    years = vocabulary["item_table"]["year"][1:]
    random = np.random.default_rng(0)
    lengths = random.choice([len(words) for words in known], len(years)).tolist()
    word = iter(random.choice([word for words in known for word in words], sum(lengths)).tolist())
    titles = [f"{' '.join(next(word) for _ in range(n))} ({year})" for n, year in zip(lengths, years, strict=True)]
    vocabulary["item_table"]["title"][1:] = titles
    path.write_text(json.dumps(vocabulary))


def environment(home: Home) -> dict[str, str]:
    made = {**os.environ, "CFTUI_HOME": str(home.root), "TERM": "xterm-256color", "OMP_NUM_THREADS": "1"}
    made.pop("COLORTERM", None)
    return made


def with_typo(title: str, random: np.random.Generator) -> str:
    """Return ``title`` with one letter left out, two letters swapped, or one letter replaced."""
    at, kind = int(random.integers(1, max(len(title) - 2, 2))), int(random.integers(3))
    if kind == 0:
        return title[:at] + title[at + 1 :]
    if kind == 1:
        return title[:at] + title[at : at + 2][::-1] + title[at + 2 :]
    return title[:at] + "x" + title[at + 1 :]


# Single functions


def milliseconds(function: Callable[[], object], repeats: int) -> list[float]:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def quantile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * share) - 1, 0)]


def functions(home: Home) -> list[list[str]]:
    """Return the rows of the table: function, median and p95."""
    from textual.geometry import Size

    from cftui.analysis import ranking
    from cftui.analysis.explain import explaining as explain
    from cftui.analysis.maps import mapping as maps
    from cftui.analysis.search import TitleIndex
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users import folding, people
    from cftui.engine.runs.folder import find
    from cftui.tui.map.point_map import PointMap
    from cftui.tui.session.workspace import OpenModel

    model = TrainedModel.load(find(home, RUN))
    rows = []

    def note(name: str, taken: Sequence[float]) -> None:
        rows.append([name, f"{quantile(taken, 0.5):,.1f} ms", f"{quantile(taken, 0.95):,.1f} ms"])
        print(" | ".join(rows[-1]), file=sys.stderr)

    def repeat(name: str, function: Callable[[], object], repeats: int = 40) -> None:
        function()  # fill the caches
        note(name, milliseconds(function, repeats))

    note("title index, built once", milliseconds(lambda: TitleIndex(model.titles, model.counts), 5))
    ratings, index = model.ratings(home), TitleIndex(model.titles, model.counts)
    opened = OpenModel(model, ratings, home)
    opened.prepare()
    random = np.random.default_rng(1)
    chosen = [model.titles[code] for code in random.integers(1, len(model.titles), 100).tolist()]
    for name, texts in (
        ("search, each key of 100 titles", chosen),
        ("search, each key of 100 titles with a typo", [with_typo(title, random) for title in chosen]),
    ):
        prefixes = [text[:length] for text in texts for length in range(1, len(text) + 1)]
        note(name, [milliseconds(partial(index.matches, prefix), 1)[0] for prefix in prefixes])

    by_count = np.argsort(-model.counts, kind="stable")
    item, known, baseline = int(by_count[len(by_count) // 20]), opened.prior, opened.baseline
    user = people.person(model, ratings, home, str(model.users.classes[1]))
    busy_code = int(np.bincount(ratings.user).argmax())
    busy = people.person(model, ratings, home, str(model.users.classes[busy_code]))
    ten, given = by_count[:10].astype(np.int64), np.array([5, 4, 3, 4, 2, 5, 1, 4, 3, 5], np.float32)
    repeat("neighbours, cosine", lambda: ranking.similar(model, item, 100))
    repeat("neighbours, Euclidean", lambda: ranking.similar(model, item, 100, metric="euclidean"))
    repeat("about an item", lambda: ranking.about(model, ratings, int(by_count[0])))
    repeat("recommendations", lambda: ranking.recommend(model, user, 100))
    repeat("explanation, its terms", lambda: explain.explain(model, user.row, item, baseline))
    repeat(f"what pulls, {len(user.items):,} ratings", lambda: people.pulls(model, user, item, known))
    repeat(f"what pulls, {len(busy.items):,} ratings", lambda: people.pulls(model, busy, item, known), 2)
    repeat(
        "fold-in of ten ratings, and recommendations",
        lambda: ranking.recommend(model, people.folded(model, "me", ten, given, known), 100),
    )
    repeat("the next question", lambda: folding.questions(model, ten, given, 1, known=known))
    repeat("principal components, once", lambda: maps.principal_map(model), 5)
    item_map = maps.principal_map(model)[0]
    repeat("trust of an item's place", lambda: maps.trust(item_map, item))
    group = maps.groups(model, item_map.table, "quadrant")[0]
    for columns, lines in SIZES:
        drawing, size = PointMap(), Size(columns, lines)
        drawing.show(item_map.xy, group, {})
        repeat(f"{len(group):,} points drawn, {columns}x{lines}", partial(drawing._draw, size))
    return rows


# The app on a pty


class Press(NamedTuple):
    """What a key press took: milliseconds to the last byte, and of the processor's time."""

    wall: float
    cpu: float


class Keys:
    """Presses keys, and records the cost of each by its purpose.

    Args:
        most: the largest number of keys per purpose.
    """

    def __init__(self, terminal: Terminal, most: int) -> None:
        self.terminal, self.most = terminal, most
        self.taken: dict[str, list[Press]] = {}

    def press(self, what: str, keys: Iterable[bytes]) -> None:
        """Press keys and record their costs, at most ``most`` per purpose; stop after a key without an answer."""
        found = self.taken.setdefault(what, [])
        for key in keys:
            if len(found) == self.most:
                break
            before = self.terminal.cpu()
            took = self.terminal.press(key, PATIENCE)
            found.append(Press(took or PATIENCE * 1000, (self.terminal.cpu() - before) * 1000))
            if not took:
                break

    def aside(self, *keys: bytes, rest: float = 0.3) -> None:
        """Press keys without recording their costs."""
        for key in keys:
            self.terminal.press(key, 0.5)
        self.terminal.read(rest)

    def type(self, what: str, texts: Iterable[str]) -> None:
        """Type texts and record the cost of each letter; the field is cleared after each text."""
        for text in texts:
            taken = self.taken.get(what, [])
            if len(taken) == self.most or any(press.wall == PATIENCE * 1000 for press in taken):
                break
            self.press(what, (letter.encode() for letter in text))
            self.aside(CLEAR, rest=0)


@contextlib.contextmanager
def app(home: Home, columns: int, lines: int) -> Iterator[Terminal]:
    """Start the app as it was left on this data set, and wait until it shows the model."""
    data = RunFolder(home.models / RUN).config().data.name
    settings.write_state(home, settings.State(data=data, used={data: settings.Use(RUN)}))
    terminal = Terminal([sys.executable, "-m", "cftui"], columns, lines, environment(home))
    try:
        terminal.until(f"{RUN}  user".encode(), 120)
        terminal.read(2)
        yield terminal
    finally:
        terminal.close()


def on_a_pty(home: Home, columns: int, lines: int, most: int) -> dict[str, list[Press]]:
    """Return the cost of each key, by its purpose."""
    titles = json.loads((home.models / RUN / "vocabulary.json").read_text())["item_table"]["title"]
    random = np.random.default_rng(2)
    some = [YEAR.sub("", titles[code]) for code in random.integers(1, len(titles), 200).tolist()]
    counts = np.load(home.data / RunFolder(home.models / RUN).config().data.name / "user_count.npy")
    wide = columns >= 110
    there_and_back = [DOWN, DOWN, DOWN, UP] * most
    with app(home, columns, lines) as terminal:
        keys = Keys(terminal, most)
        keys.aside(b"3", rest=1)
        # The least that Textual does for a key, as a measure of this machine at this moment.
        keys.aside(*(bytes([letter]) for letter in b"ab"))
        keys.press(LEAST, [LEFT, RIGHT] * most)
        keys.aside(CLEAR)
        keys.type("search: a letter", some)
        keys.type("search: a letter, with typos", [with_typo(title, random) for title in some if len(title) > 8])
        keys.aside(*(bytes([letter]) for letter in b"the"))
        keys.press("search: to the next title found", [DOWN] * most)
        keys.aside(b"\r")
        keys.press("search: to the next neighbour", there_and_back)
        keys.press("search: the other metric, shrunk or plain", [b"s", b"z"] * most)
        keys.aside(b"r")
        keys.press("search: to the next recommendation", there_and_back)
        keys.aside(b"/", CLEAR, ESCAPE, *([] if wide else [b"w"]), b"/")
        keys.type("search: a letter, why open", some[::-1])
        keys.aside(*(bytes([letter]) for letter in b"the"))
        keys.press("search: to the next title found, why open", [DOWN] * most)
        keys.aside(CLEAR, ESCAPE, b"b", rest=1)
        keys.press("biases: to the next", there_and_back)
        keys.press("biases: page, end", [b"\x04", b"G", b"\x15", b"g"] * most)
        keys.press("biases: sort", [b"s", b"s", b"S"] * most)
        keys.aside(b"/")
        keys.type("biases: a letter of the filter", some)
        keys.aside(ESCAPE, ESCAPE, rest=0)
        keys.aside(b"m", rest=1)
        keys.press("become a user: a rating", [b"%d" % (1 + at % 5) for at in range(most)])
        keys.aside(ESCAPE, b"y", rest=1)

        keys.aside(b"4", rest=3)
        keys.aside(b"f", CLEAR, b"0", b"\r", RIGHT, rest=1)
        turn = [RIGHT, UP, LEFT, LEFT, DOWN, RIGHT]
        keys.press("map: cursor", turn * most)
        keys.press("map: pan", [b"L", b"H", b"K", b"J"] * most)
        keys.press("map: zoom", ([b"+"] * 4 + [b"-"] * 4) * most)
        keys.press("map: colour", [b"c"] * min(most, 12))
        keys.press("map: labels", [b"5", b"0", b"9"] * min(most // 3 + 1, 4))

        keys.aside(b"1", rest=1)
        keys.press("dataset: another table", [b"c", b"u", b"m", b"h"] * most)
        keys.press("dataset: to the next row", there_and_back)
        keys.press("dataset: sort", [b"s", b"s", b"S"] * most)
        keys.aside(b"m", b"/")
        keys.type("dataset: a letter of the filter", some)
        keys.aside(ESCAPE)

        # Go round before this is measured: the first time, a screen is made.
        keys.aside(*SCREENS, rest=2)
        keys.press("from screen to screen", SCREENS * most)

        # Measure this last but one, because its time grows with the number of the user's ratings.
        keys.aside(b"3", ESCAPE, b"u", *(b"%d" % int(digit) for digit in str(int(counts.argmax()) + 1)), b"\r", rest=1)
        keys.aside(*([] if wide else [b"w", b"w"]), b"/")
        keys.type(f"search: a letter, why open, a user of {int(counts.max()):,} ratings", some[5:])

        # And this last, because it shows a run without a model.
        keys.aside(ESCAPE, b"2", b"u", b"i", b"i", b"i", b"g", rest=1)
        keys.press("train: to the next run", [DOWN, UP] * most)
        keys.press("train: sort the runs", [b"s", b"s", b"S"] * most)
        keys.aside(b"/")
        keys.type("train: a letter of the filter", [LONG] * most)
        keys.aside(*(letter.encode() for letter in LONG), b"\r", b"\r", rest=2)
        keys.press("train: axes and range of a chart of 8,000 epochs", [b"l", b"a", b"z", b"m"] * most)
    return keys.taken


def best_of(laps: Sequence[dict[str, list[Press]]]) -> dict[str, tuple[float, float, float]]:
    """Return for each purpose p50 and p95 of its presses, and p95 of the processor's time: each the least of all laps.

    Another program makes a press slower and never quicker; the least is therefore nearest to what the app costs.
    """
    figures = {}
    for what in laps[0]:
        wall = [[press.wall for press in lap[what]] for lap in laps]
        cpu = [[press.cpu for press in lap[what]] for lap in laps]
        figures[what] = (
            min(quantile(lap, 0.5) for lap in wall),
            min(quantile(lap, 0.95) for lap in wall),
            min(quantile(lap, 0.95) for lap in cpu),
        )
    return figures


def key_table(by_size: Sequence[dict[str, tuple[float, float, float]]]) -> str:
    """Return the table of key presses: what each took, and how that compares with the budget."""
    header = ["from a key to the last byte"]
    header += [f"{w}x{h}, {q}" for w, h in SIZES for q in ("p50", "p95", "CPU p95", "CPU, times the least")]
    rows = []
    for what in by_size[0]:
        row = [what]
        for size in by_size:
            half, most, cpu = size[what]
            row += [f"{half:.0f} ms", f"{most:.0f} ms", f"{cpu:.0f} ms", f"{cpu / size[LEAST][2]:.1f}"]
        rows.append([*row, f"{BUDGET} ms", "yes" if all(size[what][1] <= BUDGET for size in by_size) else "**no**"])
    return table([*header, "budget", "held"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="keep the data set and the run in this folder")
    parser.add_argument("--shape", default="ml-25m", choices=shapes.SHAPES)
    parser.add_argument("--keys", type=int, default=40, help="number of keys to measure for each purpose")
    parser.add_argument("--times", type=int, default=3, help="runs of the app at each size; the least counts")
    parser.add_argument("--no-functions", action="store_true", help="measure only the app")
    parser.add_argument("--no-app", action="store_true", help="measure only the functions")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        root = arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home = Home(root.resolve())
        prepare(home, arguments.shape)
        parts = []
        if not arguments.no_app:
            by_size = []
            for columns, lines in SIZES:
                laps = []
                for _ in range(arguments.times):
                    laps.append(on_a_pty(home, columns, lines, arguments.keys))
                    for what, taken in laps[-1].items():
                        print(f"{columns}x{lines} {what}: {[round(press.wall) for press in taken]}", file=sys.stderr)
                by_size.append(best_of(laps))
            parts.append(key_table(by_size))
        if not arguments.no_functions:
            parts.append(table(["the function by itself", "median", "p95"], functions(home)))
    text = "\n\n".join(parts)
    print(text)
    if arguments.write:
        put("latency", text)


if __name__ == "__main__":
    # Before torch is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
