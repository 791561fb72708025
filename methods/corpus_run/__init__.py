"""Any technique that analyses a clip, over many clips, models and options; on one machine or on a cluster.

    python -m methods run value_zeroing --model openai/whisper-base --corpus FOLDER --option stacks=encoder
    python -m methods summarise results --technique value_zeroing --value share --by model,layer

What is measured is what the page measures: `analyse` of the technique, with the words or phones that the labels give.
Every clip becomes one small file whose name is made from all that its numbers depend on, so that a run that was
stopped goes on where it was and nothing is measured twice. At the end they are one tidy Parquet table per technique.
"""

from methods.corpus_run.plan import Ask
from methods.corpus_run.run import Summary, run
from methods.corpus_run.summary import differences, means

__all__ = ["Ask", "Summary", "differences", "means", "run"]
