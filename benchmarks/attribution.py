"""How fast is attribution? Word-level ablation and integrated gradients against captum with its defaults.

    python benchmarks/attribution.py [--models NAME ...] [--clip FILE] [--threads N] [--steps N] [--skip PART ...]

Both sides explain the same number, the log-probability of the whole transcript, teacher-forced, and must find the same
values. captum gets the network as published code runs it: eager attention, the feature extractor in NumPy, one sound
per call. Ours: scaled dot-product attention, the front end in torch, each perturbed clip encoded once. They take turns
in one process, so that a busy machine slows both alike. Absolute times are this machine's; the ratios are the message.

    ablation    captum.FeatureAblation over words and pauses, against leave one out; then the labelled clip-only window
    gradients   captum.IntegratedGradients on the log-mel, 64 even steps, against the same 64 nodes of ours; then our
                refinement, which stops when the sum is met
    others      why DeepLift and GradientSHAP are left out: how far their parts miss the sum
"""

import argparse
import copy
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np
import torch
from captum.attr import DeepLift, FeatureAblation, GradientShap, IntegratedGradients

from methods.core import models
from methods.core.alignment import words
from methods.core.audio import load_clip
from methods.core.errors import UserError
from methods.core.explain import gradients, perturb, removal, targets
from methods.core.explain.targets import Target
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import finish
from methods.core.statistics.correlation import spearman

EXAMPLE = ROOT / "examples_audio" / "cc-by-sa-3.0" / "en_f_weasels.wav"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", nargs="+", default=["openai/whisper-tiny.en", "openai/whisper-base"])
    options.add_argument("--clip", type=Path, default=EXAMPLE)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--steps", type=int, default=64)
    options.add_argument("--repeats", type=int, default=2, help="interleaved rounds of the ablation")
    options.add_argument("--skip", nargs="*", default=[], choices=["ablation", "gradients", "refined", "others"])
    chosen = options.parse_args()
    for name in chosen.models:
        model = models.load_model(name)  # chooses a number of threads of its own
        torch.set_num_threads(chosen.threads)
        target = targets.build(load_clip(chosen.clip), model, "transcript")
        print(f"\n{name}, {chosen.threads} thread(s), {target.clip.seconds:.1f} s, “{target.transcript.text}”")
        theirs = eager_twin(model)
        if "ablation" not in chosen.skip:
            ablation(target, theirs, chosen.repeats)
        if "gradients" not in chosen.skip:
            integrated(target, theirs, chosen.steps, "refined" not in chosen.skip)
        if "others" not in chosen.skip:
            others(target)


def eager_twin(model: SpeechModel) -> SpeechModel:
    """The same network with the attention that captum's users run: eager."""
    network = copy.deepcopy(model.network)
    network.set_attn_implementation("eager")
    return replace(model, network=network)


def ablation(target: Target, theirs: SpeechModel, repeats: int) -> None:
    pieces = perturb.partition(target.clip.seconds, words(target.clip, target.model))
    samples = torch.tensor(target.clip.samples.copy())[None]
    owner = torch.zeros(samples.shape, dtype=torch.long)
    for number, piece in enumerate(pieces):
        owner[0, round(piece.start * 16_000) : round(piece.end * 16_000)] = number
    text = target.transcript
    ids, wanted = torch.tensor([text.ids]), torch.tensor([*text.tokens, target.model.decoding.end])

    def score(sounds: torch.Tensor) -> torch.Tensor:
        features = theirs.front_end(sounds[0].numpy(), sampling_rate=16_000, return_tensors="pt").input_features
        with torch.inference_mode():
            logits = theirs.network(features, decoder_input_ids=ids).logits[0, len(text.prompt) - 1 :]
        return logits.log_softmax(-1).gather(1, wanted[:, None]).sum()[None]

    def captum_way() -> np.ndarray:
        found = FeatureAblation(score).attribute(samples, feature_mask=owner)
        return np.array([float(found[0, owner[0] == number][0]) for number in range(len(pieces))])

    def ours(goal: Target) -> Callable[[], np.ndarray]:
        def run() -> np.ndarray:
            game = SharpGame(goal, goal.clip.samples, pieces)
            return finish(removal.leave_one_out(game.value, len(pieces))).values

        return run

    short = replace(target, window="clip")
    sides = {"captum": captum_way, "ours, exact 30 s": ours(target), "ours, clip-only": ours(short)}
    values, times = interleaved(sides, repeats)
    print(f"leave one out, {len(pieces)} pieces")
    report(times)
    error = np.abs(values["ours, exact 30 s"] - values["captum"]).max()
    print(f"largest difference to captum {error:.1e} of {np.abs(values['captum']).max():.1f} nats")
    rho = spearman(values["ours, clip-only"], values["ours, exact 30 s"])
    print(f"rank agreement of the clip-only window with the exact one {rho:.2f}")


