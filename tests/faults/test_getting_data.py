"""Sources that fail, lie or attack, met by the real stage; what it leaves is MNIST to the bit, or nothing."""

import gzip
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline import params
from pipeline.datasets import download, idx, mnist, splits
from pipeline.errors import UserError
from pipeline.params.fetch import FetchParams
from tests.datasets import fake_sources as fake
from tests.datasets.fake_sources import NOBODY, Fault, Serve, Tiny, add, serving
from tests.faults.measured import Ended, stage
from tests.repositories import REPOSITORY
from tests.stages.conftest import fill

# The smallest of the files is the one that is missing in most of these tests.
LABELS, IMAGES = "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte"
SLOW = pytest.mark.slow
MOST_MEMORY = 200  # MB; a fetch without any fault takes about 70


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The real files, from wherever this machine gets them."""
    folder = tmp_path_factory.mktemp("published")
    settings = params.load(FetchParams, "fetch", REPOSITORY / "params.yaml")
    download.fetch(settings.sources, folder, deadline=settings.deadline)
    return Tiny({name: (folder / name).read_bytes() for name in mnist.FILES})


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serving() as start:
        yield start


@dataclass(frozen=True)
class Clone:
    """A folder in which data is fetched, with a download cache of its own."""

    folder: Path
    published: Tiny

    @property
    def raw(self) -> Path:
        return self.folder / "data/raw"

    @property
    def good(self) -> str:
        """A source that has the files."""
        return str(self.published.write(self.folder.parent / "good source"))

    def fetch(self, *sources: str, deadline: float = 25) -> Ended:
        settings = {"fetch": {"deadline": deadline, "sources": sources}}
        (self.folder / "params.yaml").write_text(json.dumps(settings))
        return stage(self.folder, "fetch", GRADLINE_CACHE=str(self.folder / "cache"))

    def is_complete(self) -> bool:
        return self.published.is_in(self.raw)


@pytest.fixture
def empty(tmp_path: Path, published: Tiny) -> Clone:
    (tmp_path / "clone").mkdir()
    return Clone(tmp_path / "clone", published)


@pytest.fixture
def clone(empty: Clone) -> Clone:
    """One that has all but the smallest file."""
    empty.published.write(empty.raw)
    (empty.raw / LABELS).unlink()
    return empty


def passed_over(fault: Fault, clone: Clone, serve: Serve, deadline: float = 25) -> str:
    """What is said of a mirror at fault; the next source's files are there then."""
    bad = serve(lambda exchange: fault(exchange, clone.published)).address
    ended = clone.fetch(bad, clone.good, deadline=deadline)
    assert ended.status == 0, ended.said
    first, second = ended.said.splitlines()
    assert second == f"fetch: {clone.good}: 1 files verified"
    assert clone.is_complete()
    return first.removeprefix(f"fetch: {bad}: ")


@pytest.mark.fault("Getting data", "a download cut short")
@pytest.mark.parametrize("fault", [fake.cuts_off, pytest.param(fake.cuts_off_unnoticed, marks=SLOW)])
def test_half_a_file_is_not_taken(clone, serve, happened, fault):
    said = passed_over(fault, clone, serve)
    assert "peer closed connection" in said or "damaged gzip: Compressed file ended" in said
    happened(f"next source; {said}")


@pytest.mark.fault("Getting data", "wrong bytes with status 200")
@pytest.mark.parametrize(
    "fault",
    [fake.lies, *(pytest.param(f, marks=SLOW) for f in (fake.says_so_in_html, fake.damages))],
)
def test_wrong_bytes_are_never_taken(clone, serve, happened, fault):
    said = passed_over(fault, clone, serve)
    assert any(words in said for words in ("wrong bytes (SHA-256 ", "42 of 10008 bytes", "damaged gzip: "))
    happened(f"next source; {said}")


@pytest.mark.fault("Getting data", "a source that stalls or drips")
@pytest.mark.parametrize(
    "fault",
    [
        fake.drips,
        *(pytest.param(f, marks=SLOW) for f in (fake.stalls, fake.stalls_midway, fake.drips_headers)),
    ],
)
def test_the_deadline_holds_for_a_source_as_a_whole(clone, serve, happened, fault):
    said = passed_over(fault, clone, serve, deadline=2)
    assert said == "not done within 2 s"
    happened(f"next source; {said}")


