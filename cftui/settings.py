"""What the app keeps about its user: a configuration file to write, a state file it writes, and a log of what failed.

The configuration (TOML, ``cftui locate`` names the file):

    theme = "textual-dark"     # any of the palette's themes; else the one last chosen
    ascii = false              # no braille, box or block characters
    data = "ml-100k"           # the data set to open when none was open before
    recipe = "model4"          # what t trains where there is no model yet

    [keys]                     # keys of actions, by the names that ? shows; several keys are separated by commas
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
# A log that has grown beyond this is begun anew.
LOG_BYTES = 1_000_000


def _place(kind: str) -> Path:
    """One of the user's folders; ``CFTUI_CONFIG_DIR`` and ``CFTUI_STATE_DIR`` put them elsewhere."""
    named = os.environ.get(f"CFTUI_{kind.upper()}_DIR")
    if named:
        return Path(named).expanduser()
    import platformdirs

    find = {"config": platformdirs.user_config_path, "state": platformdirs.user_state_path}[kind]
    return find(APP, appauthor=False)


def config_file() -> Path:
    return _place("config") / "config.toml"


def state_file() -> Path:
    return _place("state") / "state.json"


def log_file() -> Path:
    return _place("state") / "cftui.log"


@dataclass(frozen=True)
class Config:
    """What the configuration file says; its docstring is the module's."""

    theme: str = ""
    ascii: bool = False
    data: str = ""
    recipe: str = ""
    keys: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        path: Path | None = None,
        *,
        actions: Collection[str] = (),
        is_key: Callable[[str], bool] = lambda name: True,
    ) -> Config:
        """The defaults where there is no file.

        Args:
            actions: those that keys can be given to; not checked if left out.
            is_key: whether there is a key of that name.

        Raises:
            CftuiError: unreadable, not TOML, or a name or value there is not, with the line.
        """
        path = path or config_file()
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError) as error:
            raise CftuiError(f"{path}: cannot be read ({error})") from None
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CftuiError(f"{path}: {error}") from None
        kinds = {"theme": str, "ascii": bool, "data": str, "recipe": str, "keys": dict}
        for name, value in found.items():
            if name not in kinds:
                raise CftuiError(
                    f"{path}, line {_line(text, name)}: no setting {name!r}; {suggestion(name, list(kinds))}"
                )
            if not isinstance(value, kinds[name]):
                wanted = {str: "a string in quotes", bool: "true or false", dict: "a table"}[kinds[name]]
                raise CftuiError(f"{path}, line {_line(text, name)}: {name} is {wanted}")
        for action, keys in found.get("keys", {}).items():
            if not isinstance(keys, str) or not keys.strip():
                raise CftuiError(f"{path}, line {_line(text, action)}: the keys of {action} are a string in quotes")
            if actions and action not in actions:
                near = get_close_matches(action, actions, n=3) or ["? lists them"]
                raise CftuiError(f"{path}, line {_line(text, action)}: no action {action!r}; {', '.join(near)}")
            for key in keys.split(","):
                if not is_key(key):
                    examples = "such as f5, ctrl+g, question_mark or G"
                    raise CftuiError(f"{path}, line {_line(text, action)}: no key {key.strip()!r}; {examples}")
        return cls(**found)


def _line(text: str, name: str) -> int:
    """The line on which a name is set, or opened as a table."""
    pattern = re.compile(rf"""^\s*\[?\s*["']?{re.escape(name)}["']?\s*[=\].]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


@dataclass
class State:
    """What was on show when the app was left. ``newest``: the newest run there was then."""

    theme: str = ""
    data: str = ""
    run: str = ""
    newest: str = ""
    user: str = ""
    screen: str = ""


def read_state(home: Home) -> tuple[State, str]:
    """What was remembered for this home, and what to tell the user: a file that cannot be read is set aside."""
    path = state_file()
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        found = whole["homes"].get(str(home.root), {})
        known = {item.name for item in fields(State)}
        kept = {name: value for name, value in found.items() if name in known and isinstance(value, str)}
        return State(**kept), ""
    except FileNotFoundError:
        return State(), ""
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        aside = set_aside(path)
        try:
            os.replace(path, aside)
        except OSError:
            return State(), f"{path} could not be read ({type(error).__name__})"
        return State(), f"{path} could not be read ({type(error).__name__}) and is now {aside.name}"


def write_state(home: Home, state: State) -> None:
    """Remember; a disk that is full or a folder that is not ours is no reason to fail."""
    path = state_file()
    whole: dict[str, Any] = {"homes": {}}
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and isinstance(found.get("homes"), dict):
            whole = found
    whole["homes"][str(home.root)] = asdict(state)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, whole)


def set_aside(path: Path) -> Path:
    """What a state file that cannot be read is renamed to."""
    return path.with_name(f"{path.name}.bad")


def older(path: Path) -> Path:
    """Where a log that has grown too long goes."""
    return path.with_suffix(".old.log")


def log(text: str) -> Path:
    """Append to the log, with the time; returns its path, whether or not it could be written."""
    path = log_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            os.replace(path, older(path))
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")
    return path
