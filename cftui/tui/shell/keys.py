"""Every key of the app in one table: bindings, footer, help, palette and the keymap of the configuration.

An action's id, such as ``search.why``, is its group and its name; the configuration file's ``[keys]`` gives other keys
to ids. A group belongs to one screen or widget, which takes ``bindings(group)`` as its ``BINDINGS``.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from textual.binding import Binding, BindingType
from textual.keys import KEY_TO_UNICODE_NAME, REPLACED_KEYS, Keys

from cftui.errors import CftuiError, suggestion
from cftui.tui.shell.screens import SCREENS

# The names of actions that only move a cursor or a view: left out where there is no room, and of the palette.
MOVES = {"up", "down", "left", "right", "first", "last", "page_up", "page_down", "enter"} | {
    f"pan_{way}" for way in ("left", "right", "up", "down")
}
MODIFIERS = {"ctrl", "shift", "alt", "meta", "super", "hyper"}
NAMED_KEYS = {key.value.rpartition("+")[2] for key in Keys}


class Key(NamedTuple):
    """One action.

    Attributes:
        keys: separated by commas, in Textual's names.
        action: what Textual calls.
        text: in the help and the palette; in the footer where ``footer`` is empty.
        footer: a short name for the footer; None keeps it out of there.
    """

    name: str
    keys: str
    action: str
    text: str
    footer: str | None = None
    priority: bool = False


def _moves(action: str, page: int) -> tuple[Key, ...]:
    """Keys that move a list while the hands stay in the field above it."""
    return (
        Key("down", "down", f"{action}(1)", "Next"),
        Key("up", "up", f"{action}(-1)", "Previous"),
        Key("page_down", "pagedown", f"{action}({page})", "Next page"),
        Key("page_up", "pageup", f"{action}(-{page})", "Previous page"),
    )


# Both rooms that show a model go through the epochs with the same keys, and offer the same without one.
_MODEL_ROOM = (
    Key("earlier", "left_square_bracket", "epoch(-1)", "Earlier epoch"),
    Key("later", "right_square_bracket", "epoch(1)", "Later epoch"),
    Key("train", "t", "train_first", "Train", "Train"),
    Key("get", "g", "get", "Get data", "Get data"),
)

ACTIONS: dict[str, tuple[Key, ...]] = {
    "app": (
        *(Key(e.mode, f"{e.key},f{e.key}", f"switch_mode('{e.mode}')", e.title) for e in SCREENS),
        Key("run", "R,ctrl+r", "switch_run", "Go to another run"),
        Key("jump", "ctrl+o,backslash", "jump", "Jump to a pane by its letter"),
        Key("copy", "y", "copy", "Copy the row or point under the cursor"),
        Key("help", "question_mark", "help", "Help", "Help"),
        Key("quit", "q", "quit", "Quit", "Quit"),
        Key("suspend", "ctrl+z", "suspend_process", "Suspend; fg comes back"),
    ),
    "room": (Key("back", "escape", "back", "Back to where you came from", "Back"),),
    "dataset": (
        Key("get", "g", "get", "Get data", "Get data"),
        Key("train", "t", "go('train')", "Train", "Train"),
        Key("search", "slash", "go('search')", "Search", "Search"),
        Key("import", "i", "import", "Import ratings of your own", "Import"),
        Key("open", "o", "open", "Open another data set", "Open"),
        Key("head", "h", "tab('head')", "Head"),
        Key("crosstab", "c", "tab('crosstab')", "Crosstab"),
        Key("duplicates", "d", "tab('duplicates')", "Duplicates"),
        Key("users", "u", "tab('users')", "Users"),
        Key("items", "m", "tab('items')", "Most rated"),
        Key("genres", "e", "tab('genres')", "Genres"),
        Key("people", "p", "tab('people')", "People: ages, genders, occupations, activity"),
        Key("activity", "a", "tab('activity')", "Activity over time"),
    ),
    "import": (Key("leave", "escape", "leave", "Cancel; stop a running import"),),
    "path": (
        Key("take", "enter", "screen.go_on", "Take the file; go to its columns"),
        Key("complete", "tab", "screen.complete", "Complete the path, or to the next field"),
    ),
    "columns": (
        Key("user", "u", "mark('u')", "This column is the user"),
        Key("item", "i", "mark('i')", "This column is the item"),
        Key("rating", "r", "mark('r')", "This column is the rating"),
        Key("counts", "c", "mark('c')", "This column counts plays or purchases"),
        Key("each_row", "n", "each_row", "No ratings: every row is one play or purchase"),
        Key("unrated", "z", "unrated", "The odd value of the ratings means 'not rated'"),
        Key("time", "t", "mark('t')", "This column is the time; of items: the title"),
        Key(
            "header",
            "h",
            "format('header')",
            "The first row holds the names of the columns, or is data",
        ),
        Key("delimiter", "d", "format('delimiter')", "Another delimiter"),
        Key("encoding", "e", "format('encoding')", "Another encoding"),
        Key("import", "enter", "screen.go_on", "Import"),
        Key("help", "question_mark", "app.help", "What each key does"),
    ),
    "train": (
        Key("train", "t", "train", "Train with the form as it is", "Train"),
        Key("stop", "x", "stop", "Stop the run", "Stop"),
        Key("resume", "r", "resume", "Resume a stopped run, or go on for more epochs", "Resume"),
        Key("worth", "w", "evaluate", "What the run is worth: errors, lists, for whom", "Worth"),
        Key("overlay", "o", "overlay", "Draw another run in the chart"),
        Key("scatter", "A", "scatter", "All runs as points: accuracy against novelty of their lists"),
        Key("keep_best", "b", "keep_best", "Train the run again and keep its best epoch"),
        Key("results", "v", "results", "Results on the validation ratings", "Results"),
        Key("lr_finder", "f", "find_lr", "Learning-rate finder", "LR finder"),
        Key("sweep", "B", "sweep", "Sweep: try many settings, and see which is best", "Sweep"),
        Key("log_y", "l", "log_y", "Logarithmic y"),
        Key("x_axis", "a", "x_axis", "X axis: epoch, step, seconds"),
        Key("range", "z", "range", "Range of the chart: what matters, or every loss"),
        Key("band", "m", "band", "Minima and maxima of the batches"),
        Key("form", "e", "edit", "Edit the form"),
        Key("runs", "u", "runs", "Go to the runs"),
        Key("queue", "Q", "queue", "Go to the queue"),
        Key("epochs", "p", "epochs", "The epochs in the place of the runs, and back"),
        Key("search", "slash", "app.switch_mode('search')", "Search"),
        Key("leave", "escape", "leave_field", "Leave the field"),
    ),
    "runs": (
        Key("overlay", "space", "overlay", "Select, and draw in the chart", "Overlay"),
        Key("compare", "c", "compare", "Compare with the run in the chart", "Compare"),
        Key("lists", "L", "lists", "Compare the lists of the selected runs and the model in use, for a user"),
        Key("delete", "d,delete", "delete", "Move to the trash", "Remove"),
        Key("undo", "U", "undo", "Bring back what was removed last"),
        Key("trash", "T", "trash", "Removed runs"),
        Key("filter", "i", "filter", "Runs of this data set, of this recipe, all"),
        Key("rename", "n", "rename", "Rename"),
        Key("tags", "number_sign", "tags", "Tags"),
        Key("note", "N", "note", "A note"),
    ),
    "queue": (
        Key("remove", "d,delete", "remove", "Take out of the queue", "Remove"),
        Key("earlier", "K,shift+up", "shift(-1)", "Earlier", "Earlier"),
        Key("later", "J,shift+down", "shift(1)", "Later", "Later"),
    ),
    "trash": (
        Key("purge", "P", "purge", "Delete all removed runs for good"),
        Key("leave", "escape,q,T", "leave", "Close"),
    ),
    "table": (
        Key("down", "j", "cursor_down", "Down"),
        Key("up", "k", "cursor_up", "Up"),
        Key("first", "g", "scroll_top", "First"),
        Key("last", "G", "scroll_bottom", "Last"),
        Key("page_up", "ctrl+u", "page_up", "Page up"),
        Key("page_down", "ctrl+d", "page_down", "Page down"),
        Key("select", "enter", "select_cursor", "Select", ""),
    ),
    "arrange": (
        Key("sort", "s", "sort_next", "Sort by the next column", "Sort"),
        Key("other_way", "S", "sort_other_way", "Sort the other way round"),
        Key("filter", "slash", "filter_rows", "Show only the rows with these words", "Filter"),
        Key("all", "escape", "all_rows", "Show all rows again", "All rows"),
    ),
    "filter_line": (
        Key("keep", "down", "keep", "Keep the filter; back to the rows", "Keep"),
        Key("leave", "escape", "leave", "Leave the rows as they were", "Cancel"),
    ),
    "search": (
        Key("search", "slash", "search", "Search", "Search"),
        Key("user", "u", "user", "Predict for another user", "User"),
        Key("me", "m", "me", "Become a user: rate ten items", "Me"),
        Key("why", "w", "why", "Why this prediction", "Why"),
        Key("order", "o", "order", "Order of the best: choice, both, rating, safe, adventurous", "Order"),
        Key("metric", "s", "similarity", "Metric: cosine or Euclidean", "Metric"),
        Key("best", "r", "recommended", "Best of what the user has not seen", "Best"),
        Key("better", "e", "better", "Train ease, for better lists"),
        Key("filter", "f", "filter", "Filter by genre and number of ratings", "Filter"),
        Key("export", "x", "export", "Write the list as a CSV"),
        Key("shrink", "z", "shrink", "Plain similarities, as in the chapter, or shrunk for few ratings"),
        Key("lists", "c", "lists", "Compare the lists of several runs"),
        Key("profile", "p", "profile", "Profile of the user"),
        Key("biases", "b", "biases", "All biases"),
        Key("anatomy", "a", "anatomy", "Anatomy of a batch"),
        Key("on_map", "l", "on_map", "Locate it on the map"),
        *_MODEL_ROOM,
    ),
    "items": (Key("sort", "S", "sort_both_ways", "Sort the list by the next column, from either end", "Sort"),),
    "field": (
        *_moves("screen.move_found", 5),
        Key("pick", "enter", "submit", "To the neighbours", "Neighbours"),
        Key("leave", "escape", "screen.leave_field", "Leave the field, for the keys", "Keys"),
    ),
    "list_field": _moves("move", 10),
    "list": (
        Key("up", "up,k", "move(-1)", "Up"),
        Key("down", "down,j", "move(1)", "Down"),
        Key("first", "home,g", "first", "First"),
        Key("last", "end,G", "last", "Last"),
        Key("page_up", "pageup,ctrl+u", "page(-1)", "Page up"),
        Key("page_down", "pagedown,ctrl+d", "page(1)", "Page down"),
        Key("select", "enter", "select", "Select", ""),
    ),
    "map": (
        Key("find", "slash", "find", "Find and mark", "Find"),
        Key("colour", "c", "colour", "Colour by quadrant, genre, bias, ratings", "Colour"),
        Key("filter", "f", "filter", "Filter by genre and number of ratings", "Filter"),
        Key("axes", "a", "axes", "Name the axes", "Axes"),
        Key("export", "x", "export", "Write the map as SVG, PNG or CSV", "Export"),
        Key("part", "p", "part", "Item factors (M), low-rank part (L), sparse part (S)", "Parts"),
        Key("biases", "b", "biases", "All biases", "Biases"),
        Key("next", "n", "next(1)", "Next found"),
        Key("previous", "N", "next(-1)", "Previous found"),
        Key("farthest", "5", "preset('farthest')", "Name the five farthest per quadrant"),
        Key("near", "0", "preset('near')", "Name those near an axis"),
        Key("plain", "9", "preset('all')", "No names"),
        Key("nearer", "less_than_sign", "tolerance(-1)", "Nearer an axis"),
        Key("farther", "greater_than_sign", "tolerance(1)", "Farther from an axis"),
        Key("robust", "r", "robust", "Robust PCA: choose the solver"),
        Key("side", "v", "side", "Biases or neighbours at the side"),
        Key("read", "i", "read", "Read coordinates from a CSV"),
        *_MODEL_ROOM,
        Key("leave", "escape", "to_map", "Back to the map"),
    ),
    "points": (
        Key("left", "left,h", "move(-1, 0)", "Left"),
        Key("right", "right,l", "move(1, 0)", "Right"),
        Key("up", "up,k", "move(0, 1)", "Up"),
        Key("down", "down,j", "move(0, -1)", "Down"),
        Key("pan_left", "shift+left,H", "pan(-1, 0)", "Pan left"),
        Key("pan_right", "shift+right,L", "pan(1, 0)", "Pan right"),
        Key("pan_up", "shift+up,K,ctrl+u", "pan(0, 1)", "Pan up"),
        Key("pan_down", "shift+down,J,ctrl+d", "pan(0, -1)", "Pan down"),
        Key("zoom_in", "plus,equals_sign", "zoom(1)", "Zoom in"),
        Key("zoom_out", "minus", "zoom(-1)", "Zoom out"),
        Key("whole", "z", "reset", "Whole map"),
        Key("select", "enter", "select", "Open in Search", "Search"),
    ),
    "me": (
        *[Key(f"rate_{key}", str(key), f"rate('{key}')", f"Rate {key}") for key in range(10)],
        Key("rate_point", "full_stop", "rate('.')", "Rate a half, after the whole number"),
        Key("rate_minus", "minus", "rate('-')", "Rate below 0"),
        Key("lower", "left", "step(-1)", "A step lower", priority=True),
        Key("higher", "right", "step(1)", "A step higher", priority=True),
        Key("take", "enter", "take", "Take the rating; on an answer, ask again", "Take", priority=True),
        Key("like", "l", "like", "Like it, without a rating", "Like"),
        Key("pass", "space", "pass_over", "Not seen", "Not seen"),
        Key("undo", "backspace", "undo", "Undo", "Undo"),
        Key("other", "slash", "find", "Rate another", "Other"),
        Key("bring", "i", "bring", "Take your ratings from a file: Letterboxd, IMDb, Goodreads", "Import"),
        Key("save", "w", "keep", "Save", "Save"),
        Key("leave", "escape,q", "leave", "Leave", "Leave"),
    ),
    "biases": (
        Key("leave", "escape", "leave", "Close"),
        Key("search", "slash", "search", "Search"),
        Key("on_map", "l", "go('map')", "Locate it on the map"),
        Key("export", "x", "export", "Write as a CSV"),
        Key("close", "q", "dismiss(None)", "Close"),
    ),
    "anatomy": (
        Key("another", "n,space", "another", "Another batch"),
        Key("close", "escape,q,a", "dismiss", "Close"),
    ),
    "evaluation": (Key("close", "escape,q,w", "dismiss", "Close"),),
    "robust": (
        Key("ialm", "i", "solve('ialm')", "Solve by ialm"),
        Key("book", "b", "solve('book')", "Solve by book"),
        Key("take", "enter", "take", "Show on the map", priority=True),
        Key("leave", "escape,q", "leave", "Cancel"),
    ),
    "sweep": (
        Key("stop", "x", "stop", "Stop the sweep"),
        Key("leave", "escape", "leave", "Close; the sweep goes on"),
        Key("close", "q", "leave", "Close"),
    ),
    "lr_finder": (
        Key("take", "enter", "take", "Take it"),
        Key("leave", "escape,q", "dismiss(None)", "Leave it"),
    ),
    "sheet": (
        Key("close", "escape,q,v", "dismiss", "Close"),
        Key("enter", "enter", "enter", "Show it in Search, or close", priority=True),
    ),
    "dialog": (Key("cancel", "escape", "dismiss(None)", "Cancel"),),
    "confirm": (
        Key("yes", "y", "dismiss(True)", "Yes"),
        Key("no", "n,escape,q", "dismiss(False)", "No"),
    ),
    "profile": (Key("close", "escape,q,p", "dismiss", "Close"),),
    "lists": (
        Key("next", "n", "next(1)", "Next user whose lists differ much", "Next user"),
        Key("previous", "N", "next(-1)", "Previous user whose lists differ much", "Previous"),
        Key("user", "u", "user", "Compare for another user", "User"),
        Key("runs", "r", "runs", "Choose the runs whose lists are compared", "Runs"),
        Key("leave", "escape,q", "dismiss", "Back to the search", "Back"),
    ),
    "scroll": (
        Key("down", "j", "scroll_down", "Down"),
        Key("up", "k", "scroll_up", "Up"),
        Key("first", "g", "scroll_home", "First line"),
        Key("last", "G", "scroll_end", "Last line"),
        Key("page_up", "ctrl+u", "page_up", "Page up"),
        Key("page_down", "ctrl+d", "page_down", "Page down"),
    ),
    "run_choice": (
        Key("choose", "space", "choose", "Choose the run, or leave it out", "Choose"),
        Key("cancel", "escape,q", "dismiss(None)", "Cancel"),
    ),
    "help": (Key("close", "escape,question_mark,q,enter", "dismiss", "Close"),),
}


def bindings(group: str) -> list[BindingType]:
    """The bindings of one screen or widget."""
    return [
        Binding(
            key.keys,
            key.action,
            key.footer or key.text,
            show=key.footer is not None,
            priority=key.priority,
            tooltip=key.text,
            id=f"{group}.{key.name}",
        )
        for key in ACTIONS[group]
    ]


def ids() -> list[str]:
    return [f"{group}.{key.name}" for group, keys in ACTIONS.items() for key in keys]


def is_key(name: str) -> bool:
    """Whether a key has this name in Textual: ``a``, ``A``, ``?``, ``question_mark``, ``f5``, ``ctrl+shift+left``."""
    *modifiers, key = name.strip().split("+")
    if not set(modifiers) <= MODIFIERS:
        return False
    if len(key) == 1 or key in NAMED_KEYS or key in REPLACED_KEYS or key in KEY_TO_UNICODE_NAME:
        return True
    try:
        return bool(unicodedata.lookup(key.replace("_", " ")))
    except KeyError:
        return False


def keymap(asked: dict[str, str]) -> dict[str, str]:
    """The configuration's ``[keys]``, checked.

    Raises:
        CftuiError: an id there is not.
    """
    known = ids()
    for name in asked:
        if name not in known:
            raise CftuiError(f"no action {name!r} to give keys to; {suggestion(name, known)[:200]}")
    return {name: ",".join(key.strip() for key in keys.split(",")) for name, keys in asked.items()}
