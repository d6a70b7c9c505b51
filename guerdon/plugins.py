"""Parts by name: ``build("RhoShapley(rho='stable')", offer)``, without evaluating code.

A part is written as it would be called in Python, with literal arguments only. A name is looked up in the offer;
``module:Name(...)`` is imported, so that a user's own part needs no registration.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Call", "PluginError", "build", "class_of", "module_of", "name_of", "parse_call"]

Offer = Mapping[str, Callable[..., Any]]


class PluginError(ValueError):
    """A part's text can't be turned into the part; the message says what was expected and what is on offer."""


class Call(NamedTuple):
    """A parsed part: module (None for one on offer), name, positional and keyword arguments."""

    module: str | None
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def parse_call(text: str) -> Call:
    """Parse ``Name``, ``Name(...)`` or ``module.path:Name(...)`` with literal arguments."""
    if not isinstance(text, str):
        raise PluginError(f'a part is a string such as "Name(key=value)", got {text!r}')
    head, _, rest = text.strip().partition(":")
    module: str | None = head.strip()
    if "(" in head or not rest:
        module, rest = None, text.strip()
    elif not all(piece.isidentifier() for piece in str(module).split(".")):
        raise PluginError(f"{text!r}: {module!r} is not a module name; write module:Name(key=value)")
    try:
        node = ast.parse(rest.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise PluginError(f"{text!r} can't be read: write Name(key=value, ...)") from error
    if isinstance(node, ast.Name):
        return Call(module, node.id, (), {})
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise PluginError(f"{text!r} can't be read: write Name(key=value, ...)")
    if any(keyword.arg is None for keyword in node.keywords):
        raise PluginError(f"{text!r}: name every keyword; ** is not read")
    names = [str(keyword.arg) for keyword in node.keywords]
    if len(set(names)) < len(names):
        raise PluginError(f"{text!r}: a keyword is given twice")
    try:
        args = tuple(ast.literal_eval(argument) for argument in node.args)
        kwargs = {name: ast.literal_eval(keyword.value) for name, keyword in zip(names, node.keywords, strict=True)}
    except (ValueError, TypeError) as error:  # TypeError: a literal that can't be, such as {[]: 1}
        raise PluginError(
            f"{text!r}: arguments must be literals (numbers, 'text', True, None, tuples), not expressions"
        ) from error
    return Call(module, node.func.id, args, kwargs)


def module_of(text: str) -> str | None:
    """The module that a part's text names, or None for a part on offer."""
    return parse_call(text).module


def name_of(part: object, offer: Mapping[str, type]) -> str:
    """The name by which ``class_of`` finds a part's class again: that on offer, else ``module:Class``."""
    own = type(part)
    return next((name for name, cls in offer.items() if cls is own), f"{own.__module__}:{own.__qualname__}")


def class_of(name: str, offer: Mapping[str, type]) -> type:
    """The class of this name: on offer, or imported where it is ``module:Class``.

    Raises
    ------
    PluginError
        There is none.
    """
    module, _, own = name.rpartition(":")
    if not module:
        if name not in offer:
            raise PluginError(f"{name!r} is not known here; known are {', '.join(offer)}")
        return offer[name]
    found = _import(Call(module, own, (), {}), name)
    if not isinstance(found, type):
        raise PluginError(f"{name!r} is not a class")
    return found


def build(text: str, offer: Offer) -> Any:
    """Build the part that the text describes.

    Parameters
    ----------
    text : str
        ``Name``, ``Name(key=value)`` or ``module:Name(key=value)``.
    offer : mapping of str to callable
        The parts that go by their bare name.

    Raises
    ------
    PluginError
        The text can't be read, the name is not on offer, the module can't be imported, or the part refuses its
        arguments.

    Examples
    --------
    >>> build("complex(real=1, imag=2)", {"complex": complex})
    (1+2j)
    """
    call = parse_call(text)
    part = _import(call, text) if call.module else _from_offer(call.name, text, offer)
    _check_arguments(part, call, text)
    try:
        return part(*call.args, **call.kwargs)
    except PluginError:
        raise
    except (TypeError, ValueError) as error:
        raise PluginError(f"{text!r}: {error}") from error


def _check_arguments(part: Callable[..., Any], call: Call, text: str) -> None:
    """Refuse arguments that the part does not take, and say which it does."""
    try:
        signature = inspect.signature(part)
    except (TypeError, ValueError):  # some of Python's own have none
        return
    try:
        signature.bind(*call.args, **call.kwargs)
    except TypeError as error:
        takes = [
            str(parameter.replace(annotation=inspect.Parameter.empty)) for parameter in signature.parameters.values()
        ]
        unknown = [name for name in call.kwargs if name not in signature.parameters]
        near = difflib.get_close_matches(unknown[0], signature.parameters, n=1) if unknown else []
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise PluginError(
            f"{text!r}: {error}.{hint} {call.name} takes {', '.join(takes) or 'no arguments'}."
        ) from error


def _from_offer(name: str, text: str, offer: Offer) -> Callable[..., Any]:
    if name in offer:
        return offer[name]
    near = difflib.get_close_matches(name, offer, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise PluginError(
        f"{text!r}: there is no {name!r}.{hint} On offer: {', '.join(sorted(offer)) or 'nothing'}; "
        "or name your own part as module:Name(key=value)."
    )


def _import(call: Call, text: str) -> Callable[..., Any]:
    try:
        module = importlib.import_module(str(call.module))
    except ImportError as error:
        if error.name == call.module:
            raise PluginError(
                f"{text!r}: there is no module {call.module!r}. It must be a file or package in the directory that the "
                "command is run from."
            ) from error
        raise PluginError(f"{text!r}: module {call.module!r} can't be imported: {error}") from error
    part = getattr(module, call.name, None)
    if part is None:
        names = sorted(
            n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == call.module
        )
        raise PluginError(
            f"{text!r}: module {call.module!r} has no {call.name!r}; it has {', '.join(names) or 'none'}."
        )
    if not callable(part):
        raise PluginError(f"{text!r}: {call.name!r} in {call.module!r} is a {type(part).__name__}, not a part to call.")
    return part  # type: ignore[no-any-return]
