"""The bell and the notification when a run has ended."""

from __future__ import annotations

from typing import Any

import pytest

from cftui.engine.runs.events import History
from cftui.engine.runs.folder import RunFolder
from cftui.settings import Config
from cftui.tui.main import CftuiApp
from cftui.tui.session.following import Followed
from cftui.tui.shell import textual_private
from cftui.tui.shell.passthrough import osc9


@pytest.mark.parametrize(
    ("mode", "seconds", "ending", "bell", "expected"),
    [
        ("dataset", 3.0, "done", True, "cftui: calm-otter has ended"),
        ("dataset", 3.0, "failed", True, "cftui: calm-otter failed"),
        ("train", 300.0, "done", True, "cftui: calm-otter has ended"),
        ("train", 3.0, "done", True, ""),
        ("dataset", 300.0, "stopped", True, ""),
        ("dataset", 300.0, "done", False, ""),
    ],
)
async def test_who_may_look_elsewhere_is_called_when_a_run_ends(
    bare_app, monkeypatch, until, mode, seconds, ending, bell, expected
):
    bare_app.config = Config(bell=bell)
    rung, written = [], []
    monkeypatch.setattr(bare_app, "bell", lambda: rung.append(1))
    monkeypatch.setattr(bare_app, "open_model", lambda name: None)
    monkeypatch.setattr(Followed, "worth", "0.9000")
    monkeypatch.setattr(textual_private, "write_to_terminal", lambda app, text: written.append(text))
    monkeypatch.delenv("TMUX", raising=False)
    async with bare_app.run_test() as pilot:
        await until(pilot, lambda: bare_app.activity)
        await bare_app.switch_mode(mode)
        epoch: Any = {"event": "epoch", "step": 1, "epoch": 0, "elapsed": seconds, "seconds": seconds}
        epoch |= {"train_loss": 0.8, "valid_loss": 0.9, "rmse": 0.95, "ratings_per_second": 1e5}
        start: Any = {"steps": 1, "steps_per_epoch": 1, "device": "cpu", "batch_size": 64}
        end: Any = {"event": ending, "step": 1, "run": "calm-otter"}
        end |= {"reason": "the loss exploded"} if ending == "failed" else {}
        history = History(start, epochs=[epoch], ending=end)
        bare_app.followed = Followed(RunFolder(bare_app.home.models / "calm-otter"), history=history)
        bare_app.poll()
        bare_app.poll()
        assert len(rung) == bool(expected)
        assert written == ([osc9(expected)] if expected else [])


async def test_a_terminal_without_the_focus_is_not_watched(bare_app: CftuiApp, monkeypatch):
    rung = []
    monkeypatch.setattr(bare_app, "bell", lambda: rung.append(1))
    async with bare_app.run_test():
        await bare_app.switch_mode("train")
        followed = Followed(RunFolder(bare_app.home.models / "calm-otter"), history=History())
        bare_app.followed = followed
        bare_app.call_attention(followed)
        assert not rung
        bare_app.app_focus = False
        bare_app.call_attention(followed)
        assert rung


async def test_a_run_that_ends_while_another_is_followed_is_told_once(bare_app: CftuiApp, monkeypatch, until):
    """Whoever follows another run meanwhile sees nothing of the end."""

    class Training(Followed):
        live = True

    rung, notices = [], []
    monkeypatch.setattr(bare_app, "bell", lambda: rung.append(1))
    monkeypatch.setattr(bare_app, "notify", lambda message, **_: notices.append(message))
    async with bare_app.run_test() as pilot:
        await until(pilot, lambda: bare_app.activity)
        training = Training(RunFolder(bare_app.home.models / "calm-otter"), history=History())
        bare_app.followed = training
        await pilot.pause()
        other = Followed(RunFolder(bare_app.home.models / "other"), history=History(), told=True)
        bare_app.followed = other
        await pilot.pause()
        bare_app.poll()
        assert not rung
        training.history.ending = {"event": "done", "run": "calm-otter", "step": 1}
        training.live = False
        bare_app.poll()
        bare_app.poll()
        assert rung == [1]
        assert notices == ["calm-otter has ended"]


def test_a_notification_is_one_line_and_reaches_the_terminal_outside_tmux():
    assert osc9("a\x1b\nb", {"TERM": "xterm"}) == "\x1b]9;a b\a"
    assert osc9("a", {"TMUX": "/tmp/t,1,0"}) == "\x1bPtmux;\x1b\x1b]9;a\a\x1b\\"
