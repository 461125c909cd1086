"""What fits into a Slack message, and how text is made to fit.

| what                       | limit         | source                              |
| -------------------------- | ------------- | ----------------------------------- |
| blocks in a message        | 50            | reference/block-kit/blocks          |
| header                     | 150           | reference/block-kit/blocks/header-block |
| section text               | 3,000         | reference/block-kit/blocks/section-block |
| section fields             | 10 of 2,000   | reference/block-kit/blocks/section-block |
| context elements           | 10            | reference/block-kit/blocks/context-block |
| `text` of chat.update      | 4,000         | reference/methods/chat.update       |
| `text` of chat.postMessage | 4,000 advised | reference/methods/chat.postMessage  |
| escapes                    | & < >         | messaging/formatting-message-text   |

all under <https://docs.slack.dev/>. That all blocks together may have about 13,200 characters is
written nowhere; it was found by trial: <https://github.com/slackapi/bolt-js/issues/2509>.

Slack does not say whether it counts characters, UTF-16 units or bytes. Texts are measured in UTF-8
bytes here, the strictest of the three.
"""

import unicodedata

BLOCKS = 50
HEADER = 150
SECTION = 3000
FIELDS = 10
TEXT = 4000
TOTAL = 12000

ELLIPSIS = "…"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_CONTROLS = frozenset({"Cc", "Zl", "Zp"})


def size(text: str) -> int:
    """Length in UTF-8 bytes."""
    return len(text.encode())


def clean(text: str) -> str:
    """Text that JSON, Slack and a terminal carry: no lone surrogates, and no control characters
    or line separators but line feeds."""
    whole = text.encode("utf-8", "replace").decode()
    return "".join(" " if _is_control(sign) else sign for sign in whole).strip()


def fit(text: str, limit: int) -> str:
    """Clean text of at most `limit` bytes, its end replaced by "…" where it was longer."""
    return _joined(list(clean(text)), limit)


def escape(text: str, limit: int) -> str:
    """Clean text for mrkdwn of at most `limit` bytes, never cut within an entity."""
    return _joined([_ENTITIES.get(sign, sign) for sign in clean(text)], limit)


def code(text: str, limit: int) -> str:
    """Text as a mrkdwn code span of at most `limit` bytes: one line, without backticks."""
    line = " ".join(clean(text).replace("`", "'").split())
    return f"`{escape(line, limit - 2)}`" if line else ""


def _is_control(sign: str) -> bool:
    return sign != "\n" and unicodedata.category(sign) in _CONTROLS


def _joined(pieces: list[str], limit: int) -> str:
    if sum(map(size, pieces)) <= limit:
        return "".join(pieces)
    room = limit - size(ELLIPSIS)
    kept: list[str] = []
    for piece in pieces:
        room -= size(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + ELLIPSIS
