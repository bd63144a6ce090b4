"""What the Map screen says in words, the chapter's terms beside plain ones."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

# By the chapter's name; where x and y are positive is the first.
QUADRANTS = {
    "First": "upper right",
    "Second": "upper left",
    "Third": "lower left",
    "Fourth": "lower right",
    "Center": "on an axis",
}
# What each part of robust PCA holds.
PARTS = {"L": "low-rank part: what items share", "S": "sparse part: what is peculiar to a few"}
# Where a model has no map: that, and what to do.
UNAVAILABLE = "The map is not available for this model."
INSTEAD = "Open another run: 2 goes to Train, u to the runs, enter opens one. Or train one that has factors: t there."
# What there is to do on a map only.
NEED_MAP = frozenset(
    {"find", "colour", "filter", "axes", "part", "export", "next", "preset", "tolerance", "robust", "read", "epoch"}
)
# Where the next part is, for a map that is not that of the components.
BACK = "p: back to the components"
NEXT_PART = {"M": "", "L": "p: the sparse part"}
# Facts about the item at the cursor, the first to be left out first.
DROPPED = ("trust", "distance", "ratings", "place", "quadrant")
# The title keeps this many cells before facts are left out.
LEAST_TITLE = 40


def told(title: str, facts: dict[str, str], short: dict[str, str], width: int) -> Text:
    """One line about the item at the cursor: its title and what there is room for of the facts.

    Args:
        facts: by name; the empty ones are not there.
        short: shorter forms of facts, in the order in which they are used.
    """
    facts, room = dict(facts), width - min(Text(title).cell_len, LEAST_TITLE) - 3

    def line() -> str:
        return "  ".join(filter(None, facts.values()))

    for name, form in (*short.items(), *((name, "") for name in DROPPED if name not in short)):
        if len(line()) <= room:
            break
        facts[name] = form
    text = Text(title, style="bold")
    text.truncate(max(width - len(line()) - 3, 12), overflow="ellipsis")
    return Text.assemble(" ", text, f"  {line()}")


def quadrant(name: str) -> tuple[str, str]:
    """Where a point is, and the chapter's name for it: ``upper left (Second quadrant)``, and in short."""
    short = f"{QUADRANTS[name]} ({name})"
    return short if name == "Center" else f"{QUADRANTS[name]} ({name} quadrant)", short


def trust(kept: int, of: int) -> tuple[str, str]:
    """How far to believe the map around an item, in full and in short."""
    return f"trust {kept}/{of}: {kept} of the {of} nearest here are nearest in all dimensions", f"trust {kept}/{of}"


def legend(colouring: str, names: Sequence[str], palette: Sequence[str], width: int) -> Text:
    """What the colours mean; only the first word is dim, since a swatch has the colour of its points."""
    fifths = colouring in ("bias", "ratings")
    shown = [(index, name) for index, name in enumerate(names) if name != "Center"]
    said = dict(shown)
    if fifths:
        # The edges of consecutive fifths.
        said |= {index: name.split(" to ")[0] for index, name in shown[:-1]}
    if colouring == "quadrant":
        full = {index: f"{name}, {QUADRANTS[name]}" for index, name in shown}
        plain = {index: QUADRANTS[name] for index, name in shown}
        said = full if sum(len(name) + 4 for name in full.values()) + len(colouring) + 3 <= width else plain
    head = f" {colouring}: "
    if colouring == "quadrant" and sum(len(name) + 4 for name in said.values()) + len(head) > width:
        head = " "
    text = Text.assemble((head, "dim"), no_wrap=True, overflow="ellipsis")
    for index, name in said.items():
        text.append("⣿ ", style=palette[index % len(palette)]).append(f"{name}  ")
    return text
