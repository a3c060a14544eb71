"""The published AVST and TJSTG written out plainly, as their code computes them: what speed and memory compare against.

Imports nothing from avground, so that neither can hide a fault of the other. Sums, copies and Python loops are where
the published code has them:

- every map is pooled, permuted and normalised into a full copy, positives and negatives in turn;
- the target is picked out of (b, b, c) words, and the two streams are interleaved by 2 t slices;
- the rows of the matching loss are copied one by one into a tensor on the host and sent back from there;
- a sample reads its own file and, for one frame each, ten others from end to end.

Layers that are built and never called are built here too: they are in checkpoints and in the optimizer. Not restated:
``DataParallel``; AVST's unused ResNet18; the dropout asked of one-layer LSTMs, which has no place to act; and layers
without parameters that are never called. Without gradients the published networks also keep the normalised copy of the
positives while they make that of the negatives; here it is freed. What the paper says instead of all this is in
:mod:`avground.models.released`.

Source: Bravo5542/TJSTG (tsjt_net.py, main.py, dataloader_avqa.py); GeWu-Lab/MUSIC-AVQA (net_grd_avst).
"""

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

SEGMENTS = 10


# ---- grounding -------------------------------------------------------------------------------------------------------


def grounding(
    audio: Tensor, visual: Tensor, target: Tensor | None = None, threshold: float = 0.01
) -> tuple[Tensor, Tensor, Tensor]:
    """Ground n segments: (n, c) audio, (n, c, h, w) map and, for TJSTG, (n, c) target.

    Returns mean and attended feature (n, c) and the weights (n, h, w); without a target they are AVST's.
    """
    return _ground(_unit(audio), visual, None if target is None else _unit(target), threshold)


def _unit(query: Tensor) -> Tensor:
    return functional.normalize(query.unsqueeze(-1), dim=1)