class SharpGame(perturb.Game):
    """Our game without cross-fades, as captum replaces samples: else the two could not be compared."""

    def sound(self, kept: np.ndarray) -> np.ndarray:
        gone = [piece for piece, keep in zip(self.pieces, kept, strict=True) if not keep]
        return perturb.replaced(self.samples, gone, self.mode, fade=0.0)


def integrated(target: Target, theirs: SpeechModel, steps: int, refined: bool) -> None:
    entering, baseline = target.entering("log-mel"), gradients.baseline_at(target, "log-mel")
    text = target.transcript
    ids, wanted = torch.tensor([text.ids]), torch.tensor([*text.tokens, target.model.decoding.end])

    def score(features: torch.Tensor) -> torch.Tensor:
        logits = theirs.network(features, decoder_input_ids=ids).logits[0, len(text.prompt) - 1 :]
        return logits.log_softmax(-1).gather(1, wanted[:, None]).sum()[None]

    def captum_way() -> np.ndarray:
        method = IntegratedGradients(score)
        found = method.attribute(entering, baseline, n_steps=steps, internal_batch_size=1)
        return found[0].detach().numpy()

    def ours(adaptive: bool, goal: Target) -> Callable[[], np.ndarray]:
        def run() -> np.ndarray:
            return gradients_of(goal, steps if not adaptive else gradients.MOST_STEPS, adaptive)

        return run

    short = replace(target, window="clip")
    sides = {
        "captum": captum_way,
        f"ours, {steps} even steps": ours(False, target),
    }
    if refined:
        sides |= {"ours, refined": ours(True, target), "ours, refined, clip-only": ours(True, short)}
    values, times = interleaved(sides, repeats=1)
    print(f"integrated gradients, log-mel, {steps} steps")
    report(times)
    expected, even = values["captum"], values[f"ours, {steps} even steps"]
    print(f"largest difference to captum {np.abs(even - expected).max():.1e} of {np.abs(expected).max():.2f} nats")
    for name, found in values.items():
        print_gap(name, found, short if "clip-only" in name else target)


def print_gap(name: str, found: np.ndarray, goal: Target) -> None:
    whole = goal.base - goal.score_at("log-mel", gradients.baseline_at(goal, "log-mel")[0].numpy())
    print(f"   {name}: adds up to {found.sum():.2f} of {whole:.2f}, {abs(found.sum() - whole) / abs(whole):.1%} off")


def gradients_of(goal: Target, steps: int, adaptive: bool) -> np.ndarray:
    """Integrated gradients even where their sum is missed, which `gradient_map` refuses to give."""
    entering, baseline = goal.entering("log-mel"), gradients.baseline_at(goal, "log-mel")
    path = gradients._Path(goal, "log-mel", entering, baseline)
    parts = finish(gradients._refined(path, steps) if adaptive else gradients._even(path, steps))
    print(f"   [{path.spent} gradients]", file=sys.stderr)
    return sum(part.values.double() for part in parts)[0].numpy()


def others(target: Target) -> None:
    """DeepLift and GradientSHAP on the clip-only window, against the sum that they should give."""
    goal = replace(target, window="clip")
    entering, baseline = goal.entering("log-mel"), gradients.baseline_at(goal, "log-mel")
    whole = goal.base - goal.score_at("log-mel", baseline[0].numpy())
    print(f"left out (clip-only window, the parts should add up to {whole:.2f}):")

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = goal.model.network

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return torch.stack([goal.value("log-mel", one[None]) for one in features])

    for seed in range(3):
        torch.manual_seed(seed)
        found = GradientShap(Network()).attribute(entering, baseline, n_samples=64, stdevs=0.0)
        print(f"   GradientSHAP, 64 samples, seed {seed}: {float(found.sum()):.2f}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum says that it sets hooks
        try:
            found = DeepLift(Network()).attribute(entering.requires_grad_(), baseline)
            print(f"   DeepLift: {float(found.sum()):.2f}")
        except (RuntimeError, AssertionError, AttributeError, UserError) as problem:
            print(f"   DeepLift: captum stops: {str(problem).splitlines()[0][:150]}")


def interleaved(sides: dict[str, Callable], repeats: int) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """What each side finds, and its seconds in each round; a round runs all of them once."""
    values, times = {}, {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.perf_counter()
            values[name] = run()
            times[name].append(time.perf_counter() - start)
    return values, times


def report(times: dict[str, list[float]]) -> None:
    first = next(iter(times.values()))
    for name, taken in times.items():
        print(f"   {name:28}{min(taken):8.2f} s   x {min(first) / min(taken):.1f}")


if __name__ == "__main__":
    main()
