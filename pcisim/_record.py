"""Immutable rows without the cost of importing a library for them.

`record` does what ``attrs.frozen`` does for the literal tables.  Importing attrs takes about
30 ms, more than everything else that ``pcisim assign`` does on a typical guest; what is not on
that path uses attrs.  `bulk_record` is for rows of which thousands are made.
"""

from __future__ import annotations

from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True)
    def record(cls: type[T]) -> type[T]:
        """Make a class of immutable, slotted, comparable and hashable rows of its annotated fields."""

    @dataclass_transform(frozen_default=True)
    def bulk_record(cls: type[T]) -> type[T]:
        """Do the same, with an ``__init__`` that takes longer to make and a fifth of the time to run."""

else:

    def record(cls):
        """Make a class of immutable, slotted, comparable and hashable rows of its annotated fields."""
        fields = tuple(cls.__annotations__)
        body = {k: v for k, v in vars(cls).items() if k not in fields and k not in ("__dict__", "__weakref__")}
        defaults = {name: vars(cls)[name] for name in fields if name in vars(cls)}
        set_field = object.__setattr__

        def __init__(self, *values, **named):
            if len(values) > len(fields):
                raise TypeError(f"{cls.__name__} takes {len(fields)} values, not {len(values)}")
            for name, value in zip(fields, values):
                set_field(self, name, value)
            for name in fields[len(values) :]:
                if name in named:
                    set_field(self, name, named.pop(name))
                elif name in defaults:
                    set_field(self, name, defaults[name])
                else:
                    raise TypeError(f"{cls.__name__} needs {name!r}")
            if named:
                raise TypeError(f"{cls.__name__} does not take {next(iter(named))!r} here")

        def __setattr__(self, name, value):
            raise AttributeError(f"{cls.__name__} is immutable")

        def key(self):
            return tuple([getattr(self, name) for name in fields])

        def __eq__(self, other):
            return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

        def __repr__(self):
            return f"{cls.__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in fields)})"

        def __reduce__(self):
            return self.__class__, key(self)

        body |= {
            "fields": fields,
            "__slots__": fields,
            "__match_args__": fields,
            "__init__": __init__,
            "__setattr__": __setattr__,
            "__eq__": __eq__,
            "__hash__": lambda self: hash(key(self)),
            "__reduce__": __reduce__,
        }
        body.setdefault("__repr__", __repr__)
        return type(cls.__name__, cls.__bases__, body)

    def bulk_record(cls):
        """Do the same, with an ``__init__`` that takes longer to make and a fifth of the time to run."""
        defaults = {f"_{name}": vars(cls)[name] for name in cls.__annotations__ if name in vars(cls)}
        made = record(cls)
        setters = {f"_set_{name}": vars(made)[name].__set__ for name in made.fields}
        head = ", ".join(f"{name}=_{name}" if f"_{name}" in defaults else name for name in made.fields)
        body = "".join(f"    _set_{name}(self, {name})\n" for name in made.fields)
        scope = {**setters, **defaults}
        exec(f"def __init__(self, {head}):\n{body}", scope)
        made.__init__ = scope["__init__"]
        return made


def evolved(item: T, **changes: Any) -> T:
    """Return a copy of an object with some of its attributes changed.

    Args:
        item: of a class that lists at least two attributes in `fields`, in the order in which it takes them.
        changes: new values, by attribute.
    """
    kind = item.__class__
    values = _values.get(kind)
    if values is None:
        values = _values[kind] = attrgetter(*getattr(item, "fields"))  # noqa: B009
    made = kind(*values(item))
    for name, value in changes.items():
        object.__setattr__(made, name, value)
    return made


_values: dict[type, Callable[[object], tuple[Any, ...]]] = {}
"""For each class what returns the values of its fields."""
