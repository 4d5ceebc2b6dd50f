from __future__ import annotations

import cv2
import numpy as np
import pytest

from clipd.segmentation.likeness import Grey, Look, Settings, distance, hash_of, lineup


def scene(seed: int, height: int = 90, width: int = 160) -> Grey:
    """A picture with large shapes: noise seen through frosted glass."""
    noise = np.random.default_rng(seed).integers(0, 255, (6, 9)).astype(np.float32)
    return np.clip(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def hashed(picture: Grey) -> int:
    value = hash_of(picture, Settings())
    assert value is not None
    return value


def test_the_same_picture_smaller_darker_and_compressed_stays_near() -> None:
    for seed in range(20):
        picture = scene(seed)
        _, data = cv2.imencode(".jpg", (picture * 0.8).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 25])
        again = cv2.resize(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), (32, 18), interpolation=cv2.INTER_AREA)
        assert distance(hashed(picture), hashed(np.asarray(again, np.uint8))) <= Settings().distance


def test_other_pictures_are_far() -> None:
    hashes = [hashed(scene(seed)) for seed in range(20)]
    apart = [distance(one, other) for n, one in enumerate(hashes) for other in hashes[:n]]
    assert min(apart) > 2 * Settings().distance


@pytest.mark.parametrize("brightness", [0, 90, 255])
def test_flat_pictures_have_no_hash(brightness: int) -> None:
    noise = np.random.default_rng(0).integers(-2, 3, (90, 160))
    flat = np.clip(noise + brightness, 0, 255).astype(np.uint8)
    assert hash_of(flat, Settings()) is None


def distances(*windows: list[Look], **numbers: float) -> list[float]:
    settings = Settings.model_validate(numbers)
    return lineup(windows).distances(0, range(1, len(windows)), settings).tolist()


def test_the_order_of_pictures_does_not_matter_but_all_must_be_found() -> None:
    one = [Look(0, 1), Look(0xFF, 1)]
    assert distances(one, [Look(0xFF, 2), Look(0, 2)]) == [0]
    assert distances(one, [Look(0, 2), Look(0, 2)]) == [4]
    assert distances(one, [Look(0, 2), Look(0xFF, 2), Look(0xFFFFFF, 3)]) == [pytest.approx(16 / 3)]


def test_all_bits_count() -> None:
    top = (1 << 128) - 1
    assert distances([Look(0, 1)] * 2, [Look(top, 2)] * 2) == [128]


def test_pictures_of_the_same_shot_prove_nothing_unless_asked() -> None:
    one, other = [Look(5, 1), Look(5, 1)], [Look(5, 1), Look(5, 2)]
    assert distances(one, [Look(5, 1)] * 2) == [float("inf")]
    assert distances(one, [Look(5, 1)] * 2, same_shot=True) == [0]
    assert distances(one, other) == [float("inf")]  # only one of the other's pictures compares
    assert distances(one, other, at_least=1) == [0]


def test_too_few_pictures_prove_nothing() -> None:
    assert distances([Look(5, 1)], [Look(5, 2)], []) == [float("inf")] * 2
