"""The catalogue of peak rates."""

import datetime

import pytest

from probes.gpu.peaks import catalogue, memory_peak, peak

A100_ANNOUNCED = datetime.date(2020, 5, 14)


@pytest.mark.parametrize(
    ("name", "dtype", "tflops"),
    [  # from the vendor's data sheets, not from our file
        ("NVIDIA H100 80GB HBM3", "bfloat16", 1979 / 2),  # printed with sparsity
        ("NVIDIA H100 80GB HBM3", "float32", 67),
        ("NVIDIA A100-SXM4-80GB", "float16", 624 / 2),
        ("NVIDIA H100 PCIe", "bfloat16", 1513 / 2),
        ("NVIDIA L40S", "bfloat16", 733 / 2),
        ("NVIDIA A100-SXM4-40GB", "tf32", 312 / 2),
        ("NVIDIA H100 80GB HBM3", "tf32", 989 / 2),
        ("NVIDIA H200", "float8", 3958 / 2),
        ("NVIDIA H100 PCIe", "tf32", 756 / 2),
        ("NVIDIA H100 PCIe", "float8", 3026 / 2),
        ("NVIDIA L40S", "float8", 1466 / 2),
        ("NVIDIA L40S", "tf32", 366 / 2),
        ("NVIDIA B200", "float8", 72_000 / 8 / 2),  # of a DGX with eight
        ("NVIDIA GB200", "tf32", 180_000 / 72 / 2),  # of a rack with 72
        ("NVIDIA GB200", "float32", 5760 / 72),
        ("NVIDIA B200", "float32", 600 / 8),
        ("NVIDIA B300 SXM6 AC", "float32", 600 / 8),
    ],
)
def test_dense_rates_agree_with_the_data_sheets(name: str, dtype: str, tflops: float) -> None:
    found = peak(name, dtype)
    assert found is not None
    assert found.tflops == pytest.approx(tflops, rel=0.02)
    assert found.source.startswith("https://")


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [  # GB/s, from the vendor's data sheets
        ("NVIDIA A100-SXM4-40GB", 1555),
        ("NVIDIA A100-SXM4-80GB", 2039),
        ("NVIDIA A100 80GB PCIe", 1935),
        ("NVIDIA H100 PCIe", 2000),
        ("NVIDIA H100 80GB HBM3", 3350),
        ("NVIDIA H200", 4800),
        ("NVIDIA GH200 480GB", 4000),
        ("NVIDIA B200", 64_000 / 8),
        ("NVIDIA B300 SXM6 AC", 8000),
        ("NVIDIA GB200", 576_000 / 72),
        ("NVIDIA L40S", 864),
    ],
)
def test_memory_bandwidths_are_those_of_the_data_sheets(name: str, gigabytes: float) -> None:
    assert memory_peak(name) == pytest.approx(gigabytes / 1000)


def test_every_device_of_the_catalogue_has_a_bandwidth_and_no_other() -> None:
    assert all(memory_peak(name) for name in catalogue())
    assert memory_peak("NVIDIA H200 NVL") is None


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
        rates = {"bfloat16", "float16", "float32", "tf32"}
        assert set(entry) - {"float8"} == {*rates, "memory", "source", "date"}, name
        assert entry["tf32"] == pytest.approx(entry["bfloat16"] / 2, rel=0.02), name
        assert ("float8" in entry) == ("A100" not in name)
        assert entry.get("float8", 2 * entry["bfloat16"]) == pytest.approx(
            2 * entry["bfloat16"], rel=0.02
        ), name
        assert 0.5 < entry["memory"] < 10, name
        assert 0 < entry["float32"] < entry["bfloat16"] == entry["float16"], name
        assert entry["source"].startswith("https://"), name
        assert A100_ANNOUNCED < entry["date"] <= today, name
