"""Trainings that a scheduler stops and starts again, such as Slurm's jobs with a time limit."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING

import click

from cftui.cli.output import narrate

if TYPE_CHECKING:
    from cftui.engine.interrupts import StopRequests
    from cftui.engine.runs.folder import RunFolder

# EX_TEMPFAIL of sysexits.h: nothing is wrong, and the same command goes on.
REQUEUE_STATUS = 75
POLL_SECONDS = 0.5


def job_run_name(recipe: str) -> str | None:
    """The name of the run of a Slurm job, which is the same whenever the job is requeued; None outside of a job."""
    job = os.environ.get("SLURM_JOB_ID")
    return f"{recipe}-job-{job}" if job else None


def wait_until_dead(run: RunFolder) -> None:
    """Wait while a run seems to be trained on another machine: one that failed has no chance to say that it did.

    Such a run counts as dead when it has not shown life for a minute.
    """
    if not run.config_file.exists():
        return
    start = run.history().start
    if start is None or start.get("host") == platform.node() or run.status() != "running":
        return
    narrate(f"run {run.name} was trained on {start.get('host')}; waiting until it shows no life there")
    silent = -1.0
    # Once it has shown life again, somebody really trains it.
    while run.status() == "running" and run.seconds_silent() > silent:
        silent = run.seconds_silent()
        time.sleep(POLL_SECONDS)


def exit_if_unfinished(run: RunFolder, stop: StopRequests, requeue: bool = False) -> None:
    """End the verb with ``REQUEUE_STATUS`` if the run was stopped by SIGUSR1 or, under ``--requeue``, by any signal.

    Raises:
        click.exceptions.Exit: it was.
    """
    if (stop.out_of_time or (requeue and stop())) and run.status() == "stopped":
        narrate(f"run {run.name} has not ended; exit status {REQUEUE_STATUS}: start it again")
        raise click.exceptions.Exit(REQUEUE_STATUS)


def exit_if_out_of_time(stop: StopRequests) -> None:
    """End a verb that goes on when it is started again. Raises click.exceptions.Exit if SIGUSR1 stopped it."""
    if stop.out_of_time:
        raise click.exceptions.Exit(REQUEUE_STATUS)
