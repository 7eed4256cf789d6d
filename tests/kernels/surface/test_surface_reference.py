"""The surface's and the fog's kernels against their plain reading, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import surface_kernels
from tests.reference.compare import check_kernel
from tests.twin_cases.surface import CASES


@pytest.mark.parametrize(("kernel", "label"), [(kernel, label) for kernel in CASES for label in CASES[kernel]])
def test_kernel_equals_its_reference(kernel, label):
    check_kernel(kernel, getattr(surface_kernels, kernel), CASES[kernel][label](np.random.default_rng(11)))
