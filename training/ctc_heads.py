"""Train our linear CTC heads on whisper-tiny.en: characters and phones, one head per encoder layer, Whisper frozen.

    python training/prompts.py --audio FOLDER      # once: fetches and decodes the recordings
    python training/ctc_heads.py --audio FOLDER    # trains all ten heads, writes the file, prints the table of errors

Each prompt is encoded alone, as in the app, and again in windows with other prompts and silence around it, at other
speeds (which also lower or raise the voice): a head that has only seen the first seconds of a window, one voice and
no silence learns Whisper's positions and that voice, and babbles in pauses. `--alignments` names the words and phones
of the prompts. `--cache` keeps the encoded states (about 1 GB) for a second run. Put the printed SHA-256 into
methods/core/lenses/ctc_heads.py.
"""

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np
import soxr
import torch
from safetensors.numpy import save_file

from methods.core.alignment.forced import forced_alignment
from methods.core.audio import SAMPLE_RATE, clip_from_samples, load_clip
from methods.core.frames import FRAME_SAMPLES
from methods.core.lenses.ctc import runs
from methods.core.lenses.ctc_heads import FILE, LABEL, MODEL
from methods.core.models import encode, load_model
from methods.core.models.speech_model import SpeechModel

SEED = 0
LONGEST = 10.0  # s; longer prompts are long lists
HELD_OUT = 60  # prompts of at least three words
# The prompts behind the example clips, so that the app never shows a head on what it was trained on.
EXCLUDED = (
    "tt-weasels", "vm-savefolder", "vm-msgsaved", "one-moment-please", "agent-newlocation", "for",
    "letters/b", "letters/p", "letters/d", "letters/t",
    "digits/1", "digits/3", "digits/4", "digits/5", "digits/13", "digits/30",
)  # fmt: skip
BLANK = "<blank>"
CHARACTERS = (BLANK, " ", *"abcdefghijklmnopqrstuvwxyz", "'")
# ARPAbet without ZH: no prompt holds it, and a symbol that was never heard would look like something no layer knows.
PHONES = (
    BLANK, "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY",
    "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z",
)  # fmt: skip
VOCABULARIES = {"characters": CHARACTERS, "phones": PHONES}

SPEEDS = ((1.0, 1.0), (1.0, 1.0), (0.8, 1.0), (0.8, 1.2))  # range of each packing
WINDOWS = (400, 800, 1500)  # frames: a packing has windows of up to 8, 16 and 30 s
PAUSE, LONG_PAUSE, LONG_PAUSES = (0, 16), (25, 150), 1 / 6  # frames; the share of long ones
FLOOR = (-4.5, -2.5)  # of noise in a window, log10 of its RMS: -90 to -50 dBFS
EPOCHS, BATCH, RATE, DECAY, NOISE, DROPOUT = 60, 16, 1e-2, 1e-2, 0.2, 0.2  # noise in standard deviations

Spelling = dict[str, tuple[str, ...]]  # unit -> symbols
States = dict[str, np.ndarray]  # prompt -> (layers, frames, dim) float16


