"""Real data that no repository of ours holds: read where it lies beside the checkout."""

from pathlib import Path

import pytest


def folder(name: str) -> Path:
    """A folder of `shared/data` beside the checkout or above it; without one the test skips."""
    for above in Path(__file__).parents:
        found = above / "shared" / "data" / name
        if found.is_dir():
            return found
    pytest.skip(f"there is no shared/data/{name} beside the checkout")
