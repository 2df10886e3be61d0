"""Reports as JSON: frozen dataclasses written out, read back, and described by a JSON Schema.

Fields may be text, numbers, booleans, literals, other dataclasses, and lists, tuples and
dictionaries of these. A number that does not exist, NaN or infinite, is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")

_PLAIN: Mapping[type, Mapping[str, Any]] = MappingProxyType(
    {
        str: {"type": "string"},
        bool: {"type": "boolean"},
        int: {"type": "integer"},
        float: {"type": ["number", "null"]},
    }
)


def dump_record(record: Any, form: str, version: int) -> str:
    """Return a dataclass as JSON with its format and version, numbers with six digits."""
    plain = {"format": form, "version": version, **asdict(record)}
    return json.dumps(_without_nan(plain), ensure_ascii=False, indent=1)


def load_record(cls: type[Record], text: str, form: str, version: int) -> Record:
    """Read what `dump_record` wrote.

    Raises:
        ValueError: the text is no such record, with the reason in words.

    """
    try:
        plain = json.loads(text)
        if not isinstance(plain, dict) or plain.pop("format", None) != form:
            raise ValueError(f"it is not a report of the format {form}")
        found = plain.pop("version", None)
        if found != version:
            raise ValueError(f"it has version {found}, and this Pellucid reads version {version}")
        return _read(cls, plain)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is damaged: {error}") from error


def json_schema(cls: type, form: str, version: int) -> dict[str, Any]:
    """Return the JSON Schema of what `dump_record` writes for a dataclass."""
    schema = _schema(cls)
    marks = {"format": {"const": form}, "version": {"const": version}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": form,
        **schema,
        "properties": {**marks, **schema["properties"]},
        "required": [*marks, *schema["required"]],
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        # Six digits say all that an estimate knows.
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value


def _read(kind: Any, value: Any) -> Any:
    if kind is float:
        return math.nan if value is None else float(value)
    if hasattr(kind, "__dataclass_fields__"):
        types = get_type_hints(kind)
        return kind(**{name: _read(types[name], item) for name, item in value.items()})
    inner = get_args(kind)
    match get_origin(kind):
        case origin if origin is dict:
            return {key: _read(inner[1], item) for key, item in value.items()}
        case origin if origin is list:
            return [_read(inner[0], item) for item in value]
        case origin if origin is tuple:
            kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
            return tuple(_read(*pair) for pair in zip(kinds, value, strict=True))
    return value


def _schema(kind: Any) -> dict[str, Any]:
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if hasattr(kind, "__dataclass_fields__"):
        types = get_type_hints(kind)
        names = [field.name for field in fields(kind)]
        return {
            "type": "object",
            "properties": {name: _schema(types[name]) for name in names},
            "required": names,
            "additionalProperties": False,
        }
    inner = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            return {"enum": list(inner)}
        case origin if origin is dict:
            return {"type": "object", "additionalProperties": _schema(inner[1])}
        case origin if origin is tuple and inner[-1] is not Ellipsis:
            items = [_schema(one) for one in inner]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
        case origin if origin in (list, tuple):
            return {"type": "array", "items": _schema(inner[0])}
    raise TypeError(f"{kind} has no place in a record")
