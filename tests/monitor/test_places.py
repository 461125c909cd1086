"""Where a key stands in a file, arrays of tables within one another included."""

import pytest

from monitor.places import Key, Places

TEXT = """\
config = "c.toml"
[[test]]
name = "one"
[[test.series]]
target = "a"
[[test.series]]
target = "b"
[test.states]
3 = "firing"
[[test]]
name = "two"
series = [{ target = "c" }]
[[test]]
[[test.series]]
target = "d"
"""


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (("config",), (1, 1)),
        (("test", 0), (2, 3)),
        (("test", 0, "name"), (3, 1)),
        (("test", 0, "series"), (4, 3)),
        (("test", 0, "series", 0), (4, 3)),
        (("test", 0, "series", 0, "target"), (5, 1)),
        (("test", 0, "series", 1, "target"), (7, 1)),
        (("test", 0, "states", "3"), (9, 1)),
        (("test", 1, "name"), (11, 1)),
        (("test", 1, "series", 0, "target"), (12, 13)),
        (("test", 2, "series", 0, "target"), (15, 1)),
        (("test", 2, "series", 7), (14, 3)),
        (("test", 9), (2, 3)),
    ],
)
def test_a_key_has_its_place(key: Key, place: tuple[int, int]) -> None:
    assert Places(TEXT).of(key) == place
