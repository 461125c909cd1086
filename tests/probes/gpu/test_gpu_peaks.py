"""The catalogue of peak rates."""

import datetime

import pytest

from probes.gpu.peaks import catalogue, peak

A100_ANNOUNCED = datetime.date(2020, 5, 14)


@pytest.mark.parametrize(
    ("name", "dtype", "tflops"),
    [  # from the vendor's data sheets, not from our file
        ("NVIDIA H100 80GB HBM3", "bfloat16", 1979 / 2),  # printed with sparsity
        ("NVIDIA H100 80GB HBM3", "float32", 67),
        ("NVIDIA A100-SXM4-80GB", "float16", 624 / 2),
        ("NVIDIA H100 PCIe", "bfloat16", 1513 / 2),
        ("NVIDIA L40S", "bfloat16", 733 / 2),
    ],
)
def test_dense_rates_agree_with_the_data_sheets(name: str, dtype: str, tflops: float) -> None:
    found = peak(name, dtype)
    assert found is not None
    assert found.tflops == pytest.approx(tflops, rel=0.02)
    assert found.source.startswith("https://")


def test_the_dense_rate_follows_from_the_clock() -> None:
    # 1830 MHz, 528 tensor cores, 512 fused multiply-adds each (ml-engineering, "how to calculate")
    found = peak("NVIDIA H100 80GB HBM3", "bfloat16")
    assert found is not None
    assert found.tflops == pytest.approx(1830e6 * 528 * 512 * 2 / 1e12, rel=0.001)


@pytest.mark.parametrize(
    "name", ["", "NVIDIA H200 NVL", "nvidia h100 pcie", "NVIDIA GeForce RTX 4090", "AMD EPYC"]
)
def test_an_unknown_device_has_no_peak(name: str) -> None:
    assert peak(name, "bfloat16") is None


def test_an_unknown_dtype_has_no_peak() -> None:
    assert peak("NVIDIA H100 PCIe", "float64") is None


def test_every_entry_has_rates_a_source_and_a_date() -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    for name, entry in catalogue().items():
        assert set(entry) == {"bfloat16", "float16", "float32", "source", "date"}, name
        assert 0 < entry["float32"] < entry["bfloat16"] == entry["float16"], name
        assert entry["source"].startswith("https://"), name
        assert A100_ANNOUNCED < entry["date"] <= today, name
