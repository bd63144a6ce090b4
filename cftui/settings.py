"""The app's settings: a configuration file that the user writes, a state file that the app writes, and an error log.

The configuration is a TOML file; ``cftui locate`` prints its path:

    theme = "cftui-light"      # a theme of the palette [default: the theme chosen last, else cftui-dark]
    ascii = false              # true: no braille, box or block characters
    data = "ml-100k"           # the data set to open at the first start
    recipe = "model4"          # the recipe that t trains if no model is open
    bell = true                # false: no bell and no notification when a run has ended

    [notify]                   # what happens when a run has ended, failed or died
    command = "..."            # a line of the shell; CFTUI_TEXT holds the message
    webhook = "https://..."    # an address that gets the message as JSON
    on = ["failed", "dead"]    # of which ends to tell: done, stopped, failed, dead [default: all]

    [keys]                     # the keys of actions, by the names that ? shows; commas separate several keys
    "search.why" = "w"
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import tomllib
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cftui.errors import CftuiError, suggestion
from cftui.files import write_json
from cftui.home import Home

APP = "cftui"
# When the log is longer than this, it is renamed and a new one begins.
LOG_BYTES = 1_000_000
STATE_VERSION = 2
# Named axes run from one pole to another.
POLES = 4


def _place(kind: str) -> Path:
    """Return the user's folder of that ``kind``, config or state.

    The environment variables ``CFTUI_CONFIG_DIR`` and ``CFTUI_STATE_DIR`` override the defaults.
    """
    folder = os.environ.get(f"CFTUI_{kind.upper()}_DIR")
    if folder:
        return Path(folder).expanduser()
    import platformdirs

    find = {"config": platformdirs.user_config_path, "state": platformdirs.user_state_path}[kind]
    return find(APP, appauthor=False)


def config_file() -> Path:
    return _place("config") / "config.toml"


def state_file() -> Path:
    return _place("state") / "state.json"


def log_file() -> Path:
    return _place("state") / "cftui.log"


ENDS = ("done", "stopped", "failed", "dead")


@dataclass(frozen=True)
class Notify:
    """What happens when a run is no longer trained.

    Attributes:
        command: a line of the shell; "" for none.
        webhook: an address that gets a request; "" for none.
        on: of which ends to tell.
    """

    command: str = ""
    webhook: str = ""
    on: tuple[str, ...] = ENDS

    def __bool__(self) -> bool:
        """Whether anything happens."""
        return bool((self.command or self.webhook) and self.on)

    @classmethod
    def parse(cls, table: dict[str, Any]) -> Notify:
        """Read the table of the file. Raises KeyError with the name of what is wrong, the reason and a hint."""
        for name, value in table.items():
            if name not in ("command", "webhook", "on"):
                raise KeyError(name, f"no setting {name!r} in [notify]", suggestion(name, ["command", "webhook", "on"]))
            if name == "on":
                if not isinstance(value, list) or not all(one in ENDS for one in value):
                    raise KeyError(name, f"on must be a list of {', '.join(ENDS)}, each in quotes", "")
            elif not isinstance(value, str):
                raise KeyError(name, f"{name} must be a string in quotes", "")
        webhook = table.get("webhook", "")
        if webhook and not webhook.startswith(("http://", "https://")):
            raise KeyError("webhook", "webhook must begin with https:// or http://", "")
        return cls(table.get("command", ""), webhook, tuple(table.get("on", ENDS)))


@dataclass(frozen=True)
class Config:
    """The content of the configuration file, which the module's docstring describes."""

    theme: str = ""
    ascii: bool = False
    data: str = ""
    recipe: str = ""
    bell: bool = True
    keys: dict[str, str] = field(default_factory=dict)
    notify: Notify = field(default_factory=Notify)

    @classmethod
    def read(
        cls,
        path: Path | None = None,
        *,
        actions: Collection[str] = (),
        is_key: Callable[[str], bool] = lambda name: True,
    ) -> Config:
        """Read the configuration file. A file that does not exist gives the defaults.

        Args:
            path: the file [default: ``config_file()``].
            actions: the actions that may have keys; if empty, the names of actions are not checked.
            is_key: whether a key of that name exists.

        Raises:
            CftuiError: the file is unreadable or not TOML, or has an unknown name or a wrong value.
        """
        path = path or config_file()
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise CftuiError(f"cannot be read ({error})", where=path) from None
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CftuiError(f"not a TOML file: {error}", where=path) from None

        def wrong(name: str, what: str, hint: str = "") -> CftuiError:
            return CftuiError(what, where=f"{path}, line {line_of(text, name)}", hint=hint)

        types = {"theme": str, "ascii": bool, "data": str, "recipe": str, "bell": bool, "notify": dict, "keys": dict}
        for name, value in values.items():
            if name not in types:
                raise wrong(name, f"no setting {name!r}", suggestion(name, list(types)))
            if not isinstance(value, types[name]):
                form = {str: "a string in quotes", bool: "true or false", dict: "a table"}[types[name]]
                raise wrong(name, f"{name} must be {form}")
        for action, keys in values.get("keys", {}).items():
            if not isinstance(keys, str) or not keys.strip():
                raise wrong(action, f"the keys of {action} must be a string in quotes")
            if actions and action not in actions:
                near = get_close_matches(action, actions, n=3)
                hint = (
                    f"did you mean {' or '.join(near)}?" if near else "press ? in the app for the names of the actions"
                )
                raise wrong(action, f"no action {action!r}", hint)
            for key in keys.split(","):
                if not is_key(key):
                    raise wrong(
                        action, f"no key {key.strip()!r}", "keys have names such as f5, ctrl+g, question_mark or G"
                    )
        try:
            notify = Notify.parse(values.pop("notify", {}))
        except KeyError as error:
            raise wrong(*error.args) from None
        return cls(**values, notify=notify)


