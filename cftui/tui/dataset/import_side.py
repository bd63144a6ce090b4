"""What is known of one of the files of an import: where it is, its first rows, what its columns are marked as."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rich.text import Text

from cftui.data.formats.guessing import Guess
from cftui.errors import CftuiError
from cftui.text import printable
from cftui.tui.dataset import import_paths, import_sample
from cftui.tui.dataset.import_sample import Sample

DELIMITERS = (None, ",", "\t", ";", "|", "::", " ")
ENCODINGS = (None, "utf-8", "cp1252", "latin-1", "utf-16")
# What the command line calls the columns of the file about the items.
OPTIONS = {"item": "item-id"}


@dataclass
class Side:
    """One of the two files.

    Attributes:
        kind: ``ratings`` or ``items``: its field, its table and its roles are named after it.
        text: the path as typed; None before anything has been looked at.
        entries: files that complete ``text`` while it is not yet a file.
        problem: why there are no rows, or none by the delimiter or encoding asked for.
        marks: column by role.
        delimiter, encoding, header: as the user chose them; guessed where None.
        each_row: whether every row says that something was chosen once more, without a rating.
        odd: a rating that seems to mean "not rated", if one stands apart; unrated: whether it does.
        guess: what the columns were taken for at first.
    """

    kind: str
    text: str | None = None
    sample: Sample | None = None
    entries: list[import_paths.Entry] = field(default_factory=list)
    problem: str = ""
    marks: dict[str, int] = field(default_factory=dict)
    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    each_row: bool = False
    odd: float | None = None
    unrated: bool = False
    guess: Guess | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        return import_sample.RATINGS if self.kind == "ratings" else import_sample.ITEMS

    @property
    def has_values(self) -> bool:
        """Whether it is known what the file says of a user and an item."""
        return self.each_row or "rating" in self.marks or "counts" in self.marks

    def without_values(self) -> None:
        """Every row says that something was chosen once more; once more, and it does not."""
        self.each_row = not self.each_row
        if self.each_row:
            self.marks = {role: at for role, at in self.marks.items() if role not in ("rating", "counts")}

    def not_rated(self) -> None:
        """The odd rating means "not rated"; once more, and it does not."""
        self.unrated = self.odd is not None and not self.unrated

    @property
    def can_be_cut_otherwise(self) -> bool:
        """Whether delimiter, encoding and header can be changed: of the items' file they are always guessed."""
        return self.kind == "ratings" and self.sample is not None and self.sample.kind == "csv"

    @property
    def missing(self) -> str:
        """What to do about a column that is not known yet."""
        lacking = self.sample is not None and not {"user", "item"} <= self.marks.keys()
        if self.kind == "ratings" and lacking and self.guess is not None and self.guess.problem:
            return _problem(self.guess)
        for role in self.roles if self.sample else ():
            if role == "rating" and role not in self.marks and not self.has_values:
                return "which column is the rating? r marks it, c a count; n: every row is one"
            if role not in self.marks and role not in ("rating", *import_sample.OPTIONAL):
                return f"which column is the {role}? Go to it and press {role[0]}"
        if self.sample is not None and self.kind == "ratings":
            return import_sample.wrong_column(self.sample, self.marks)
        return ""

    def look(self, text: str, noun: str) -> Side:
        """What ``text`` leads to; for a thread: a folder may be far away, and a file packed.

        What is marked stays where the columns are the same.
        """
        side = replace(self, text=text, problem="", entries=[])
        try:
            if import_paths.is_file(text):
                path = import_paths.path_of(text).absolute()
                side.sample = import_sample.read_sample(path, self.delimiter, self.encoding, self.header)
            else:
                side.sample = None
                # An empty field asks for nothing where it may stay empty.
                side.entries = import_paths.matches(text) if text or self.kind == "ratings" else []
                side.problem = f"no such file: {text}" if text and not side.entries else ""
        except CftuiError as error:
            side.problem = str(error)
        except OSError as error:
            side.problem = f"{error.filename or text}: {error.strerror or error}"
        except (RuntimeError, ValueError) as error:
            side.problem = f"{text}: {error}"
        if side.problem and text != self.text:
            side.sample = None
        columns = side.sample.columns if side.sample else ()
        if side.sample and (self.sample is None or self.sample.columns != columns):
            side.guess = import_sample.guess(side.sample, self.roles, noun)
            side.marks = dict(side.guess.places)
            side.each_row = side.guess.no_rating
        side.look_at_ratings()
        return side

    def look_at_ratings(self) -> None:
        """Note whether a value of the ratings stands apart."""
        at = self.marks.get("rating")
        self.odd = import_sample.not_rated(self.sample, at) if self.sample is not None and at is not None else None
        self.unrated = self.unrated and self.odd is not None

    def mark(self, letter: str, at: int) -> None:
        """The column ``at`` plays the role that begins with ``letter``. Once more, and it is not the time after all."""
        role = next((role for role in self.roles if role[0] == letter), None)
        if role is None or self.sample is None:
            return
        if role in ("rating", "counts"):
            self.each_row = False
            self.marks = {other: at for other, at in self.marks.items() if other not in ("rating", "counts")}
        if self.marks.get(role) != at or role not in import_sample.OPTIONAL:
            self.marks = {other: column for other, column in self.marks.items() if column != at} | {role: at}
        else:
            del self.marks[role]
        self.look_at_ratings()

    def another(self, what: str) -> None:
        """The next delimiter or encoding; the first is a guess. The header is there or it is not."""
        if what == "header":
            self.header = self.sample is not None and not self.sample.header
            return
        values = DELIMITERS if what == "delimiter" else ENCODINGS
        setattr(self, what, values[(values.index(getattr(self, what)) + 1) % len(values)])

    def words(self) -> list[str]:
        """The options of the command line that say all this."""
        sample = self.sample
        if sample is None:
            return []
        words = [] if self.kind == "ratings" else [f"--items={sample.path}"]
        names = {} if self.kind == "ratings" else OPTIONS
        # What is as it was guessed is left to the import, which guesses from the same rows.
        guess = self.guess.places if self.guess is not None else {}
        changed = {role: at for role, at in self.marks.items() if guess.get(role) != at}
        words += [f"--{names.get(role, role)}={sample.word(at)}" for role, at in changed.items()]
        words += ["--time="] if "time" in guess and "time" not in self.marks else []
        words += ["--no-rating"] if self.each_row else []
        words += [f"--shape={sample.shape}"] if self.kind == "ratings" else []
        words += [f"--unrated={self.odd:g}"] if self.unrated else []
        if self.kind == "ratings" and self.header is not None:
            words += ["--header" if self.header else "--no-header"]
        asked = {"delimiter": self.delimiter, "encoding": self.encoding}
        return words + [f"--{option}={value}" for option, value in asked.items() if value is not None]

    def format_line(self, with_keys: bool) -> Text:
        """``comma   utf-8   4 columns``; before what can be changed, the key that does."""
        if self.sample is None:
            return Text("files" if self.entries else "", style="dim")
        keys = with_keys and self.can_be_cut_otherwise
        text = Text.assemble(*_key("d", keys), self.sample.format, "   ")
        if self.sample.encoding:
            text.append_text(Text.assemble(*_key("e", keys), self.sample.encoding, "   "))
        text.append(f"{len(self.sample.columns)} columns   ")
        if self.can_be_cut_otherwise or not self.sample.header:
            text.append_text(Text.assemble(*_key("h", keys), f"first row: {'names' if self.sample.header else 'data'}"))
        return text

    def marks_line(self, with_keys: bool) -> Text:
        """``user person   item beer   rating stars``; the first letter is the key, where it does anything."""
        text = Text()
        for role in self.roles if self.sample else ():
            at = self.marks.get(role)
            if role == "counts" and at is None:
                continue
            if role == "rating" and self.each_row:
                text.append_text(Text.assemble(("n ", "bold reverse" if with_keys else "dim"), "every row is one   "))
                continue
            if role == "rating" and "counts" in self.marks:
                continue
            if role == "rating" and self.odd is not None:
                label = printable(self.sample.label(at)) if self.sample is not None and at is not None else ""
                letter = ("r", "bold reverse" if with_keys else "dim")
                text.append_text(Text.assemble(letter, ("ating ", "dim"), (label, "bold"), "   "))
                text.append_text(self._odd_text(with_keys))
                continue
            if self.sample is not None and (at is not None or with_keys):
                name = "-" if at is None else printable(self.sample.label(at))
                letter = (role[0], "bold reverse" if with_keys else "dim")
                text.append_text(Text.assemble(letter, (f"{role[1:]} ", "dim"), (name, "bold"), "   "))
        return text

    def _odd_text(self, with_keys: bool) -> Text:
        """Whether the odd rating means "not rated"; the first letter is the key."""
        what = f"{self.odd:g} unrated" if self.unrated else f"{self.odd:g} unrated?"
        return Text.assemble(("z", "bold reverse" if with_keys else "dim"), f" {what}   ")


def _problem(guess: Guess) -> str:
    """Why the columns could not be guessed, without options of the command line."""
    one_person = "one person" in guess.problem
    return guess.problem + ("; Become a user, in Search, reads such a file" if one_person else "")


def _key(letter: str, there: bool) -> tuple[str | tuple[str, str], ...]:
    return ((letter, "bold reverse"), " ") if there else ()
