"""Inside Speech Models: the page. `python app.py` starts it."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio is imported

import gradio as gr

from page import shell

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
    "footer_links": ["api", "gradio", "settings"],
}

if __name__ == "__main__":
    shell.warm_up()
    demo.queue(default_concurrency_limit=4, max_size=20).launch(**LAUNCH)
