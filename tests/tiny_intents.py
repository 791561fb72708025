"""A tiny random model with three classifiers over one network, as the tutorial's intent model has."""

from tiny_wav2vec2 import tiny_config, tiny_network
from transformers import Wav2Vec2FeatureExtractor

from methods.core.models.speech_model import SpeechModel
from methods.core.models.wav2vec2 import IntentHeads


def tiny_intents(seed: int = 3) -> SpeechModel:
    """Action (6 classes), object (14) and location (4); “none” is an object and a location."""
    config = tiny_config("wav2vec2", num_labels_1=6, num_labels_2=14, num_labels_3=4)
    network = tiny_network(config, IntentHeads, seed=seed)
    return SpeechModel(
        "tiny-intents", "wav2vec2", network, Wav2Vec2FeatureExtractor(do_normalize=True), None, "2" * 64
    )
