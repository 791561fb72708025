"""How long does an encoding probe of the bundled corpora take, from states that are kept, and how long is a step?

    python benchmarks/encoding_probe.py [--model NAME] [--threads N]

Seconds of the processor until each picture is there, and the longest step, on the second of two runs: the first one
encodes the recordings. Beside it one layer by a plain loop: RidgeCV for all blocks and all but each.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
options.add_argument("--model", default="openai/whisper-tiny.en")
options.add_argument("--threads", type=int, default=1)
ASKED = options.parse_args()
os.environ["SPEECH_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(ASKED.threads)

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from methods import encoding_probe
from methods.core import corpus as corpora
from methods.core.corpus import Corpus, features
from methods.core.models import load_model
from methods.core.models.speech_model import SpeechModel
from methods.core.progress import finish
from methods.core.statistics import linear_probe, splits
from methods.encoding_probe import blocks


def main() -> None:
    corpus = corpora.bundled("prompts").joined(corpora.bundled("voices"))
    model = load_model(ASKED.model)
    print(f"{model.id}, {len(corpus.utterances)} recordings, {ASKED.threads} thread(s)")
    encoding_probe.analyse(corpus, model)
    begin = last = time.process_time()
    steps, longest = encoding_probe.analyse.in_steps(corpus, model), 0.0
    for step in steps:
        now = time.process_time()
        longest, last = max(longest, now - last), now
        if step.partial is not None:
            print(f"{now - begin:7.1f} s  next: {step.text}")
    print(f"{time.process_time() - begin:7.1f} s  all of it; longest step {longest:.2f} s")
    print(f"{plain(corpus, model):7.1f} s  one layer by plain loops, without controls")


def plain(corpus: Corpus, model: SpeechModel) -> float:
    """Seconds for the unique shares of one layer."""
    states = finish(features.of_model(corpus, model))
    asked = blocks.design(corpus, features.acoustic(corpus, model, "mfcc"))
    layer = features.pooled(states, asked.items)[-1].astype(float)
    fold, begin = splits.group_folds(asked.items.utterance), time.process_time()
    for columns in (asked.every, *(np.setdiff1d(asked.every, own) for own in asked.columns)):
        for k in range(5):
            probe = make_pipeline(StandardScaler(), RidgeCV(linear_probe.PENALTIES))
            probe.fit(asked.values[np.ix_(fold != k, columns)], layer[fold != k])
            probe.predict(asked.values[np.ix_(fold == k, columns)])
    return time.process_time() - begin


if __name__ == "__main__":
    main()
