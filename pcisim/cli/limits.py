"""``--limits``: what a vendor supports, beside what is wrong."""

from __future__ import annotations

import argparse

from pcisim.cli import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pcisim.catalogue.limits import Product


class _Limits(argparse.Action):
    """List what there is where that is asked for, and need no file then."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, *_: object) -> None:
        if value in common.HELP:
            common.write_stdout("".join(f"{line}\n" for line in listed()))
            parser.exit()
        setattr(namespace, self.dest, value)


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--limits``."""
    parser.add_argument(
        "--limits",
        action=_Limits,
        metavar="NAME",
        help="also find what a product does not support, such as rhel7; --limits help lists the products and limits",
    )


def wanted(arguments: argparse.Namespace) -> Product | None:
    """Return the limits that are asked for.

    Raises:
        UsageError: there are none of that name.
    """
    if arguments.limits is None:
        return None
    from pcisim.diagnose import limits_of

    return limits_of(arguments.limits)


def listed() -> list[str]:
    """Return what there is, with the limits of each product."""
    from pcisim.catalogue.limits import PRODUCTS

    lines = []
    for product in PRODUCTS.values():
        lines.append(f"{product.name:8} {product.title}")
        lines += [f"  {row.code:22} {row.severity:8} {row.meaning}" for row in product.limits]
    return lines


def remark_lines(product: Product) -> list[str]:
    """Return what is said once of all guests, at the end."""
    return ["not judged, since it is about hosts and operations:", *(f"  {remark}" for remark in product.remarks)]
