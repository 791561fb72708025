"""Train the probes that come with the app, for every bundled model, and write them with their scores.

    python training/live_probes.py            # minutes, one core; writes methods/live_probes/probes/*.safetensors

Frames of 20 ms of both bundled corpora, in Whisper's exact 30 s window. Phone, manner and voicing are multinomial
logistic regressions (silence is a class), F0 and intensity are ridge regressions. Scores printed and kept in the file:
held-out recordings of the prompts (five folds), other speakers after training on the prompts alone, and the same with
random weights. The probes themselves are then trained on everything. Put the printed SHA-256 into
methods/live_probes/probe_set.py.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np
from safetensors.numpy import save_file

from methods.core import corpus as corpora
from methods.core import models
from methods.core.corpus import features
from methods.core.corpus.features import Features
from methods.core.models import speech_model
from methods.core.progress import finish
from methods.core.speech import phonology, praat
from methods.core.statistics import linear_probe, scores, splits
from methods.core.statistics.linear_probe import Probe
from methods.live_probes.probe_set import CLASSIFIED, FILES, FOLDER, HEARD, MEASURED, RANDOM_SEED, SILENCE, test_states
from methods.probing.logistic import Logistic

C = 0.02  # inverse penalty on standardised features; of .005, .02 and .1 the best on held-out recordings
TARGETS = (*CLASSIFIED, *MEASURED)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    prompts, voices, heard = corpora.bundled("prompts"), corpora.bundled("voices"), {}
    for identifier, (name, _) in FILES.items():
        began = time.perf_counter()
        model = models.load_model(identifier)
        sources = {"": model, "random/": models.random_twin(model, RANDOM_SEED)}
        kept, card = {}, {"weights_sha256": model.weights_sha256, "trained": [], "other": [], "random": []}
        for prefix, source in sources.items():
            layers = [with_mfcc(corpus, source) for corpus in (prompts, voices)]
            labels = [labelled(corpus, layers[i]) for i, corpus in enumerate((prompts, voices))]
            card |= {"layers": layers[0].names, "classes": {t: classes(labels, t) for t in CLASSIFIED}}
            for target in TARGETS:
                for layer in range(len(layers[0].names)):
                    probe, held, other = one(layers, labels, target, layer)
                    kept[f"{prefix}{target}/{layer}"] = np.vstack([probe.weights, probe.intercept]).astype(np.float16)
                    side = "random" if prefix else "trained"
                    card[side].append([target, layer, round(held, 4)])
                    card["other"] += [] if prefix else [[target, layer, round(other, 4)]]
                    print(
                        f"{identifier} {prefix}{target} {layers[0].names[layer]}: {held:.3f}, others {other:.3f}",
                        flush=True,
                    )
        heard[identifier] = test_states(model).round(5).tolist()
        save_file(kept, FOLDER / name, metadata={"card": json.dumps(card)})
        digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
        print(f"{name}: {time.perf_counter() - began:.0f} s, SHA-256 {digest}", flush=True)
    HEARD.write_text(json.dumps(heard) + "\n", encoding="utf-8")


def with_mfcc(corpus: corpora.Corpus, model: speech_model.SpeechModel) -> Features:
    """MFCC as the lowest layer, then the model's own."""
    states = finish(features.of_model(corpus, model, window="full", subtract_silence=False))
    acoustic = features.acoustic(corpus, model, "mfcc")
    own = zip(states.names, states.layers, strict=True)
    kept = [(name, layer) for name, layer in own if name != "CNN"]
    names, layers = zip(("MFCC", acoustic.layers[0]), *kept, strict=True)
    return Features(names, layers, states.offsets, states.times, states.grids)


def labelled(corpus: corpora.Corpus, states: Features) -> dict[str, np.ndarray]:
    """Each target at every frame: class names, or numbers with NaN where there is nothing to measure."""
    found = {target: [] for target in TARGETS}
    for utterance, grid in zip(corpus.utterances, states.grids, strict=True):
        phone = np.full(grid.frames, SILENCE, dtype="<U8")
        for segment in utterance.phones:
            if segment.end - segment.start <= 0.35:  # s; longer ones have swallowed a pause
                span = grid.span(segment)
                phone[span.start : span.stop] = segment.label
            else:
                span = grid.span(segment)
                phone[span.start : span.stop] = ""
        found["phone"].append(phone)
        for feature in ("manner", "voicing"):
            named = [SILENCE if p == SILENCE else phonology.feature(p, feature) for p in phone]
            found[feature].append(np.array(named, dtype="<U12"))
        found["f0"].append(12 * np.log2(praat.f0(utterance.clip, grid.times) / 100))
        found["intensity"].append(praat.intensity(utterance.clip, grid.times))
    return {target: np.concatenate(parts) for target, parts in found.items()}


def classes(labels: list[dict[str, np.ndarray]], target: str) -> list[str]:
    return sorted({str(label) for part in labels for label in part[target]} - {""})


def one(layers: list[Features], labels: list[dict], target: str, layer: int) -> tuple[Probe, float, float]:
    """The probe trained on everything, its score on held-out prompts, and on other speakers without them."""
    kept = [usable(part[target]) for part in labels]
    x = [states.layers[layer][use].astype(np.float64) for states, use in zip(layers, kept, strict=True)]
    y = [part[target][use] for part, use in zip(labels, kept, strict=True)]
    names = np.array(classes(labels, target)) if target in CLASSIFIED else None
    fold = splits.group_folds(layers[0].utterance[kept[0]])
    said = np.empty(len(y[0]), dtype=y[0].dtype)
    for k in range(fold.max() + 1):
        said[fold == k] = predicted(fitted(x[0][fold != k], y[0][fold != k], names), x[0][fold == k], names)
    alone = fitted(x[0], y[0], names)
    probe = fitted(np.vstack(x), np.concatenate(y), names)
    return probe, score(said, y[0]), score(predicted(alone, x[1], names), y[1])


def usable(values: np.ndarray) -> np.ndarray:
    return values != "" if values.dtype.kind == "U" else np.isfinite(values)


def fitted(x: np.ndarray, y: np.ndarray, names: np.ndarray | None) -> Probe:
    if names is None:
        return linear_probe.Fit(linear_probe.moments(x, y[:, None])).probe(100.0)
    codes = np.searchsorted(names, y)
    found = Logistic.trained(x, codes, C)
    weights, intercept = np.zeros((x.shape[1], len(names))), np.full(len(names), -30.0)  # never heard: never said
    present = found.model.classes_
    probe = found.probe
    if len(present) == 2:  # scikit-learn keeps one column for two classes
        probe = Probe(np.hstack([-probe.weights, probe.weights]) / 2, np.array([-1, 1]) * probe.intercept[0] / 2)
    weights[:, present], intercept[present] = probe.weights, probe.intercept
    return Probe(weights, intercept)


def predicted(probe: Probe, x: np.ndarray, names: np.ndarray | None) -> np.ndarray:
    return probe(x)[:, 0] if names is None else names[probe(x).argmax(1)]


def score(said: np.ndarray, truth: np.ndarray) -> float:
    """Accuracy, or R² of numbers."""
    if truth.dtype.kind == "U":
        return float((said == truth).mean())
    return float(scores.r_squared(said[:, None], truth[:, None])[0])


if __name__ == "__main__":
    main()
