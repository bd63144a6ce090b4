"""Names on a map are as long as there is room, and never over one another."""

from __future__ import annotations

from cftui.tui.map.labels import SHORT, Label, Spans, label_text, place, share

LONG = "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1963)"


def lines(labels: list[Label], width: int, taken: Spans | None = None) -> list[str]:
    """Each line with what is drawn on it."""
    drawn = [[" "] * width for _ in range(3)]
    for label in place(labels, width, taken or {}):
        drawn[label.line][slice(*label.span)] = label.shown
    return ["".join(line).rstrip() for line in drawn]


def test_a_name_is_whole_where_there_is_room() -> None:
    assert lines([Label(1, 3, "•", LONG, 0)], 100)[1] == f"   • {LONG}"
    assert lines([Label(1, 95, "•", LONG, 0)], 100)[1] == f"{LONG} •".rjust(96)


def test_a_name_ends_before_the_next_one() -> None:
    first, second = Label(0, 0, "•", LONG, 0), Label(0, 50, "•", "Fargo (1996)", 1)
    (line, *_) = lines([first, second], 80)
    assert line == f"• {LONG[:46]}… • Fargo (1996)"
    assert lines([second, first], 80)[0] == line
    taken = {0: [(60, 70)]}
    assert lines([first], 80, taken)[0] == f"• {LONG[:56]}…"


def test_the_first_come_first_and_none_is_crowded_out_by_a_long_name() -> None:
    first, second = Label(0, 0, "•", LONG, 0), Label(0, SHORT + 4, "•", LONG, 0)
    assert lines([first, second], 60)[0].count("•") == 2
    close = Label(0, SHORT, "•", "Fargo (1996)", 0)
    assert lines([first, close], 60)[0].count("•") == 1


def test_what_insists_is_marked_where_there_is_no_room_for_its_name() -> None:
    first, pole = Label(0, 0, "•", LONG, 0), Label(0, 10, "■", "Horror", -1, insists=True)
    shown = place([first, pole], 60, {})
    assert [label.shown for label in shown][1] == "■"
    assert shown[1].left == 10


def test_two_names_share_a_line() -> None:
    assert share("Horror", LONG, 40) == ("Horror", f"{LONG[:33]}…")
    assert share(LONG, "Horror", 40) == (f"{LONG[:33]}…", "Horror")
    assert [len(name) for name in share(LONG, LONG, 40)] == [20, 20]


def test_a_name_is_one_cell_for_each_character() -> None:
    assert label_text("七 [REC]\x1b[31m") == "? [REC]?[31m"
