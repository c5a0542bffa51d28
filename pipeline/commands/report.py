"""The report to send, in one file."""

import sys
from pathlib import Path

from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.reports import page

MEGABYTE = 1e6


def write(output: Path) -> None:
    """Write the report and say where it is.

    Raises UserError naming the file: one that the report is made of, or the output.
    """
    if output.exists() and not output.is_file():  # it would be replaced, were it /dev/null
        raise UserError(f"{output}: is no file; name another by --output")
    content = page.content(output)
    text = page.html(content)
    try:
        write_text(output, text)
    except OSError as error:
        raise UserError(f"{output}: {error.strerror}; name another file by --output") from None
    for path in content["differing"]:
        print(f"report: {path}: is not what dvc.lock holds, and the report says so", file=sys.stderr)
    print(f"report: {output} ({len(text.encode()) / MEGABYTE:.1f} MB)")
