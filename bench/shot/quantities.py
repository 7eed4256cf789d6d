"""Numbers and vectors that stand in many tables of a shot file, with the ranges that they may have."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field, Strict

FAR = 1.0e5  # m, no coordinate is larger
LIST_MAX = 4096

Coordinate = Annotated[float, Field(ge=-FAR, le=FAR)]
Component = Annotated[float, Field(ge=-1.0e3, le=1.0e3)]  # of a velocity, a direction, a gradient
Speed = Annotated[float, Field(ge=0.0, le=1.0e3)]
Kelvin = Annotated[float, Field(ge=0.0, le=5000.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Radiance = Annotated[float, Field(ge=0.0, le=1.0e6)]

Item = TypeVar("Item")
FROM_LIST = Strict(False)  # TOML has lists where a frozen model has tuples
Pair = Annotated[tuple[Item, Item], FROM_LIST]
Triple = Annotated[tuple[Item, Item, Item], FROM_LIST]
Quadruple = Annotated[tuple[Item, Item, Item, Item], FROM_LIST]
Line = Annotated[tuple[Item, ...], Field(min_length=2, max_length=LIST_MAX), FROM_LIST]  # of points
Tables = Annotated[tuple[Item, ...], FROM_LIST]

Place = Pair[Coordinate]  # on the ground
Point = Triple[Coordinate]
Vector = Triple[Component]
Colour = Triple[Radiance]  # linear RGB
Albedo = Triple[Share]
