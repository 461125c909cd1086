"""What is known of the config in force, and of an edit that came into force."""

from dataclasses import dataclass

from storage.configs import Change, How


@dataclass(frozen=True, slots=True)
class Edit:
    """Who has changed the file and how, as far as that is known; `note` is said along with it."""

    by: str = ""
    how: How = "edit"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a reload. `changes` is empty where the file says what the config in force says.
    `warnings`: what of the file waits for a restart, and what is odd about it; `lasting`:
    what of the channel waits, which only an edit of [slack] is warned of, and the status always."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    sha256: str
    lasting: tuple[str, ...] = ()


@dataclass(slots=True)
class State:
    """The config in force, as others see it. `sha256` and `loaded_at` are of the file as it was
    loaded last; `warnings`: what of it needs a restart, and what is odd about it. `faults`: why the
    file as it stands now cannot be used."""

    sha256: str
    loaded_at: float
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
