"""A sweep started from the form: the process, and its leaderboard, read from the logs of its runs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from signal import SIGINT

from cftui.engine.models.recipes import Recipe
from cftui.engine.runs.folder import RunFolder, new_name
from cftui.home import Home
from cftui.tui.session import jobs

BEST = "-best"


@dataclass(frozen=True)
class Trial:
    """One row of the leaderboard.

    Attributes:
        run: the name of its folder.
        setting: the values tried, by option.
        score: what it is judged by so far; None before there is any.
        state: how far it is, or how it ended.
        ended: whether it says the same for ever.
    """

    run: str
    setting: dict[str, object]
    score: float | None
    state: str
    ended: bool


@dataclass
class Sweep:
    """One recipe under many settings.

    Attributes:
        recipe, data, options: what all trials share; the options as words of the command line.
        name: its trials are the runs ``name-01``, ``name-02`` and so on; "" before it has begun.
        varied: the options that differ from trial to trial.
    """

    recipe: Recipe
    data: str
    options: Sequence[str]
    name: str = ""
    varied: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    _ended: dict[str, Trial] = field(default_factory=dict)

    def begin(self, home: Home, grid: Sequence[str], draws: int | None) -> None:
        """Start it in a process of its own, which goes on when the app is left.

        Its narration goes into the folder of the run that it ends with. Raises OSError if it cannot be started.
        """
        self.name = new_name("sweep", home)
        self.varied = tuple(text.partition("=")[0].strip().replace("-", "_") for text in grid)
        tried = [word for text in grid for word in ("--try", text)]
        words = ["sweep", self.recipe.name, "--data", self.data, "--name", self.name, *self.options, *tried]
        words += ["--random", str(draws)] if draws else []
        self.process = jobs.start_detached(home, f"{self.name}{BEST}", words)

    @property
    def live(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Stop it as Ctrl+C does: the current trial is stopped, and none follows."""
        if self.process is not None and self.live:
            self.process.send_signal(SIGINT)

    def board(self, home: Home) -> list[Trial]:
        """The trials, the best first; those without a score last. For a thread: it reads files."""
        found = [self._trial(run) for path in sorted(home.models.glob(f"{self.name}-*")) if (run := _trial_of(path))]
        better = self.recipe.fitting.score.higher_is_better
        scored = sorted((one for one in found if one.score is not None), key=_score, reverse=better)
        return scored + [one for one in found if one.score is None]

    def outcome(self, home: Home) -> Trial | None:
        """The run with the best setting, trained on all training ratings; None before it has begun."""
        run = RunFolder(home.models / f"{self.name}{BEST}")
        return self._trial(run) if run.config_file.exists() else None

    def complaint(self, home: Home) -> str:
        """The last line it said, if it ended badly; "" otherwise."""
        if self.process is None or self.live or not self.process.returncode:
            return ""
        run = RunFolder(home.models / f"{self.name}{BEST}")
        lines = run.log_file.read_text(errors="replace").split("\n") if run.log_file.exists() else []
        said = [line for line in lines if line.strip()]
        return str(jobs.parse_line(said[-1])) if said else f"it ended with status {self.process.returncode}"

    def _trial(self, run: RunFolder) -> Trial:
        """What the log of a run says of it. An ended one is read once."""
        if run.name in self._ended:
            return self._ended[run.name]
        from cftui.engine.sweep import score_of

        history, options = run.history(), run.config().options.as_json()
        setting = {name: options.get(name) for name in self.varied}
        if history.ending:
            state = history.ending["event"]
            trial = Trial(run.name, setting, score_of(run, self.recipe), state, ended=True)
            self._ended[run.name] = trial
            return trial
        last = dict(history.last or {})
        score = last.get(self.recipe.fitting.score.key)
        shown = score if isinstance(score, float) else None
        return Trial(run.name, setting, shown, f"{history.progress:.0%}", ended=False)


def _trial_of(path: object) -> RunFolder | None:
    run = RunFolder(path)  # type: ignore[arg-type]
    return run if not run.name.endswith(BEST) and run.config_file.exists() else None


def _score(trial: Trial) -> float:
    assert trial.score is not None
    return trial.score
