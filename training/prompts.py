"""Fetch the recordings that our CTC heads are trained and tested on, from two Debian packages, and decode them.

    python training/prompts.py --audio FOLDER

needs apt-get and dpkg-deb, but installs nothing. It makes

    FOLDER/prompts/…/NAME.wav       English Asterisk prompts, 16 kHz mono 16-bit, one speaker (Allison Smith)
    FOLDER/others/NAME.wav, .txt    five LibriVox sentences of another speaker, each with its words

The recordings stay outside the repository. Prompts: CC BY-SA 3.0; LibriVox: public domain.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import av
import numpy as np
import soundfile

PACKAGES = ("asterisk-core-sounds-en-g722", "pocketsphinx-testdata")  # tested with 1.6.1-1 and 0.8+5prealpha+1-15
PROMPTS = "usr/share/asterisk/sounds/en_US_f_Allison"
LIBRIVOX = "usr/share/pocketsphinx/test/data/librivox"
RATE = 16_000  # Hz, of G.722 and of the LibriVox files


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--audio", type=Path, required=True, help="folder to make")
    folder = options.parse_args().audio
    with tempfile.TemporaryDirectory() as place:
        root = unpacked(Path(place))
        decode_prompts(root / PROMPTS, folder / "prompts")
        copy_librivox(root / LIBRIVOX, folder / "others")


def unpacked(place: Path) -> Path:
    """The packages' files, without installing them."""
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=place, check=True)
    for package in place.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package.name, "files"], cwd=place, check=True)
    return place / "files"


def decode_prompts(source: Path, target: Path) -> None:
    """Every prompt as WAV under the same name."""
    for path in sorted(source.rglob("*.g722")):
        made = target / path.relative_to(source).with_suffix(".wav")
        made.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), format="g722") as file:
            samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
        soundfile.write(made, samples, RATE, subtype="PCM_16")


def copy_librivox(source: Path, target: Path) -> None:
    """Each sentence with a text file of what is said."""
    target.mkdir(parents=True, exist_ok=True)
    for line in (source / "transcription").read_text(encoding="utf-8").splitlines():
        words, name = re.fullmatch(r"<s> (.+) </s> \((.+)\)", line).groups()
        shutil.copyfile(source / f"{name}.wav", target / f"{name}.wav")
        (target / f"{name}.txt").write_text(words + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
