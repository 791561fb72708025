__version__ = (
    "0.1.0"  # also in pyproject.toml, CITATION.cff and the newest entry of CHANGELOG.md; a test compares them
)
