"""Runs: one computation for all who ask the same, and fair turns between those who ask for different things.

turns.py       whose turn it is; joining, leaving, dropping
jobs.py        one computation and its watchers
question.py    when two visitors ask the same
store.py       what is kept in memory for everybody, bounded by bytes
experience.py  place and estimate for those who wait
watching.py    the same for Gradio's event loop: waiting costs no thread
drawing.py     what is drawn, once for all who see it
loading.py     models on their way, beside the turns
machine.py     the one of each that this process has
"""
