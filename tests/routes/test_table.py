"""Tables of routes: every mistake is one sentence that names it, and plain values make the same table again."""

import pytest
import yaml

from toolkit.errors import ToolkitError
from toolkit.routes import RouteTable

ONE = {"name": "code", "description": "Programs.", "model": "large"}
TWO = {"name": "travel", "description": "Trips.", "model": "small"}

MISTAKES = {
    "no default": ({"routes": [ONE]}, "the field default was expected"),
    "no routes": ({"default": "small"}, "the field routes was expected"),
    "a list": ([ONE], "got list"),
    "unknown field": ({"default": "small", "routes": [ONE | {"modle": "x"}]}, "route 1: no field 'modle'"),
    "no model": ({"default": "small", "routes": [{"name": "a", "description": "b"}]}, "route 1: the field model"),
    "empty description": ({"default": "small", "routes": [ONE | {"description": " "}]}, "a description in words"),
    "two of one name": (
        {"default": "small", "routes": [ONE, TWO | {"name": "code"}]},
        "Two routes have the name 'code'",
    ),
    "reserved": ({"default": "small", "routes": [ONE | {"name": "other"}]}, "take another name"),
    "two lines": ({"default": "small", "routes": [ONE | {"name": "a\nb"}]}, "a name in words"),
    "unknown model": (
        {"default": "small", "routes": [ONE], "models": ["small"]},
        "route 'code' names the model 'large'",
    ),
    "unknown default": ({"default": "x", "routes": [ONE], "models": ["large"]}, "the default names the model 'x'"),
    "a number": ({"default": "small", "routes": [ONE | {"name": 7}]}, "field name: str was expected; got 7"),
    "left empty": ({"default": "small", "routes": [ONE | {"description": None}]}, "the field description is empty"),
    "models left empty": ({"default": "x", "routes": [ONE], "models": [7]}, "field models: names were expected; got 7"),
    "empty example": ({"default": "small", "routes": [ONE | {"utterances": [""]}]}, "utterances in words"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake, tmp_path):
    content, message = MISTAKES[mistake]
    path = tmp_path / "routes.yml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ToolkitError, match=r"routes\.yml: ") as told:
        RouteTable.of(path)
    assert message in str(told.value) and "\n" not in str(told.value)


def test_files_that_are_none(tmp_path):
    (tmp_path / "broken.yml").write_text("routes: [a\ndefault: {")
    (tmp_path / "latin.yml").write_bytes("default: é".encode("latin-1"))
    (tmp_path / "date.yml").write_text("default: 2024-13-45")
    told = {"absent.yml": "No such file", "broken.yml": "line 2", "latin.yml": "YAML was", "date.yml": "YAML was"}
    for name, message in told.items():
        with pytest.raises(ToolkitError, match=message):
            RouteTable.of(tmp_path / name)


def test_plain_values_make_the_same_table(tmp_path):
    content = {"default": "small", "routes": [ONE, TWO | {"utterances": ["a hotel"]}], "models": ["small", "large"]}
    table = RouteTable.of(content)
    assert table.plain() == content and RouteTable.of(table.plain()) == table
    (tmp_path / "routes.json").write_text(str(content).replace("'", '"'))
    assert RouteTable.of(str(tmp_path / "routes.json")) == table
    assert table.models == ["large", "small"] and table.model_of("travel") == "small" == table.model_of("anything")
    assert table.ordered([1, 0]).names == ["travel", "code"]
    built = RouteTable.build({"code": "Programs."}, {"code": "large"}, default="small")
    assert built.plain()["routes"] == [ONE]
    for wrong in (lambda: table.worded({"code": "Programs."}), lambda: table.with_utterances({"codng": ["x"]})):
        with pytest.raises(
            ToolkitError, match=r"the names code, travel were expected; '(travel|codng)' does not match"
        ):
            wrong()
    with pytest.raises(ToolkitError, match="'travel' is in models"):
        RouteTable.build({"code": "Programs."}, {"code": "large", "travel": "small"}, default="small")
