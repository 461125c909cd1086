"""The project's Markdown pages, taken apart: headings, tables, code, links."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent
_BEFORE_A_COMMAND = re.compile(r"sudo|env|exec|[A-Z_]+=.*")


@dataclass(frozen=True)
class Fence:
    """A block of code. `info` is what stands behind its opening backticks."""

    info: str
    text: str
    line: int


@dataclass(frozen=True)
class Table:
    """A table: the heading it stands under, and its cells as they are written."""

    heading: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """One column, without backticks."""
        index = self.header.index(name)
        return [bare(row[index]) for row in self.rows]

    def by_key(self) -> dict[str, dict[str, str]]:
        """Every row by its first cell (without backticks); cells as they are written."""
        rows = {bare(row[0]): dict(zip(self.header, row, strict=True)) for row in self.rows}
        assert len(rows) == len(self.rows), f"a row of {self.heading} occurs twice"
        return rows


@dataclass(frozen=True)
class Page:
    """One page, by its path in the repository."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @cached_property
    def tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.path.read_text())

    @property
    def headings(self) -> list[str]:
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        return [bare(text.content) for token, text in pairs if token.type == "heading_open"]

    @property
    def fences(self) -> list[Fence]:
        return [
            Fence(token.info.strip(), token.content, (token.map or [0])[0] + 1)
            for token in self.tokens
            if token.type == "fence"
        ]

    @property
    def codes(self) -> list[str]:
        """Every piece of code within a line."""
        return [token.content for token in self._inline() if token.type == "code_inline"]

    @property
    def links(self) -> list[str]:
        return [str(token.attrs["href"]) for token in self._inline() if token.type == "link_open"]

    @property
    def tables(self) -> list[Table]:
        found: list[Table] = []
        heading, rows = "", list[tuple[str, ...]]()
        for index, token in enumerate(self.tokens):
            if token.type == "heading_open":
                heading = bare(self.tokens[index + 1].content)
            elif token.type == "table_open":
                rows = []
            elif token.type == "tr_open":
                rows.append(tuple(self._cells(index)))
            elif token.type == "table_close":
                found.append(Table(heading, tuple(map(bare, rows[0])), tuple(rows[1:])))
        return found

    def table(self, heading: str, first: str = "key", number: int = 0) -> Table:
        """The table under a heading whose first column is `first`; the first of these."""
        fitting = [t for t in self.tables if t.heading == heading and t.header[0] == first]
        assert len(fitting) > number, f"{self.name} has no table of {first} under {heading!r}"
        return fitting[number]

    def commands(self) -> Iterator[list[str]]:
        """Every shell command, as words, in a line of text or in a block of code."""
        yield from filter(None, map(words, self.codes))
        for fence in self.fences:
            lines = fence.text.replace("\\\n", " ").splitlines()
            if fence.info == "console":
                lines = [line[2:] for line in lines if line.startswith("$ ")]
            elif fence.info not in ("sh", "bash"):
                continue
            yield from filter(None, map(words, lines))

    def _inline(self) -> Iterator[Token]:
        for token in self.tokens:
            yield from token.children or ()

    def _cells(self, row: int) -> Iterator[str]:
        for token in self.tokens[row:]:
            if token.type == "tr_close":
                return
            if token.type == "inline":
                yield token.content


def words(line: str) -> list[str]:
    """The words of a shell command, from its program on; none where it is no command."""
    try:
        found = shlex.split(line, comments=True)
    except ValueError:  # a quote that is not closed: no command
        return []
    while found and _BEFORE_A_COMMAND.fullmatch(found[0]):
        del found[0]
    return found


def bare(cell: str) -> str:
    """A cell or heading without its backticks and escapes."""
    return cell.replace("`", "").replace("\\|", "|").strip()


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


PAGES = [
    Page(str(path.relative_to(ROOT)))
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
]
CONFIGURATION = Page("docs/configuration.md")
INTERFACES = Page("docs/interfaces.md")
RUNNING = Page("docs/running.md")
SIGNALS = Page("docs/signals.md")
