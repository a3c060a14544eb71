"""Trained models that travel: a folder for Hugging Face's hub, and back.

from avground.hub import PretrainedModel

PretrainedModel.from_checkpoint("runs/tjstg-core-0/best.pt").save_pretrained("my-model")
trained = PretrainedModel.from_pretrained("my-model")
"""

from avground.hub.pretrained import PretrainedModel

__all__ = ["PretrainedModel"]
