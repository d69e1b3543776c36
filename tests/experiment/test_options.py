from dataclasses import dataclass, field
from typing import Literal

import fake_method
import numpy as np
import pytest

from mbrl_edu.experiment import options as opt
from mbrl_edu.experiment.registry import METHODS


@dataclass(frozen=True)
class Base:
    alpha: float = 0.1  # step size (equation 1)
    n: int = 5  # planning steps, "#1" among equals


@dataclass(frozen=True)
class Config(Base):
    rate: float = field(default=1.0)  # wide
    sizes: tuple[int, ...] = (64, 64)  # layers
    pair: tuple[int, float] = (1, 0.5)  # two of a kind
    limit: int | None = None  # most steps
    learn: bool = True  # whether to learn
    kind: Literal["PE", "DE", 3] = "PE"  # family
    name: str = "a"
    # nothing to say about the next one
    silent: tuple[float, float] = (
        1.0,
        2.0,
    )  # said on the last line of the field

    def method(self):
        x: int = 3  # not a field
        return x


@dataclass(frozen=True)
class Needs:
    must: int  # no default


def convert(name, value):
    options = {o.name: o for o in opt.describe(Config)}
    return opt.convert(options[name], value)


def test_help_comes_from_trailing_comments_also_of_the_base():
    text = {o.name: o.help for o in opt.describe(Config)}
    assert text["alpha"] == "step size (equation 1)"
    assert text["n"] == 'planning steps, "#1" among equals'
    assert text["sizes"] == "layers"
    assert text["name"] == ""
    assert text["silent"] == "said on the last line of the field"
    assert "x" not in text and "x" not in opt.comments(Config)


def test_a_comment_on_its_own_line_is_no_help_text():
    help_of = {o.name: o.help for o in opt.describe(fake_method.Config)}
    assert help_of["size"] == "extra numbers in the result"
    assert help_of["mode"] == '"good" ends well, "fail" raises'


def test_order_types_and_defaults():
    options = opt.describe(Config)
    assert [o.name for o in options][:3] == ["alpha", "n", "rate"]
    assert options[1].type is int and options[1].default == 5
    assert not options[1].required and opt.describe(Needs)[0].required


def test_a_class_without_source_has_no_help_but_works():
    space = {"dataclass": dataclass}
    exec("@dataclass\nclass C:\n    x: int = 1  # gone\n", space)
    assert opt.describe(space["C"])[0].help == ""
    assert opt.make_config(space["C"], {"x": "4"}).x == 4


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("n", "7", 7),
        ("n", "1e3", 1000),
        ("n", "5_000", 5000),
        ("n", 4.0, 4),
        ("n", np.int64(3), 3),
        ("n", str(2**70), 2**70),
        ("alpha", "1e-3", 0.001),
        ("alpha", 1, 1.0),
        ("alpha", np.float32(0.5), 0.5),
        ("sizes", "32,16", (32, 16)),
        ("sizes", [32], (32,)),
        ("sizes", "(8, 8)", (8, 8)),
        ("pair", "3,0.25", (3, 0.25)),
        ("limit", "none", None),
        ("limit", "12", 12),
        ("limit", None, None),
        ("learn", "off", False),
        ("learn", "True", True),
        ("learn", np.bool_(False), False),
        ("kind", "DE", "DE"),
        ("kind", "3", 3),
        ("name", "b", "b"),
    ],
)
def test_values_and_words_become_the_fields_type(name, given, meant):
    found = convert(name, given)
    assert found == meant and type(found) is type(meant)


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("n", "many", "option n is 'many', but must be a whole number."),
        ("n", 1.5, "option n is 1.5, but must be a whole number."),
        ("n", True, "option n is True, but must be a whole number."),
        ("n", "inf", "option n is 'inf', but must be a whole number."),
        ("n", None, "option n is None, but must be a whole number."),
        ("alpha", "nan", "option alpha is 'nan', but must be a finite number."),
        ("alpha", False, "option alpha is False, but must be a finite number."),
        ("alpha", [1], r"option alpha is \[1\], but must be a finite number."),
        ("limit", "x", "option limit is 'x', but must be a whole number or none."),
        ("learn", "maybe", "option learn is 'maybe', but must be true or false."),
        ("learn", 1, "option learn is 1, but must be true or false."),
        ("kind", "GP", "option kind is 'GP', but must be PE or DE or 3."),
        ("pair", "1", "option pair is '1', but must be 2 values separated"),
        ("sizes", "1,b", "option sizes is '1,b', but must be a comma-separated"),
        ("sizes", 3, "option sizes is 3, but must be a comma-separated"),
        ("name", 3, "option name is 3, but must be a word."),
    ],
)
def test_bad_values_name_field_value_and_what_is_allowed(name, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        convert(name, given)


def test_make_config_refuses_unknown_missing_and_what_the_config_refuses():
    with pytest.raises(ValueError, match="unknown option 'alpa': did you mean alpha"):
        opt.make_config(Config, {"alpa": 1})
    with pytest.raises(ValueError, match="option must has no default"):
        opt.make_config(Needs, {})
    with pytest.raises(ValueError, match="scale is -1.0, but must be at least 0"):
        opt.make_config(fake_method.Config, {"scale": "-1"})
    assert opt.make_config(Needs, {"must": "2"}).must == 2


def test_names_of_other_libraries_are_translated():
    from mbrl_edu.algos import mbpo, ppo

    with pytest.raises(ValueError, match="'steps': it is called T here."):
        opt.make_config(mbpo.Config, {"steps": 5_000})
    with pytest.raises(ValueError, match="'gae_lambda': it is called lam here."):
        opt.make_config(ppo.Config, {"gae_lambda": 0.9})
    with pytest.raises(ValueError, match="'gae_lambda': it must be one of"):
        opt.make_config(mbpo.Config, {"gae_lambda": 0.9})  # it has none
    for name in opt.OTHERWISE.values():
        assert any(name in m.config.__dataclass_fields__ for m in METHODS.values()), (
            name
        )


def test_an_option_without_a_near_name_gets_the_whole_list():
    from mbrl_edu.experiment.run import prepare

    with pytest.raises(ValueError, match="'zzzzz': it must be one of .*T_random.*tau"):
        prepare("mbpo", "Line-v0", zzzzz=1)
    sentence = "k is '0,1,x,1', but must be 4 values separated by commas, each a whole"
    with pytest.raises(ValueError, match=sentence):
        prepare("mbpo", "Line-v0", k="0,1,x,1")


def test_a_folder_that_is_no_path_is_refused():
    from mbrl_edu.experiment.run import run

    with pytest.raises(ValueError, match="folder is 3, but must be a path or None"):
        run("mbpo", "Line-v0", folder=3)
