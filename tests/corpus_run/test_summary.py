"""Means, intervals and differences against closed forms, SciPy and numbers from a textbook."""

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from methods.core.errors import UserError
from methods.corpus_run import summary
from methods.corpus_run.command import main


def table(models=("m1", "m2"), clips=6, layers=2, seed=0):
    rng = np.random.default_rng(seed)
    lines = [
        {"model": model, "clip": f"c{clip}", "speaker": f"s{clip % 3}", "key": f"{model}{clip}", "options": "{}",
         "code": "x", "error": "", "layer": layer, "score": rng.normal() + 0.1 * layer, "word": str(row)}
        for model in models for clip in range(clips) for layer in range(1, layers + 1) for row in range(1 + clip)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def test_a_long_recording_counts_once():
    rows = table()
    found = summary.means(rows, "score", ["model", "layer"])
    wanted = rows.groupby(["model", "layer", "clip"]).score.mean().groupby(["model", "layer"]).agg(["mean", "median"])
    np.testing.assert_allclose(found[["mean", "median"]], wanted, rtol=1e-12)
    assert list(found.clips) == [6] * 4 and ((found.low < found["mean"]) & (found["mean"] < found.high)).all()


def test_the_interval_is_that_of_scipy():
    """With one number per recording the jackknife of a mean is Student's interval."""
    rows = table(models=("m",), clips=40, layers=1)
    found = summary.means(rows, "score", ["model"]).iloc[0]
    values = rows.groupby("clip").score.mean().to_numpy()
    wanted = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    np.testing.assert_allclose([found.low, found.high], wanted, rtol=1e-9)


def test_paired_differences_by_every_flip_of_signs():
    rows = table()
    found = summary.differences(rows, "score", ["layer"], "model")
    for line in found.itertuples():
        mine = rows[rows.layer == line.layer].pivot_table(values="score", index="clip", columns="model")
        apart = (mine.m1 - mine.m2).to_numpy()
        flips = [abs(np.mean(apart * signs)) for signs in itertools.product((1, -1), repeat=len(apart))]
        assert line.difference == pytest.approx(apart.mean(), rel=1e-12)
        assert line.p == pytest.approx(np.mean(np.array(flips) >= abs(apart.mean()) * (1 - 1e-9)), abs=1e-12)


def test_holm_against_the_worked_example():
    """Four tests of .01, .04, .03, .005: .03, .06, .06, .02."""
    np.testing.assert_allclose(summary.holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_what_is_not_alike_is_not_pooled():
    rows = table()
    with pytest.raises(UserError, match="differ in their model"):
        summary.means(rows, "score", ["layer"])
    rows.loc[0, "options"] = '{"gain": 2}'
    with pytest.raises(UserError, match="differ in their options"):
        summary.means(rows, "score", ["model"])
    assert len(summary.means(rows, "score", ["model", "options"])) == 3


@pytest.mark.parametrize(
    ("value", "by", "sentence"),
    [("nothing", ["model"], "no column “nothing”"), ("word", ["model"], "holds no numbers"), ("score", ["x"], "“x”")],
)
def test_columns_that_are_not_there(value, by, sentence):
    with pytest.raises(UserError, match=sentence):
        summary.means(table(), value, by)


def test_nothing_to_compare():
    with pytest.raises(UserError, match="Nothing can be compared"):
        summary.differences(table(models=("m",)), "score", ["layer"], "model")


def test_four_recordings_have_no_interval():
    found = summary.means(table(clips=4), "score", ["model"])
    assert found[["low", "high"]].isna().all(axis=None)


def test_conditions_and_refused_rows(tmp_path):
    rows = table()
    rows.loc[0, "error"] = "refused"
    rows.to_parquet(tmp_path / "loudness.parquet")
    assert len(summary.read(tmp_path)) == len(rows) - 1
    assert set(summary.read(tmp_path, where=["layer=2"]).layer) == {2}
    for asked, sentence in (
        ({"where": ["layer"]}, "no condition"),
        ({"where": ["layer=9"]}, "No row is left"),
        ({"technique": "other"}, "holds nothing of “other”"),
    ):
        with pytest.raises(UserError, match=sentence):
            summary.read(tmp_path, **asked)
    rows.to_parquet(tmp_path / "second.parquet")
    with pytest.raises(UserError, match="holds several techniques"):
        summary.read(tmp_path)
    with pytest.raises(UserError, match="holds no table"):
        summary.read(tmp_path / "nowhere")


def test_the_figure_has_a_curve_with_a_band_for_each_model():
    found = summary.means(table(), "score", ["model", "layer"])
    ax = summary.figure(found, "score", ["model", "layer"]).axes[0]
    assert len(ax.lines) == len(ax.collections) == 2
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), found[found.model == "m1"]["mean"])
    assert len(summary.figure(summary.means(table(), "score", ["model"]), "score", ["model"]).axes) == 1


