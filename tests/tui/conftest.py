"""The app over a home in which model4 is trained, at 80x24 unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from cftui.home import Home
from cftui.tui.app import CftuiApp

SIZE = (80, 24)
# Generous: a loaded machine is no reason to fail.
PATIENCE = 30.0

Until = Callable[[Pilot, Callable[[], object]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Wait for something to become true, letting the app work; fails by name if it never does."""

    async def wait(pilot: Pilot, condition: Callable[[], object]) -> None:
        waited = 0.0
        while not condition():
            await pilot.pause(0.05)
            waited += 0.05
            assert waited < PATIENCE, "the app never came to that"
        await pilot.pause()

    return wait


@pytest.fixture
def app(trained) -> CftuiApp:
    home, _, _ = trained
    return CftuiApp(home)


@pytest.fixture
def bare_app(tmp_path) -> CftuiApp:
    """No data set, no run."""
    return CftuiApp(Home(tmp_path))
