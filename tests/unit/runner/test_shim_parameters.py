"""What the shim reads of a model's parameters is what `inspect` says of them."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from quadrat.runner import shim


class Bare:
    pass


class Usual:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        return data

    def with_context(self, data, /, context=None, *more, name, other=1, **rest):
        return data

    def without_self(*data):
        return data

    @staticmethod
    def free(data, context):
        return data

    @classmethod
    def of_class(cls, data, *, context):
        return data

    @functools.lru_cache  # noqa: B019 - as some authors do
    def cached(self, data):
        return data


class Inherited(Usual):
    pass


class Made:
    def __new__(cls, base_directory, context=None):
        return super().__new__(cls)


class Meta(type):
    def __call__(cls, context):
        return super().__call__()


class OfMeta(metaclass=Meta):
    pass


class Caller:
    def __call__(self, data, context):
        return data


@dataclass
class Data:
    base_directory: str
    context: Any = None


def outer(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


@outer
def wrapped(data, context):
    return data


FOUND = [
    Bare,
    Usual,
    Inherited,
    Made,
    OfMeta,
    Data,
    Caller(),
    wrapped,
    lambda data, context=1: data,
    functools.partial(wrapped, context=2),
    *(
        getattr(Usual("", {}), name)
        for name in ("request", "with_context", "without_self", "free", "of_class", "cached")
    ),
]


@pytest.mark.parametrize("function", FOUND, ids=range(len(FOUND)))
def test_parameters_are_those_that_inspect_names(function: Callable[..., Any]):
    expected = [
        (item.name, int(item.kind), item.default is item.empty)
        for item in inspect.signature(function).parameters.values()
    ]
    assert shim._parameters(function) == expected


def test_parameters_of_what_has_no_signature_are_none():
    assert shim._parameters(type) == []
