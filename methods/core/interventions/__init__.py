"""Changing what is inside a network and letting the rest of it run: the one home of patched and silenced sites.

    run = encoder.record(model, samples)                 # Whisper's encoder, everything that a change may start from
    stream = encoder.patched(run, other, 2, "residual", [frames])
    states = encoder.onward(run, stream, 2)              # only the layers above 2 are run
    asked = wanted.of_word(transcript, "greasy")
    asked.logprobs(model, states)                        # what the decoder, reading these states, gives to the word

    read = decoder.record(model, states, asked.read)     # the same for the decoder's positions
    decoder.without_heads(read, ({1: (0, 3)}, {}), "zero")   # self-attention's and cross-attention's heads

Layer 0 is what the first block reads, layer l the output of block l; blocks and heads count from 0.
"""
