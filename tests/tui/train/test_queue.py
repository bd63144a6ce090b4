"""A second training waits for the first; the queue can be changed, and outlives the app."""

from __future__ import annotations

import shutil

import pytest

from cftui import settings
from cftui.engine.runs.folder import RunFolder
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.main import CftuiApp
from cftui.tui.session import jobs
from cftui.tui.session.queue import Queued, moved, renamed, without

from ...conftest import TINY
from ..looking import SIZE, notices


class Trainer:
    """A process that never was: it trains until it is told that it is done."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.pid = 0

    def poll(self) -> int | None:
        return self.returncode


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Trainer]:
    """The trainers that were started, by run; none of them is a process."""
    started: dict[str, Trainer] = {}

    def start(home: Home, name: str, words: tuple[str, ...]) -> Trainer:
        (home.models / name).mkdir(parents=True, exist_ok=True)
        started[name] = Trainer()
        return started[name]

    monkeypatch.setattr(jobs, "start_detached", start)
    return started


@pytest.fixture
def home(tiny_runs, tmp_path) -> Home:
    made = Home(tmp_path / "queue-home")
    shutil.copytree(tiny_runs[0].data, made.data)
    shutil.copytree(tiny_runs[1]["model4"].path, made.models / "model4.run")
    return made


def a_training(name: str, *options: str) -> Queued:
    return Queued(name, ("train", "model4", "--data", TINY, "--name", name, *options))


async def test_a_second_training_begins_when_the_first_has_ended(home, trainers, until):
    app = CftuiApp(home, Config(data=TINY))
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(pilot, lambda: app.chosen and app.followed)
        app.start_training("model4", ["--wd", "0.2"])
        app.start_training("model3")
        (first,) = trainers
        assert [one.what for one in app.queue] == [f"model3 on {TINY}"]
        await pilot.pause()
        assert any("queued: model3" in notice for notice in notices(app))
        # Whoever looks at another run does not let the queue overtake the first.
        app.follow("model4.run")
        app.poll()
        assert list(trainers) == [first]
        app.start_training("model2")
        assert len(app.queue) == 2
        trainers[first].returncode = 0
        app.poll()
        await until(pilot, lambda: len(trainers) == 2)
        assert app.followed.name == list(trainers)[1]
        assert [one.words[1] for one in app.queue] == ["model2"]


async def test_a_run_that_is_resumed_waits_as_well_and_only_once(home, trainers, until):
    app = CftuiApp(home, Config(data=TINY))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen and app.followed)
        app.start_training("model4")
        app.resume_training("model4.run", 3)
        app.resume_training("model4.run", 3)
        assert [one.what for one in app.queue] == ["resume model4.run, 3 more"]
        app.renamed("model4.run", "kept")
        assert app.queue[0].words == ("runs", "resume", "kept", "--epochs", "3")
        app.forgotten("kept")
        assert not app.queue


async def test_the_queue_is_kept_when_the_app_is_closed_and_goes_on_when_it_opens(home, trainers, until):
    app = CftuiApp(home, Config(data=TINY), remember=True)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen and app.followed)
        app.start_training("model4")
        app.start_training("model3")
        name = app.queue[0].name
        # At once: the app may be killed.
        assert settings.read_state(home)[0].queue[0][0] == name
    for trainer in trainers.values():
        trainer.returncode = 0
    again = CftuiApp(home, remember=True)
    async with again.run_test(size=SIZE) as pilot:
        assert again.queue[0].name == name
        await until(pilot, lambda: name in trainers)
        assert not again.queue
    assert settings.read_state(home)[0].queue == []


async def test_what_another_app_has_begun_is_not_begun_again(home, trainers, until):
    app = CftuiApp(home, Config(data=TINY))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen and app.followed)
        RunFolder(home.models / "begun").path.mkdir()
        app.queue = (a_training("begun"), a_training("next"))
        app.poll()
        assert list(trainers) == ["next"]
        assert not app.queue


def test_a_training_says_what_differs_from_its_recipe() -> None:
    assert a_training("a", "--epochs", "5", "--wd", "0.2", "--keep-best").what == f"model4 wd 0.2 keep-best on {TINY}"
    assert a_training("a", "--seed", "0").what == f"model4 on {TINY}"


def test_trainings_change_places() -> None:
    a, b, c = (a_training(name) for name in "abc")
    assert moved((a, b, c), "c", -1) == (a, c, b)
    assert moved((a, b, c), "a", -1) == (a, b, c)
    assert moved((a, b, c), "a", 9) == (b, c, a)
    assert moved((a, b), "z", 1) == (a, b)
    assert without((a, b), "a") == (b,)
    assert renamed((a, b), "z", "y") == (a, b)
