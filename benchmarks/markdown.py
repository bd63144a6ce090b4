"""Generated tables: each lies between two markers in a page, so that no figure there is typed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
DOCS = README.parent / "docs"
BENCHMARKS = DOCS / "benchmarks.md"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _parts(name: str, path: Path) -> tuple[str, str, str]:
    """The page before, between and after the markers ``<!-- name -->`` and ``<!-- /name -->``, which stay outside."""
    page = path.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, found, rest = page.partition(start)
    inside, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{path} has no markers {start.strip()} and {end.strip()}; put them where the table belongs")
    return before + start, inside, end + after


def put(name: str, text: str, path: Path = BENCHMARKS) -> None:
    """Replace what lies between the markers of ``name``. Raises ValueError if the page does not have them."""
    before, _, after = _parts(name, path)
    path.write_text(before + text + after, encoding="utf-8")


def rows_of(name: str, path: Path = BENCHMARKS) -> list[dict[str, str]]:
    """The first table between the markers of ``name``: one dictionary a row, by the names in its header.

    Raises:
        ValueError: the page does not have the markers.
    """
    _, inside, _ = _parts(name, path)
    lines = inside.strip().partition("\n\n")[0].splitlines()
    header, _, *rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines]
    return [dict(zip(header, row, strict=True)) for row in rows]
