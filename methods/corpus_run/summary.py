"""Means over recordings, their intervals, and whether models differ: from the table of a run.

A recording has many rows (layers, words, heads). Within each group a recording is first averaged to one number, so
that long ones do not count more, and, where speakers are counted, a speaker's recordings to one number; intervals are
over the recordings (or speakers), since rows of one recording are not independent.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from scipy import stats

from methods.core.errors import UserError, counted
from methods.core.figures import draw
from methods.core.statistics import intervals

PROVENANCE = ("technique", "model", "corpus", "clip", "speaker", "options", "code", "key", "clip_sha256",
              "clip_seconds", "weights_sha256", "provenance", "error")  # fmt: skip
ALIKE = ("model", "options", "code")  # rows that differ in these are not pooled
FEWEST = 2  # recordings, to be compared
EXACT = 4096  # sign flips: up to 12 recordings every one of them is tried
DRAWS = 9999  # beyond that, at random


def read(results: str | Path, technique: str | None = None, where: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of a run, those that hold an error left out. `where` keeps some: `column=value`, or `column=column`.

    Raises UserError if there is no such table or column, or no row is left.
    """
    tables = sorted(Path(results).glob("*.parquet"))
    names = [table.stem for table in tables]
    if not tables:
        raise UserError(f"“{results}” holds no table; give the folder that `python -m methods run --out` has written.")
    if technique is None and len(tables) > 1:
        raise UserError(f"“{results}” holds several techniques; add --technique with one of {', '.join(names)}.")
    if technique is not None and technique not in names:
        raise UserError(f"“{results}” holds nothing of “{technique}”; there are: {', '.join(names)}.")
    place = Path(results) / f"{technique or names[0]}.parquet"
    try:
        rows = pq.read_table(place).to_pandas()
    except (pa.ArrowInvalid, OSError) as problem:
        raise UserError(f"“{place}” cannot be read; the command that has written it writes it again.") from problem
    _check_column(rows, "error")
    rows = rows[rows["error"].fillna("") == ""]
    for condition in where:
        column, equals, value = condition.partition("=")
        _check_column(rows, column)
        if not equals:
            raise UserError(f"“{condition}” is no condition; write column=value.")
        rows = rows[_equal(rows[column], rows[value] if value in rows.columns else value)]
    if rows.empty:
        raise UserError("No row is left: every recording was refused, or no row is as --where asks.")
    return rows


def _equal(column: pd.Series, wanted: pd.Series | str) -> pd.Series:
    """Numbers as numbers: 2 is 2.0."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = pd.to_numeric(wanted, errors="coerce") if isinstance(wanted, pd.Series) else _number(wanted)
        return column == numbers
    texts = wanted.astype(str).str if isinstance(wanted, pd.Series) else wanted
    return column.astype(str).str.lower() == texts.lower()  # true is True


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _check_column(rows: pd.DataFrame, column: str) -> None:
    if column not in rows.columns:
        there = ", ".join(name for name in rows.columns if name not in PROVENANCE[5:])
        raise UserError(f"There is no column “{column}”; there are: {there}.")


def means(rows: pd.DataFrame, value: str, by: Sequence[str], *, over: str = "clip") -> pd.DataFrame:
    """For each group its mean over recordings (or speakers), the median, and the 95% interval of the mean.

    One line per group: the columns of `by`, count, mean, median, low, high; an interval of fewer than five recordings
    is NaN (the rule of `core.statistics.intervals`). Raises UserError for a column that is not there or holds no
    numbers, and where rows of different options or of different versions of the code would be pooled.
    """
    one_each = _one_each(rows, value, by, over)
    lines = []
    for group, part in one_each.groupby(list(by), sort=True, observed=True, dropna=False) if by else [((), one_each)]:
        known = part.dropna(subset=[value])
        values, units = known[value].to_numpy(float), known[over].to_numpy()
        low, high = intervals.of_mean(values, units) if len(values) else (np.nan, np.nan)
        middle = (values.mean(), np.median(values)) if len(values) else (np.nan, np.nan)
        numbers = (len(np.unique(units)), *middle, low, high)
        lines.append(dict(zip((*by, f"{over}s", "mean", "median", "low", "high"), (*group, *numbers), strict=True)))
    return pd.DataFrame(lines)


def differences(rows: pd.DataFrame, value: str, by: Sequence[str], column: str, *, over: str = "clip") -> pd.DataFrame:
    """For each pair of values of `column` (two models, say): the mean paired difference, first less second.

    One line per group of the other columns of `by` and per pair: recordings that both have and how many only one has
    (`unpaired`, left out), the mean difference, its 95% interval, p of a two-sided permutation test that flips the
    signs of the recordings' differences (Fisher 1935; every flip up to 12 recordings, 9,999 at random beyond), and
    p_holm, corrected over all lines (Holm 1979).
    """
    if column == over:
        raise UserError(
            f"A {over} cannot be compared with itself: differences are within each {over}; compare models."
        )
    others = [name for name in by if name != column]
    one_each = _one_each(rows, value, [*others, column], over)
    lines = []
    for group, part in (
        one_each.groupby(others, sort=True, observed=True, dropna=False) if others else [((), one_each)]
    ):
        wide = part.pivot_table(values=value, index=over, columns=column, aggfunc="mean", observed=True)
        names = list(wide.columns)
        for first, second in ((a, b) for i, a in enumerate(names) for b in names[i + 1 :]):
            apart = (wide[first] - wide[second]).dropna()
            unpaired = int(wide[[first, second]].isna().any(axis=1).sum())
            if len(apart) >= FEWEST:
                low, high = intervals.of_mean(apart.to_numpy(), apart.index.to_numpy())
                numbers = (len(apart), unpaired, apart.mean(), low, high, flipped(apart.to_numpy()))
                keys = (*others, "first", "second", f"{over}s", "unpaired", "difference", "low", "high", "p")
                lines.append(dict(zip(keys, (*group, first, second, *numbers), strict=True)))
    if not lines:
        raise UserError(
            f"Nothing can be compared: “{column}” needs two values or more that share {FEWEST} {over}s or more."
        )
    return pd.DataFrame(lines).assign(p_holm=lambda table: holm(table["p"].to_numpy()))


def flipped(apart: np.ndarray) -> float:
    """Two-sided p of paired differences under random signs."""
    exact = 2 ** len(apart) <= EXACT
    found = stats.permutation_test(
        (apart,), lambda x, axis: x.mean(axis), permutation_type="samples", vectorized=True,
        n_resamples=np.inf if exact else DRAWS, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.pvalue)


def holm(p: np.ndarray) -> np.ndarray:
    """Step-down corrected p values (Holm 1979): the k-th smallest times (n - k + 1), never falling, at most 1."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def _one_each(rows: pd.DataFrame, value: str, by: Sequence[str], over: str) -> pd.DataFrame:
    """One number for each recording in each group."""
    for column in (value, *by, over):
        _check_column(rows, column)
    if value in by:
        raise UserError(f"“{value}” cannot be both the number and what parts the rows; leave it out of --by.")
    if not pd.api.types.is_numeric_dtype(rows[value]):
        numbers = [name for name in rows.columns if pd.api.types.is_numeric_dtype(rows[name])]
        raise UserError(f"“{value}” holds no numbers; choose one of {', '.join(numbers)}.")
    _check_alike(rows, by)
    _check_once(rows)
    _check_known(rows, over)
    if "corpus" in rows:  # recordings (and speakers) of two sets may have the same name
        rows = rows.assign(
            **{name: rows["corpus"].astype(str) + "/" + rows[name].astype(str) for name in ("clip", over)}
        )
    for units in (("clip", over), (over,)):
        keys = list(dict.fromkeys((*by, *units)))
        rows = rows.groupby(keys, observed=True, dropna=False)[value].mean().reset_index()
    return rows


