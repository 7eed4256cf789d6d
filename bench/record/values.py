"""Kinds of values that a record holds. A stranger wrote it: each kind says what it takes, in the words of the line that
refuses anything else.

pydantic does the checking; it is imported when the first record is read, not with this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, get_origin

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

SAMPLE_COUNT_MAX = 100_000
TEXT_LENGTH_MAX = 500
SECONDS_MAX = 1e9
SCALARS = {bool: "bool", int: "int", float: "float", str: "str"}  # by their names in pydantic's schemas


@dataclass(frozen=True)
class Expected:
    """What is expected, in words, with limits by pydantic's names. Several stand beside each other from the innermost.

    Nothing is converted: text is no number, and a truth value no whole number.
    """

    words: str
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        names = ("ge", "le", "min_length", "max_length", "pattern")
        limits = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        inner, origin = handler(source), get_origin(source)
        found: CoreSchema
        if source in SCALARS:
            found = self._said({"type": SCALARS[source], "strict": True, **limits})
            return found if inner["type"] == SCALARS[source] else core_schema.chain_schema([inner, found])
        if origin is tuple:
            # A list is looked at before what is in it
            items = core_schema.tuple_schema([core_schema.any_schema()], variadic_item_index=0, **limits)
            return core_schema.chain_schema([self._said(items), inner])
        if origin is dict:
            return core_schema.chain_schema([self._said(core_schema.dict_schema()), inner])
        return self._said(inner)

    def _said(self, schema: CoreSchema) -> CoreSchema:
        """The schema, with our words for whatever it refuses."""
        from pydantic_core.core_schema import custom_error_schema

        return custom_error_schema(schema, custom_error_type="expected", custom_error_message=self.words)


def one_of(*texts: str) -> str:
    return f"^(?:{'|'.join(texts)})$"


def _whole(low: int) -> Expected:
    return Expected(f"a whole number from {low}", ge=low, le=2**63 - 1)


OBJECT, LIST, SECONDS_LIST = Expected("an object"), Expected("a list"), Expected("a list of seconds")

LongText = Annotated[str, Expected("text")]
Text = Annotated[LongText, Expected(f"at most {TEXT_LENGTH_MAX} characters", max_length=TEXT_LENGTH_MAX)]
Name = Annotated[
    Text, Expected("a name of letters, digits, '.', '_' and '-'", pattern="^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$")
]
Proof = Annotated[Text, Expected('"golden", "repeat" or null', pattern=one_of("golden", "repeat"))]
Digest = Annotated[Text, Expected("64 hex digits or null", pattern="^[0-9a-f]{64}$")]
Flag = Annotated[bool, Expected("true or false")]
FlagOrNull = Annotated[Flag | None, Expected("true, false or null")]
Count = Annotated[int, _whole(0)]
Positive = Annotated[int, _whole(1)]
Seconds = Annotated[float, Expected("seconds, a finite number that is not negative", ge=0.0, le=SECONDS_MAX)]
Number = Annotated[float, Expected("a number")]
Short = Annotated[int, Expected("a number of few digits", ge=1 - 10**TEXT_LENGTH_MAX, le=10**TEXT_LENGTH_MAX - 1)]
Scalar = Annotated[Short | Number | Text | Flag | None, Expected("a number, text or null")]
Object = Annotated[dict[str, object], OBJECT]
SecondsList = Annotated[tuple[Seconds, ...], SECONDS_LIST]
Samples = Annotated[
    tuple[Seconds, ...],
    Expected(f"1 to {SAMPLE_COUNT_MAX} samples", min_length=1, max_length=SAMPLE_COUNT_MAX),
    SECONDS_LIST,
]
