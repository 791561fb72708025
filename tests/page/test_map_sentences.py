"""Every map says what its axes hold and what a cell means."""

import ast
from pathlib import Path

import pytest

from methods import attention, attention_norm, context_mixing, value_zeroing
from methods.core.mixing import STACKS
from page.tabs import context_mixing as context_mixing_page
from page.tabs import mixing
from page.widgets.sound_plot import UNTOLD, grid_row

TABS = Path(__file__).parents[2] / "page/tabs"
MAKERS = {"matrix_row", "grid_row"}


def read(path):
    """What a file's source says of its maps: whether it makes any, the axes' names, and the sentences."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    makes = any(isinstance(node, ast.Attribute) and node.attr in MAKERS for node in nodes)
    pairs = [(key.value, value) for node in nodes if isinstance(node, ast.Dict)
             for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)]  # fmt: skip
    pairs += [(node.arg, node.value) for node in nodes if isinstance(node, ast.keyword)]
    named = {axis: [value for key, value in pairs if key == axis] for axis in ("row_name", "column_name")}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return makes, named, [text for text in texts if "{row}" in text and "{column}" in text]


MAPS = {path.stem: read(path) for path in sorted(TABS.glob("*.py")) if read(path)[0]}


def test_there_are_maps_in_sixteen_files():
    assert len(MAPS) == 16, sorted(MAPS)  # none is overlooked


@pytest.mark.parametrize("named", MAPS)
def test_each_map_names_its_axes_and_says_what_a_cell_means(named):
    _, names, sentences = MAPS[named]
    for axis, given in names.items():
        assert given, axis
        assert all(value.value not in UNTOLD for value in given if isinstance(value, ast.Constant)), axis
    assert sentences
    for sentence in sentences:
        grid_row([[1.0]], ["a"], ["b"], title="t", row_name="word", column_name="layer", sentence=sentence)


@pytest.mark.parametrize("module", [attention, attention_norm, value_zeroing])
def test_maps_of_words_by_words_are_explained_in_every_setting(module, clip, tiny_model, segments):
    given = {"segments": segments, "transcript": "ab cd", "language": "en", "random_seeds": (0,)}
    result, name = module.analyse(clip, tiny_model, **given), module.__name__.rsplit(".", 1)[-1]
    told = set()
    for stack in STACKS:
        for show in (mixing.SHARES, mixing.RAW):
            for _, per in mixing.GATHER[name]:
                values = {"stack": stack, "layer": 1, "show": show, "per": per, "prompt": "no", "variant": "norm"}
                values = values if name == "attention_norm" else {k: v for k, v in values.items() if k != "variant"}
                maps = [row for row in mixing._drawn(module, result, values)[0]["rows"] if "sentence" in row]
                assert len(maps) == 2  # trained, and the control
                for row in maps:
                    assert "{}" not in row["row_name"] + row["column_name"]
                    assert "token" in row["row_name"] or stack == "encoder"
                    # What is a share is told as a percentage, what is none is not.
                    assert ("{percent}" in row["sentence"][0]) == (show == mixing.SHARES or name == "attention")
                    told.add(row["sentence"][0])
        assert stack != "decoder" or all("rame" not in row["sentence"][0] for row in maps)  # tokens have no frames
    assert len(told) == 4


def test_three_scores_and_their_figure_name_the_axes(clip, tiny_model, segments):
    given = {"segments": segments, "transcript": "ab cd", "language": "en", "random_seeds": (0,)}
    result = context_mixing.analyse(clip, tiny_model, **given)
    views = context_mixing.views(result)
    for row in context_mixing_page.maps_plot(views, result)["rows"][1:]:
        assert (row["row_name"], row["column_name"]) == ("word or phone that takes", "word or phone that gives")
    axes = [ax for part in context_mixing.plot(result).subfigs for ax in part.axes if ax.get_title()]
    assert axes[0].get_ylabel() == "word or phone that takes"
    assert {ax.get_xlabel() for ax in axes} == {"word or phone that gives"}
    figure = value_zeroing.plot(value_zeroing.analyse(clip, tiny_model, **given))
    assert figure.axes[0].get_ylabel() == "affected word or phone"
    assert [ax.get_xlabel() for ax in figure.axes[:2]] == ["word or phone that was zeroed"] * 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"row_name": "row"}, "does not say"),
        ({"column_name": " "}, "does not say"),
        ({"sentence": "{value}"}, "A sentence names"),
        ({"sentence": "{row} {column} {value} {percent}"}, "A sentence names"),
        ({"sentence": "{row} {column} {value} {other}"}, "A sentence names"),
        ({"sentence": ("{row} {column} {value}", "*{row} {column} {value}")}, "closes"),
    ],
)
def test_a_map_that_tells_nothing_is_refused(options, told):
    explained = {"row_name": "word", "column_name": "layer", "sentence": "{row} {column} {value}"}
    with pytest.raises(ValueError, match=told):
        grid_row([[1.0]], ["a"], ["b"], title="t", **(explained | options))
    with pytest.raises(TypeError):
        grid_row([[1.0]], ["a"], ["b"], title="t", row_name="word")