def line_of(text: str, name: str) -> int:
    """Return the number of the line that sets ``name`` or opens the table of that name."""
    pattern = re.compile(rf"""^\s*\[?\s*["']?{re.escape(name)}["']?\s*[=\].]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


@dataclass(frozen=True)
class Use:
    """What a data set was last used with.

    Attributes:
        run: the run that was open.
        user: the user that was open.
        newest: the newest run on the data set at that time.
        query: what was searched for.
        axes: the four poles of the map's named axes, as ``MapRoom`` writes them; empty for the components.
    """

    run: str = ""
    user: str = ""
    newest: str = ""
    query: str = ""
    axes: tuple[str, ...] = ()


@dataclass
class State:
    """What the app showed when it was closed.

    Attributes:
        theme: the theme.
        data: the data set that was open.
        screen: the screen.
        used: what each data set was last used with, by its name.
        queue: the trainings that have not begun, each as the name of its run and the words of its verb.
        form: what the form of the Train screen showed, by the names of its fields.
        broken: the screen on which the app ended with an internal error; "" if it ended well.
        left_out: the runs that were on show at such an end; they are not opened unless somebody asks for them.
    """

    theme: str = ""
    data: str = ""
    screen: str = ""
    used: dict[str, Use] = field(default_factory=dict)
    queue: list[list[str]] = field(default_factory=list)
    form: dict[str, str] = field(default_factory=dict)
    broken: str = ""
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, entries: dict[str, Any]) -> State:
        """Read what the file holds for one home; what has another form than this version writes is left out."""
        texts = {name: value for name, value in entries.items() if isinstance(value, str)}
        used = entries.get("used")
        if not isinstance(used, dict):  # before each data set had its own
            used = {texts["data"]: texts} if "data" in texts else {}
        queue, form, left_out = (entries.get(name) for name in ("queue", "form", "left_out"))
        return cls(
            **{name: texts[name] for name in ("theme", "data", "screen", "broken") if name in texts},
            used={
                name: use for name, value in used.items() if isinstance(value, dict) and (use := _use(value)) != Use()
            },
            queue=[words for words in queue if _are_words(words)] if isinstance(queue, list) else [],
            form={name: text for name, text in form.items() if isinstance(text, str)} if isinstance(form, dict) else {},
            left_out=[name for name in left_out if isinstance(name, str)] if isinstance(left_out, list) else [],
        )


def _use(entries: dict[str, Any]) -> Use:
    names = {item.name for item in fields(Use)} - {"axes"}
    texts = {name: value for name, value in entries.items() if name in names and isinstance(value, str)}
    axes = entries.get("axes")
    is_whole = isinstance(axes, list) and len(axes) == POLES and all(isinstance(pole, str) for pole in axes)
    return Use(**texts, axes=tuple(axes) if is_whole and axes else ())


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(word, str) for word in value)


def read_state(home: Home) -> tuple[State, str]:
    """Return the state kept for ``home``, and a message for the user.

    A file that cannot be read is renamed, and the message says so. Otherwise the message is empty.
    """
    path = state_file()
    try:
        whole = _migrated(json.loads(path.read_text(encoding="utf-8")))
        entries = whole["homes"].get(str(home.root), {})
        return State.parse(entries), ""
    except FileNotFoundError:
        return State(), ""
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        aside = set_aside(path)
        try:
            os.replace(path, aside)
        except OSError:
            return State(), f"{path} could not be read ({type(error).__name__}); delete it"
        return State(), f"{path} could not be read ({type(error).__name__}) and was renamed to {aside.name}"


def _migrated(whole: dict[str, Any]) -> dict[str, Any]:
    """The content of a state file, of an older version or of this one.

    Version 1 kept the name of the theme also where nobody had chosen one; it was ``textual-dark`` then.
    """
    for entries in whole["homes"].values():
        if whole.get("version", 1) < STATE_VERSION and entries.get("theme") == "textual-dark":
            del entries["theme"]
    return whole


def write_state(home: Home, state: State) -> None:
    """Keep ``state`` for ``home``. A full disk or a folder that cannot be written is not an error."""
    path = state_file()
    whole: dict[str, Any] = {"homes": {}}
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        whole = _migrated(json.loads(path.read_text(encoding="utf-8")))
    whole["version"] = STATE_VERSION
    whole["homes"][str(home.root)] = asdict(state)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, whole)


def set_aside(path: Path) -> Path:
    """Return the new path of a state file that cannot be read."""
    return path.with_name(f"{path.name}.bad")


def older(path: Path) -> Path:
    """Return the new path of a log that has grown too long."""
    return path.with_suffix(".old.log")


def log(text: str) -> Path:
    """Append ``text`` to the log, with the time. Return the path of the log, even if it could not be written."""
    path = log_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            os.replace(path, older(path))
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")
    return path
