import math

import numpy as np
import torch

from avground.media.logmel import LogMel, LogMelStatistics, mel_filters


def slow_mel(hertz):
    return 1127 * math.log(1 + hertz / 700)


def slow_filters():
    edges = [slow_mel(125) + k * (slow_mel(7500) - slow_mel(125)) / 65 for k in range(66)]
    filters = np.zeros((257, 64))
    for row in range(1, 257):
        pitch = slow_mel(row * 16_000 / 512)
        for band in range(64):
            lower, centre, upper = edges[band : band + 3]
            if lower < pitch <= centre:
                filters[row, band] = (pitch - lower) / (centre - lower)
            elif centre < pitch < upper:
                filters[row, band] = (upper - pitch) / (upper - centre)
    return filters


def slow_bands(second):
    """Log-mel bands of one second, in float64, one window after another."""
    window = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / 400) for n in range(400)])
    rows = []
    for frame in range(96):
        samples = second[frame * 160 : frame * 160 + 400].astype(np.float64) * window
        spectrum = [abs(np.sum(samples * np.exp(-2j * np.pi * k * np.arange(400) / 512))) for k in range(257)]
        rows.append(np.log(np.array(spectrum) @ slow_filters() + 0.01))
    return np.array(rows)


def sound(seconds=2):
    """Noise whose loudness differs from second to second, and a silent last one."""
    samples = np.random.default_rng(0).uniform(-1, 1, (seconds, 16_000)) * np.linspace(1, 0, seconds)[:, None]
    return torch.from_numpy(samples.astype(np.float32))


def test_filters():
    np.testing.assert_allclose(mel_filters().numpy(), slow_filters(), atol=1e-6)


def test_bands():
    seconds = sound()
    bands = LogMel()(seconds)
    assert bands.shape == (2, 96, 64)
    for second, found in zip(seconds, bands, strict=True):
        np.testing.assert_allclose(found.numpy(), slow_bands(second.numpy()), atol=1e-4)
    torch.testing.assert_close(bands[1], torch.full((96, 64), math.log(0.01)))


def test_only_the_first_samples_matter():
    seconds = sound()
    changed = seconds.clone()
    changed[:, 15_600:] = 1
    assert torch.equal(LogMel()(changed), LogMel()(seconds))
    changed[:, 15_598] = 1  # The window is 0 at its first sample, not at its last.
    assert not torch.equal(LogMel()(changed), LogMel()(seconds))


def test_statistics():
    seconds = sound()
    found = LogMelStatistics()(seconds)
    assert found.shape == (2, 128)
    for row, second in zip(found.numpy(), seconds, strict=True):
        bands = slow_bands(second.numpy())
        np.testing.assert_allclose(row[:64], bands.mean(0), atol=1e-4)
        np.testing.assert_allclose(row[64:], bands.std(0), atol=1e-4)
