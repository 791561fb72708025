"""Inside Speech Models: the page. `python app.py` starts it; `--device cuda` or `mps` lets a GPU compute."""

import argparse
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio is imported
# Gradio sums up the times of all events after each of them, with pandas: 20 ms of a machine that others wait for.
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")

import gradio as gr

from methods.core import models
from methods.core.errors import UserError
from page import ready, shell, upkeep, zero_gpu

__all__ = ["demo", "zero_gpu"]  # zero_gpu: a ZeroGPU Space looks for its marker when the page is launched

demo = shell.build()

LAUNCH = {
    "theme": gr.themes.Default(
        primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ),
    "css": shell.STYLE,
    "head": shell.HEAD,
    "ssr_mode": False,  # the same code path here and on a Space
    "max_file_size": "20mb",
    "run_history": False,  # would keep every visitor's runs, voices included, in their browser
    "app_kwargs": upkeep.SERVER,
    "footer_links": ["api", "gradio", "settings"],
    # Gradio would ask for the page once more, and not open if a slow machine takes over 3 s to make it the first time.
    "_frontend": False,
    "max_threads": 500,  # events at a time; a visitor who waits is one of them, and takes no thread
}
QUEUE = {"default_concurrency_limit": 4, "max_size": 2000}  # a class that clicks all at once is nobody to refuse


def choose_device() -> None:
    """What `--device` asks for, checked before the page opens, so that nobody finds out from a failed run."""
    parser = argparse.ArgumentParser(description="Inside Speech Models: the page, on http://127.0.0.1:7860.")
    parser.add_argument("--device", help="where models run: cpu, cuda, cuda:1, mps; default: SPEECH_DEVICE, else cpu")
    try:
        models.use_device(parser.parse_args().device)
    except UserError as problem:
        parser.error(str(problem))


if __name__ == "__main__":
    choose_device()
    ready.warm_up()
    upkeep.serve(demo, QUEUE, LAUNCH)
