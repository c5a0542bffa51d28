"""What a fuzzer gives the readers, and what must hold: something read as it stands, or one line."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline import params
from pipeline.datasets.idx import parse_idx
from pipeline.errors import UserError
from tests.params import shipped

# Whatever a field may be given; what YAML has no JSON for stands as YAML's own words.
odd = st.sampled_from(
    [
        float("nan"),
        float("inf"),
        -1,
        0,
        2**31,
        2**64,
        10**400,
        1e308,
        5e-324,
        "",
        "\0",
        "$(id)",
        "x" * 900,
        "x" * 5000,
    ]
)
value = st.recursive(
    odd | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
# Every field, list and section; one section of the file at a time, since a parser takes its time.
places = st.sampled_from([place for place in shipped.places() if len(place) > 1])


def one_line(error: UserError) -> None:
    """Hold a refusal to its form."""
    message = str(error)
    assert message.isprintable(), message
    assert len(message) < 1000, message


def read_idx(data: bytes) -> None:
    """Bytes are an array no larger than they are, or refused."""
    try:
        assert parse_idx(data, "file").nbytes < len(data)
    except UserError as error:
        one_line(error)


def read_yaml(data: bytes) -> None:
    """Bytes are a params.yaml with sections, or refused; none of it is run."""
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(data)
        file.flush()
        try:
            assert isinstance(params.read(Path(file.name)), dict)
        except UserError as error:
            one_line(error)


def read_section(place: shipped.Place, change: str, drawn: Any) -> None:
    """A section with one thing changed is taken exactly as it stands, or refused."""
    section = str(place[0])
    if change == "unknown key":
        place = (*(place if isinstance(shipped.at(place), dict) else place[:1]), str(drawn))
    data = shipped.without(place) if change == "missing" else shipped.with_value(place, drawn)
    text = f"{section}: {shipped.yaml(data[section])}\n"
    if change == "twice":
        text += text
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(text.encode(errors="surrogatepass"))
        file.flush()
        model: Any = shipped.Params.model_fields[section].annotation
        try:
            taken = params.load(model, section, Path(file.name)).model_dump()
        except UserError as error:
            one_line(error)
        else:
            assert change != "twice"
            assert taken == data[section]


@given(place=places, change=st.sampled_from(["value"] * 5 + ["unknown key", "missing", "twice"]), drawn=value)
def _any_section(place: shipped.Place, change: str, drawn: Any) -> None:
    read_section(place, change, drawn)


header = st.builds(
    lambda rank, sizes: bytes([0, 0, 8, rank]) + b"".join(size.to_bytes(4, "big") for size in sizes),
    st.integers(0, 255),
    st.lists(st.integers(0, 300) | st.integers(0, 2**32 - 1), max_size=8),
)


@given(data=st.binary(max_size=400) | st.builds(bytes.__add__, header, st.binary(max_size=400)))
def _any_bytes(data: bytes) -> None:
    read_idx(data)


SEEDS = {
    "idx": [bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]), bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 9, 9])],
    "params": [
        b"a: &a [1, 1e-3, .nan]\nb: [*a, *a]\n",
        b"threads: !!python/object/apply:os.system [id]\nseed: {<<: {x: 1}}\n",
        json.dumps(shipped.DATA["normalize"]).encode(),
    ],
}
BYTES: dict[str, Callable[[bytes], None]] = {"idx": read_idx, "params": read_yaml}
GIVEN = {"idx": _any_bytes, "params": _any_section}