# Few, none, and odd


def tidy(**changed):
    same = {"model": "m", "speaker": "s", "options": "{}", "code": "x", "error": ""}
    made = {"clip": ["a", "b", "c"], "key": ["1", "2", "3"], "layer": [1.0, 1.0, 1.0], "score": [1.0, 2.0, 4.0]}
    return pd.DataFrame(made).assign(**{**same, **changed})


def test_one_clip_and_no_number():
    one = summary.means(tidy().head(1), "score", ["model", "layer"])
    assert one["mean"].item() == 1 and one[["low", "high"]].isna().all(axis=None)
    none = summary.means(tidy(score=np.nan), "score", ["model", "layer"])
    assert none["mean"].isna().all() and none.clips.item() == 0
    for table in (one, none):
        for by in (["model", "layer"], ["model"]):
            summary.figure(table, "score", by).savefig(os.devnull, format="svg")


def test_a_group_without_a_name_is_a_group_too():
    found = summary.means(tidy(seed=[np.nan, 0, 0]), "score", ["seed", "model"])
    assert sorted(found.clips) == [1, 2]


def test_numbers_are_compared_as_numbers(tmp_path):
    tidy(layer=[1.0, 2.0, np.nan], row=[1, 2, 3], trained=[True, False, True]).to_parquet(tmp_path / "t.parquet")
    for where, count in (("layer=2", 1), ("layer=1.0", 1), ("row=layer", 2), ("trained=true", 2), ("clip=b", 1)):
        assert len(summary.read(tmp_path, where=[where])) == count
    with pytest.raises(UserError, match="No row is left"):
        summary.read(tmp_path, where=["layer=two"])


def test_recordings_of_two_sets_with_the_same_names_are_two():
    both = pd.concat([tidy(corpus="x"), tidy(corpus="y", key=["4", "5", "6"])], ignore_index=True)
    assert summary.means(both, "score", ["model"]).clips.item() == 6


def test_a_speaker_with_many_recordings_counts_once():
    """So the mean difference is the difference of the means, over speakers as over recordings."""
    rows = table(clips=9, layers=1)
    rows["speaker"] = ["a" if clip in ("c0", "c1", "c2", "c3") else clip for clip in rows["clip"]]
    found = summary.means(rows, "score", ["model"], over="speaker")
    clips = rows.groupby(["model", "speaker", "clip"]).score.mean()
    speakers = clips.groupby(["model", "speaker"]).mean().groupby("model")
    np.testing.assert_allclose(found[["mean", "median"]], speakers.agg(["mean", "median"]), rtol=1e-12)
    values = clips.groupby(["model", "speaker"]).mean()["m1"]
    wanted = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    np.testing.assert_allclose(found[["low", "high"]].iloc[0], wanted, rtol=1e-9)
    apart = summary.differences(rows, "score", [], "model", over="speaker").difference.item()
    assert apart == pytest.approx(found["mean"][0] - found["mean"][1], rel=1e-12)


def test_speakers_of_two_sets_with_the_same_names_are_two():
    both = pd.concat([tidy(corpus="x"), tidy(corpus="y", key=["4", "5", "6"])], ignore_index=True)
    assert summary.means(both, "score", ["model"], over="speaker").speakers.item() == 2


