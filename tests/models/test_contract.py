"""Every model and every row of the paper's ablation tables keeps the contract."""

from typing import ClassVar

import pytest
import torch

from avground.models import ABLATIONS, MODELS
from avground.testing import BlockContract
from tests.blocks.test_contract import pad, question

SIZES = {"vocabulary_size": 20, "answers": 7, "audio_dim": 6, "visual_dim": 12, "dim": 32}


class ModelContract(BlockContract):
    weights: ClassVar = {"audio_weights": 1, "visual_weights": 1, "cell_weights": 2, "target_weights": 1}
    batch_dim: ClassVar = {"match_logits": 1}
    any_leading = False

    def inputs(self, b):
        return {
            "audio": torch.randn(b, 5, 6),
            "visual": torch.rand(b, 5, 12, 3, 4),
            "question": question(b),
            "negative": torch.rand(b, 5, 12, 3, 4),
        }

    def more_padding(self, inputs):
        return {**inputs, "question": pad(inputs["question"])}


class TestTJSTG(ModelContract):
    def make(self):
        return MODELS["tjstg"](**SIZES)


class TestSharp(ModelContract):
    def make(self):
        return MODELS["tjstg_sharp"](**SIZES)


class TestAVST(ModelContract):
    weights: ClassVar = {"audio_weights": 1, "visual_weights": 1, "cell_weights": 2}

    def make(self):
        return MODELS["avst"](**SIZES)


class TestAVSD(ModelContract):
    def make(self):
        return MODELS["avsd"](**SIZES)


class TestPanoAVQA(ModelContract):
    def make(self):
        return MODELS["pano_avqa"](**SIZES)


class TestQuestionLSTM(ModelContract):
    weights: ClassVar = {"audio_weights": 1, "visual_weights": 1, "cell_weights": 2}

    def make(self):
        return MODELS["question_lstm"](**SIZES)


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_row_is_batch_independent(name):
    row = ABLATIONS[name]

    class Row(ModelContract):
        def make(self):
            return MODELS[row.model](**{**SIZES, **row.changes})

    contract = Row()
    contract.test_one_clip_alone_gives_what_it_gives_in_a_batch()
    if row.model != "tjstg_released":  # it has dead parameters and reads padding: see test_released.py
        contract.test_gradient_reaches_every_parameter()
        contract.test_padding_changes_nothing()
