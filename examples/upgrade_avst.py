"""AVST (Li et al., CVPR 2022) as one module on (b*t, c) tensors, with the layer names of its released checkpoint.

Two files hold this text. In examples/avst.py the network grounds by sound alone, in lines written out; in
examples/upgrade_avst.py the same network also grounds by what the question asks for, and is trained to attend to sound
and pictures at the same time. They differ in 14 lines, which docs/tutorials/upgrade_avst.md goes through.

Only the layers that take part are here: the released file builds more of them, which nothing ever calls. Run it to see
the network fit a few made-up clips:

    python examples/avst.py
    python examples/upgrade_avst.py
"""

import torch
import torch.nn.functional as F
from torch import nn

from avground import CrossModalSynchronyLoss, TargetAware, TargetAwareSpatialGrounding


class QuestionEncoder(nn.Module):
    """Word indices (b, n), 0 being padding, to a sentence feature (b, c)."""

    def __init__(self, vocabulary_size, dim):
        super().__init__()
        self.word2vec = nn.Embedding(vocabulary_size, dim)
        self.lstm = nn.LSTM(dim, dim, batch_first=True)
        self.fc = nn.Linear(2 * dim, dim)

    def forward(self, question):
        """Encode a batch of questions; padding is read like a word, so the last state is that at -1."""
        words, (_, cell) = self.lstm(torch.tanh(self.word2vec(question)))
        return words, self.fc(torch.tanh(torch.cat((words[:, -1], cell[0]), dim=1)))


class AVST(nn.Module):
    """Answers questions about clips, and tells whether sound and pictures are of the same one."""

    def __init__(self, vocabulary_size=93, answers=42, audio_dim=128, dim=512, heads=4, dropout=0.1):
        super().__init__()
        self.question_encoder = QuestionEncoder(vocabulary_size, dim)
        self.fc_a1 = nn.Linear(audio_dim, dim)
        self.fc_a2 = nn.Linear(dim, dim)
        # Where on the map.
        self.fc_gl = nn.Linear(2 * dim, dim)
        self.spatial = TargetAwareSpatialGrounding(dim, similarity="cosine")
        self.spatial.fuse = nn.Identity()  # fc_gl stays the last layer, under its own name
        # Whether sound and pictures match.
        self.fc1 = nn.Linear(2 * dim, dim)
        self.fc2 = nn.Linear(dim, dim // 2)
        self.fc3 = nn.Linear(dim // 2, dim // 4)
        self.fc4 = nn.Linear(dim // 4, 2)
        # When: the pictures (1), the sound (2), and both.
        self.attn_v = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.linear11 = nn.Linear(dim, dim)
        self.linear12 = nn.Linear(dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.attn_a = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.linear21 = nn.Linear(dim, dim)
        self.linear22 = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.fc_fusion = nn.Linear(2 * dim, dim)
        self.fc_ans = nn.Linear(dim, answers)

    def forward(self, audio, visual_posi, visual_nega, question):
        """Return logits of answers, of positive and of negative pairs, and the attention weights of sound and pictures.

        audio is (b, t, audio_dim), visual_posi (b, t, c, h, w), visual_nega maps of other clips, question (b, n).
        """
        b, t = audio.shape[:2]
        words, sentence = self.question_encoder(question)
        target = TargetAware()(words, sentence, question != 0).feature.repeat_interleave(t, dim=0)  # (b*t, c)
        audio = self.fc_a2(F.relu(self.fc_a1(audio))).flatten(0, 1)  # (b*t, c)

        grounded, match = [], []
        for visual in (visual_posi.flatten(0, 1), visual_nega.flatten(0, 1)):  # (b*t, c, h, w)
            fused = self.spatial(audio, visual, target).feature
            grounded.append(self.fc_gl(fused))
            pair = torch.cat((audio, grounded[-1]), dim=1)
            match.append(self.fc4(F.relu(self.fc3(F.relu(self.fc2(F.relu(self.fc1(pair))))))))

        query = sentence.unsqueeze(1)
        visual = grounded[0].unflatten(0, (b, t))
        seen, visual_weights = self.attn_v(query, visual, visual)
        seen = self.norm1(seen + self.dropout(self.linear12(self.dropout(F.relu(self.linear11(seen))))))
        seen = seen[:, 0] + visual.mean(1)
        audio = audio.unflatten(0, (b, t))
        heard, audio_weights = self.attn_a(query, audio, audio)
        heard = self.norm2(heard + self.dropout(self.linear22(self.dropout(F.relu(self.linear21(heard))))))
        heard = heard[:, 0] + audio.mean(1)

        found = self.fc_fusion(torch.tanh(torch.cat((heard, seen), dim=1)))
        answer = self.fc_ans(torch.tanh(found * sentence))
        return answer, match[0], match[1], audio_weights[:, 0], visual_weights[:, 0]


def total_loss(answer, match_posi, match_nega, audio_weights, visual_weights, right):
    same = torch.tensor([1, 0], device=right.device).repeat_interleave(len(match_posi))
    loss = F.cross_entropy(answer, right)
    loss += 0.5 * F.cross_entropy(torch.cat((match_posi, match_nega)), same)
    loss += CrossModalSynchronyLoss()(audio_weights, visual_weights)
    return loss


def main():
    torch.manual_seed(0)
    net = AVST(vocabulary_size=20, answers=4, audio_dim=16, dim=32)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    audio, visual = torch.randn(8, 5, 16), torch.rand(8, 5, 32, 7, 7)  # 8 clips of 5 segments
    question, right = torch.randint(1, 20, (8, 6)), torch.randint(4, (8,))
    question[::2, 4:] = 0  # every other question has four words, and padding
    for step in range(1, 41):
        outputs = net(audio, visual, visual.roll(1, 0), question)
        loss = total_loss(*outputs, right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 1 or step % 10 == 0:
            hits = (outputs[0].argmax(1) == right).sum().item()
            print(f"step {step:2}: loss {loss.item():.3f}, {hits} of {len(right)} answers right")


if __name__ == "__main__":
    main()
