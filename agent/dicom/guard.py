"""Errors of the libraries that read what others wrote become Rejected, in words that quote no value."""

import struct
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from pydicom.errors import BytesLengthException, InvalidDicomError

from agent.core.errors import Rejected

_P = ParamSpec("_P")
_T = TypeVar("_T")
_BROKEN: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    BytesLengthException,
    InvalidDicomError,
    struct.error,
)
"""What pydicom and the codecs behind it raise on damaged input; their messages may quote the dataset."""


def rejecting(words: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Turn every error of the libraries into Rejected with `words`; silence their warnings, which may quote values."""

    def guarding(function: Callable[_P, _T]) -> Callable[_P, _T]:
        @wraps(function)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return function(*args, **kwargs)
            except _BROKEN as exc:
                raise Rejected(f"{words} ({type(exc).__name__})") from None

        return guarded

    return guarding
