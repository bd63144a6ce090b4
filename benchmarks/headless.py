"""Run the examples of docs/command-line.md and print their output.

python benchmarks/headless.py [--write]
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown import DOCS, put

from cftui.home import Home

EXAMPLES = (
    "cftui train model4",
    "cftui bias latest -n 3",
    'cftui similar "the silence of the lambs" -n 4 --min-ratings 50',
    'cftui predict "fargo (1996)" --user 196 --explain -n 7',
    "printf 'title,rating\\nStar Wars (1977),5\\nFargo (1996),2\\n' > mine.csv && cftui foldin mine.csv -n 3",
    "cftui pca latest -n 1 --min-ratings 50",
    "cftui results latest -n 4 --seed 1",
    "cftui eval",
    "cftui train ease --lambda 200",
    "cftui recommend --user 196 -n 4",
    "cftui train model4 --epochs 1 --json | tail -n 1",
)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        home.data.mkdir()
        (home.data / "ml-100k").symlink_to(Home.find().data / "ml-100k")
        parts = []
        for example in EXAMPLES:
            program = f"{shlex.quote(sys.executable)} -m cftui"
            command = example.replace("cftui", program, 1)
            environment = {"CFTUI_HOME": scratch, "PATH": "/usr/bin:/bin", "COLUMNS": "100"}
            done = subprocess.run(
                command, shell=True, capture_output=True, text=True, env=environment, check=True, cwd=scratch
            )
            parts.append(f"$ {example}\n{done.stdout.strip()}")
    text = "```\n" + "\n\n".join(parts) + "\n```"
    print(text)
    if "--write" in sys.argv:
        put("headless", text, DOCS / "command-line.md")


if __name__ == "__main__":
    main()
