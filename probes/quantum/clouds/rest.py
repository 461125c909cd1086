"""One request and its answer over plain REST. Nothing is sent twice and no redirect is followed:
httpx does neither unless it is told to."""

import contextlib
import functools
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from probes.queued import TryLater

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx

PATIENCE = 30.0
"""Seconds that each part of a request may take."""

CERTAIN = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})
"""HTTP states that say no to a request before anything was made of it (RFC 9110, section 15.5)."""

MOST_WORDS = 300


class Refused(RuntimeError):
    """An answer that is no success: its HTTP status, and the provider's own words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Unreached(RuntimeError):
    """No answer came: nobody was there, or the connection broke before one. Whether the request
    arrived is not known."""


@contextlib.contextmanager
def reaching(provider: str) -> Iterator[None]:
    """Within it, a connection that fails says whose it was, and to where: raises Unreached."""
    import httpx

    try:
        yield
    except httpx.TransportError as error:
        where = error.request.url.netloc.decode()
        why = _short(str(error)) or type(error).__name__
        raise Unreached(f"{provider} does not answer at {where}: {why}") from error


@functools.cache
def trust() -> "SSLContext":
    """Read once: the list of authorities takes longer than a request on loopback."""
    import httpx

    return httpx.create_ssl_context()


def client(url: str, headers: Mapping[str, str]) -> "httpx.Client":
    """A client for one provider's interface at `url`."""
    import httpx

    return httpx.Client(base_url=url, headers=dict(headers), timeout=PATIENCE, verify=trust())


def document(response: "httpx.Response", provider: str, key: str) -> Any:
    """The JSON of an answer; `key` is the variable that holds the provider's secret.

    Raises TryLater for HTTP 429, Refused for every other status that is no success, ValueError for
    what is no JSON.
    """
    asked = f"{response.request.method} {response.request.url.path}"
    if response.status_code == 429:  # noqa: PLR2004 Too Many Requests, RFC 6585
        raise TryLater(f"{provider} asks for patience (HTTP 429)", retry_after(response.headers))
    if not response.is_success:
        hint = f"; is {key} right?" if response.status_code in (401, 403) else ""
        text = f"{provider} answers {asked} with HTTP {response.status_code}: {words(response)}"
        raise Refused(response.status_code, text + hint)
    try:
        return response.json()
    except ValueError as error:
        raise ValueError(
            f"{provider} answers {asked} with what is no JSON: {_short(response.text)!r}"
        ) from error


def words(response: "httpx.Response") -> str:
    """What a refusal says for itself."""
    try:
        said = response.json()
    except ValueError:
        return _short(response.text) or "without a word"
    if isinstance(said, dict):
        said = said.get("message") or said.get("error") or said
    return _short(str(said))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait (RFC 9110, section 10.2.3); None where it does not say."""
    given = headers.get("Retry-After", "").strip()
    if given.isdecimal():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return None


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= MOST_WORDS else f"{plain[:MOST_WORDS]}…"
