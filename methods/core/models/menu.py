"""The model menu: what the page offers, by family, offline models first."""

from dataclasses import dataclass

HAMA = "hama-ctc"


@dataclass(frozen=True)
class ModelCard:
    """One line of the model menu."""

    family: str
    title: str
    megabytes: int  # download, or the bundled half-precision file
    layers: int  # blocks of the encoder
    languages: str
    note: str  # size, training, what it is good for

    @property
    def label(self) -> str:
        """The line as the menu shows it."""
        return f"{self.title} · {self.languages} · {self.megabytes} MB"


MODELS: dict[str, ModelCard] = {
    # Here offline.
    "openai/whisper-tiny.en": ModelCard("Whisper", "Whisper tiny.en", 76, 4, "English", "4 + 4 layers; the quickest"),
    "openai/whisper-base": ModelCard("Whisper", "Whisper base", 145, 6, "99 languages", "6 + 6 layers; also French"),
    HAMA: ModelCard(
        "CTC", "hama-ctc (phones, English)", 5, 4, "English, Korean", "conformer, 4 blocks; data not stated"
    ),
    # Downloaded on first use.
    "openai/whisper-tiny": ModelCard("Whisper", "Whisper tiny", 151, 4, "99 languages", "4 + 4 layers"),
    "openai/whisper-base.en": ModelCard("Whisper", "Whisper base.en", 290, 6, "English", "6 + 6 layers"),
    "openai/whisper-small": ModelCard(
        "Whisper", "Whisper small", 967, 12, "99 languages", "12 + 12 layers; slow here"
    ),
    "facebook/wav2vec2-base": ModelCard(
        "wav2vec 2.0", "wav2vec 2.0 base", 380, 12, "English", "self-supervised, 960 h, 12 layers; has a quantiser"
    ),
    "facebook/wav2vec2-base-960h": ModelCard(
        "wav2vec 2.0", "wav2vec 2.0 base 960h", 378, 12, "English", "CTC, letters, fine-tuned on 960 h, 12 layers"
    ),
    "facebook/hubert-base-ls960": ModelCard("HuBERT", "HuBERT base", 378, 12, "English", "self-supervised, 12 layers"),
    "microsoft/wavlm-base-plus": ModelCard("WavLM", "WavLM base+", 378, 12, "English", "self-supervised, 94,000 h"),
    "facebook/wav2vec2-xls-r-300m": ModelCard(
        "XLS-R", "XLS-R 300M", 1270, 24, "128 languages", "self-supervised, 24 layers; slow here"
    ),
    "facebook/wav2vec2-large-xlsr-53-french": ModelCard(
        "XLS-R", "XLSR-53 French", 1262, 24, "French", "CTC, letters, 24 layers; slow here"
    ),
    "superb/wav2vec2-base-superb-ks": ModelCard(
        "Classifiers", "Keyword spotting (wav2vec 2.0)", 378, 12, "English", "12 classes, SUPERB"
    ),
    "superb/wav2vec2-base-superb-er": ModelCard(
        "Classifiers", "Emotion (wav2vec 2.0)", 378, 12, "English", "4 classes, SUPERB"
    ),
    "techsword/wav2vec2-base-fsc-ic-multiheadmultilabel": ModelCard(
        "Classifiers", "Intent, three heads (wav2vec 2.0)", 378, 12, "English", "the tutorial's model"
    ),
}
