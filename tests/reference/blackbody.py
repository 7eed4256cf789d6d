"""Make ``bench/pipeline/scene/blackbody.csv``: Planck's law seen by the CIE 1931 2-degree observer, as linear Rec.709.

The observer is the multi-lobe fit of Wyman, Sloan and Shirley (2013, JCGT 2(2), eq. 4); wavelengths from 360 to 830 nm
every 1 nm; XYZ to Rec.709 with the D65 white of IEC 61966-2-1. A colour that leaves the gamut (most do, in blue) is
clipped at 0. Radiance is relative: the luminance at 1400 K is 1. Run as ``python tests/reference/blackbody.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

LOW_K, HIGH_K, COUNT = 600.0, 1800.0, 256
TABLE = Path(__file__).parents[2] / "bench" / "pipeline" / "scene" / "blackbody.csv"
XYZ_TO_RGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)


def observer(nm: np.ndarray) -> np.ndarray:
    """CIE 1931 colour matching functions, [3, n]."""

    def lobe(peak: float, low: float, high: float) -> np.ndarray:
        t = (nm - peak) * np.where(nm < peak, low, high)
        return np.exp(-0.5 * t * t)

    x = 0.362 * lobe(442.0, 0.0624, 0.0374) + 1.056 * lobe(599.8, 0.0264, 0.0323) - 0.065 * lobe(501.1, 0.0490, 0.0382)
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    return np.array([x, y, z])


def xyz(kelvin: float) -> np.ndarray:
    nm = np.arange(360.0, 831.0)
    metres = nm * 1e-9
    planck = metres**-5.0 / np.expm1(1.438776877e-2 / (metres * kelvin))
    return observer(nm) @ planck


def table() -> np.ndarray:
    """float64[COUNT, 4]: temperature (K), red, green, blue."""
    white = xyz(1400.0)[1]
    rows = []
    for i in range(COUNT):
        kelvin = LOW_K + (HIGH_K - LOW_K) * i / (COUNT - 1)
        rgb = XYZ_TO_RGB @ (xyz(kelvin) / white)
        rows.append([kelvin, *np.maximum(rgb, 0.0)])
    return np.array(rows)


if __name__ == "__main__":
    lines = ["# K, red, green, blue: linear Rec.709 radiance of a black body; made by tests/reference/blackbody.py"]
    lines += [",".join([f"{row[0]:.4f}"] + [f"{v:.8e}" for v in row[1:]]) for row in table()]
    TABLE.write_text("\n".join(lines) + "\n", encoding="ascii")
