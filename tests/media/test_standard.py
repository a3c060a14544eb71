import hashlib
import json

import pytest
import torch

from avground.media import standard


def test_each_channel():
    scale = standard.Standardise([1.0, -2.0], [2.0, 0.5])
    values = torch.randn(3, 2, 4, 5)
    for channel, (mean, deviation) in enumerate(((1, 2), (-2, 0.5))):
        torch.testing.assert_close(scale(values)[:, channel], (values[:, channel] - mean) / deviation)
        torch.testing.assert_close(scale(values[:, :, 0, 0])[:, channel], scale(values)[:, channel, 0, 0])
    assert scale(torch.ones(1, 2, 1, 1, dtype=torch.uint8)).flatten().tolist() == [0, 6]


@pytest.mark.parametrize(("name", "channels"), [("efficientnet_lite0", 112), ("logmel", 128)])
def test_constants(name, channels):
    scale, digest = standard.read_standard(name)
    assert scale.mean.shape == scale.deviation.shape == (channels,)
    assert scale.mean.isfinite().all()
    assert (scale.deviation > 0).all()
    constants = json.loads(standard.FILE.read_text())[name]
    assert scale.mean.tolist() == torch.tensor(constants["mean"]).tolist()
    assert digest == hashlib.sha256(json.dumps(constants, sort_keys=True).encode()).hexdigest()[:16]


def test_other_constants_have_another_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(standard, "FILE", tmp_path / "standard.json")
    digests = set()
    for mean in (0.0, 0.5):
        standard.FILE.write_text(json.dumps({"logmel": {"mean": [mean], "deviation": [1.0]}}))
        digests.add(standard.read_standard("logmel")[1])
    assert len(digests) == 2
