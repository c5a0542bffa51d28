"""`make` alone: what there is to do."""

import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_make_alone_lists_every_target_with_what_it_does_and_makes_nothing():
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split()
    done = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^  make (\w+) +(\w.+)$", done.stdout, re.MULTILINE)
    assert [name for name, _ in listed] == targets
    assert len(listed) == len(done.stdout.splitlines())