@pytest.mark.fault("Getting data", "a part of an earlier download, and a server that ignores ranges")
def test_a_partial_file_is_never_continued(clone, serve, happened):
    whole = clone.published.content[LABELS]
    (clone.raw / LABELS).write_bytes(whole[:5000])
    (clone.raw / f"{LABELS}.gz").write_bytes(gzip.compress(whole)[:2000])
    ranges = []

    def answer(exchange: fake.Exchange) -> None:
        ranges.append(exchange.headers["Range"])
        exchange.answer(gzip.compress(whole))

    ended = clone.fetch(serve(answer).address)
    assert ended.status == 0, ended.said
    assert ranges == [None]
    assert (clone.raw / LABELS).read_bytes() == whole
    happened("nothing is resumed: one request without Range, the whole file anew")


@pytest.mark.fault("Getting data", "redirects in a circle, or to another protocol")
@pytest.mark.parametrize("fault", [fake.goes_in_circles, fake.points_at_a_file])
def test_redirects_end(clone, serve, happened, fault):
    said = passed_over(fault, clone, serve)
    assert said == f"{LABELS}.gz: more than 5 redirects" or said.startswith("UnsupportedProtocol: ")
    happened(f"next source; {said}")


@pytest.mark.fault("Getting data", "every source down")
def test_when_every_source_is_down_each_is_named_and_nothing_is_lost(clone, serve, happened):
    missing = serve(lambda exchange: exchange.answer(b"", 404)).address
    nowhere = str(clone.folder / "nowhere")
    refusal = clone.fetch(missing, NOBODY, nowhere).refusal
    assert refusal.startswith(
        f"fetch: no source has the files: {missing}: {LABELS}.gz: HTTP 404; {NOBODY}: ConnectError"
    )
    assert f"{nowhere} is neither a directory nor an archive" in refusal
    assert refusal.endswith(f"put {LABELS} into a directory and name it in params.yaml under fetch.sources")
    assert {path.name for path in clone.raw.iterdir()} == set(mnist.FILES) - {LABELS}
    assert clone.fetch(clone.good).status == 0
    assert clone.is_complete()
    happened(refusal)


@pytest.mark.fault("Getting data", "every source down, but the files in the download cache")
def test_the_download_cache_needs_no_source(empty, happened):
    assert empty.fetch(empty.good).status == 0
    for name in mnist.FILES:
        (empty.raw / name).unlink()
    ended = empty.fetch(NOBODY)
    assert (ended.status, ended.said) == (0, "fetch: cache: 4 files verified\n")
    assert empty.is_complete()
    happened(ended.said)


