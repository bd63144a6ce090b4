"""Kinds of files that people have: each gives its right answer, and says what was guessed.

They stand for public files and public bug reports; every one went wrong, or was refused, at some time.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import sqlite3
import tarfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cftui.data.store import catalog
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings, imported_in_words
from cftui.errors import CftuiError
from cftui.home import Home

FOUR = [("ann", "tea", 4.0), ("ann", "milk", 2.0), ("bob", "tea", 5.0), ("bob", "milk", 1.0)]
LONG = "user,item,rating\nann,tea,4\nann,milk,2\nbob,tea,5\nbob,milk,1\n"
NUMBERS = [(1, 10, 4.0), (1, 11, 2.0), (2, 10, 5.0), (2, 11, 1.0)]
SECONDS = [881250949, 881250950, 881250951, 881250952]


def dated(*times: str) -> str:
    rows = LONG.splitlines()
    return "\n".join([f"{rows[0]},date", *(f"{row},{time}" for row, time in zip(rows[1:], times, strict=True)), ""])


def day(*texts: str) -> list[int]:
    return [int(np.datetime64(text, "s").astype(np.int64)) for text in texts]


@dataclass
class Case:
    """A file and what an import makes of it.

    Attributes:
        content: of the file; name: its name; asked: options.
        triples: the ratings, or None if they are not compared; pairs: the number of counted pairs instead.
        times: the seconds, in the order of the ratings.
        said: what must be said.
        facts: what must be recorded.
    """

    content: str | bytes
    triples: list[tuple] | None = None
    pairs: int = 0
    times: list[int] | None = None
    said: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    name: str = "ratings.csv"


def packed(pack: str, files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    if pack == "zip":
        with zipfile.ZipFile(out, "w") as bundle:
            for name, text in files.items():
                bundle.writestr(name, text)
    else:
        with tarfile.open(fileobj=out, mode="w:gz") as tape:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                tape.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def grid(*rows: str) -> str:
    """96 ratings, of 12 users and 8 items, that take these values in turn."""
    return "user,item,rating\n" + "".join(
        f"{u},{i},{rows[(u * 5 + i * 3) % len(rows)]}\n" for u in range(12) for i in range(8)
    )


ARRAY = json.dumps([dict(zip(("user", "item", "rating"), row, strict=True)) for row in FOUR])
QUOTED = [(1, "a", 5.0), (2, "a", 4.0), (3, "b", 2.0), (1, "b", 3.0), (2, "b", 1.0), (3, "a", 4.0)]

CASES = {
    # Quotes
    "a quote opened and closed on other lines": Case(
        'user_id\titem_id\trating\treview\n1\ta\t5\t"great tray\n2\ta\t4\tfine\n3\tb\t2\tbad\n1\tb\t3\tso good"\n'
        "2\tb\t1\tno\n3\ta\t4\tok\n",
        QUOTED,
        said=("--quote none",),
        facts={"rows": 6},
        name="r.tsv",
    ),
    "an open quote": Case(
        'user\titem\trating\n1\t"Heroes\t4\n1\tMilk\t2\n2\t"Heroes\t5\n2\tMilk\t1\n',
        [(1, '"Heroes', 4.0), (1, "Milk", 2.0), (2, '"Heroes', 5.0), (2, "Milk", 1.0)],
        name="r.tsv",
    ),
    "quotes within titles": Case(
        'user\titem\trating\n1\t"Al" the Great\t4\n1\tRoyce 5\'9"\t2\n2\t"Al" the Great\t5\n2\tRoyce 5\'9"\t1\n',
        [(1, '"Al" the Great', 4.0), (1, "Royce 5'9\"", 2.0), (2, '"Al" the Great', 5.0), (2, "Royce 5'9\"", 1.0)],
    ),
    "quoted cells that close": Case(
        'user\titem\trating\n1\t"a"\t4\n1\t"b ""x"""\t2\n2\t"a"\t5\n',
        [(1, "a", 4.0), (1, 'b "x"', 2.0), (2, "a", 5.0)],
    ),
    "reviews with inches": Case(
        "marketplace\tcustomer_id\treview_id\tproduct_id\tproduct_title\tstar_rating\thelpful_votes\treview_body"
        "\treview_date\n"
        'US\t1\tR1\tP1\t12" tray\t5\t0\t"great tray\t2015-08-31\nUS\t2\tR2\tP2\tmug\t4\t0\tgood\t2015-08-30\n'
        'US\t1\tR3\tP2\tmug\t3\t0\tso "so"\t2015-08-29\nUS\t2\tR4\tP1\t12" tray\t1\t0\tbad\t2015-08-28\n',
        [(1, "P1", 5.0), (2, "P2", 4.0), (1, "P2", 3.0), (2, "P1", 1.0)],
        times=day("2015-08-31", "2015-08-30", "2015-08-29", "2015-08-28"),
        name="r.tsv",
    ),
    "a quote before 3,000 rows": Case(
        'user,item,rating\n1,a,3\n2,"b,4\n' + "".join(f"{row},c{row},5\n" for row in range(3, 3000)) + '3,"x",2\n',
        facts={"rows": 3000, "ratings": 3000, "skipped": 0},
        said=("--quote none",),
    ),
    "texts that span lines": Case(
        "user,item,rating,review\n"
        + "".join(f'{row},{row % 3},{1 + row % 5},"a ""nice"" one,\nyes"\n' for row in range(6)),
        facts={"rows": 6, "ratings": 6},
        said=("6 rows span 12 lines",),
    ),
    "backslash before quotes": Case(
        '"user";"item";"rating"\n"1";"\\"12A\\"";"4"\n"1";"12B";"2"\n"2";"\\"12A\\"";"5"\n"2";"12B";"1"\n',
        [(1, '"12A"', 4.0), (1, "12B", 2.0), (2, '"12A"', 5.0), (2, "12B", 1.0)],
        said=("--quote backslash",),
    ),
    # Layout
    "no header": Case(
        "1\t10\t4\t881250949\n1\t11\t2\t881250950\n2\t10\t5\t881250951\n2\t11\t1\t881250952\n",
        NUMBERS,
        times=SECONDS,
        said=("--user 1 --item 2 --rating 3 --time 4 --delimiter tab",),
        name="u.data",
    ),
    "spaces": Case("1 10 4\n1 11 2\n2 10 5\n2 11 1\n", NUMBERS, said=("--delimiter space",)),
    "runs of blanks": Case("1   10   4\n1   11   2\n2   10   5\n2   11   1\n", NUMBERS, said=("--delimiter blanks",)),
    "comments": Case(f"# exported 2024-01-01\n{LONG}", FOUR),
    "comments among the rows": Case(
        f"# exported\n{LONG}#1fan,tea,3\n#1fan,milk,2\n", FOUR, said=("2 lines among the rows are taken for a comment",)
    ),
    "a header in a comment": Case("# user item rating\n1 10 4\n1 11 2\n2 10 5\n2 11 1\n", NUMBERS),
    "matrix market": Case(
        "%%MatrixMarket matrix coordinate real general\n2 2 4\n1 1 4\n1 2 2\n2 1 5\n2 2 1\n",
        [(1, 1, 4.0), (1, 2, 2.0), (2, 1, 5.0), (2, 2, 1.0)],
        name="r.mtx",
    ),
    "sep=": Case("sep=;\n" + LONG.replace(",", ";"), FOUR),
    "blank rows of Excel": Case(f"{LONG},,\n,,\n,,\n", FOUR, said=("3 rows without any cell",)),
    "a delimiter at the end": Case(LONG.replace("\n", ",\n").replace("rating,", "rating", 1), FOUR),
    "delimiters at all ends": Case(LONG.replace("\n", ",\n"), FOUR),
    "names of rows": Case(
        "user item rating\n" + "".join(f"{n} {n % 3} {n % 4} {n % 5}\n" for n in range(1, 40)), facts={"rows": 39}
    ),
    "numbers as a header": Case(
        ",0,1,2\n0,11,21,4\n1,11,22,2\n2,12,21,5\n3,12,22,1\n",
        [(11, 21, 4.0), (11, 22, 2.0), (12, 21, 5.0), (12, 22, 1.0)],
    ),
    "numbers as a header, given by number": Case(
        ",0,1,2\n0,11,21,4\n1,11,22,2\n2,12,21,5\n3,12,22,1\n",
        [(11, 21, 4.0), (11, 22, 2.0), (12, 21, 5.0), (12, 22, 1.0)],
        asked={"user": "2", "item": "3", "rating": "4"},
    ),
    "utf-16 without a mark": Case(LONG.replace(",", "\t").encode("utf-16-le"), FOUR),
    "utf-16 of Excel": Case(LONG.replace(",", "\t").encode("utf-16"), FOUR),
    "one accent": Case(
        "user;item;rating\n1;café;3\n2;tea;4\n1;tea;5\n2;café;2\n".encode("latin-1"),
        [(1, "café", 3.0), (2, "tea", 4.0), (1, "tea", 5.0), (2, "café", 2.0)],
        said=("--encoding cp1252",),
    ),
    "accents": Case(
        "user,item,rating\n1,Amélie,3\n2,Señor,4\n1,Über uns,5\n2,Façade,2\n".encode("latin-1"),
        [(1, "Amélie", 3.0), (2, "Señor", 4.0), (1, "Über uns", 5.0), (2, "Façade", 2.0)],
        said=("--encoding cp1252",),
    ),
    "emoji": Case(
        "user,item,rating\nann,🍵 tea,4\nann,🥛 milk,2\nbob,🍵 tea,5\n",
        [("ann", "🍵 tea", 4.0), ("ann", "🥛 milk", 2.0), ("bob", "🍵 tea", 5.0)],
    ),
    "leading zeros": Case(
        "user,isbn,rating\n007,0345,4\n007,345,2\n7,0345,5\n",
        [("007", "0345", 4.0), ("007", "345", 2.0), ("7", "0345", 5.0)],
    ),
    "ids of floats": Case(
        "user,item,rating\n1.0,10.0,4\n1.0,11.0,2\n2.0,10.0,5\n2.0,11.0,1\n",
        NUMBERS,
        said=("the user ids are written like 1.0: read as whole numbers",),
    ),
    # Names
    "film_id, rate": Case("film_id,user_id,rate\n1,7,5\n1,8,3\n2,7,4\n", [(7, 1, 5.0), (8, 1, 3.0), (7, 2, 4.0)]),
    "placeID": Case(
        "userID,placeID,rating,food_rating\n1,10,2,1\n1,11,1,1\n2,10,0,1\n", [(1, 10, 2.0), (1, 11, 1.0), (2, 10, 0.0)]
    ),
    "Cust_Id": Case("Cust_Id,Movie_Id,Rating\n1,10,5\n1,11,3\n2,10,4\n", [(1, 10, 5.0), (1, 11, 3.0), (2, 10, 4.0)]),
    "the one id that is left": Case(
        "user_id,pokemon_id,rating\n1,10,5\n1,11,3\n2,10,4\n", [(1, 10, 5.0), (1, 11, 3.0), (2, 10, 4.0)]
    ),
    "a title as the item": Case(
        "user_id,title,rating\n1,Tea,5\n1,Milk,3\n2,Tea,4\n", [(1, "Tea", 5.0), (1, "Milk", 3.0), (2, "Tea", 4.0)]
    ),
    "typed names": Case(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t4\t881250949\n"
        "1\t11\t2\t881250950\n2\t10\t5\t881250951\n2\t11\t1\t881250952\n",
        NUMBERS,
        times=SECONDS,
        name="r.inter",
    ),
    "reviews": Case(
        "Id,ProductId,UserId,ProfileName,HelpfulnessNumerator,Score,Time,Summary\n"
        "1,p1,u1,Ann,0,5,1303862400,good\n2,p2,u1,Ann,0,2,1303862400,bad\n3,p1,u2,Bob,0,4,1303862401,ok\n",
        [("u1", "p1", 5.0), ("u1", "p2", 2.0), ("u2", "p1", 4.0)],
        times=[1303862400, 1303862400, 1303862401],
    ),
    # Times
    "days as one number": Case(
        dated("20180929", "20181001", "20181002", "20181003"),
        FOUR,
        times=day("2018-09-29", "2018-10-01", "2018-10-02", "2018-10-03"),
        said=("read as days written as YYYYMMDD",),
    ),
    "years": Case(
        dated("2018", "2019", "2020", "2021"),
        FOUR,
        times=day("2018-01-01", "2019-01-01", "2020-01-01", "2021-01-01"),
        said=("the times are read as years",),
    ),
    "Excel's days": Case(
        dated("43372.5", "43374.25", "43375", "43376"),
        FOUR,
        times=day("2018-09-29T12:00", "2018-10-01T06:00", "2018-10-02", "2018-10-03"),
        said=("Excel's days since 1900",),
    ),
    "American dates": Case(
        dated("12/31/2010 8:26", "1/2/2011 9:00", "1/3/2011 10:15", "1/4/2011 11:00 PM"),
        FOUR,
        times=day("2010-12-31T08:26", "2011-01-02T09:00", "2011-01-03T10:15", "2011-01-04T23:00"),
        said=("month/day/year",),
    ),
    "European dates": Case(
        dated("31.12.2010", "1.2.2011", "1.3.2011", "1.4.2011"),
        FOUR,
        times=day("2010-12-31", "2011-02-01", "2011-03-01", "2011-04-01"),
        said=("day/month/year",),
    ),
    "named months": Case(
        dated("01-Jan-1995", "March 3 2013", "5 Feb 1999", "Thu Apr 24 22:00:00 2008"),
        FOUR,
        times=day("1995-01-01", "2013-03-03", "1999-02-05", "2008-04-24T22:00"),
        said=("named months",),
    ),
    "milliseconds": Case(dated(*(f"{second}000" for second in SECONDS)), FOUR, times=SECONDS),
    "an empty time": Case(dated("", "881250950", "NA", "881250952"), FOUR, times=[0, SECONDS[1], 0, SECONDS[3]]),
    "one time that cannot be read": Case(
        "user,item,rating,date\n"
        + "".join(f"{n % 4},{n},{n % 5},2020-01-{1 + n:02}\n" for n in range(20)).replace("2020-01-07", "soon"),
        facts={"ratings": 20},
        said=("1 time cannot be read and counted as missing (line 8: time 'soon'",),
    ),
    "times that cannot be read": Case(
        dated("a", "b", "c", "d"), FOUR, times=[0] * 4, said=("the times are left out, since 4 of 4",)
    ),
    "implausible times": Case(
        dated("1", "2", "3", "4"), FOUR, times=[1, 2, 3, 4], said=("4 of 4 times are before 1980",)
    ),
    "the latest, not the last line": Case(
        "user,item,rating,timestamp\nann,tea,5,1600000300\nbob,tea,2,1600000200\nann,milk,3,1600000150\nann,tea,1,1600000100\n",
        [("ann", "tea", 5.0), ("bob", "tea", 2.0), ("ann", "milk", 3.0)],
        facts={"merged": 1, "rows": 4},
    ),
    # Ratings
    "decimal commas": Case(
        "user;item;rating\nann;tea;3,5\nann;milk;4\nbob;tea;2,5\n",
        [("ann", "tea", 3.5), ("ann", "milk", 4.0), ("bob", "tea", 2.5)],
        said=("read as numbers with a decimal comma",),
    ),
    "names that nobody knows over decimal commas": Case(
        "wer;was;wieviel\nann;tea;3,5\nann;milk;4,0\nbob;tea;2,5\n",
        [("ann", "tea", 3.5), ("ann", "milk", 4.0), ("bob", "tea", 2.5)],
        asked={"user": "wer", "item": "was", "rating": "wieviel"},
    ),
    "names over words, as one says": Case(
        "wer;was;wie\nann;tea;like\nann;milk;dislike\nbob;tea;like\n",
        [("ann", "tea", 1.0), ("ann", "milk", 0.0), ("bob", "tea", 1.0)],
        asked={"user": "wer", "item": "was", "rating": "wie", "header": True},
    ),
    "no names, as one says": Case(
        "user;item;like\nann;tea;like\nbob;milk;dislike\n",
        [("user", "item", 1.0), ("ann", "tea", 1.0), ("bob", "milk", 0.0)],
        asked={"rating": "3", "header": False},
    ),
    "booleans": Case(
        "user,item,liked\nann,tea,True\nann,milk,False\nbob,tea,True\nbob,milk,False\n",
        [(u, i, float(r > 3)) for u, i, r in FOUR],
        said=("1 for like, true or yes",),
    ),
    "booleans of JSON": Case(
        '{"user": "ann", "item": "tea", "liked": true}\n{"user": "bob", "item": "milk", "liked": false}\n',
        [("ann", "tea", 1.0), ("bob", "milk", 0.0)],
        name="r.jsonl",
    ),
    "4 stars": Case(
        LONG.replace("4\n", "4 stars\n").replace("1\n", "1 star\n"), FOUR, said=("read as numbers of stars",)
    ),
    "4/5": Case(
        "user,item,rating\nann,tea,4/5\nann,milk,2/5\nbob,tea,5/5\nbob,milk,1/5\n", FOUR, said=("ratings out of 5",)
    ),
    "blank ratings": Case(
        "user,item,rating\nann,tea,4\nann,milk,\nbob,tea,5\nbob,milk,1\nbob,water,\n",
        [FOUR[0], *FOUR[2:]],
        facts={"unrated": 2, "rows": 5},
        said=("left out 2 rows without a rating",),
    ),
    "NA and NULL": Case(
        "user,item,rating\nann,tea,4\nann,milk,NA\nbob,tea,5\nbob,milk,1\nbob,water,NULL\n",
        [FOUR[0], *FOUR[2:]],
        facts={"unrated": 2},
    ),
    "0 among 5 to 10": Case(
        grid("0", "7", "0", "10", "5", "0", "8"), facts={"ratings": 96}, said=("--unrated 0 leaves",)
    ),
    "0 among 5 to 10, left out": Case(
        grid("0", "7", "0", "10", "5", "0", "8"),
        facts={"ratings": 55, "unrated": 41, "rows": 96},
        asked={"unrated": (0.0,)},
        said=("left out 41 rows without a rating or with 0",),
    ),
    "-1 among 5 to 9": Case(
        grid("-1", "6", "8", "-1", "9", "5", "7"), said=("of the ratings are -1, apart from the others",)
    ),
    "whole numbers beyond 2^24": Case(
        "user,item,rating\na,x,16777217\nb,x,1\na,y,3\n",
        [("a", "x", 16777216.0), ("b", "x", 1.0), ("a", "y", 3.0)],
        said=("1 rating above 16,777,216 kept to seven digits: 16,777,217 as 16,777,216",),
    ),
    "plays": Case(
        "userID\tartistID\tplays\n" + "".join(f"{u}\t{i}\t{1 + (u * i) ** 3}\n" for u in range(12) for i in range(8)),
        pairs=96,
        said=("--counts plays",),
        name="r.tsv",
    ),
    "counts called ratings": Case(
        "user,item,rating\n" + "".join(f"{n % 9},{n},{int(1.6 ** (n % 18))}\n" for n in range(90)),
        pairs=90,
        said=("rating holds whole numbers with a long tail: read as counts",),
    ),
    "one kind of behaviour": Case(
        "151,Tea,purchase,1,0\n151,Tea,play,273,0\n151,Milk,purchase,1,0\n152,Milk,play,0.5,0\n",
        asked={"user": "1", "item": "2", "counts": "4", "only": "3=play"},
        pairs=2,
        facts={"left_out": 2},
    ),
    "two scales": Case(
        "151,Tea,purchase,1,0\n151,Tea,play,273,0\n151,Milk,purchase,1,0\n152,Milk,play,0.4,0\n",
        asked={"user": "1", "item": "2", "rating": "4"},
        said=("column 3 says what happened (play, purchase)",),
    ),
    # Choices
    "no rating": Case("user_id,book_id\n1,10\n1,11\n2,10\n", pairs=3, said=("--no-rating",)),
    "no rating, and a text": Case(
        "ann,tea,good tea\nbob,milk,bad milk\n", pairs=2, said=("each row counts as one choice; not used: 3",)
    ),
    "likes": Case(
        "user,item,rating\nann,tea,like\nann,milk,like\nbob,tea,like\nbob,milk,dislike\n",
        pairs=3,
        said=("left out 1 row without a rating",),
    ),
    "likes, each row": Case(
        "user,item,rating\nann,tea,like\nann,milk,dislike\nbob,tea,like\nbob,milk,dislike\n",
        pairs=4,
        asked={"no_rating": True},
    ),
    "adjacency lists": Case("0 5 7 9\n1 5 8\n2 7 8 9 11\n", pairs=9, said=("--shape lists",), name="a.txt"),
    # Shapes
    "a matrix": Case(
        ",tea,milk,water\nann,4,2,\nbob,5,,1\ncid,3,,4\n",
        [
            ("ann", "tea", 4.0),
            ("ann", "milk", 2.0),
            ("bob", "tea", 5.0),
            ("bob", "water", 1.0),
            ("cid", "tea", 3.0),
            ("cid", "water", 4.0),
        ],
        said=("--shape matrix",),
    ),
    "a matrix of numbers": Case(
        "userId,101,102,103\n1,5,,3\n2,,4,1\n", [(1, 101, 5.0), (1, 103, 3.0), (2, 102, 4.0), (2, 103, 1.0)]
    ),
    "a matrix without names": Case(
        "2\t4.5\t99\t-3.25\n3\t1.5\t2.25\t-8\n2\t99\t9.1\t0.5\n",
        [(1, 1, 4.5), (1, 3, -3.25), (2, 1, 1.5), (2, 2, 2.25), (2, 3, -8.0), (3, 2, pytest.approx(9.1)), (3, 3, 0.5)],
        said=("99 is not rated",),
    ),
    "a matrix read as rows": Case(
        "2\t4.5\t99\t-3.25\n3\t1.5\t2.25\t-8\n2\t99\t9.1\t0.5\n",
        asked={"user": "1", "item": "2", "rating": "3"},
        said=("looks like a matrix of users and items",),
    ),
    "blocks": Case(
        "1:\n10,3,2005-09-06\n11,5,2005-05-13\n2:\n10,4,2005-10-19\n",
        [(10, 1, 3.0), (11, 1, 5.0), (10, 2, 4.0)],
        times=day("2005-09-06", "2005-05-13", "2005-10-19"),
        said=("--shape blocks",),
    ),
    "an array of objects": Case(ARRAY, FOUR, name="a.json"),
    "an array over lines": Case(json.dumps(json.loads(ARRAY), indent=1), FOUR, name="a.json"),
    "an array without a suffix": Case(ARRAY, FOUR, name="array"),
    "an array of arrays": Case(json.dumps(FOUR), FOUR, name="a.json"),
    "an object of objects": Case(
        json.dumps({"ann": {"tea": 4, "milk": 2}, "bob": {"tea": 5, "milk": 1}}, indent=1), FOUR, name="a.json"
    ),
    "an object that holds the array": Case(
        json.dumps({"version": 1, "ratings": json.loads(ARRAY)}), FOUR, name="a.json"
    ),
    "what Python prints": Case(
        "".join(f"{{'user': '{u}', 'item': '{i}', 'rating': {r}, 'seen': None}}\n" for u, i, r in FOUR), FOUR
    ),
    # Containers
    "gzip": Case(gzip.compress(LONG.encode()), FOUR, name="r.csv.gz"),
    "bzip2": Case(bz2.compress(LONG.encode()), FOUR, name="r.csv.bz2"),
    "xz": Case(lzma.compress(LONG.encode()), FOUR, name="r.csv.xz"),
    "an archive of several": Case(
        packed("zip", {"ml/README": "x", "ml/u.data": LONG, "ml/u.item": "1|x"}), FOUR, name="s.zip"
    ),
    "an archive with ratings": Case(
        packed("zip", {"a/my_ratings.csv": LONG, "a/movies.csv": "1,x"}), FOUR, name="s.zip"
    ),
    "a tar": Case(packed("tar", {"ratings.csv": LONG}), FOUR, name="r.tar.gz"),
    "gzip in a zip": Case(packed("zip", {"ratings.csv": LONG}), FOUR, name="s.zip"),
    # Titles beside ratings
    "titles among the ratings": Case(
        "user_id,movie_id,rating,title\n1,10,4,Tea\n2,10,5,Tea\n1,11,2,Milk\n2,11,1,Milk\n",
        [(1, 10, 4.0), (2, 10, 5.0), (1, 11, 2.0), (2, 11, 1.0)],
        said=("--title title",),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_read_as_it_is_meant(case: str, tmp_path: Path) -> None:
    said: list[str] = []
    one, home = CASES[case], Home(tmp_path / "home")
    path = tmp_path / one.name
    path.write_bytes(one.content if isinstance(one.content, bytes) else one.content.encode())
    facts = import_ratings(path, "own", home, Asked(**one.asked), say=said.append)
    tables = catalog.open_tables("own", home)
    found = list(tables.ratings[["user", "item", "rating"]].itertuples(index=False, name=None))
    if one.triples is not None:
        assert found == one.triples
    if one.times is not None:
        assert tables.ratings["timestamp"].tolist() == one.times
    assert tables.counted == bool(one.pairs)
    assert not one.pairs or len(found) == one.pairs
    assert {name: facts[name] for name in one.facts} == one.facts
    assert facts["rows"] == facts["ratings"] + facts["merged"] + facts["skipped"] + facts["unrated"] + facts["left_out"]
    for words in one.said:
        assert any(words in line for line in said), said


EXPORT = "Date,Name,Year,Letterboxd URI,Rating\n2025-01-16,Split,2016,https://x,4\n2025-01-17,Heat,1995,https://y,4.5\n"
IMDB = "Const,Your Rating,Date Rated,Title,URL,IMDb Rating,Year\ntt01,8,2025-12-01,Toy Story,https://x,8.3,1995\n"
STEAM = "151,Tea,purchase,1,0\n151,Tea,play,273,0\n151,Milk,purchase,1,0\n152,Milk,purchase,1,0\n152,Milk,play,0.4,0\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1000\n"
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "one person's films": (EXPORT, "no column of users: it looks like the ratings of one person; cftui foldin /"),
    "one person's series": (IMDB, "it looks like the ratings of one person; cftui foldin"),
    "titles and ratings": ("title,rating\nSplit,5\nTea,4\n", "it looks like the ratings of one person; cftui foldin"),
    "purchases and plays": (STEAM, "column 3 says what happened: purchase (3), play (2) in the first rows; keep one"),
    "one column": (" ".join(map(str, range(1000, 1400))) + "\n", "all ratings are of one user"),
    "stars that are drawn": (
        "user,item,rating\na,x,★★★★\na,y,★★★\nb,x,★★\nb,y,★\n",
        "is drawn with stars; write their number",
    ),
    "grades": ("user,item,rating\na,x,A\na,y,B+\nb,x,C\nb,y,A\n", "is a grade; write a number for each letter"),
    "an old workbook": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200),
        "an Excel workbook of the old format; save the sheet as CSV",
    ),
    "a pointer": (POINTER, "a pointer of Git LFS and not the file itself; git lfs pull fetches it"),
    "several tables": (
        packed("zip", {"a.csv": LONG, "b.csv": LONG}),
        "holds a.csv, b.csv; name the one that is meant: ",
    ),
    "likes of one item": (
        "user,item,rating\nann,tea,like\nann,milk,dislike\nbob,tea,like\n",
        "--no-rating counts every row",
    ),
    "out of different numbers": (
        "user,item,rating\na,x,4/5\nb,y,3/10\n",
        "is out of another number than the rest (10, 5)",
    ),
    "a broken array": ('[{"user": 1,', "not JSON, although it begins like an array"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_explained_in_a_line(case: str, tmp_path: Path) -> None:
    content, complaint = REFUSED[case]
    path = tmp_path / "ratings.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CftuiError) as caught:
        import_ratings(path, "own", Home(tmp_path / "home"))
    assert complaint in str(caught.value)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 600
    assert "--skip-bad" not in str(caught.value)


@pytest.mark.parametrize("bad", ["x", "no", "12:30"])
def test_skipping_is_not_advised_where_it_would_lose_what_was_meant(bad: str, tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    rows = [f"{n % 7},{n},{bad if n % 3 == 0 else n % 5}" for n in range(90)]
    path.write_text("\n".join(["user,item,rating", *rows]))
    with pytest.raises(CftuiError) as caught:
        import_ratings(path, "own", Home(tmp_path / "home"))
    assert "30 of 90 rows are alike malformed" in str(caught.value)
    assert "--skip-bad" not in str(caught.value)


# Titles

ITEMS: dict[str, tuple[str | bytes, dict[str, Any], list[str]]] = {
    "quotes": (
        'item\ttitle\na\t"Kind of Blue\nb\tBread\nc\tMirror 7"\nd\tSalt\n',
        {},
        ['"Kind of Blue', "Bread", 'Mirror 7"', "Salt"],
    ),
    "no header": ("a::Tea (1990)::Hot\nb::Milk (1991)::Cold\n", {}, ["Tea (1990)", "Milk (1991)"]),
    "the same again": ("item,title\na,Tea\na,Tea\nb,Milk\n", {}, ["Tea", "Milk"]),
    "an archive": (
        packed("zip", {"ratings.csv": LONG, "movies.csv": "item,title\na,Tea\nb,Milk\n"}),
        {},
        ["Tea", "Milk"],
    ),
}


@pytest.mark.parametrize("case", ITEMS)
def test_titles_of_a_file_of_their_own(case: str, tmp_path: Path) -> None:
    content, asked, titles = ITEMS[case]
    items, path, home = tmp_path / "items", tmp_path / "ratings.tsv", Home(tmp_path / "home")
    items.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.write_text("user\titem\trating\n1\ta\t4\n1\tb\t2\n2\ta\t5\n")
    import_ratings(path, "own", home, Asked(items=items, **asked))
    assert catalog.open_tables("own", home).items["title"].tolist() == titles


def test_dates_as_years_and_years_that_cannot_be_read(tmp_path: Path) -> None:
    said: list[str] = []
    items, path, home = tmp_path / "items.psv", tmp_path / "ratings.csv", Home(tmp_path / "home")
    items.write_text("item|title|date\n1|Tea Story (1995)|01-Jan-1996\n2|Milk (1996)|soon\n3|Salt|\n")
    path.write_text("user,item,rating\n1,1,4\n1,2,2\n2,3,5\n")
    import_ratings(path, "own", home, Asked(items=items, year="date"), say=said.append)
    assert catalog.open_tables("own", home).items["year"].tolist() == [1996, 1996, 0]
    assert any("1 years of" in line and "the year in the title is used" in line for line in said)


def test_a_file_without_titles_names_its_options(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating\n1,1,4\n1,2,2\n2,1,5\n")
    with pytest.raises(CftuiError, match="give --item-id and --title, which are columns of this file: user, item"):
        import_ratings(path, "own", Home(tmp_path / "home"), Asked(items=path))


# Files that are not text


def bring(content: bytes, name: str, tmp_path: Path, member: str = "") -> tuple[list[tuple], list[str]]:
    said: list[str] = []
    path, home = tmp_path / name, Home(tmp_path / "home")
    path.write_bytes(content)
    import_ratings(Path(f"{path}:{member}") if member else path, "own", home, say=said.append)
    tables = catalog.open_tables("own", home)
    return list(tables.ratings[["user", "item", "rating"]].itertuples(index=False, name=None)), said


def saved(save: Callable[[Any], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


WIDE = np.array([[4, 0, 0, 0, 2], [0, 5, 0, 1, 0]], dtype=float)
CELLS = [(1, 1, 4.0), (1, 5, 2.0), (2, 2, 5.0), (2, 4, 1.0)]


def test_arrays_of_numpy_scipy_and_matlab(tmp_path: Path) -> None:
    from scipy import io as matlab
    from scipy import sparse

    long = np.array(CELLS)
    files = {
        "a.npy": saved(lambda out: np.save(out, WIDE)),
        "b.npy": saved(lambda out: np.save(out, long)),
        "c.npz": saved(lambda out: np.savez(out, ratings=WIDE, other=np.zeros((2, 2)))),
        "d.npz": saved(lambda out: sparse.save_npz(out, sparse.csr_matrix(WIDE))),
        "e.mat": saved(lambda out: matlab.savemat(out, {"M": WIDE, "W": np.zeros((2, 2))})),
    }
    for name, content in files.items():
        assert bring(content, name, tmp_path)[0] == CELLS, name


@pytest.mark.parametrize("kind", [40, 8])
def test_a_damaged_file_of_matlab_ends_its_reader_and_not_this_process(kind: int, tmp_path: Path) -> None:
    from scipy import io as matlab

    content = bytearray(saved(lambda out: matlab.savemat(out, {"M": WIDE})))
    # The type of the numbers: behind the header, and the tag, flags, size and name of the matrix.
    assert content[176] == 9
    content[176] = kind
    with pytest.raises(CftuiError, match="not a readable file of arrays: "):
        bring(bytes(content), "own.mat", tmp_path)


def test_a_table_of_a_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "base") as base:
        base.execute("CREATE TABLE users (id, name)")
        for name in ("scores", "marks"):
            base.execute(f"CREATE TABLE {name} (user_id, movie_id, rating)")
            base.executemany(
                f"INSERT INTO {name} VALUES (?, ?, ?)", [(1, 10, 4), (1, 11, 2.0), (2, 10, "5"), (2, 11, 1)]
            )
    content = (tmp_path / "base").read_bytes()
    with pytest.raises(CftuiError, match=r"holds the tables users, scores, marks; name one: .*own.db:users"):
        bring(content, "own.db", tmp_path)
    assert bring(content, "own.db", tmp_path, "scores")[0] == NUMBERS


def test_a_member_of_an_archive(tmp_path: Path) -> None:
    content = packed("zip", {"x/a.csv": LONG.replace("4", "3"), "x/b.csv": LONG})
    found, said = bring(content, "own.zip", tmp_path, "b.csv")
    assert found == FOUR
    # However it was named, it is said once.
    assert f"{tmp_path}/own.zip:x/b.csv (give" in said[0]
    with pytest.raises(CftuiError, match=r"no one file 'c.csv' in it; it holds x/a.csv, x/b.csv"):
        bring(content, "own.zip", tmp_path, "c.csv")


def test_a_workbook_or_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed("zip", {"xl/workbook.xml": "<x/>"})
    monkeypatch.setattr("cftui.data.formats.books.find_spec", lambda name: None)
    with pytest.raises(CftuiError, match=r"an Excel workbook; save the sheet as CSV, or reading it needs openpyxl"):
        bring(content, "own.xlsx", tmp_path)


def test_the_cells_of_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (("user", "item", "rating"), *FOUR, (None, None, None)):
        book.active.append(row)
    assert bring(saved(book.save), "own.xlsx", tmp_path)[0] == FOUR


def test_a_pipe_is_read_to_its_end_and_not_waited_for(tmp_path: Path) -> None:
    pipe, home = tmp_path / "pipe", Home(tmp_path / "home")
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(LONG,))
    writer.start()
    facts = import_ratings(pipe, "own", home)
    writer.join()
    assert facts["ratings"] == 4


def test_standard_input_is_a_file_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packed").write_bytes(gzip.compress(LONG.encode()))
    with (tmp_path / "packed").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        facts = import_ratings(Path("-"), "own", Home(tmp_path / "home"))
    assert (facts["ratings"], facts["source"]) == (4, "-")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CftuiError, match="-: standard input is closed; pipe a table into it"):
        import_ratings(Path("-"), "own", Home(tmp_path / "home"))


def test_a_zip_whose_names_are_spoilt_is_refused(tmp_path: Path) -> None:
    content = bytearray(packed("zip", {"ratings-é.csv": LONG}))
    at = content.index("é".encode())
    content[at] = 0x81
    with pytest.raises(CftuiError, match="not a readable zip file"):
        bring(bytes(content), "own.zip", tmp_path)


def test_a_database_in_an_archive_has_no_table_of_its_name(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "base") as base:
        base.execute("CREATE TABLE scores (user_id, movie_id, rating)")
        base.executemany("INSERT INTO scores VALUES (?, ?, ?)", NUMBERS)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        bundle.write(tmp_path / "base", "a/ratings.db")
    assert bring(out.getvalue(), "own.zip", tmp_path)[0] == NUMBERS


def test_counts_are_said_from_the_lowest_on() -> None:
    facts = {"rating_range": [0.5, 33.0], "users": 2, "items": 3, "noun": "song", "ratings": 5, "counted": True}
    assert imported_in_words(facts) == "5 pairs, counted 0.5 to 33 times, by 2 users of 3 songs"
    rated = {**facts, "rating_range": [1.0, 16777216.0], "counted": False}
    assert imported_in_words(rated) == "5 ratings, 1 to 16,777,216, by 2 users of 3 songs"
