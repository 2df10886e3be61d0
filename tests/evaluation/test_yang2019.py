import numpy as np
import pytest

from pellucid.evaluation.yang2019 import suppress_reflection


def dense_solution(image: np.ndarray, threshold: float, fidelity: float) -> np.ndarray:
    """The same minimum from dense matrices, a channel at a time."""

    def difference(size: int) -> np.ndarray:
        return np.eye(size, k=1)[:-1] - np.eye(size)[:-1]

    height, width = image.shape[:2]
    down = np.kron(difference(height), np.eye(width))
    across = np.kron(np.eye(height), difference(width))
    laplacian = -(down.T @ down + across.T @ across)
    result = np.empty_like(image)
    for channel in range(3):
        y = image[..., channel].ravel()
        dy = np.zeros((height, width))
        dx = np.zeros((height, width))
        dy[:-1] = (down @ y).reshape(height - 1, width)
        dx[:, :-1] = (across @ y).reshape(height, width - 1)
        keep = np.hypot(dy, dx) >= threshold
        divergence = -down.T @ (dy * keep)[:-1].ravel() - across.T @ (dx * keep)[:, :-1].ravel()
        system = laplacian @ laplacian + fidelity * np.eye(y.size)
        solved = np.linalg.solve(system, laplacian @ divergence + fidelity * y)
        result[..., channel] = solved.reshape(height, width)
    return np.clip(result, 0, 1)


def test_equals_a_dense_solver() -> None:
    image = np.random.default_rng(0).random((7, 9, 3)) * 0.6 + 0.2
    for threshold, fidelity in ((0.2, 1e-3), (0.4, 1e-2)):
        np.testing.assert_allclose(
            suppress_reflection(image, threshold, fidelity),
            dense_solution(image, threshold, fidelity),
            atol=1e-8,
        )


def test_nothing_is_changed_without_a_threshold() -> None:
    image = np.random.default_rng(1).random((16, 12, 3))
    np.testing.assert_allclose(suppress_reflection(image, threshold=0), image, atol=1e-7)


def test_a_faint_blurred_blob_goes_and_an_edge_stays() -> None:
    y, x = np.mgrid[:48, :64]
    scene = np.where(x < 40, 0.2, 0.7)
    blob = 0.15 * np.exp(-((y - 24) ** 2 + (x - 16) ** 2) / 2 / 8**2)
    mixture = np.repeat((scene + blob)[..., None], 3, axis=2)
    error = suppress_reflection(mixture, threshold=0.03) - scene[..., None]
    # What is left is a constant: the method cannot know the level, only the gradients.
    assert np.ptp(error[:, :39]) < 0.2 * blob.max()
    assert np.ptp(error[:, 41:]) < 0.2 * blob.max()


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (13, 2, 3)])
def test_tiny_images(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(2).random(shape)
    assert suppress_reflection(image).shape == shape
