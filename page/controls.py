"""What several tabs ask with the same words: which layer, which hidden states, how much Whisper hears."""

MOST_LAYERS, MOST_HEADS = 48, 32  # whisper-large has 32 and 20; the server checks calls against these
STATES = [("less those of silence at the same place (Whisper)", "silence"), ("as they are", "raw")]
RAW_FIRST = STATES[::-1]  # for probes, which do not mind what all states share
WINDOWS = [("the clip alone (quicker, not its usual input)", "clip"), ("its exact 30 s window", "full")]
