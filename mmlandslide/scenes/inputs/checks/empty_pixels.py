"""Pixels that hold nothing although no tag says so."""

from collections.abc import Sequence

import numpy as np

from mmlandslide.datasets.storage.tile_statement import ALIKE_BANDS


def black(optical: Sequence[np.ndarray], zeros: Sequence[float] = ()) -> np.ndarray:
    """Return where a scene was not seen, by its optical bands.

    Where all hold 0, which ESA defines as no data; or, three of them at least, one negative number:
    a fill.

    Args:
        optical: of each band, (H, W), as stored.
        zeros: what each stores for 0; by default 0.

    Returns:
        (H, W) bool; () and false without bands.
    """
    if not optical:
        return np.zeros((), bool)
    zeros = zeros or [0.0] * len(optical)
    nothing: np.ndarray = np.logical_and.reduce(
        [each == np.float32(zero) for each, zero in zip(optical, zeros, strict=True)]
    )
    if len(optical) >= ALIKE_BANDS:
        alike = np.logical_and.reduce([each == optical[0] for each in optical[1:]])
        nothing |= alike & (optical[0] < 0)
    return nothing