@dataclass(frozen=True)
class Corpus:
    """What is said in each recording, and who may learn from it."""

    samples: dict[str, np.ndarray]  # 16 kHz
    spelled: dict[str, Spelling]
    training: tuple[str, ...]
    held_out: tuple[str, ...]  # texts that are not in training
    others: tuple[str, ...]  # recordings of other speakers

    @property
    def minutes(self) -> float:
        return sum(len(self.samples[name]) for name in self.training) / SAMPLE_RATE / 60


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--audio", type=Path, required=True, help="folder made by training/prompts.py")
    options.add_argument("--alignments", type=Path, default=ROOT / "training" / "asterisk_en_alignments.json")
    options.add_argument("--cache", type=Path, help="folder for encoded states")
    options.add_argument("--out", type=Path, default=FILE)
    chosen = options.parse_args()
    begin, model = time.perf_counter(), load_model(MODEL)
    torch.set_num_threads(1)  # the sums are small; a second thread only waits
    corpus = read_corpus(chosen.audio, json.loads(chosen.alignments.read_text(encoding="utf-8")))
    alone, packings = all_states(corpus, model, chosen.cache)
    print(
        f"{len(corpus.training)} prompts, {corpus.minutes:.1f} min; encoded: {time.perf_counter() - begin:.0f} s",
        flush=True,
    )
    tensors, errors = {}, {}
    for unit in VOCABULARIES:
        heads, errors[unit] = train_unit(corpus, alone, packings, unit)
        tensors |= {f"{unit}.{part}": np.stack(values) for part, values in zip(("weight", "bias"), heads, strict=True)}
    description = json.dumps(card(corpus, model, errors), sort_keys=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, chosen.out, metadata={"card": description})  # one entry: their order is not kept
    print(table(errors))
    print(f"SHA-256 {hashlib.sha256(chosen.out.read_bytes()).hexdigest()}, {chosen.out.stat().st_size} bytes")
    print(f"{time.perf_counter() - begin:.0f} s in all")


# What is said


def read_corpus(audio: Path, alignments: dict) -> Corpus:
    """The prompts that have words and phones, split by text, and the other speakers' clips."""
    samples = {name: load_clip(audio / "prompts" / f"{name}.wav").samples for name in sorted(alignments)}
    names = [name for name, sound in samples.items() if len(sound) < LONGEST * SAMPLE_RATE]
    text = {name: alignments[name]["text"] for name in names}
    hidden = {text[name] for name in EXCLUDED}
    names = [name for name in names if text[name] not in hidden]
    random.Random(SEED).shuffle(names)
    held_out = [name for name in names if len(text[name].split()) >= 3][:HELD_OUT]
    unseen = {text[name] for name in held_out}
    training = [name for name in names if text[name] not in unseen]
    spelled = {name: spelling(text[name], [phone[0] for phone in alignments[name]["phones"]]) for name in names}
    others = {}
    for path in sorted((audio / "others").glob("*.wav")):
        clip, words = load_clip(path), path.with_suffix(".txt").read_text(encoding="utf-8").strip()
        others[path.stem] = clip.samples
        spelled[path.stem] = spelling(words, [phone.label for phone in forced_alignment(clip, words).phones])
    return Corpus(samples | others, spelled, tuple(training), tuple(held_out), tuple(others))


def spelling(text: str, phones: Iterable[str]) -> Spelling:
    return {"characters": tuple(text), "phones": tuple(phone for phone in phones if phone != "SIL")}


# What Whisper makes of it


def all_states(corpus: Corpus, model: SpeechModel, cache: Path | None) -> tuple[States, list[States]]:
    """Every recording alone, and the training prompts in every packing."""
    every = (*corpus.training, *corpus.held_out, *corpus.others)
    alone = kept(cache, "alone", lambda: {name: states(corpus.samples[name], model) for name in every})
    packings = [kept(cache, f"packing{i}", lambda i=i: packed(corpus, model, i)) for i in range(len(SPEEDS))]
    return alone, packings


def kept(cache: Path | None, name: str, make: Callable[[], States]) -> States:
    path = cache / f"{name}.npz" if cache else None
    if path and path.is_file():
        return dict(np.load(path))
    made = make()
    if path:
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, **made)
    return made


def states(sound: np.ndarray, model: SpeechModel) -> np.ndarray:
    return encode(clip_from_samples(sound, SAMPLE_RATE), model).hidden.astype(np.float16)


