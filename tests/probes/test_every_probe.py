"""The house rules of probes, held against every kind: a new file is tested by being there."""

import json
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import get_args

import pytest

import probes
from monitor.config import SCHEDULE
from probes.base import Probe, UnknownKind, kinds, load
from storage.types import Quote, Signal

ROOT = Path(probes.__file__).parent
HEAVY = (
    "torch",
    "numpy",
    "qiskit",
    "qiskit_aer",
    "qiskit_ibm_runtime",
    "pynvml",
    "httpx",
    "gpuhunt",
)
SECTIONS = ("Summary", "What the number means", "References")
DECLARED_BY_ITS_TABLE = "external.command"
BETTER = get_args(Signal.__annotations__["better"])
# What a table must say where the kind cannot guess it, as little as makes it valid.
REQUIRED = {
    "external.command": {"argv": ["true"], "signals": {"a": "1"}},
    "quantum.calibration": {"device": "fake_kingston"},
    "quantum.ghz": {"device": "fake_kingston"},
    "quantum.layer_fidelity": {"device": "fake_kingston"},
    "quantum.logical": {"device": "fake_boston"},
    "quantum.mirror": {"device": "fake_kingston"},
    "quantum.sampling": {"device": "fake_kingston"},
    "quantum.state_preparation": {"device": "fake_kingston"},
    "quantum.volume": {"device": "fake_kingston"},
}

every_kind = pytest.mark.parametrize(("kind", "probe"), kinds().items(), ids=kinds())


def instance(kind: str, probe: type[Probe]) -> Probe:
    return probe.model_validate(REQUIRED.get(kind, {}))


def test_the_path_is_the_registration() -> None:
    assert {"external.command", "gpu.gemm", "gpu.training", "quantum.mirror"} <= set(kinds())
    for kind, probe in kinds().items():
        assert (ROOT / f"{kind.replace('.', '/')}.py").is_file()
        assert probe.__module__ == f"probes.{kind}"
        assert load(kind) is probe


@pytest.mark.parametrize("kind", ["gpu.gem", "gpu", "gpu.gpt", "", "base", "os.path", "gpu..gemm"])
def test_what_is_no_kind_is_refused_with_those_that_are(kind: str) -> None:
    with pytest.raises(UnknownKind, match=r"no probe kind .*gpu\.gemm"):
        load(kind)


@every_kind
def test_it_says_what_it_is(kind: str, probe: type[Probe]) -> None:
    text = probe.__doc__ or ""
    found = [re.search(rf"^\s*{section}\b", text, re.MULTILINE) for section in SECTIONS]
    assert None not in found, f"{kind}: its docstring has the sections {', '.join(SECTIONS)}"
    places = [match.start() for match in found if match]
    assert places == sorted(places)
    parts = [text[a:b] for a, b in zip(places, [*places[1:], len(text)], strict=True)]
    assert all(len(part.split()) > 8 for part in parts)
    assert re.search(r"arXiv|https?://|Phys\. Rev|doi", parts[-1])


@every_kind
def test_it_declares_its_signals(kind: str, probe: type[Probe]) -> None:
    promised = instance(kind, probe).promises()
    assert promised
    assert (probe.signals == ()) == (kind == DECLARED_BY_ITS_TABLE)
    assert len({signal.name for signal in promised}) == len(promised)
    for signal in promised:
        assert signal.unit
        assert signal.better in BETTER
        assert len(signal.help.split()) > 2
        if kind != DECLARED_BY_ITS_TABLE:
            assert signal.name.startswith(f"{kind}.")


def test_no_two_kinds_write_one_signal() -> None:
    names = [signal.name for probe in kinds().values() for signal in probe.signals]
    assert len(set(names)) == len(names)


@every_kind
def test_it_runs_as_its_table_is_unless_a_setting_is_required_on_purpose(
    kind: str, probe: type[Probe]
) -> None:
    required = {
        field.alias or name for name, field in probe.model_fields.items() if field.is_required()
    }
    assert required == set(REQUIRED.get(kind, {}))
    made = instance(kind, probe)
    assert made.deadline > 0
    assert made.quote() == Quote(), "free, unless the table says otherwise"
    assert made.payload == {}


@every_kind
def test_its_settings_are_none_of_the_schedules(kind: str, probe: type[Probe]) -> None:
    settings = {field.alias or name for name, field in probe.model_fields.items()}
    assert settings.isdisjoint(SCHEDULE)


@every_kind
def test_its_settings_survive_the_way_to_the_child(kind: str, probe: type[Probe]) -> None:
    made = instance(kind, probe)
    said = json.loads(json.dumps(made.model_dump(mode="json", by_alias=True)))
    assert probe.model_validate(said) == made


@every_kind
def test_the_packages_it_stamps_are_dependencies(kind: str, probe: type[Probe]) -> None:
    # one that is misspelt would only be missing from every run's versions
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[><=~! ]", line)[0] for line in wanted}
    assert set(probe.packages) <= names
    assert bool(probe.packages) == (kind != DECLARED_BY_ITS_TABLE)


def test_finding_all_kinds_loads_no_heavy_library() -> None:
    program = (
        "import sys; from probes.base import kinds; print(len(kinds()));"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(len(kinds()))]
