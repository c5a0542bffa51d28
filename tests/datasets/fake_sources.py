"""A dataset of a few bytes in MNIST's form, servers that behave as told, and archives of any content."""

import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets.mnist import FILES, IdxFile
from pipeline.errors import UserError

FIRST = "train-images-idx3-ubyte"
NOBODY = "http://127.0.0.1:9/"  # a port that refuses connections

Fetch = Callable[..., str]
Serve = Callable[[Callable[["Exchange"], None]], "Server"]
Fault = Callable[["Exchange", "Tiny"], None]


def idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim])
        + b"".join(n.to_bytes(4, "big") for n in array.shape)
        + array.astype(np.uint8).tobytes()
    )


@dataclass
class Tiny:
    """The four files under their real names, of 30 and 10 images."""

    content: dict[str, bytes]

    @property
    def files(self) -> dict[str, IdxFile]:
        return {
            name: IdxFile(
                hashlib.sha256(data).hexdigest(),
                (30 if name.startswith("train") else 10, *FILES[name].shape[1:]),
            )
            for name, data in self.content.items()
        }

    def write(self, directory: Path) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in self.content.items():
            (directory / name).write_bytes(data)
        return directory

    def is_in(self, directory: Path) -> bool:
        """Whether a directory holds the four files to the bit and nothing else."""
        return {path.name: path.read_bytes() for path in directory.iterdir()} == self.content


class Exchange(BaseHTTPRequestHandler):
    """One request, given to the server's behaviour."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.behaviour(self)

    def log_message(self, *_: object) -> None:
        pass

    @property
    def wanted(self) -> str:
        return self.path.rpartition("/")[2].removesuffix(".gz")

    def answer(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behaviour: Callable[[Exchange], None]) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.behaviour = behaviour
        self.asked: list[str] = []
        self.over = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what most of these tests are about."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@contextmanager
def serving() -> Iterator[Serve]:
    """Yield what starts a server; all are ended when the block is left."""
    servers: list[Server] = []

    def start(behaviour: Callable[[Exchange], None]) -> Server:
        servers.append(Server(behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.over.set()
        server.shutdown()
        server.server_close()


def compressed(tiny: Tiny, directory: Path) -> Path:
    directory.mkdir()
    for name, data in tiny.content.items():
        (directory / f"{name}.gz").write_bytes(gzip.compress(data))
    return directory


def archived(tiny: Tiny, path: Path, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        add(archive, "package/readme.md", b"hello")
        for name, data in tiny.content.items():
            add(archive, f"package/data/{name}", data)
    return path


def add(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(data))


def refused(fetch: Fetch, source: str, deadline: float = 10) -> str:
    """What a source answered that fails alone, as the error tells it."""
    with pytest.raises(UserError, match=r"put .* into a directory and name it in params.yaml") as caught:
        fetch(source, deadline=deadline)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"fetch: no source has the files: {source}: ").partition("; put")[0]


# How a mirror can be at fault.


def lies(exchange: Exchange, tiny: Tiny) -> None:
    exchange.answer(gzip.compress(bytes(len(tiny.content[exchange.wanted]))))


def says_so_in_html(exchange: Exchange, tiny: Tiny) -> None:
    exchange.answer(b"<html>Log in to the hotel's network</html>")


def cuts_off(exchange: Exchange, tiny: Tiny) -> None:
    body = gzip.compress(tiny.content[exchange.wanted])
    exchange.answer(body[: len(body) // 2], length=len(body))


def cuts_off_unnoticed(exchange: Exchange, tiny: Tiny) -> None:
    body = gzip.compress(tiny.content[exchange.wanted])
    exchange.answer(body[: len(body) // 2])


def damages(exchange: Exchange, tiny: Tiny) -> None:
    body = bytearray(gzip.compress(tiny.content[exchange.wanted]))
    body[12] ^= 0xFF
    exchange.answer(bytes(body))


def has_nothing(exchange: Exchange, tiny: Tiny) -> None:
    exchange.answer(gzip.compress(tiny.content[exchange.wanted]), status=404)


def goes_in_circles(exchange: Exchange, tiny: Tiny) -> None:
    exchange.answer(b"", status=302, Location=exchange.path)


def points_at_a_file(exchange: Exchange, tiny: Tiny) -> None:
    exchange.answer(b"", status=302, Location="file:///etc/passwd")


def stalls(exchange: Exchange, tiny: Tiny) -> None:
    exchange.server.over.wait()


def stalls_midway(exchange: Exchange, tiny: Tiny) -> None:
    exchange.answer(gzip.compress(tiny.content[exchange.wanted])[:50], length=10_000)
    exchange.server.over.wait()


def drips(exchange: Exchange, tiny: Tiny) -> None:
    exchange.answer(b"", length=10_000)
    while not exchange.server.over.wait(0.01):
        exchange.wfile.write(b"\x1f")


def drips_headers(exchange: Exchange, tiny: Tiny) -> None:
    exchange.wfile.write(b"HTTP/1.0 200 OK\r\n")
    while not exchange.server.over.wait(0.01):
        exchange.wfile.write(b"X-Drip: 1\r\n")


def is_too_long(exchange: Exchange, tiny: Tiny) -> None:
    exchange.answer(gzip.compress(tiny.content[exchange.wanted] + b"\0"))


def bombs(exchange: Exchange, tiny: Tiny) -> None:
    body = tiny.content[exchange.wanted]
    exchange.answer(gzip.compress(bytes(20 << 20) if exchange.wanted == FIRST else body))


def never_ends(exchange: Exchange, tiny: Tiny) -> None:
    exchange.send_response(200)
    exchange.end_headers()
    while not exchange.server.over.is_set():
        exchange.wfile.write(bytes(1 << 16))
