"""Heat, rheology and emission against their plain reading, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import emit, heat
from tests.reference.compare import check_kernel
from tests.twin_cases.heat import CASES


@pytest.mark.parametrize(("kernel", "label"), [(kernel, label) for kernel in CASES for label in CASES[kernel]])
def test_kernel_equals_its_reference(kernel, label):
    reference = getattr(emit if kernel == "mpm_emit" else heat, kernel)
    check_kernel(kernel, reference, CASES[kernel][label](np.random.default_rng(11)))
