"""Natural images for calibration and evaluation: crops of the photos that scikit-image ships.

    pip install scikit-image

Photos for calibration and for evaluation are different ones. A crop is a square of 40 to 100 % of the shorter
side at a random place, mirrored half of the time, resized bilinearly with anti-aliasing; a grey photo gets
three equal channels. All random choices come from the seed.
"""

from __future__ import annotations

import numpy as np

CALIBRATION = ("astronaut", "coffee", "rocket")
EVALUATION = ("chelsea", "stereo_motorcycle", "camera")


def crops(names: tuple[str, ...], count: int, size: int, seed: int) -> np.ndarray:
    """float32[count, size, size, 3] from 0 to 255; photos take turns."""
    from skimage import transform

    rng = np.random.default_rng(seed)
    photos = [_photo(name) for name in names]
    result = np.empty((count, size, size, 3), np.float32)
    for i in range(count):
        photo = photos[i % len(photos)]
        height, width = photo.shape[:2]
        side = int(rng.uniform(0.4, 1.0) * min(height, width))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        crop = photo[top : top + side, left : left + side]
        crop = crop[:, ::-1] if rng.random() < 0.5 else crop
        result[i] = transform.resize(crop, (size, size), order=1, anti_aliasing=True, preserve_range=True)
    return result


def _photo(name: str) -> np.ndarray:
    from skimage import data

    image = getattr(data, name)()
    image = image[0] if isinstance(image, tuple) else image
    return np.stack([image] * 3, axis=-1) if image.ndim == 2 else image[..., :3]
