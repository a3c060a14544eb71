"""Every block keeps the contract."""

from typing import ClassVar

import torch

import avground
from avground.blocks import QuestionAttention
from avground.testing import BlockContract

B_T_C = (5, 8)


def question(b):
    words = torch.randint(1, 20, (b, 6))
    words[0, 4:] = 0
    words[-1, 2:] = 0
    return words


def pad(words, extra=3):
    return torch.cat((words, words.new_zeros(len(words), extra)), dim=1)


class TestQuestionEncoder(BlockContract):
    def make(self):
        return avground.QuestionEncoder(20, 8)

    def inputs(self, b):
        return {"question": question(b)}

    def more_padding(self, inputs):
        return {"question": pad(inputs["question"])}


class TestQuestionEncoderReadingPadding(TestQuestionEncoder):
    def make(self):
        return avground.QuestionEncoder(20, 8, padding="read")

    def more_padding(self, inputs):
        return None  # that it changes with padding is its point


class TestAudioEncoder(BlockContract):
    def make(self):
        return avground.AudioEncoder(12, 8)

    def inputs(self, b):
        return {"audio": torch.randn(b, 5, 12)}


class TargetContract(BlockContract):
    def inputs(self, b):
        return {"words": torch.randn(b, 6, 8), "sentence": torch.randn(b, 8), "mask": question(b) != 0}

    def more_padding(self, inputs):
        more = torch.full((len(inputs["words"]), 3, 8), 5.0, dtype=torch.float64)
        mask = torch.cat((inputs["mask"], torch.zeros(len(more), 3, dtype=torch.bool)), dim=1)
        return {**inputs, "words": torch.cat((inputs["words"], more), dim=1), "mask": mask}


class TestTargetAwareHard(TargetContract):
    weights: ClassVar = {"weights": 1}

    def make(self):
        return avground.TargetAware()


class TestTargetAwareStraightThrough(TestTargetAwareHard):
    def make(self):
        return avground.TargetAware("straight_through")


class TestTargetAwareSoft(TestTargetAwareHard):
    def make(self):
        return avground.TargetAware("soft")


class TestMeanTarget(TestTargetAwareHard):
    def make(self):
        return avground.MeanTarget()


class TestMaxTarget(TestTargetAwareHard):
    def make(self):
        return avground.MaxTarget()


class TestSentenceTarget(TargetContract):
    def make(self):
        return avground.SentenceTarget()


class TestNoTarget(TargetContract):
    def make(self):
        return avground.NoTarget()


class TestTargetAwareSpatialGrounding(BlockContract):
    weights: ClassVar = {"weights": 2}

    def make(self):
        return avground.TargetAwareSpatialGrounding(8)

    def inputs(self, b):
        return {"audio": torch.randn(b, 5, 8), "visual": torch.randn(b, 5, 8, 3, 4), "target": torch.randn(b, 8)}


class TestSharpSpatialGrounding(TestTargetAwareSpatialGrounding):
    def make(self):
        return avground.TargetAwareSpatialGrounding(
            8,
            6,
            threshold=0.5,
            threshold_unit="relative",
            normalize="sum",
            temperature=avground.Temperature(),
            similarity="cosine",
        )

    def inputs(self, b):
        return {**super().inputs(b), "visual": torch.randn(b, 5, 6, 3, 4)}


class TestReleasedSpatialGrounding(TestTargetAwareSpatialGrounding):
    def make(self):
        return avground.TargetAwareSpatialGrounding(8, threshold=0.01, combine="sum", similarity="cosine")


class TestAudioVisualSpatialGrounding(TestTargetAwareSpatialGrounding):
    def make(self):
        return avground.AudioVisualSpatialGrounding(8)


class TestJointTemporalGrounding(BlockContract):
    weights: ClassVar = {"audio_weights": 1, "visual_weights": 1}

    def make(self):
        return avground.JointTemporalGrounding(8, 2)

    def inputs(self, b):
        return {"audio": torch.randn(b, 5, 8), "visual": torch.randn(b, 5, 8), "sentence": torch.randn(b, 8)}


class TestConcatenatedTemporalGrounding(TestJointTemporalGrounding):
    def make(self):
        return avground.JointTemporalGrounding(8, 2, order="concat_av")


class TestRelativeTemporalGrounding(TestJointTemporalGrounding):
    def make(self):
        return avground.RelativeTemporalGrounding(8, 2)


class TestDualStreamTemporalGrounding(TestJointTemporalGrounding):
    def make(self):
        return avground.DualStreamTemporalGrounding(8, 2)


class TestQuestionAttention(BlockContract):
    def make(self):
        class Named(torch.nn.Module):
            """The attention's plain pair, as one tensor."""

            def __init__(self):
                super().__init__()
                self.attention = QuestionAttention(8, 2)

            def forward(self, question, segments):
                attended, weights = self.attention(question, segments)
                return torch.cat((attended, weights.to(attended.dtype)), dim=-1)

        return Named()

    def inputs(self, b):
        return {"question": torch.randn(b, 8), "segments": torch.randn(b, 5, 8)}


class TestAnswerHead(BlockContract):
    def make(self):
        return avground.AnswerHead(8, 7)

    def inputs(self, b):
        return {"context": torch.randn(b, 8), "sentence": torch.randn(b, 8)}


class TestAnswerHeadWithTanh(TestAnswerHead):
    def make(self):
        return avground.AnswerHead(8, 7, activation="tanh")


class TestMatchHead(BlockContract):
    def make(self):
        return avground.MatchHead(8)

    def inputs(self, b):
        return {"audio": torch.randn(b, 5, 8), "visual": torch.randn(b, 5, 8)}
