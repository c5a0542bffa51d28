"""`make` alone: what there is to do."""

import os
import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_make_alone_lists_every_target_with_what_it_does_and_makes_nothing():
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split()
    # An outer make, as `make test` is one, would have this one tell of the folder.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make"], cwd=REPOSITORY, env=outer, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^  make ([\w-]+) +(\w.+)$", done.stdout, re.MULTILINE)
    assert [name for name, _ in listed] == targets
    assert len(listed) == len(done.stdout.splitlines())