def packed(corpus: Corpus, model: SpeechModel, packing: int) -> States:
    """States of the training prompts with silence around them, somewhere in a window with others, at new speeds."""
    draw, made, window, at = np.random.default_rng([SEED, packing]), {}, [], 0
    longest = draw.choice(WINDOWS)
    for name in draw.permutation(corpus.training):
        sound = at_speed(corpus.samples[name], draw.uniform(*SPEEDS[packing]))
        before, after = silence(draw), silence(draw)
        frames = before - (-len(sound) // FRAME_SAMPLES) + after
        if window and at + frames > longest:
            made |= window_states(window, at, model, draw)
            window, at, longest = [], 0, draw.choice(WINDOWS)
        window.append((str(name), at, before, frames, sound))
        at += frames
    return made | window_states(window, at, model, draw)


def silence(draw: np.random.Generator) -> int:
    """Frames of silence: mostly as between sentences, now and then so long that a head must learn to say nothing."""
    return int(draw.integers(*(LONG_PAUSE if draw.random() < LONG_PAUSES else PAUSE)))


def at_speed(sound: np.ndarray, speed: float) -> np.ndarray:
    """Slower is also lower, like a tape."""
    return sound if speed == 1 else soxr.resample(sound, SAMPLE_RATE * speed, SAMPLE_RATE)


def window_states(window: list, frames: int, model: SpeechModel, draw: np.random.Generator) -> States:
    floor = 10 ** draw.uniform(*FLOOR)
    mix = (floor * draw.standard_normal(frames * FRAME_SAMPLES)).astype(np.float32)
    for _, at, before, _, sound in window:
        mix[(at + before) * FRAME_SAMPLES :][: len(sound)] += sound
    hidden = states(mix, model)
    return {name: hidden[:, at : at + length] for name, at, _, length, _ in window}


# Training


def train_unit(corpus: Corpus, alone: States, packings: list[States], unit: str) -> tuple[tuple, list[dict]]:
    """(weights, biases) of the heads of all layers, and each layer's error rates."""
    weights, biases, errors = [], [], []
    for layer in range(len(alone[corpus.training[0]])):
        begin = time.perf_counter()
        weight, bias = train_head([alone, *packings], corpus, unit, layer)
        groups = {"held_out": corpus.held_out, "other_speakers": corpus.others}
        rates = {
            group: error_rate(names, corpus.spelled, alone, (weight, bias), unit, layer)
            for group, names in groups.items()
        }
        print(f"{unit} {layer}: {rates}, {time.perf_counter() - begin:.0f} s", flush=True)
        weights.append(weight)
        biases.append(bias)
        errors.append(rates)
    return (weights, biases), errors


def train_head(sources: list[States], corpus: Corpus, unit: str, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """One head, CTC loss, as an affine map of raw states."""
    seen = {name: [source[name][layer].astype(np.float32) for source in sources] for name in corpus.training}
    frames = np.concatenate([one for versions in seen.values() for one in versions])
    mean, deviation = frames.mean(axis=0), frames.std(axis=0) + 1e-5
    scaled = {n: [torch.from_numpy((one - mean) / deviation) for one in versions] for n, versions in seen.items()}
    number = {symbol: i for i, symbol in enumerate(VOCABULARIES[unit])}
    targets = {name: torch.tensor([number[s] for s in corpus.spelled[name][unit]]) for name in corpus.training}
    torch.manual_seed(SEED)
    head = torch.nn.Linear(len(mean), len(number))
    optimiser = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-len(corpus.training) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    draw, order = random.Random(SEED), list(corpus.training)
    for _ in range(EPOCHS):
        draw.shuffle(order)
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            loss = ctc_loss(head, [draw.choice(scaled[name]) for name in batch], [targets[name] for name in batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return folded(head.weight.detach().numpy(), head.bias.detach().numpy(), mean, deviation)


def ctc_loss(head: torch.nn.Linear, sounds: list[torch.Tensor], targets: list[torch.Tensor]) -> torch.Tensor:
    """Mean CTC loss of a batch, with noise and dropout on the standardised states."""
    lengths, frames = [len(sound) for sound in sounds], torch.cat(sounds)  # padded only after the costly part
    log_p = head(torch.nn.functional.dropout(frames + NOISE * torch.randn_like(frames), DROPOUT)).log_softmax(dim=-1)
    return torch.nn.functional.ctc_loss(
        torch.nn.utils.rnn.pad_sequence(log_p.split(lengths)),
        torch.cat(targets),
        torch.tensor(lengths),
        torch.tensor([len(target) for target in targets]),
        zero_infinity=True,  # a sped-up prompt may have more symbols than frames to put them in
    )


def folded(
    weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, deviation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """weight @ ((state - mean) / deviation) + bias as one map: weight (symbols, dim) float16, bias float32.

    The bias is made from the rounded weight, so that rounding acts only on what differs from the mean.
    """
    stored = (weight / deviation).astype(np.float16)
    return stored, (bias - stored.astype(np.float64) @ mean).astype(np.float32)


# How good is it?


def error_rate(
    names: Iterable[str], spelled: dict[str, Spelling], alone: States, head: tuple, unit: str, layer: int
) -> float:
    """Edits over symbols said, in all of these recordings together; greedy decoding, each recording alone."""
    weight, bias = (part.astype(np.float32) for part in head)
    edits = said = 0
    for name in names:
        best = (alone[name][layer].astype(np.float32) @ weight.T + bias).argmax(axis=1)
        heard = [VOCABULARIES[unit][i] for i, _ in runs(best, 0)]
        if unit == "characters":
            heard = list("".join(heard).strip())
        edits += edit_distance(spelled[name][unit], heard)
        said += len(spelled[name][unit])
    return round(edits / said, 3)


def edit_distance(said: Iterable[str], heard: list[str]) -> int:
    """Fewest insertions, deletions and substitutions that turn one into the other."""
    row = list(range(len(heard) + 1))
    for i, symbol in enumerate(said, start=1):
        above, row = row, [i]
        for j, other in enumerate(heard, start=1):
            row.append(min(row[-1] + 1, above[j] + 1, above[j - 1] + (symbol != other)))
    return row[-1]


def table(errors: dict[str, list[dict]]) -> str:
    """The table of the model card."""
    lines = [
        "| layer | CER held-out | CER other speaker | PER held-out | PER other speaker |",
        "|---|---|---|---|---|",
    ]
    for layer, pair in enumerate(zip(*errors.values(), strict=True)):
        rates = [f"{unit[group]:.3f}" for unit in pair for group in ("held_out", "other_speakers")]
        lines.append(f"| {layer} | {' | '.join(rates)} |")
    return "\n".join(lines)


def card(corpus: Corpus, model: SpeechModel, errors: dict[str, list[dict]]) -> dict:
    """What the file says about itself."""
    return {
        "what": LABEL,
        "model": MODEL,
        "model_weights_sha256": model.weights_sha256,
        "map": "logits = weight[layer] @ raw state of Encoding.hidden[layer] + bias[layer]; symbol 0 is the blank",
        "symbols": VOCABULARIES,
        "data": "English Asterisk core sounds 1.6.1, recorded by Allison Smith, (c) 2003-2010, funded by Digium, Inc.",
        "data_licence": "CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/); no audio is in this file",
        "minutes": round(corpus.minutes, 1),
        "training_prompts": len(corpus.training),
        "held_out": sorted(corpus.held_out),
        "excluded": EXCLUDED,
        "other_speakers": f"{len(corpus.others)} LibriVox sentences of one male reader, public domain",
        "errors": errors,
        "recipe": f"{EPOCHS} epochs, AdamW, OneCycle {RATE}, decay {DECAY}, noise {NOISE}, dropout {DROPOUT}, "
        f"batch {BATCH}, seed {SEED}, alone and in {len(SPEEDS)} packings at speeds {SPEEDS} with pauses",
    }


if __name__ == "__main__":
    main()