def _ground(
    audio: Tensor, visual: Tensor, target: Tensor | None = None, threshold: float = 0.01
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`grounding`, of queries (n, c, 1) of unit length: they serve positives and negatives."""
    mean = functional.adaptive_avg_pool2d(visual, (1, 1)).flatten(1)
    cells = functional.normalize(visual.flatten(2).permute(0, 2, 1), dim=2)
    if target is None:
        weights = torch.matmul(cells, audio).squeeze(-1).softmax(-1)
    else:
        by_target = torch.matmul(cells, target).squeeze(-1).softmax(-1)
        by_audio = torch.matmul(cells, audio).squeeze(-1).softmax(-1)
        both = by_target + by_audio
        both = both * (both > threshold)
        weights = both.softmax(-1)
    attended = torch.matmul(weights.unsqueeze(-2), cells).squeeze(-2)
    return mean, attended, weights.unflatten(-1, visual.shape[-2:])


# ---- networks --------------------------------------------------------------------------------------------------------


class Outputs(NamedTuple):
    """What the networks return.

    Shapes: ``answer_logits`` (b, answers); ``match_positive`` and ``match_negative`` (b t, 2), class 1 being "same
    video", the latter None without negatives; ``audio_weights`` and ``visual_weights`` (b, t), which together sum to
    1, or None from AVST.
    """

    answer_logits: Tensor
    match_positive: Tensor
    match_negative: Tensor | None
    audio_weights: Tensor | None = None
    visual_weights: Tensor | None = None


class PublishedQuestion(nn.Module):
    """AVST's question encoder: an LSTM, words first, that reads on through the padding."""

    def __init__(self, words: int, dim: int) -> None:
        super().__init__()
        self.word2vec = nn.Embedding(words, dim)
        self.lstm = nn.LSTM(dim, dim)
        self.fc = nn.Linear(2 * dim, dim)

    def encode(self, question: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States (n, b, c), last cell state (1, b, c) and sentence (b, c) of word indices (b, n)."""
        self.lstm.flatten_parameters()
        states, (hidden, cell) = self.lstm(torch.tanh(self.word2vec(question)).transpose(0, 1))
        last = torch.cat((hidden, cell), dim=2).transpose(0, 1).flatten(1)
        return states, cell, self.fc(torch.tanh(last))


class PublishedTargetQuestion(PublishedQuestion):
    """TJSTG's: an attention of the cell state picks a word; the attended feature itself is dropped."""

    def __init__(self, words: int, dim: int) -> None:
        super().__init__(words, dim)
        self.fc1 = nn.Linear(dim, dim)
        self.fc2 = nn.Linear(dim, dim)
        self.attn = nn.MultiheadAttention(dim, 4, dropout=0.2)

    def forward(self, question: Tensor) -> tuple[Tensor, Tensor]:
        """Sentence and target, (b, c) each."""
        states, cell, sentence = self.encode(question)
        _, weights = self.attn(cell, states, states)
        chosen = weights.max(dim=-1)[1].squeeze(1)
        # The chosen word of every question is taken from every question: (b, b, c), of which the diagonal is right.
        words = torch.diagonal(states.index_select(0, chosen), dim1=0, dim2=1).transpose(0, 1)
        return sentence, self.fc2(torch.relu(self.fc1(words)))


class _Published(nn.Module):
    """What both networks have."""

    def __init__(self, answers: int, audio_dim: int, dim: int) -> None:
        super().__init__()
        self.fc_a1, self.fc_a2 = nn.Linear(audio_dim, dim), nn.Linear(dim, dim)
        self.fc_a1_pure, self.fc_a2_pure = nn.Linear(audio_dim, dim), nn.Linear(dim, dim)  # never called
        self.fc_gl = nn.Linear(2 * dim, dim)
        self.fc1, self.fc2 = nn.Linear(2 * dim, dim), nn.Linear(dim, dim // 2)
        self.fc3, self.fc4 = nn.Linear(dim // 2, dim // 4), nn.Linear(dim // 4, 2)
        self.fc_fusion = nn.Linear(2 * dim, dim)
        self.fc_ans = nn.Linear(dim, answers)

    def hear(self, audio: Tensor) -> Tensor:
        hidden = torch.relu(self.fc_a1(audio))
        return self.fc_a2(hidden)

    def see(self, unit_audio: Tensor, visual: Tensor, unit_target: Tensor | None = None) -> Tensor:
        mean, attended, _ = _ground(unit_audio, visual.flatten(0, 1), unit_target)
        return self.fc_gl(torch.tanh(torch.cat((mean, attended), dim=-1)))

    def match(self, heard: Tensor, seen: Tensor) -> Tensor:
        hidden = torch.cat((heard, seen), dim=-1)
        for layer in (self.fc1, self.fc2, self.fc3):
            hidden = torch.relu(layer(hidden))
        return self.fc4(hidden)

    def answer(self, found: Tensor, sentence: Tensor) -> Tensor:
        return self.fc_ans(torch.tanh(torch.mul(found, sentence)))


class PublishedTJSTG(_Published):
    """TJSTG as released; ``state_dict()`` has the names and shapes of its authors' checkpoints.

    Args:
        pairing: ``"clip"``: each segment is grounded by the question about its own clip. ``"time_major"``: segment j of
            clip i by question (i t + j) mod b, as published, in training and in evaluation. Both copy the target t
            times; at b = 1 they are the same.
        words: Number of words, padding included.
        answers: Number of answers.
        audio_dim: Channels of the sound.
        dim: Channels of everything else, maps included.
    """

    def __init__(
        self,
        pairing: Literal["clip", "time_major"] = "clip",
        *,
        words: int = 93,
        answers: int = 42,
        audio_dim: int = 128,
        dim: int = 512,
    ) -> None:
        super().__init__(answers, audio_dim, dim)
        if pairing not in ("clip", "time_major"):
            raise ValueError(f"pairing: expected 'clip' or 'time_major', got {pairing!r}")
        self.pairing = pairing
        self.question_encoder = PublishedTargetQuestion(words, dim)
        self.a_gru = nn.LSTM(dim, dim // 2, batch_first=True, bidirectional=True)
        self.v_gru = nn.LSTM(dim, dim // 2, batch_first=True, bidirectional=True)
        self.attn_av = nn.MultiheadAttention(dim, 4, dropout=0.1)
        self.linearav1, self.linearav2 = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.dropoutav1, self.dropoutav2 = nn.Dropout(0.2), nn.Dropout(0.2)
        self.normav = nn.LayerNorm(dim)
        self.fc_avq, self.qvfc = nn.Linear(dim, dim), nn.Linear(dim, dim // 2)  # never called

    def forward(self, audio: Tensor, visual: Tensor, question: Tensor, negative: Tensor | None = None) -> Outputs:
        """Answer, and match maps of this and of other videos; the published network takes negatives in testing too."""
        sentence, target = self.question_encoder(question)
        heard = self.hear(audio)  # (b, t, c)
        b, t, _ = heard.shape
        each_heard, of_audio = heard.flatten(0, 1), _unit(heard.flatten(0, 1))
        of_target = _unit(self._for_each_segment(target, t))
        each_seen = self.see(of_audio, visual, of_target)
        positive, other = self.match(each_heard, each_seen), None
        if negative is not None:
            other = self.match(each_heard, self.see(of_audio, negative, of_target))
        found, weights = self._when(heard, each_seen.unflatten(0, (b, t)), sentence)
        return Outputs(self.answer(found, sentence), positive, other, weights[:, 1::2], weights[:, ::2])

    def _for_each_segment(self, target: Tensor, t: int) -> Tensor:
        each = target.expand(t, *target.shape)
        return (each if self.pairing == "time_major" else each.transpose(0, 1)).flatten(0, 1)

    def _when(self, heard: Tensor, seen: Tensor, sentence: Tensor) -> tuple[Tensor, Tensor]:
        self.a_gru.flatten_parameters()
        self.v_gru.flatten_parameters()
        audio_states, visual_states = self.a_gru(heard)[0], self.v_gru(seen)[0]
        streams = torch.chunk(torch.cat((visual_states, audio_states), dim=1), chunks=2, dim=1)
        both = torch.stack([stream[:, i] for i in range(heard.shape[1]) for stream in streams], dim=1).permute(1, 0, 2)
        attended, weights = self.attn_av(sentence.unsqueeze(0), both, both, need_weights=True)
        attended = attended.squeeze(0)
        further = self.linearav2(self.dropoutav1(torch.relu(self.linearav1(attended))))
        attended = self.normav(attended + self.dropoutav2(further))
        means = self.fc_fusion(torch.tanh(torch.cat((heard.mean(dim=-2), seen.mean(dim=-2)), dim=-1)))
        return means + attended, weights.squeeze(1)


class PublishedAVST(_Published):
    """AVST as released, without its unused ResNet18; arguments as of :class:`PublishedTJSTG`."""

    def __init__(self, *, words: int = 93, answers: int = 42, audio_dim: int = 128, dim: int = 512) -> None:
        super().__init__(answers, audio_dim, dim)
        self.question_encoder = PublishedQuestion(words, dim)
        self.attn_a, self.attn_v = (nn.MultiheadAttention(dim, 4, dropout=0.1) for _ in range(2))
        self.linear11, self.linear12 = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.linear21, self.linear22 = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.dropout1, self.dropout2, self.dropout3, self.dropout4 = (nn.Dropout(0.1) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        # Never called:
        self.fc_v, self.fc, self.norm3 = nn.Linear(2048, dim), nn.Linear(2 * dim, dim), nn.LayerNorm(dim)
        self.fc_st, self.fc_aq, self.fc_vq = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, audio: Tensor, visual: Tensor, question: Tensor, negative: Tensor | None = None) -> Outputs:
        """Answer, and match maps of this and of other videos; the published network takes negatives in testing too."""
        _, _, sentence = self.question_encoder.encode(question)
        heard = self.hear(audio)
        each_heard, of_audio = heard.flatten(0, 1), _unit(heard.flatten(0, 1))
        each_seen = self.see(of_audio, visual)
        positive, other = self.match(each_heard, each_seen), None
        if negative is not None:
            other = self.match(each_heard, self.see(of_audio, negative))
        seen, query = each_seen.unflatten(0, heard.shape[:2]), sentence.unsqueeze(0)

        attended = self.attn_v(query, seen.permute(1, 0, 2), seen.permute(1, 0, 2))[0].squeeze(0)
        further = self.linear12(self.dropout1(torch.relu(self.linear11(attended))))
        of_visual = self.norm1(attended + self.dropout2(further)) + seen.mean(dim=-2)
        attended = self.attn_a(query, heard.permute(1, 0, 2), heard.permute(1, 0, 2))[0].squeeze(0)
        further = self.linear22(self.dropout3(torch.relu(self.linear21(attended))))
        of_sound = self.norm2(attended + self.dropout4(further)) + heard.mean(dim=-2)
        found = self.fc_fusion(torch.tanh(torch.cat((of_sound, of_visual), dim=-1)))
        return Outputs(self.answer(found, sentence), positive, other)


# ---- training --------------------------------------------------------------------------------------------------------


class Losses(NamedTuple):
    """What :func:`losses` returns: the parts, each without its weight, and their sum; AVST has no ``synchrony``."""

    total: Tensor
    answer: Tensor
    match: Tensor
    synchrony: Tensor | None


def losses(outputs: Outputs, answers: Tensor) -> Losses:
    """The loss of a training step, as the published scripts compute it."""
    if outputs.match_negative is None:
        raise ValueError("outputs: expected those of a call with negatives, got none of them")
    logits, labels = _organize(outputs.match_positive, outputs.match_negative)
    device = outputs.answer_logits.device
    match = functional.cross_entropy(logits.to(device), labels.to(torch.int64).to(device))
    answer = functional.cross_entropy(outputs.answer_logits, answers)
    total = answer + 0.5 * match
    if outputs.audio_weights is None or outputs.visual_weights is None:
        return Losses(total, answer, match, None)
    synchrony = _synchrony(outputs.audio_weights, outputs.visual_weights)
    return Losses(total + synchrony, answer, match, synchrony)


def _organize(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Rows by turns and their labels, row by row, on the host: each row read from a GPU waits for it."""
    logits = torch.zeros(2 * len(positive), positive.shape[1])
    labels = torch.zeros(2 * len(positive))
    for row in range(len(positive)):
        logits[2 * row], labels[2 * row] = positive[row], 1
        logits[2 * row + 1], labels[2 * row + 1] = negative[row], 0
    return logits, labels


def _synchrony(audio_weights: Tensor, visual_weights: Tensor) -> Tensor:
    """No divergence: ``kl_div`` gets probabilities where it takes logarithms. Its reduction "mean", without a warning.

    Each call gives mean(m log m - m w), and half their sum is mean(m log m - m^2).
    """
    average = 0.5 * (audio_weights + visual_weights)
    of_audio = functional.kl_div(audio_weights, average, reduction="none").mean()
    of_visual = functional.kl_div(visual_weights, average, reduction="none").mean()
    return 0.5 * (of_audio + of_visual)


def adam(network: nn.Module, rate: float = 2e-4) -> torch.optim.Adam:
    """TJSTG's optimizer, over all parameters, those never called included; AVST's ``rate`` is 1e-4."""
    return torch.optim.Adam(network.parameters(), lr=rate)


def training_step(network: nn.Module, optimizer: torch.optim.Optimizer, batch: Mapping[str, Tensor]) -> float:
    """One step on a batch as :class:`PublishedDataset` and the default collation make it; returns the loss.

    The batch goes to the network's device first; one that lies there stays. The scripts print the loss, and so wait
    for the device, at every 50th step; this does at every step.
    """
    device = next(network.parameters()).device
    parts = {name: batch[name].to(device) for name in ("audio", "visual", "negative", "answer", "question")}
    optimizer.zero_grad()
    outputs = network(parts["audio"], parts["visual"], parts["question"], parts["negative"])
    loss = losses(outputs, parts["answer"]).total
    loss.backward()
    optimizer.step()
    return loss.item()


# ---- reading ---------------------------------------------------------------------------------------------------------


class PublishedDataset(torch.utils.data.Dataset[dict[str, Tensor]]):
    """Reads whole files: its own and, for every segment, that of another video for one frame, drawn at random.

    Draws come from :mod:`random`, as published: seed that module to repeat them. Words are given as numbers already;
    the published reader looks them up for each sample, which takes microseconds.

    Args:
        folder: Holds ``vggish/<id>.npy`` and ``res18_14x14/<id>.npy`` of 60 rows, of which every sixth is taken, or of
            10; all maps have equally many.
        samples: For each, video id, word indices and answer.
    """

    def __init__(self, folder: str | os.PathLike[str], samples: Sequence[tuple[str, Sequence[int], int]]) -> None:
        self.sounds, self.maps = Path(folder) / "vggish", Path(folder) / "res18_14x14"
        self.samples = samples
        self.videos = list(dict.fromkeys(video for video, _, _ in samples))
        if len(self.videos) < 2:
            raise ValueError(f"samples: expected at least 2 videos to draw others from, got {len(self.videos)}")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        video, words, answer = self.samples[index]
        audio = np.load(self.sounds / f"{video}.npy")
        visual = np.load(self.maps / f"{video}.npy")
        own, rows = self.videos.index(video), len(visual)
        audio = _segments(audio, self.sounds / f"{video}.npy")
        visual = _segments(visual, self.maps / f"{video}.npy")
        negative = self._frame_of_another(own, rows)
        for _ in range(SEGMENTS - 1):
            negative = torch.cat((negative, self._frame_of_another(own, rows)))
        return {
            "audio": torch.from_numpy(audio),
            "visual": torch.from_numpy(visual),
            "negative": negative,
            "question": torch.tensor(words, dtype=torch.int64),
            "answer": torch.tensor(answer),
        }

    def _frame_of_another(self, own: int, rows: int) -> Tensor:
        while True:
            other, row = divmod(random.randint(0, rows * len(self.videos) - 1), rows)
            if other != own:
                break
        path = self.maps / f"{self.videos[other]}.npy"
        whole = np.load(path)
        if len(whole) != rows:
            raise ValueError(f"{path}: expected {rows} rows, as other files have, got {len(whole)}")
        return torch.from_numpy(whole)[row].unsqueeze(0)


def _segments(values: np.ndarray, path: Path) -> np.ndarray:
    """All of ten rows, or every sixth of sixty."""
    if len(values) not in (SEGMENTS, 6 * SEGMENTS):
        raise ValueError(f"{path}: expected {SEGMENTS} or {6 * SEGMENTS} rows, got {len(values)}")
    return values[:: len(values) // SEGMENTS]
