"""A product's numbers against numpy's, and what is told of one that is wrong."""

import numpy as np
import pytest
import torch

from probes.gpu.product import TOLERANCE, Dtype, Product, Shape, available

PLACE = torch.device("cpu")
MANTISSA = {"float32": 23, "bfloat16": 7, "float8": 7}
"""Bits of the result's mantissa; of float8 its result is bfloat16."""


def made(dtype: Dtype = "float32", m: int = 40, n: int = 64, k: int = 512) -> Product:
    product = Product(Shape(m, n, k), dtype, PLACE, seed=3)
    product.spoil()
    product.multiply()
    return product


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8"])
def test_a_product_is_the_one_that_numpy_has(dtype: Dtype) -> None:
    product = made(dtype)
    a, b, c = (part.to(torch.float64).numpy() for part in (product.a, product.b, product.c))
    want = np.einsum("mk,kn->mn", a, b)
    half_a_step = 2.0 ** -(MANTISSA[dtype] + 1)
    assert np.abs(c - want).max() <= np.abs(want).max() * half_a_step * 1.01 + 1e-4
    product.check()


def test_the_factors_are_normal_and_follow_from_the_seed() -> None:
    first, again = made(), made()
    assert torch.equal(first.a, again.a)
    assert float(first.a.std()) == pytest.approx(1, abs=0.02)
    assert not torch.equal(first.a, Product(Shape(40, 64, 512), "float32", PLACE, seed=4).a)


def test_float8_takes_its_second_factor_by_columns() -> None:
    product = made("float8")
    assert product.a.dtype == product.b.dtype == torch.float8_e4m3fn
    assert product.b.shape == (512, 64)
    assert (product.a.stride(), product.b.stride()) == ((512, 1), (1, 512))
    assert product.c.dtype == torch.bfloat16


def test_tf32_is_asked_for_and_taken_back() -> None:
    matmul = torch.backends.cuda.matmul
    try:
        Product(Shape(16, 16, 16), "tf32", PLACE, seed=1)
        assert matmul.allow_tf32
        Product(Shape(16, 16, 16), "float32", PLACE, seed=1)
        assert not matmul.allow_tf32
    finally:
        matmul.allow_tf32 = False


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_what_is_wrong_by_more_than_rounding_is_an_error(dtype: Dtype) -> None:
    product = made()
    product.dtype = dtype  # float32's result is right in any of them
    product.check()
    product.c[4, 8] += 0.9 * TOLERANCE[dtype] * 512**0.5
    product.check()
    product.c[4, 8] += 0.2 * TOLERANCE[dtype] * 512**0.5
    with pytest.raises(RuntimeError, match=r"row 4, column 8, where float64 has .*take it out"):
        product.check()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_result_that_is_not_finite_is_an_error_wherever_it_stands(value: float) -> None:
    product = made()
    product.c[13, 7] = value
    with pytest.raises(RuntimeError, match=r"40 × 512 × 64 .* in float32 on cpu is not finite"):
        product.check()


def test_a_product_that_was_never_written_is_an_error() -> None:
    product = made()
    product.spoil()
    with pytest.raises(RuntimeError, match="compute wrongly"):
        product.check()


def test_a_cpu_multiplies_in_two_dtypes() -> None:
    assert available(PLACE) == ("float32", "bfloat16")


def test_memory_is_that_of_three_matrices_a_copy_of_the_result_and_the_flush() -> None:
    assert Shape(8192, 8192, 8192).bytes("bfloat16") == (4 * 128 + 256) << 20
    assert Shape(4096, 4096, 4096).bytes("float32") == (4 * 64 + 256) << 20