def bomb(megabytes: int) -> bytes:
    """Zeros, a thousandth of their size: gzip files may be strung together."""
    return gzip.compress(bytes(16 << 20)) * (megabytes // 16)


@pytest.mark.fault("Getting data", "a gzip bomb")
@pytest.mark.parametrize("way", [pytest.param("mirror", marks=pytest.mark.slow), "directory", "archive"])
def test_a_gzip_bomb_ends_at_the_expected_size(empty, serve, happened, way):
    exploding = bomb(8192)
    place = empty.folder / "bad"
    place.mkdir()
    (place / f"{IMAGES}.gz").write_bytes(exploding)
    if way == "mirror":
        others = {name: gzip.compress(data, 1) for name, data in empty.published.content.items()}
        source = serve(
            lambda exchange: exchange.answer({**others, IMAGES: exploding}[exchange.wanted])
        ).address
    elif way == "directory":
        source = str(place)
    else:
        source = str(place / "a.tar")
        with tarfile.open(source, "w") as archive:
            archive.add(place / f"{IMAGES}.gz", f"{IMAGES}.gz")
    ended = empty.fetch(source)
    assert f"{IMAGES}: more than 47040016 bytes; put " in ended.refusal
    assert not list(empty.raw.iterdir())
    assert ended.peak < MOST_MEMORY
    happened(
        f"8 GB in {len(exploding) >> 20} MB: {IMAGES}: more than 47040016 bytes; peak {ended.peak:.0f} MB"
    )


@pytest.mark.fault("Getting data", "an archive that points out of itself, or links")
def test_an_archive_writes_nothing_but_the_wanted_files(clone, happened):
    source = clone.folder / "a.tgz"
    with tarfile.open(source, "w:gz") as archive:
        add(archive, f"../{LABELS}", b"out of the archive")
        add(archive, f"../../{LABELS}", b"out of the archive")
        add(archive, f"/{LABELS}", b"absolute")
        add(archive, "readme.md", b"besides")
        for type_, target in (
            (tarfile.SYMTYPE, "/etc/passwd"),
            (tarfile.LNKTYPE, f"../{LABELS}"),
            (tarfile.FIFOTYPE, ""),
            (tarfile.CHRTYPE, ""),
        ):
            add(archive, f"package/{LABELS}", type=type_, linkname=target)
        add(archive, f"package/{LABELS}", clone.published.content[LABELS])
    ended = clone.fetch(str(source))
    assert (ended.status, ended.said) == (0, f"fetch: {source}: 1 files verified\n")
    assert clone.is_complete()
    assert {path.name for path in clone.folder.iterdir()} == {"a.tgz", "cache", "data", "params.yaml"}
    assert [path.name for path in clone.folder.parent.iterdir()] == ["clone"]
    happened("passed over; the file beside them is taken")


@pytest.mark.fault("Getting data", "an archive that lacks a file, or is none")
@pytest.mark.parametrize("content", ["other files", "half", "noise"])
def test_an_archive_without_the_file_is_refused(clone, happened, content):
    source = clone.folder / "a.tgz"
    with tarfile.open(source, "w:gz") as archive:
        add(archive, "another" if content == "other files" else LABELS, clone.published.content[LABELS])
    if content == "half":
        source.write_bytes(source.read_bytes()[:1000])
    elif content == "noise":
        source.write_bytes(np.random.default_rng(0).bytes(5000))
    refusal = clone.fetch(str(source)).refusal
    says = {
        "other files": f"{LABELS} missing from the archive",
        "half": "damaged gzip",
        "noise": "no tar archive",
    }
    assert says[content] in refusal
    assert not (clone.raw / LABELS).exists()
    happened(refusal)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "absurd dimensions": (lambda data: bytes([0, 0, 8, 3]) + b"\xff" * 12 + data[16:], "is cut short: "),
    "a wrong magic number": (lambda data: b"\x1f\x8b\x08\x08" + data[4:], "starts with 1f8b0808"),
    "a file cut short": (lambda data: data[:-1], "is cut short: 10007 bytes where its header (10000)"),
    "trailing bytes": (lambda data: data + b"\0", "has trailing bytes: 10009 bytes"),
    "no bytes": (lambda data: b"", "starts with nothing"),
}


@pytest.mark.fault("Getting data", "an IDX file of absurd dimensions, wrong magic, short or too long")
@pytest.mark.parametrize(
    "damage",
    ["absurd dimensions", *(pytest.param(name, marks=SLOW) for name in list(DAMAGES)[1:])],
)
def test_a_damaged_idx_file_is_refused_before_it_is_read(clone, happened, damage):
    plant, says = DAMAGES[damage]
    (clone.raw / LABELS).write_bytes(plant(clone.published.content[LABELS]))
    with pytest.raises(UserError) as caught:
        idx.parse_idx((clone.raw / LABELS).read_bytes(), LABELS)
    assert says in str(caught.value)
    (clone.folder / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    ended = stage(clone.folder, "normalize")
    assert ended.refusal.startswith(f"data/raw/{LABELS}: not the canonical file: SHA-256 ")
    assert ended.refusal.endswith("remove it and run `dvc repro`, which brings it again")
    assert not (clone.folder / "data/normalized").exists()
    happened(f"{damage}: {ended.refusal}")


@pytest.mark.fault("Getting data", "a label 10")
def test_a_label_that_is_no_digit_is_not_trained_on(tmp_path, happened):
    folder = fill(tmp_path / "project")
    split = folder / "data/normalized/train"
    labels = np.array(splits.read(split)[1])
    labels[7] = 10
    np.save(split / splits.LABELS, labels)
    refusal = stage(folder, "train", "softmax", "manual").refusal
    assert refusal.startswith("data/normalized/train/labels.npy: label 10: only 0 to 9 are digits; remove it")
    assert not (folder / "results").exists()
    happened(refusal)
