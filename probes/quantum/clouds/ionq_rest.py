"""Requests to IonQ's interface v0.4, and its long lists page by page."""

import os
from collections.abc import Iterator
from typing import Any, Self

from probes.quantum.clouds.account import given, secret
from probes.quantum.clouds.rest import client, document, reaching

URL = "https://api.ionq.co/v0.4"
KEY = "IONQ_API_KEY"
MOST_CHARACTERIZATIONS = 10
MOST_JOBS = 25
"""Entries of a page: the largest number that is documented."""


class Session:
    """Requests over one connection; `account` where they need a key."""

    def __init__(self, *, account: bool = False) -> None:
        key = secret(KEY, "IonQ") if account else given(KEY)
        headers = {"Authorization": f"apiKey {key}"} if key else {}
        self._client = client(os.environ.get("IONQ_API_URL") or URL, headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON at a path."""
        return self.ask("GET", path, params=parameters)

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """The JSON that a request is answered with. Raises as `rest.document` does, and
        rest.Unreached."""
        with reaching("IonQ"):
            answer = self._client.request(method, path, **more)
        return document(answer, "IonQ", KEY)

    def characterizations(self, device: str, **days: str) -> Iterator[dict[str, Any]]:
        """A device's characterizations, each once, until a page brings nothing new."""
        seen: set[str] = set()
        page = 1
        while new := [
            one for one in self._characterizations(device, page, **days) if one["id"] not in seen
        ]:
            yield from new
            seen |= {one["id"] for one in new}
            page += 1

    def newest_characterizations(self, device: str) -> list[dict[str, Any]]:
        """The first page: IonQ lists the newest first."""
        return self._characterizations(device, 1)

    def _characterizations(self, device: str, page: int, **days: str) -> list[dict[str, Any]]:
        path = f"/backends/{device}/characterizations"
        listed = self.get(path, limit=MOST_CHARACTERIZATIONS, page=page, **days)
        return listed["characterizations"] or []  # null where there are none

    def jobs(self, device: str) -> Iterator[dict[str, Any]]:
        """All jobs that were ever sent to a device. Raises RuntimeError where the list does not
        come to its end."""
        seen: set[str] = set()
        mark: dict[str, str] = {}
        while True:
            listed = self.get("/jobs", target=device, limit=MOST_JOBS, **mark)
            yield from listed["jobs"]
            following = listed["next"]
            if following is None:
                return
            if following in seen:
                raise RuntimeError(f"IonQ's list of jobs on {device} begins again at {following}")
            seen.add(following)
            mark = {"next": following}
