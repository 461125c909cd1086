"""`gpu.quality` by its real door, and its text against the arithmetic of information."""

import hashlib
import math
import platform
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from probes.gpu import corpus
from probes.gpu.quality import Quality, check

TEXT = "772d4aadbcc936256f57c2fbd71c10ff10ddd73d6de3393847d5725d438a348d"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # two that wait for one another waste a shared machine
CLASS = {word: name for name, words in corpus.WORDS.items() for word in words}


def chances(before: str) -> dict[str, float]:
    """What may follow a word, and how likely, from the tables alone."""
    found = {}
    for kind, likely in corpus.FOLLOWS[CLASS[before]].items():
        words = corpus.WORDS[kind]
        harmonic = sum(1 / rank for rank in range(1, len(words) + 1))
        for rank, word in enumerate(words, 1):
            found[word] = likely / rank / harmonic
    return found


def test_the_tables_are_a_grammar() -> None:
    assert len(CLASS) == sum(map(len, corpus.WORDS.values())), "no word is in two classes"
    assert set(corpus.FOLLOWS) == set(corpus.WORDS)
    for likely in corpus.FOLLOWS.values():
        assert sum(likely.values()) == pytest.approx(1)
        assert set(likely) <= set(corpus.WORDS)


def test_the_text_never_changes() -> None:
    # a change makes every stored number of the past incomparable: raise `revision` with it
    assert hashlib.sha256(corpus.text(1 << 17, 1)).hexdigest() == TEXT
    assert corpus.text(1000, 1) == corpus.text(2000, 1)[:1000]
    assert corpus.text(1000, 1) != corpus.text(1000, 2)


def test_entropy_is_that_of_the_chain_of_words() -> None:
    words = list(CLASS)
    matrix = np.array([[chances(a).get(b, 0) for b in words] for a in words])
    values, vectors = np.linalg.eig(matrix.T)
    share = np.real(vectors[:, np.argmax(np.real(values))])
    share /= share.sum()
    logs = np.log(matrix, where=matrix > 0, out=np.zeros_like(matrix))
    a_word = -(share[:, None] * matrix * logs).sum()
    length = share @ [len(word) + 1 for word in words]
    assert corpus.entropy() == pytest.approx(a_word / length)


def test_the_text_has_that_entropy() -> None:
    text = corpus.text(300_000, 5).decode()
    words = text.split()[:-1]
    surprise = -sum(math.log(chances(a)[b]) for a, b in pairwise(words))
    assert surprise / sum(len(word) + 1 for word in words[1:]) == pytest.approx(
        corpus.entropy(), rel=0.01
    )
    after = Counter(b for a, b in pairwise(words) if a == "without")
    assert after["the"] / after.total() == pytest.approx(12 / 25, abs=0.04)


def test_a_run_on_the_cpu(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.quality", {"target": "cpu", "target_perplexity": 6.0}, **ONE_THREAD)
    assert (run["outcome"], run["reason"]) == ("ok", "")
    readings = {item["signal"].removeprefix("gpu.quality."): item for item in run["readings"]}
    assert {item["target"] for item in readings.values()} == {f"cpu:{platform.node()}"}
    steps = readings["steps_to_target"]["value"]
    assert readings["tokens_to_target"]["value"] == steps * 16 * 64
    payload = run["payload"]
    looks = payload["perplexities"]
    assert steps == payload["steps"] == 10 * len(looks)
    assert readings["perplexity"]["value"] == looks[-1] <= 6.0 < min(looks[:-1])
    assert 40 <= steps <= 90
    assert readings["time_to_target"]["value"] > 0
    assert payload["best_perplexity"] == pytest.approx(1.4456, abs=1e-4)


def test_a_target_that_is_not_reached_fails_the_run(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.quality", {"target": "cpu", "max_steps": 20}, **ONE_THREAD)
    assert run["outcome"] == "failed"
    assert "did not reach a perplexity of 2 in 20 steps, but 1" in run["reason"]


def test_a_perplexity_that_nobody_can_reach_fails_the_run() -> None:
    check(1.446)
    with pytest.raises(RuntimeError, match=r"below the text's own, 1\.446"):
        check(1.2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target_perplexity": 1.44}, "cannot be reached: the text's own is 1.446"),
        ({"max_steps": 9}, "greater than or equal to 10"),
        ({"dtype": "float16"}, "'float32' or 'bfloat16'"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Quality.model_validate(settings)
