"""A training step: the published network as published, and ours on the same batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import published
import torch
from torch import Tensor, nn

from avground.data import Batch
from avground.models import MODELS, OBJECTIVES, Network
from avground.models.released import from_official, tjstg_released
from avground.ops import MapRows, cell_lengths
from avground.training import Objective
from avground.training.graph import CudaRecorder
from avground.training.optimizer import make_adam
from speed.timing import Effort, check_agreement, compare, peak

Step = Callable[[], Any]


def run(device: torch.device, effort: Effort) -> dict[str, Any]:
    """All ways at the published size; on a GPU the published step also under autocast, and ours as a recorded one."""
    b, t, c, side = (2, 3, 512, 4) if effort.quick else (16 if device.type == "cpu" else 64, 10, 512, 14)
    batch = make_batch(b, t, c, side, device)
    deviation = check(batch)
    if device.type == "cuda":
        check_recorded(batch, device)
    steps = {**published_steps(batch, device, effort.quick), **our_steps(batch, device)}
    found = compare(steps, device, effort)
    for name, entry in found.items():
        precision = "published, bf16" if name.endswith("bf16") else "published"
        for against, key in (("published", ""), (precision, "_same_precision")):
            baseline = found[against]
            entry[f"faster{key}"] = baseline["milliseconds"]["median"] / entry["milliseconds"]["median"]
            entry[f"memory_share{key}"] = entry["peak_megabytes"] / baseline["peak_megabytes"]
    return {
        "b": b,
        "t": t,
        "channels": c,
        "side": side,
        "largest_deviation": deviation,
        "parts": recurrent_share(batch, device, effort),
        "ways": found,
    }


def make_batch(b: int, t: int, c: int, side: int, device: torch.device) -> Batch:
    """A batch of random numbers in single precision."""
    torch.manual_seed(0)
    question = torch.randint(1, 93, (b, 14))
    question[:, 10:] = 0
    visual, negative = torch.relu(torch.randn(2, b, t, c, side, side)).to(device).unbind(0)
    return Batch(
        audio=torch.relu(torch.randn(b, t, 128)).to(device),
        visual=visual,
        question=question.to(device),
        answer=torch.randint(42, (b,)).to(device),
        negative=negative,
        index=torch.arange(b, device=device),
        matched=torch.ones(b, dtype=torch.bool, device=device),
    )


def in_bank(batch: Batch, dtype: torch.dtype) -> Batch:
    """The same batch, whose maps are rows of a bank."""
    assert batch.negative is not None
    bank = torch.stack((batch.visual, batch.negative)).flatten(0, 2).to(dtype)
    rows = torch.arange(len(bank), device=bank.device).unflatten(0, (2, *batch.visual.shape[:2]))
    lengths = cell_lengths(bank)
    return batch._replace(  # type: ignore[arg-type]
        visual=MapRows(bank, rows[0], lengths), negative=MapRows(bank, rows[1], lengths)
    )


def check(batch: Batch) -> float:
    """Make sure that the published network and ours return the same from the same weights, and rows what maps do."""
    torch.manual_seed(0)
    network = published.PublishedTJSTG().to(batch.audio.device).eval()
    ours = from_official({name: value.cpu() for name, value in network.state_dict().items()}, "tjstg")
    ours = ours.to(batch.audio.device)
    found: dict[str, list[Tensor]] = {}
    named = in_bank(batch, torch.float32)
    with torch.no_grad():
        theirs = network(batch.audio, batch.visual, batch.question, batch.negative)
        expected = [theirs.answer_logits, torch.stack((theirs.match_positive, theirs.match_negative)).flatten(0, 1)]
        for name, given in (("ours", batch), ("ours, rows of a bank", named)):
            out = ours(given.audio, given.visual, given.question, given.negative)
            assert out.match_logits is not None
            found[name] = [out.answer_logits, out.match_logits.flatten(0, 2)]
    deviation = check_agreement(found, expected, 1e-3)
    for name in ("tjstg", "tjstg_sharp", "avst"):
        torch.manual_seed(0)
        model = MODELS[name]().to(batch.audio.device).eval()
        with torch.no_grad():
            one, other = (model(given.audio, given.visual, given.question, given.negative) for given in (batch, named))
        check_agreement({name: [other.answer_logits, other.cell_weights]}, [one.answer_logits, one.cell_weights], 1e-3)
    return deviation


def published_steps(batch: Batch, device: torch.device, quick: bool) -> dict[str, Step]:
    """The published step; also compiled and, on a GPU, under autocast, which its authors did not use."""
    parts = {name: value for name, value in batch._asdict().items() if value is not None}

    def make(wrap: Callable[[nn.Module], nn.Module] = lambda network: network) -> Step:
        torch.manual_seed(0)
        network = published.PublishedTJSTG().to(device).train()
        return partial(published.training_step, wrap(network), published.adam(network), parts)

    steps = {"published": make()}
    if not quick:
        steps["published, compiled"] = make(torch.compile)
    if device.type == "cuda":
        plain = make()

        def in_half() -> None:
            with torch.autocast("cuda", torch.bfloat16):
                plain()

        steps["published, bf16"] = in_half
    return steps


def our_steps(batch: Batch, device: torch.device) -> dict[str, Step]:
    """Ours with the published arithmetic, the paper's, and the sharp model; as tensors and as rows of a bank."""
    released = Objective(divergence="released")
    steps = {"released arithmetic": take(tjstg_released(), released, batch, device)}
    named = in_bank(batch, torch.float32)
    half = in_bank(batch, torch.bfloat16) if device.type == "cuda" else named
    for name in ("tjstg", "tjstg_sharp", "avst"):
        steps[name] = ours(name, batch, device)
        steps[f"{name}, rows of a bank"] = ours(name, named, device)
        if device.type == "cuda":
            steps[f"{name}, recorded"] = ours(name, named, device, recorded=True)
            steps[f"{name}, rows of a bank, bf16"] = ours(name, half, device, half=True)
            steps[f"{name}, recorded, bf16"] = ours(name, half, device, half=True, recorded=True)
    return steps


