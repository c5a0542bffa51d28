"""Downloads from an HTTP mirror: `<prefix><name>.gz` of every wanted file."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx

from pipeline.datasets.mnist import IdxFile
from pipeline.datasets.progress import Progress
from pipeline.datasets.verification import SourceError
from pipeline.files import writing

MOST_REDIRECTS = 5
# Seconds without a byte after which a mirror is given up, however far off the deadline is.
SILENCE = 30.0


def download(
    prefix: str, wanted: Mapping[str, IdxFile], destination: Path, deadline: float, progress: Progress
) -> None:
    """Save the compressed files, unverified but bounded in size, within `deadline` seconds in all.

    Raises SourceError where the mirror is unreachable, too slow, or answers anything but the files. The
    deadline holds for every step of the connection but one: the system's own name resolution.
    """
    try:
        asyncio.run(_download_all(prefix, wanted, destination, deadline, progress))
    except TimeoutError as error:
        raise SourceError(f"not done within {deadline:g} s") from error
    # ValueError and ImportError: proxies in the environment that httpx can't use.
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
        raise SourceError(f"{type(error).__name__}: {error}".removesuffix(": ")) from error
    except ExceptionGroup as errors:  # a port that is none, which httpx lets pass
        first = errors.exceptions[0]
        raise SourceError(f"{type(first).__name__}: {first}") from first


async def _download_all(
    prefix: str, wanted: Mapping[str, IdxFile], destination: Path, deadline: float, progress: Progress
) -> None:
    # The deadline is asyncio's, since httpx's own only bound the time between two bytes: a server that
    # drips its headers would never meet them.
    async with asyncio.timeout(deadline), httpx.AsyncClient(timeout=SILENCE) as client:
        for name, expected in wanted.items():
            file = f"{name}.gz"
            # gzip never makes anything larger by more than this, so more is not the file.
            most = expected.size + expected.size // 100 + 1024
            await _download(client, prefix.rstrip("/") + f"/{file}", destination / file, most, progress)


async def _download(client: httpx.AsyncClient, url: str, path: Path, most: int, progress: Progress) -> None:
    # The file is compressed itself; a second, transparent compression would only be one more to bound.
    request = client.build_request("GET", url, headers={"Accept-Encoding": "identity"})
    for _ in range(MOST_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        try:
            if response.next_request is None:
                return await _save(response, path, most, progress)
            if response.url.scheme == "https" and response.next_request.url.scheme != "https":
                raise SourceError(f"{path.name}: redirected from https to {response.next_request.url}")
            request = response.next_request
        finally:
            await response.aclose()
    raise SourceError(f"{path.name}: more than {MOST_REDIRECTS} redirects")


async def _save(response: httpx.Response, path: Path, most: int, progress: Progress) -> None:
    if response.status_code != httpx.codes.OK:
        raise SourceError(f"{path.name}: HTTP {response.status_code}")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    done = 0
    with writing(path), path.open("wb") as file:
        async for chunk in response.aiter_raw():
            done += len(chunk)
            if done > most:
                raise SourceError(f"{path.name}: more than {most} bytes")
            file.write(chunk)
            progress(path.name, done, total)
