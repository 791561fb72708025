"""Does a phone check find planted mistakes, and how often does it doubt what is right?

    python benchmarks/phone_check.py [--models NAME ...] [--every N]

For each model and each form, at the last layer, over the bundled recordings of native speakers (every N-th of them;
our heads: those that they have not learnt from). Every phone is claimed to be each other phone in turn, one at a
time, and compared with native phones of the claimed kind in the other recordings.

    found       share of the planted mistakes that are doubted (below the 5th percentile)
    named       share of them whose best rival is what was really said
    false       share of the phones claimed rightly that are doubted; about .05 by construction
    s           seconds for one recording, native phones known, no random weights
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np

from methods import phone_check
from methods.core import models
from methods.phone_check import FORMS, NOTHING, natives

MODELS = ("hama-ctc", "openai/whisper-tiny.en")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", nargs="+", default=MODELS, help="names of models (default: %(default)s)")
    parser.add_argument("--every", type=int, default=1, help="take every N-th recording")
    asked = parser.parse_args(arguments)
    print(f"{'model':24} {'form':8} {'phones':>6} {'found':>6} {'named':>6} {'false':>6} {'s':>5}")
    for name in asked.models:
        for line in measured(name, asked.every):
            print(line, flush=True)


def measured(name: str, every: int) -> list[str]:
    model, counts, seconds = models.load_model(name), {form: np.zeros(6) for form in FORMS}, []
    for utterance in natives.unheard(model, "")[::every]:
        options = {"segments": utterance.phones, "random_seeds": ()}
        phone_check.analyse(utterance.clip, model, **options)  # the first reads the native phones
        begin = time.perf_counter()
        result = phone_check.analyse(utterance.clip, model, **options)
        seconds.append(time.perf_counter() - begin)
        for form in FORMS:
            counts[form] += planted(result, form)
    return [_line(name, form, values, float(np.median(seconds))) for form, values in counts.items()]


def planted(result: phone_check.PhoneCheck, form: phone_check.Form) -> np.ndarray:
    """Planted, found, named; right phones that can be judged, doubted; and all right ones.

    The scores of a phone replaced by each other are those of the string with that mistake in it.
    """
    counts = np.zeros(6)
    judged = [k for k in range(len(result.kinds)) if (result.native.kind == k).sum() >= phone_check.FEWEST]
    for place, own in enumerate(result.own):
        scores, others = result.scores(form)[-1, place], np.arange(result.scores(form).shape[-1])
        for claimed in judged:
            rivals = np.where(others == claimed, -np.inf, scores)
            native = result.native.of(form)[-1, result.native.kind == claimed]
            margin = scores[claimed] - rivals.max()
            doubted = 100 * ((native < margin) + 0.5 * (native == margin)).mean() < phone_check.DOUBTED
            named = [*result.kinds, NOTHING][int(rivals.argmax())] == result.kinds[own]
            counts += [0, 0, 0, 1, doubted, 0] if claimed == own else [1, doubted, doubted and named, 0, 0, 0]
        counts[5] += 1
    return counts


def _line(name: str, form: str, counts: np.ndarray, seconds: float) -> str:
    wrong, found, named, right, false, phones = counts
    shares = found / wrong, named / max(found, 1), false / max(right, 1)
    return f"{name:24} {form:8} {phones:6.0f} " + " ".join(f"{share:6.2f}" for share in shares) + f" {seconds:5.2f}"


if __name__ == "__main__":
    main()
