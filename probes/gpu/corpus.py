"""The text of `gpu.quality`: sentences of a small grammar whose entropy is known.

Words follow one another as a Markov chain: a word's class says which class comes next, and within
a class the k-th word is 1/k as likely as the first (Zipf). So there is a best possible model of
this text, and its perplexity can be worked out: see `entropy`. Nothing of it is anybody's writing,
and every machine makes the same bytes from the same seed.
"""

import math
import random
from collections.abc import Iterable, Iterator

WORDS = {
    "determiner": ("the", "a", "every", "this"),
    "adjective": ("small", "warm", "broken", "distant", "silent", "yellow"),
    "noun": ("river", "engine", "garden", "letter", "winter", "market", "signal", "harbour"),
    "verb": ("follows", "finds", "carries", "forgets", "answers", "measures"),
    "preposition": ("near", "under", "without", "behind"),
    "adverb": ("slowly", "again", "never", "often"),
    "stop": (".",),
}
"""Classes and their words, the likeliest first. No word is in two classes."""
FOLLOWS = {
    "determiner": {"noun": 0.6, "adjective": 0.4},
    "adjective": {"noun": 0.8, "adjective": 0.2},
    "noun": {"verb": 0.5, "preposition": 0.2, "stop": 0.3},
    "verb": {"determiner": 0.6, "adverb": 0.3, "stop": 0.1},
    "preposition": {"determiner": 1.0},
    "adverb": {"stop": 0.6, "preposition": 0.4},
    "stop": {"determiner": 0.9, "adverb": 0.1},
}
"""How likely each class is to follow a class."""


def text(size: int, seed: int) -> bytes:
    """The first `size` bytes of the text of a seed: words, each with a space behind it."""
    parts, length = [], 0
    for word in _words(random.Random(seed)):  # noqa: S311 a text, not a secret
        parts.append(f"{word} ")
        length += len(word) + 1
        if length >= size:
            return "".join(parts).encode("ascii")[:size]
    raise AssertionError("the words never end")


def entropy() -> float:
    """Nats a byte of this text, on average, for whoever knows the grammar and the words before:
    the chain's entropy a word (Cover and Thomas, Elements of Information Theory, theorem 4.2.4)
    over the mean length of a word with its space."""
    shares = _class_shares()
    choices = {name: _entropy(_weights(words)) for name, words in WORDS.items()}
    a_word = sum(
        share
        * (
            _entropy(FOLLOWS[name].values())
            + sum(likely * choices[following] for following, likely in FOLLOWS[name].items())
        )
        for name, share in shares.items()
    )
    length = sum(
        share * weight * (len(word) + 1)
        for name, share in shares.items()
        for word, weight in zip(WORDS[name], _weights(WORDS[name]), strict=True)
    )
    return a_word / length


def _words(source: random.Random) -> Iterator[str]:
    likely = {name: dict(zip(it, _weights(it), strict=True)) for name, it in WORDS.items()}
    kind = "stop"
    while True:
        kind = _pick(source, FOLLOWS[kind])
        yield _pick(source, likely[kind])


def _pick(source: random.Random, likely: dict[str, float]) -> str:
    """One of the keys. By `random()` alone: Python promises that it never changes for a seed."""
    rest = source.random()
    for name, weight in likely.items():
        rest -= weight
        if rest < 0:
            return name
    return name


def _weights(words: tuple[str, ...]) -> list[float]:
    whole = sum(1 / rank for rank in range(1, len(words) + 1))
    return [1 / rank / whole for rank in range(1, len(words) + 1)]


def _class_shares() -> dict[str, float]:
    """The share of words of each class in the long run: the chain's stationary distribution."""
    shares = dict.fromkeys(FOLLOWS, 1 / len(FOLLOWS))
    for _ in range(200):  # it converges by a factor of two or so a step
        shares = {
            name: sum(share * FOLLOWS[before].get(name, 0) for before, share in shares.items())
            for name in FOLLOWS
        }
    return shares


def _entropy(probabilities: Iterable[float]) -> float:
    return -sum(p * math.log(p) for p in probabilities if p > 0)