def _check_alike(rows: pd.DataFrame, by: Sequence[str]) -> None:
    """Rows of another model, other options, or another version of the code are another quantity."""
    for column in ALIKE:
        found = rows[column].dropna().unique()
        if column not in by and len(found) > 1:
            raise UserError(
                f"The rows differ in their {column} ({'; '.join(map(str, found[:3]))}), and are not pooled; add "
                f"“{column}” to --by, or keep one of them with --where {column}=…"
            )


def _check_known(rows: pd.DataFrame, over: str) -> None:
    """Recordings whose speaker nobody named are not one speaker."""
    unnamed = rows[over].isna() | (rows[over] == "")
    if unnamed.any():
        lacking, all_of_them = rows.loc[unnamed, "clip"].nunique(), counted(rows["clip"].nunique(), "recording")
        raise UserError(
            f"{lacking} of {all_of_them} name no {over}, so nothing "
            f"can be counted over {over}s; name them in the corpus and measure again, or use --over clip."
        )


def _check_once(rows: pd.DataFrame) -> None:
    """A recording counts once: one that was measured before and after its sound or labels changed is refused."""
    names = [name for name in (*ALIKE, "corpus", "clip") if name in rows]
    several = rows.groupby(names, observed=True, dropna=False)["key"].nunique()
    if (several > 1).any():
        clip = several.index[several.to_numpy() > 1][0][-1]
        raise UserError(
            f"“{clip}” is there {several.max()} times: its sound or labels have changed since, or two sets of one "
            "name lie in this folder; keep one with --where key=…, or measure into a new folder."
        )


def figure(table: pd.DataFrame, value: str, by: Sequence[str]) -> Figure:
    """The means with their intervals: curves over the layers where the table has them, else one bar per group."""
    drawn = draw.new_figure(6.4, 3.6)  # inches
    ax = drawn.subplots()
    if "layer" in by:
        rest = [name for name in by if name != "layer"]
        for name, part in table.groupby(rest, sort=True) if rest else [(("mean",), table)]:
            line = ax.plot(part["layer"], part["mean"], marker="o", ms=3, label=", ".join(map(str, name)))[0]
            ax.fill_between(part["layer"], part["low"], part["high"], color=line.get_color(), alpha=0.2, lw=0)
        ax.set_xlabel("layer")
        draw.plain_axes(ax)
    else:
        names = table[list(by)].astype(str).agg("\n".join, axis=1) if by else ["all"]
        below, above = table["mean"] - table["low"], table["high"] - table["mean"]
        ax.errorbar(np.arange(len(table)), table["mean"], yerr=[below, above], fmt="o", capsize=3)
        ax.set_xticks(np.arange(len(table)), list(names))
        draw.plain_axes(ax)
    ax.set_ylabel(f"{value} (mean, 95% interval)")
    return drawn
