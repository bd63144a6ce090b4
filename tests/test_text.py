"""One definition of what may reach a terminal."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cftui.text import has_control, one_line, plural, printable, shorten

# What titles, ids and messages have been found to hold, each of which a terminal obeys.
HOSTILE = {
    "escape": "\x1b[2J",
    "bell": "\a",
    "C1 control sequence introducer": "\x9b31m",
    "delete": "\x7f",
    "carriage return": "\rOwned",
    "new line": "a\nb",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "right-to-left override": "\u202egpj.exe",
    "isolate": "\u2066x\u2069",
    "Arabic letter mark": "\u061c",
    "left-to-right mark": "\u200e",
    "half of a surrogate pair": "\ud83d",
    "zero-width space": "\u200b",
    "byte order mark": "\ufeff",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_a_terminal_obeys_gets_through(name: str) -> None:
    text = HOSTILE[name]
    clean = printable(text)
    assert clean != text
    assert len(clean) == len(text)
    clean.encode()
    assert printable(text, "") == "".join(c for c in text if printable(c) == c)
    assert "\n" not in one_line(text)


@pytest.mark.parametrize("text", ["Misérables, Les", "東京物語", "Amélie 😀", "e\u0301", "Дюна", "", " "])
def test_letters_of_any_script_stay(text: str) -> None:
    assert printable(text) == text
    assert not has_control(text)


def test_ids_may_hold_joiners_but_no_control_characters() -> None:
    assert not has_control("می\u200cخواهم")
    assert has_control("a\tb")
    assert has_control("a\u2028b")
    assert printable("می\u200cخواهم") == "می\u200cخواهم"


@given(st.text())
def test_what_is_printable_stays_so(text: str) -> None:
    clean = printable(text)
    assert printable(clean) == clean
    assert not has_control(clean)
    assert one_line(one_line(text)) == one_line(text)


def test_every_control_character_of_unicode_is_known() -> None:
    obeyed = [chr(code) for code in range(0xA0) if code < 0x20 or code >= 0x7F]
    assert all(has_control(c) and printable(c) == " " for c in obeyed)
    assert printable("a\tb\nc", keep="\t\n") == "a\tb\nc"
    assert printable(chr(sys.maxunicode)) == chr(sys.maxunicode)


@given(st.text(), st.integers(3, 30))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    short = shorten(text, width)
    assert len(short) <= width
    assert short == text or short.endswith("...")


def test_plurals() -> None:
    assert [plural(n, "rating") for n in (0, 1, 2, 1234)] == ["0 ratings", "1 rating", "2 ratings", "1,234 ratings"]
    assert plural(2, "person", "people") == "2 people"
