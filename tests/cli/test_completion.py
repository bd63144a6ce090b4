"""``cftui completion``: real shells complete verbs, options, and the names of what is in the home."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cftui.cli.main import main
from cftui.home import Home

from .conftest import environment


@pytest.fixture
def words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, own_home: Home):
    """``words("runs sh")``: what a shell is offered for the last word of a line."""

    def ask(line: str) -> list[str]:
        capsys.readouterr()
        monkeypatch.setenv("_CFTUI_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", f"cftui {line}")
        monkeypatch.setenv("COMP_CWORD", str(len(f"cftui {line}x".split()) - 1))
        monkeypatch.setenv("CFTUI_HOME", str(own_home.root))
        status = main(lambda home, ascii_only: 0, [])
        out, err = capsys.readouterr()
        assert (status, err) == (0, "")
        return [one.partition(",")[2] for one in out.splitlines() if one]

    return ask


def test_verbs_options_and_names_are_offered(words, own_home: Home) -> None:
    assert words("tra") == ["train"]
    assert words("runs res") == ["restore", "resume"]
    assert words("train --keep") == ["--keep-best"]
    assert words("train mod") == ["model1", "model2", "model3", "model4", "model5"]
    assert sorted(words("runs show model")) == ["model1.run", "model4.run"]
    assert "latest" in words("bias ")
    assert words("similar x --run collab-nn") == ["collab-nn.run"]
    assert {"tiny", "ml-100k"} <= set(words("data stats "))
    assert words("train model4 --data ti") == ["tiny"]
    assert {"ease.run", "ease"} <= set(words("eval ea"))


def test_the_name_of_a_new_run_is_not_completed(words) -> None:
    assert words("train model4 --name mod") == []


def test_removed_runs_are_offered_where_they_are_restored(words, own_home: Home, cli, monkeypatch) -> None:
    with monkeypatch.context() as plain:
        plain.delenv("_CFTUI_COMPLETE", raising=False)
        assert cli(own_home, "runs", "rm", "ease.run").status == 0
    assert words("runs restore ") == ["ease.run"]
    assert "ease.run" not in words("runs show ")


def test_a_home_that_is_none_has_nothing_to_offer(words, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert words(f"--home {tmp_path / 'file'} runs show ") == []


def script(shell: str) -> str:
    """The script, whose function calls this checkout."""
    done = subprocess.run(
        [sys.executable, "-m", "cftui", "completion", shell], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def program_on_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``cftui`` is this checkout."""
    folder = tmp_path / "bin"
    folder.mkdir()
    stub = folder / "cftui"
    stub.write_text(f'#!/bin/sh\nexec {sys.executable} -m cftui "$@"\n')
    stub.chmod(0o755)
    return environment(PATH=f"{folder}:{Path('/usr/bin')}:/bin")


def ask_shell(shell: str, code: str, variables: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [shell, *(["--no-config"] if shell == "fish" else ["--norc"] if shell == "bash" else ["-f"]), "-c", code],
        capture_output=True,
        text=True,
        env=variables,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_completes_with_the_script(program_on_path) -> None:
    code = f'{script("bash")}\nCOMP_WORDS=(cftui tra); COMP_CWORD=1; _cftui_completion cftui; echo "${{COMPREPLY[@]}}"'
    assert ask_shell("bash", code, program_on_path)[0] == "train"


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_completes_with_the_script(program_on_path) -> None:
    offered = ask_shell("fish", f"{script('fish')}\ncomplete -C 'cftui tra'", program_on_path)
    assert offered[0].startswith("train\tTrain RECIPE")


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
def test_zsh_completes_with_the_script(program_on_path) -> None:
    # Completion functions work in an interactive editor alone: compadd and _describe only note what they are given.
    stubs = 'compdef() { : }; _describe() { print -l "${(@P)3}" }; compadd() { print -l -- "$@" }'
    code = f"{stubs}\n{script('zsh')}\nwords=(cftui tra); CURRENT=2; _cftui_completion"
    assert "train:Train RECIPE" in "\n".join(ask_shell("zsh", code, program_on_path))
