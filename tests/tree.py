"""Every text file of the repository, for the tests that read the house rules from the sources."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = {".py", ".md", ".txt", ".toml", ".js", ".css", ".html", ".json", ".csv", ".yaml", ".yml", ".sh", ".cff", ""}


def tree_sources() -> dict[str, str]:
    """Every text file of the repository. Virtual environments and hidden folders are not ours, .ci is."""
    sources, folders = {}, [ROOT]
    while folders:
        for entry in folders.pop().iterdir():
            hidden = entry.name.startswith(".") and entry.name not in {".ci", ".gitignore"}
            if hidden or entry.name == "__pycache__" or (entry / "pyvenv.cfg").exists():
                continue
            if entry.is_dir():
                folders.append(entry)
            elif entry.suffix in TEXT:
                sources[entry.relative_to(ROOT).as_posix()] = entry.read_text(encoding="utf-8")
    return sources
