"""Config fields as options: help text from comments, types, one clear refusal.

A config is a frozen dataclass with one field a line,

    alpha: float = 0.1  # step size (Sutton & Barto 2018, section 8.2)

and the comment is the help text: what the reader of the code sees is what the shell
prints.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import math
import operator
import textwrap
import tokenize
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, Union

from mbrl_edu.experiment.nearest import nearest

# what other libraries call some of this book's symbols
OTHERWISE = {
    "steps": "T", "total_steps": "T", "total_timesteps": "T",
    "learning_starts": "T_random",
    "batch_size": "batch", "learning_rate": "lr", "discount": "gamma", "lambda": "lam",
    "utd": "G", "gae_lambda": "lam", "ent_coef": "entropy", "clip_range": "clip",
}  # fmt: skip
WORDS = {"true": True, "yes": True, "on": True, "1": True}
WORDS |= {"false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Option:
    """One field of a config: its name, type, default (if any) and help text."""

    name: str
    type: Any
    default: Any
    help: str

    @property
    def required(self) -> bool:
        """Whether the field has no default."""
        return self.default is dataclasses.MISSING


def describe(config: type) -> list[Option]:
    """The fields of the dataclass `config` in order, as options."""
    hints, help_texts = typing.get_type_hints(config), comments(config)
    found = []
    for field in (f for f in dataclasses.fields(config) if f.init):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        text = help_texts.get(field.name, "")
        found.append(Option(field.name, hints[field.name], default, text))
    return found


def comments(config: type) -> dict[str, str]:
    """Field name -> trailing comment, read from the source of `config` and its bases.

    A class without source (typed into a prompt) has no comments.
    """
    found: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        if not dataclasses.is_dataclass(cls):
            continue
        try:
            source = textwrap.dedent(inspect.getsource(cls))
        except (OSError, TypeError):
            continue
        found |= _trailing_comments(source)
    return found


def _trailing_comments(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    line: list[tokenize.TokenInfo] = []  # tokens of the current logical line
    depth = 0  # 1 inside the class, deeper inside its methods
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            depth += 1 if token.type == tokenize.INDENT else -1
        elif token.type == tokenize.NEWLINE:
            words = [t.string for t in line if t.type == tokenize.COMMENT]
            is_field = depth == 1 and len(line) > 1 and line[1].string == ":"
            if is_field and words:
                found[line[0].string] = " ".join(w.lstrip("# ") for w in words)
            line = []
        elif token.type == tokenize.COMMENT and not line:
            continue  # a comment on its own line belongs to no field
        elif token.type != tokenize.NL:
            line.append(token)
    return found


def make_config(config: type, given: dict[str, Any]) -> Any:
    """`config(**given)` with every value converted to its field's type.

    Raises
    ------
    ValueError
        for an unknown name, a missing one, a value of the wrong type, or whatever the
        config itself refuses; always one sentence, before anything is run.
    """
    options = {option.name: option for option in describe(config)}
    values = {}
    for name, value in given.items():
        key = name.replace("-", "_")
        if key not in options:
            hint = nearest(key, options, most=99)
            if OTHERWISE.get(key) in options:
                hint = f"it is called {OTHERWISE[key]} here."
            raise ValueError(f"unknown option {name!r}: {hint}")
        values[key] = convert(options[key], value)
    missing = [o.name for o in options.values() if o.required and o.name not in values]
    if missing:
        raise ValueError(f"option {missing[0]} has no default and must be given.")
    return config(**values)


def convert(option: Option, value: Any) -> Any:
    """`value`, a Python value or a word from the shell, as the option's type."""
    try:
        return _convert(option.type, value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(
            f"option {option.name} is {value!r}, but must be {allowed(option.type)}."
        ) from None


def _convert(kind: Any, value: Any) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(args, value)
    if origin is Literal:
        return _literal(args, value)
    if origin is tuple:
        return _tuple(args, value)
    if kind is bool:
        return _bool(value)
    if kind is int:
        return _int(value)
    if kind is float:
        return _float(value)
    if kind is str and isinstance(value, str):
        return value
    if kind is type(None) and (value is None or str(value).lower() == "none"):
        return None
    raise ValueError


def _one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    # "none" first, and words last: str would swallow everything
    for kind in sorted(kinds, key=lambda k: (k is str, k is not type(None))):
        try:
            return _convert(kind, value)
        except (ValueError, TypeError, OverflowError):
            continue
    raise ValueError


def _literal(allowed_values: tuple[Any, ...], value: Any) -> Any:
    for known in allowed_values:
        same_type = type(known) is type(value) and known == value
        if same_type or (isinstance(value, str) and str(known) == value):
            return known
    raise ValueError


def _tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = [word.strip() for word in value.strip("()[] ").split(",") if word]
    items = list(value)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(items)
    return tuple(_convert(k, v) for k, v in zip(kinds, items, strict=True))


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() not in WORDS:
            raise ValueError
        return WORDS[value.lower()]
    if type(value).__name__ in ("bool", "bool_"):  # Python's and NumPy's
        return bool(value)
    raise ValueError


def _int(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            value = float(value)  # "1e5" is a whole number too
    if type(value).__name__ in ("bool", "bool_"):
        raise ValueError
    try:
        return operator.index(value)
    except TypeError:
        if float(value) != int(value):
            raise ValueError from None
        return int(value)


def _float(value: Any) -> float:
    if type(value).__name__ in ("bool", "bool_"):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):  # strict JSON cannot store it
        raise ValueError
    return number


def allowed(kind: Any) -> str:
    """What a value of this type may be, in words."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(allowed(k) for k in args)
    if origin is Literal:
        return " or ".join(repr(a) if a == "" else str(a) for a in args)
    if origin is tuple:
        inner = args[0] if args[-1] is Ellipsis else None
        if inner is not None:
            return f"a comma-separated list, each {allowed(inner)}"
        each = "" if len(set(args)) > 1 else f", each {allowed(args[0])}"
        return f"{len(args)} values separated by commas{each}"
    names = {int: "a whole number", float: "a finite number", str: "a word"}
    names |= {bool: "true or false", type(None): "none"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))
