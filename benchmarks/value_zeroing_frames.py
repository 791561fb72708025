"""Value zeroing of every single frame of a 5 s clip: how close is it to what the machine's multiplications allow?

    python benchmarks/value_zeroing_frames.py --model openai/whisper-base --layer 3 --repeats 3

One encoder layer, one zeroed frame at a time (250 of them), distances of the clip's own 250 frames, one process.

    ours            site_distances on a recorded pass, every frame
    second product  the part of it that nothing can fold away: (frames, 4d) × (4d, d) for each zeroed frame
    GEMM rate       torch.mm of exactly those shapes on fresh arrays, run for about a second
    peer            as published: the whole layer again for each frame, eager attention, full cosine matrix; timed on a
                    few frames and EXTRAPOLATED to all, as all of them would take minutes

The share that is printed is (multiply-adds of the second product / seconds of ours) / GEMM rate: the whole call, with
everything else that it does, is charged to that product.
"""

import argparse
import copy
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("SPEECH_THREADS", "1")  # the measurement of threads would undo --threads

import torch
from value_zeroing import FRAME, SECONDS, final_norm, first_example, five_seconds, log_mel, recorded, rerun

from methods.core import models
from methods.core.mixing.zeroing import site_distances
from methods.core.models import load_model

FRAMES = round(SECONDS / FRAME)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", default="openai/whisper-base")
    options.add_argument("--layer", type=int, default=3, help="from 1")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--peer-frames", type=int, default=4, help="frames on which the peer form is timed")
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    os.environ["SPEECH_THREADS"] = str(chosen.threads)  # what load_model sets
    model = load_model(chosen.model)
    clip = five_seconds(first_example())
    with torch.inference_mode():
        site = models.encoder_states(clip, model).sites[chosen.layer - 1]
        groups = [range(frame, frame + 1) for frame in range(FRAMES)]
        peer = prepared_peer(model, log_mel(clip, model.network), chosen.layer - 1)
        rounds = [
            (
                seconds(lambda: site_distances(site, groups, groups)),
                gemm_rate(site),
                seconds(lambda: [peer(frame) for frame in spread(chosen.peer_frames)]) / chosen.peer_frames,
            )
            for _ in range(chosen.repeats)
        ]
    report(site, rounds, chosen)


def report(site, rounds: list[tuple[float, float, float]], chosen: argparse.Namespace) -> None:
    ours, rate, once = (statistics.median(column) for column in zip(*rounds, strict=True))
    work = 2 * FRAMES * FRAMES * site.rest.outer.numel()  # a multiplication and an addition each
    shares = [work / taken / gemm for taken, gemm, _ in rounds]
    print(f"{chosen.model}, layer {chosen.layer}, {FRAMES} frames, {chosen.threads} thread(s), {len(rounds)} rounds")
    print(f"ours, every frame            {ours:8.3f} s (best {min(r[0] for r in rounds):.3f})")
    print(f"second FFN product           {work / 1e9:8.1f} GFLOP = {work / ours / 1e9:.0f} GFLOP/s of the whole call")
    print(f"GEMM rate here               {rate / 1e9:8.0f} GFLOP/s")
    print(f"share of the GEMM rate       {statistics.median(shares):8.0%} (best {max(shares):.0%})")
    print(f"peer, one frame              {once:8.3f} s; all {FRAMES}: {once * FRAMES:.0f} s (extrapolated)")
    print(f"ratio to the peer            {once * FRAMES / ours:8.1f} x (extrapolated)")


def gemm_rate(site, least: float = 1.0) -> float:
    """Floating-point operations per second of torch.mm on the second product's shapes."""
    weight = torch.randn_like(site.rest.outer).T.contiguous()  # (4d, d)
    hidden = torch.randn(FRAMES, weight.shape[0])
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < least:
        torch.mm(hidden, weight)
        count += 1
    return 2 * FRAMES * weight.numel() * count / taken


def prepared_peer(model, features: torch.Tensor, index: int) -> Callable[[int], torch.Tensor]:
    """frame -> the published distances of all positions of the window when that frame is zeroed."""
    eager = copy.deepcopy(model.network)
    eager.set_attn_implementation("eager")
    encoder = eager.model.encoder
    call, layer, norm = recorded(encoder, features)[index], encoder.layers[index], final_norm(encoder, index)
    original = torch.nn.functional.normalize(norm(call.output)[0], dim=-1)

    def once(frame: int) -> torch.Tensor:
        zeroed = norm(rerun(layer, call, "self_attn", range(frame, frame + 1)))[0]
        return (1 - torch.nn.functional.normalize(zeroed, dim=-1) @ original.T).diagonal()

    return once


def spread(count: int) -> list[int]:
    """Frames spread over the clip."""
    return [round((number + 0.5) * FRAMES / count) for number in range(count)]


def seconds(work: Callable) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
