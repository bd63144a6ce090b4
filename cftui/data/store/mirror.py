"""MovieLens 100K as a registry package carries it, put back into the official layout.

recbole 1.2.1 ships the ratings row for row in the official order and the users as published; titles are cut into
title and year, genres are words, and item 267 (``unknown``) is misspelt. Only the wheel's example files are read:
it is never installed or imported.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from cftui.errors import CftuiError


def convert_ml_100k(wheel: Path, building: Path) -> None:
    # The reader of the official layout knows the order of the genre flags.
    from cftui.data.formats.movielens import GENRES

    def rows(bundle: zipfile.ZipFile, kind: str) -> list[list[str]]:
        text = bundle.read(f"recbole/dataset_example/ml-100k/ml-100k.{kind}").decode("utf-8")
        return [line.split("\t") for line in text.splitlines()[1:] if line]

    def item_line(item: str, title: str, year: str, genres: str) -> str:
        # "release_year" is the content of the title's last parentheses: (1995), but also (V).
        titled = "unknown" if title == "unkonwn" else f"{title} ({year})"
        flags = ["1" if genre in genres.split() else "0" for genre in GENRES]
        released = f"01-Jan-{year}" if year.isdecimal() else ""
        return "|".join([item, titled, released, "", "", *flags])

    try:
        with zipfile.ZipFile(wheel) as bundle:
            ratings, users = rows(bundle, "inter"), rows(bundle, "user")
            items = [item_line(*row) for row in rows(bundle, "item")]
    except (zipfile.BadZipFile, KeyError, TypeError, UnicodeDecodeError) as error:
        raise CftuiError(f"{wheel.name}: not the expected mirror ({error})") from None

    def write(name: str, lines: list[str], encoding: str = "latin-1") -> None:
        (building / name).write_bytes(("\n".join(lines) + "\n").encode(encoding))

    write("u.data", ["\t".join(row) for row in ratings])
    write("u.user", ["|".join(row) for row in users])
    write("u.item", items)
    write("u.genre", [f"{genre}|{code}" for code, genre in enumerate(GENRES)])
