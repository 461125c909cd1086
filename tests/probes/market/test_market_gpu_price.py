"""`market.gpu_price` by its real door: gpuhunt itself, in a child, on a catalogue on loopback."""

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gpu_shop import Shop, packed, row, version
from loopback import Fault
from pydantic import ValidationError

from probes.market.catalog import end_of_day, known
from probes.market.gpu_price import GpuPrice

library = pytest.importorskip(
    "gpuhunt._internal.catalog", reason="market.gpu_price needs qrossover[market]"
)

ROOT = Path(__file__).parents[3]
DAY = 86400.0
PROGRAM = """
import json, sys
from probes.__main__ import execute
from probes.base import load
print(json.dumps(execute(load("market.gpu_price"), json.loads(sys.argv[1]))))
"""


def run(settings: dict[str, Any], program: str = PROGRAM, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(settings)],
        cwd=ROOT,
        env={**os.environ, "no_proxy": "*", **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {**json.loads(done.stdout), "stderr": done.stderr}


def found(result: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The readings by target and last part of the signal."""
    assert result["outcome"] == "ok", result["reason"]
    readings = {(r["target"], r["signal"].rpartition(".")[2]): r for r in result["readings"]}
    assert len(readings) == len(result["readings"])
    return readings


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as made:
        made.sells(
            "aws",
            row("big", "H100", 80.0, 8, 48.0),
            row("big", "H100", 80.0, 8, 32.0, location="moon-2"),
            row("big", "H100", 80.0, 8, 16.0, spot=True),
            row("old", "A100", 40.0, 8, 12.0),
            row("new", "A100", 80.0, 8, 20.0),
        )
        made.sells("lambdalabs", row("one", "H100", 80.0, 1, 2.5), days_ago=2)
        made.sells("oci", row("metal", "H100", 80.0, 8, 80.0))
        yield made


def asked(shop: Shop, *providers: str, **more: Any) -> dict[str, Any]:
    return {"gpus": ["H100"], "providers": providers, "catalog": shop.url, **more}


def test_the_price_of_one_gpu_is_the_instances_over_its_gpus(shop: Shop) -> None:
    result = run(asked(shop, "aws", "lambdalabs", "oci", gpus=["h100", "A100:80GB"], spot=True))
    readings = found(result)
    values = {key: reading["value"] for key, reading in readings.items()}
    assert values == {
        ("H100/on-demand", "cheapest"): 2.5,
        ("H100/on-demand", "median"): 4.0,  # 2.5 of one, 4 of another with 4 and 6, and 10
        ("H100/on-demand", "offers"): 4,
        ("H100/spot", "cheapest"): 2.0,
        ("H100/spot", "median"): 2.0,
        ("H100/spot", "offers"): 1,
        ("A100:80GB/on-demand", "cheapest"): 2.5,
        ("A100:80GB/on-demand", "median"): 2.5,
        ("A100:80GB/on-demand", "offers"): 1,
    }
    assert {reading["origin"] for reading in readings.values()} == {"vendor"}
    assert {reading["sigma"] for reading in readings.values()} == {None}
    cheapest, median = (readings["H100/on-demand", name] for name in ("cheapest", "median"))
    assert cheapest["note"] == f"lambdalabs: one in moon-1, 1 GPU; catalogue {version(2)}"
    assert median["note"] == f"lambdalabs 2.5, aws 4, oci 10; catalogue {version(2)}"
    assert result["payload"]["H100/on-demand"] == {"lambdalabs": 2.5, "aws": 4.0, "oci": 10.0}
    assert result["payload"]["catalogues"]["aws"] == version()
    assert result["versions"]["gpuhunt"]


def test_a_reading_is_of_the_day_of_its_oldest_catalogue(shop: Shop) -> None:
    readings = found(run(asked(shop, "aws", "lambdalabs", "oci", spot=True)))
    midnight = (datetime.now(UTC) - timedelta(days=1)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    assert readings["H100/on-demand", "median"]["at"] == midnight.timestamp()
    # the only seller of spot has a catalogue of today, whose day has not ended
    assert time.time() - 60 < readings["H100/spot", "median"]["at"] <= time.time()


def test_numbers_of_other_sellers_do_not_compare(shop: Shop) -> None:
    def setup(**more: Any) -> str:
        readings = found(run(asked(shop, "aws", **more)))
        return str(readings["H100/on-demand", "median"]["setup"])

    first = setup()
    assert first == setup(gpus=["A100:40GB", "H100"], spot=True)
    assert first != setup(providers=["aws", "oci"])
    assert first != setup(min_count=8)


def test_what_has_no_offer_is_absent(shop: Shop) -> None:
    readings = found(run(asked(shop, "aws", gpus=["H100", "B200"], min_count=8)))
    assert {target for target, _ in readings} == {"H100/on-demand"}
    nothing = run(asked(shop, "lambdalabs", min_count=8))
    assert (nothing["outcome"], nothing["readings"]) == ("skipped", [])
    assert nothing["reason"] == "no offer of H100 with 8 or more a machine from lambdalabs"


def test_prices_that_nobody_can_mean_are_left_out_and_counted(shop: Shop) -> None:
    prices = (0, -3, "nan", "inf", 40.0)
    shop.sells("aws", *(row("big", "H100", 80.0, 8, price) for price in prices))
    readings = found(run(asked(shop, "aws")))
    assert readings["H100/on-demand", "cheapest"]["value"] == 5.0
    assert readings["H100/on-demand", "offers"]["value"] == 1
    assert "4 more without a possible price" in readings["H100/on-demand", "offers"]["note"]
    shop.sells("aws", row("big", "H100", 80.0, 8, 0))
    assert run(asked(shop, "aws"))["outcome"] == "skipped"


def test_what_is_booked_for_days_is_no_price_on_demand(shop: Shop) -> None:
    booked = row("a3", "H100", 80.0, 8, 8.0, flags="gcp-dws-calendar-mode")
    shop.sells("gcp", booked, row("a3", "H100", 80.0, 8, 88.0))
    readings = found(run(asked(shop, "gcp")))
    assert readings["H100/on-demand", "cheapest"]["value"] == 11.0


def test_a_catalogue_may_lie_in_a_folder_and_no_other_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "v3" / "aws"
    (folder / "2026-spring").mkdir(parents=True)
    (folder / "version").write_text("2026-spring\n")
    rows = [row("big", "H100", 80.0, 8, 32.0)]
    (folder / "2026-spring" / "catalog.zip").write_bytes(packed("aws", rows))
    settings = {"gpus": ["H100"], "providers": ["aws"], "catalog": (tmp_path / "v3").as_uri()}
    elsewhere = str(tmp_path / "empty")
    readings = found(run(settings, GPUHUNT_CATALOG_DIR=elsewhere, GPUHUNT_CATALOG_URL="file:///no"))
    assert readings["H100/on-demand", "median"]["value"] == 4.0
    # a version that names no day: it is what is offered now
    assert time.time() - 60 < readings["H100/on-demand", "median"]["at"] <= time.time()


def test_a_network_that_is_down_is_a_failed_run() -> None:
    with Shop() as gone:
        url = gone.url
    result = run({"catalog": url})
    assert (result["outcome"], result["readings"]) == ("failed", [])
    assert re.fullmatch(
        r"gpuhunt could load no catalogue at all: <urlopen error .*Connection refused>; it needs "
        r"the network, or a catalogue that `catalog` names",
        result["reason"],
    )


def test_a_seller_without_a_catalogue_fails_the_run_and_is_named(shop: Shop) -> None:
    shop.fail(Fault(path="/oci/.*zip", status=500))
    result = run(asked(shop, "aws", "oci"))
    assert (result["outcome"], result["readings"]) == ("failed", [])
    assert result["reason"].startswith(
        "gpuhunt has loaded no catalogue of 'oci', only of aws, lambdalabs: see what it says"
    )
    assert "HTTP Error 500" in result["stderr"]
    assert run(asked(shop, "aws"))["outcome"] == "ok"


def test_what_is_no_catalogue_fails_the_run(shop: Shop) -> None:
    shop.catalogues["aws"] = (version(), b"<html>Sign in to the hotel's network</html>")
    result = run(asked(shop, "aws"))
    assert "no catalogue of 'aws'" in result["reason"]
    assert "File is not a zip file" in result["stderr"]
    shop.catalogues["aws"] = (version(), packed("another", [row("big", "H100", 80.0, 8, 1.0)]))
    assert "no catalogue of 'aws'" in run(asked(shop, "aws"))["reason"]
    renamed = {"cost": 1.0, "gpus": 8, "gpu": "H100"}
    shop.catalogues["aws"] = (version(), packed("aws", [renamed]))
    assert run(asked(shop, "aws"))["reason"] == (
        f"the catalogue {version()} of aws has no row that this gpuhunt can read: look for a newer "
        "one, or leave it out of `providers`"
    )


def test_without_the_library_the_extra_is_named() -> None:
    result = run({}, f"import sys; sys.modules['gpuhunt'] = None\n{PROGRAM}")
    assert result["outcome"] == "failed"
    assert result["reason"] == "market.gpu_price needs gpuhunt: pip install 'qrossover[market]'"


@pytest.mark.parametrize(
    ("gpu", "target"),
    [
        ("H100", "H100"),
        ("h100:80GB", "H100"),
        ("a100:80GB", "A100:80GB"),
        ("A100:40GB", "A100:40GB"),
        ("MI300X", "MI300X"),
    ],
)
def test_a_gpu_has_one_target_however_it_is_written(gpu: str, target: str) -> None:
    assert known(gpu) == target


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        ("H1000", "gpuhunt knows no GPU 'H1000'; near are H100"),
        ("tpu-of-tomorrow", "a name is such as"),
        ("A100", "gpuhunt knows no 'A100', it knows A100:40GB or A100:80GB"),
        ("A100:8GB", "it knows A100:40GB or A100:80GB"),
        ("H100:96GB", "gpuhunt knows no 'H100:96GB', it knows H100:80GB"),
    ],
)
def test_a_gpu_that_is_none_is_named_with_those_near(gpu: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        known(gpu)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gpus": []}, "at least 1 item"),
        ({"gpus": ["H100", "H100"]}, "'H100' is named twice"),
        ({"gpus": ["NVIDIA H100"]}, 'expected names such as "H100" or "A100:80GB"'),
        ({"gpus": ["A100:80"]}, "expected names such as"),
        ({"providers": []}, "at least 1 item"),
        ({"min_count": 0}, "greater than or equal to 1"),
        ({"catalog": "/tmp/prices"}, "an address of http, https or file"),
        ({"gpu": "H100"}, "Extra inputs"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        GpuPrice.model_validate(settings)


def test_the_shipped_gpus_and_sellers_are_gpuhunts() -> None:
    usual = GpuPrice()
    assert set(usual.providers) == set(library.OFFLINE_PROVIDERS)
    assert [known(gpu) for gpu in usual.gpus] == list(usual.gpus)


def test_the_day_of_a_version() -> None:
    assert end_of_day("19700101-1") == DAY
    assert end_of_day("20261126-5310") == datetime(2026, 11, 27, tzinfo=UTC).timestamp()
    for other in ("latest", "", "2026-11-26"):
        assert end_of_day(other) > math.pow(10, 11)