@pytest.mark.parametrize("nobody", ["", None])
def test_recordings_without_a_speaker_are_not_one_speaker(nobody):
    rows = tidy(speaker=[nobody, nobody, "s"])
    for work in (summary.means, lambda *asked, **over: summary.differences(*asked, "model", **over)):
        with pytest.raises(UserError, match="2 of 3 recordings name no speaker"):
            work(rows, "score", ["model"], over="speaker")
    assert summary.means(rows, "score", ["model"]).clips.item() == 3


def test_what_a_summary_cannot_do_is_a_sentence(tmp_path, capsys):
    tidy().to_parquet(tmp_path / "t.parquet")
    command = ["summarise", str(tmp_path), "--value", "score"]
    for more, sentence in (
        (["--by", "model,model", "--out", str(tmp_path / "no/such/folder.csv")], "cannot be written"),
        (["--figure", str(tmp_path / "x.tale")], "cannot be written"),
        (["--by", "score"], "cannot be both"),
        (["--by", "modle"], "no column “modle”"),
        (["--compare", "model"], "Nothing can be compared"),
        (["--compare", "clip"], "A clip cannot be compared with itself"),
        (["--compare", "speaker", "--over", "speaker"], "A speaker cannot be compared with itself"),
        (["--figure", str(tmp_path / "x")], "does not say which kind of picture"),
        (["--where", "error=x"], "No row is left"),
    ):
        assert main([*command, *more]) == 2 and sentence in capsys.readouterr().err
    (tmp_path / "t.parquet").write_bytes(b"no table")
    assert main(command) == 2 and "cannot be read" in capsys.readouterr().err


def test_what_only_one_of_two_models_has_is_counted(tmp_path, capsys):
    rows = table(clips=7)
    gone = ((rows.model == "m1") & (rows["clip"] == "c0")) | ((rows.model == "m2") & rows["clip"].isin(["c1", "c2"]))
    rows.loc[(rows.model == "m1") & (rows["clip"] == "c3"), "score"] = np.nan  # nor is what holds no number
    found = summary.differences(rows[~gone], "score", [], "model").iloc[0]
    assert (found.clips, found.unpaired) == (3, 4)
    kept = rows[~gone & ~rows["clip"].eq("c3")]
    mine = kept.pivot_table(values="score", index="clip", columns="model").dropna()
    assert found.difference == pytest.approx((mine.m1 - mine.m2).mean(), rel=1e-12)
    rows[~gone].to_parquet(tmp_path / "t.parquet")
    saved = tmp_path / "my.table.csv"
    assert main(["summarise", str(tmp_path), "--value", "score", "--compare", "model", "--out", str(saved)]) == 0
    assert pd.read_csv(tmp_path / "my.table_differences.csv").unpaired.item() == 4 and len(pd.read_csv(saved)) == 2
    assert "No interval" not in capsys.readouterr().err


def test_an_interval_that_is_not_there_is_explained(tmp_path, capsys):
    table(models=("m",)).to_parquet(tmp_path / "t.parquet")
    assert main(["summarise", str(tmp_path), "--value", "score", "--over", "speaker"]) == 0
    assert "No interval where there are fewer than 5 speakers." in capsys.readouterr().err


def test_half_a_table_is_not_left_on_a_full_disk(tmp_path, monkeypatch, capsys):
    table(models=("m",)).to_parquet(tmp_path / "t.parquet")

    def full(_table, place, **_options):
        Path(place).write_text("model,cl", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    assert main(["summarise", str(tmp_path), "--value", "score", "--out", str(tmp_path / "x.csv")]) == 2
    assert "No space left" in capsys.readouterr().err and not (tmp_path / "x.csv").exists()


def test_nothing_is_written_where_the_comparison_cannot_be_made(tmp_path):
    table(models=("m",)).to_parquet(tmp_path / "t.parquet")
    command = ["summarise", str(tmp_path), "--value", "score", "--compare", "model", "--out", str(tmp_path / "x.csv")]
    assert main(command) == 2 and not (tmp_path / "x.csv").exists()
