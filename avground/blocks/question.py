"""The question encoder: words to word features and a sentence feature."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from avground.errors import ShapeError, check_choice, check_whole
from avground.shapes import check_shapes

Padding = Literal["skip", "read"]

# Added to a gate before its sigmoid: makes it exactly 0 or 1 in every dtype, and float16 can hold it.
_SHUT = 3e4


class Question(NamedTuple):
    r"""What :class:`QuestionEncoder` returns.

    Shapes: ``words`` (\*b, n, c), zero at padding; ``sentence`` (\*b, c); ``mask`` (\*b, n), True at real words.
    """

    words: Tensor
    sentence: Tensor
    mask: Tensor


def check_words(question: Int[Tensor, "*b n"]) -> None:
    """Check that these are word indices, of one word at least.

    Raises:
        ShapeError: for a dtype other than int64, or no dimension of words.
    """
    check_shapes(question=(question, "*b n"))
    if question.dtype != torch.int64:
        raise ShapeError(f"question: expected int64 word indices, got {question.dtype}")
    if question.shape[-1] == 0:
        raise ShapeError(f"question: expected (*b, n) with at least one word, got {tuple(question.shape)}")


class QuestionEncoder(nn.Module):
    r"""Word features and a sentence feature from word indices.

    .. math::
        f_q, (h_N, c_N) = \mathrm{LSTM}(\tanh E(w_1), \dots, \tanh E(w_N)), \quad
        h_q = \mathrm{Linear}(\tanh [h_N; c_N])

    N is the last real word: padding changes nothing, however much of it there is. The authors' released networks, and
    those of AVST, run the LSTM on through the padding; ``padding="read"`` does so for their checkpoints.

    Source: TJSTG (Jiang and Yin, 2023), section 3.1, which leaves the two tanh open; they are those of AVST (Li et al.,
    2022) and of the released code.

    Args:
        vocabulary_size: Number of words, padding included.
        dim: Width c of word embeddings, word features and sentence feature.
        padding: ``"skip"``, or ``"read"``: padding is a word like any other to the LSTM. Either way the mask marks it.

    Example:
        >>> import torch
        >>> from avground import QuestionEncoder
        >>> question = torch.tensor([[5, 2, 9, 0], [3, 0, 0, 0]])  # three words and one; 0 is padding
        >>> words, sentence, mask = QuestionEncoder(vocabulary_size=20, dim=8)(question)
        >>> words.shape, sentence.shape
        (torch.Size([2, 4, 8]), torch.Size([2, 8]))
        >>> mask.sum(-1)
        tensor([3, 1])
    """

    def __init__(self, vocabulary_size: int, dim: int = 512, *, padding: Padding = "skip") -> None:
        super().__init__()
        check_choice("padding", padding, ("skip", "read"))
        check_whole("vocabulary_size", vocabulary_size)
        check_whole("dim", dim)
        self.padding = padding
        self.embedding = nn.Embedding(vocabulary_size, dim)
        self.lstm = nn.LSTM(dim, dim, batch_first=True)
        self.sentence = nn.Linear(2 * dim, dim)

    def forward(self, question: Int[Tensor, "*b n"]) -> Question:
        """Encode questions.

        Args:
            question: Word indices, int64; 0 is padding and stands behind the words only.

        Returns:
            Word features, sentence feature and mask.

        Raises:
            ShapeError: for a dtype other than int64, or no dimension of words.
        """
        check_words(question)
        leading = question.shape[:-1]
        question = question.flatten(0, -2) if leading else question[None]
        mask = question != 0
        embedded = torch.tanh(self.embedding(question))
        if self.padding == "read":
            states, (hidden, cell) = self.lstm(embedded)
            last = torch.cat((of_only_layer(hidden), of_only_layer(cell)), dim=-1)
        else:
            states, last = _lstm_to_last_word(self.lstm, embedded, mask)
        sentence = self.sentence(torch.tanh(last))
        words = states * mask[..., None]
        return Question(*(part.reshape(*leading, *part.shape[1:]) for part in (words, sentence, mask)))


def _lstm_to_last_word(
    lstm: nn.LSTM, words: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"]
) -> tuple[Float[Tensor, "b n c"], Float[Tensor, "b two_c"]]:
    """States at every word, and hidden and cell state at the last real word, in one call and for any lengths.

    One more input is 1 at padding only and drives the forget gate open and the input gate shut there, so that the cell
    state passes through exactly. Unlike a packed sequence this needs no lengths on the host.
    """
    from_words, *others = lstm.parameters()  # (4 c, c): input, forget, cell and output gate
    from_padding = torch.zeros_like(from_words[:, :1])
    from_padding[: lstm.hidden_size] = -_SHUT
    from_padding[lstm.hidden_size : 2 * lstm.hidden_size] = _SHUT
    weights = [torch.cat((from_words, from_padding), dim=1), *others]
    if words.is_cuda:
        weights = _in_one_piece(weights)
    marked = torch.cat((words, (~mask[..., None]).to(words.dtype)), dim=-1)
    start = words.new_zeros(1, words.shape[0], lstm.hidden_size)  # a length would be a constant to an export
    states, _, cell = torch.lstm(marked, (start, start), weights, True, 1, 0.0, lstm.training, False, True)
    last_word = (mask.sum(-1, keepdim=True) - 1).clamp(min=0)
    hidden = states.gather(1, last_word[..., None].expand(-1, -1, lstm.hidden_size))[:, 0]
    hidden = hidden * mask.any(-1, keepdim=True)  # without any word the state is still the start
    return states, torch.cat((hidden, of_only_layer(cell)), dim=-1)


def of_only_layer(state: Float[Tensor, "1 b c"]) -> Float[Tensor, "b c"]:
    """The last state of an LSTM of one layer and direction; compilers before torch 2.12 see one dimension more."""
    return state.flatten(0, -2)


def _in_one_piece(weights: list[Tensor]) -> list[Tensor]:
    """The same numbers one after another in memory, as cuDNN wants them: otherwise it copies them itself, and warns."""
    whole = torch.cat([part.flatten() for part in weights])
    parts = whole.split([part.numel() for part in weights])
    return [part.unflatten(0, weight.shape) for part, weight in zip(parts, weights, strict=True)]