def ours(name: str, batch: Batch, device: torch.device, *, half: bool = False, recorded: bool = False) -> Step:
    """A step of one of our models, from the same weights every time."""
    torch.manual_seed(0)
    return take(MODELS[name](), Objective(**OBJECTIVES[name]), batch, device, half=half, recorded=recorded)


class Recorded:
    """A recorded step; ``peak_megabytes`` is what the step held when it was done the first time.

    Args:
        step: Does a step.
        device: A CUDA device.
    """

    def __init__(self, step: Step, device: torch.device) -> None:
        recorder = CudaRecorder(device)
        recorder.warm_up(step)
        self.peak_megabytes = peak(lambda: recorder.warm_up(step), device)
        recorder.warm_up(step)
        self._replay = recorder.record(step)

    def __call__(self) -> None:
        """Replay it."""
        self._replay()


def take(
    network: Network,
    objective: Objective,
    batch: Batch,
    device: torch.device,
    *,
    half: bool = False,
    recorded: bool = False,
    losses: Tensor | None = None,
) -> Step:
    """A step as the training loop takes it: losses, gradients and Adam; ``losses`` takes the last one."""
    network = network.to(device).train()
    optimizer = make_adam(network.parameters(), 2e-4, device, capturable=recorded)
    negative = batch.negative if objective.needs_negatives else None
    last = torch.zeros((), device=device) if losses is None else losses

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            out = network(batch.audio, batch.visual, batch.question, negative)
            found = objective(out, batch.answer)
        found["total"].backward()
        optimizer.step()
        optimizer.zero_grad()
        last.copy_(found["total"].detach())
        if device.type == "cpu":
            last.item()

    return Recorded(step, device) if recorded else step


def check_recorded(batch: Batch, device: torch.device) -> None:
    """Make sure that replayed steps learn what the same steps learn one by one.

    Raises:
        SystemExit: names both losses after eight steps.
    """
    found = []
    for recorded in (False, True):
        torch.manual_seed(0)
        losses = torch.zeros((), device=device)
        network = MODELS["tjstg"]()
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # so that both draw nothing
        step = take(
            network, Objective(), in_bank(batch, torch.bfloat16), device, half=True, recorded=recorded, losses=losses
        )
        for _ in range(5 if recorded else 8):  # three were taken to record it
            step()
        found.append(float(losses))
    if not abs(found[0] - found[1]) <= 1e-2 * abs(found[0]):
        raise SystemExit(f"recorded: expected a loss of {found[0]:.4f} after eight steps, got {found[1]:.4f}")


def recurrent_share(batch: Batch, device: torch.device, effort: Effort) -> dict[str, Any]:
    """What the recurrent layers alone take of the published step: no arithmetic of ours makes them faster."""
    torch.manual_seed(0)
    network = published.PublishedTJSTG().to(device).train()
    words = torch.randn(batch.question.shape[1], len(batch.question), 512, device=device)
    segments = torch.randn(*batch.audio.shape[:2], 512, device=device, requires_grad=True)

    def step() -> None:
        layers = (network.a_gru, network.v_gru)
        states = [network.question_encoder.lstm(words)[0].sum(), *(layer(segments)[0].sum() for layer in layers)]
        sum(states).backward()

    return compare({"recurrent layers": step}, device, effort)
