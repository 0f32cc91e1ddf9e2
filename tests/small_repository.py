"""A repository of a few functions, each with its own reason to become a challenge or not."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from textwrap import dedent

_INIT = '"""A shop."""\n\nfrom shop.prices import total\n'

_PRICES = '''
"""Prices."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

NOTHING = object()
_seen: list[int] = []


class Unit(Enum):
    PIECE = 1
    DOZEN = 12


class NoPrice(LookupError):
    """Nobody knows."""


@dataclass
class Order:
    name: str
    count: int
    unit: Unit = Unit.PIECE


def total(orders: list[Order], price: Callable[[str], int]) -> int:
    """The price of all orders together."""
    return sum(order.count * order.unit.value * price(order.name) for order in orders)


def doubled(order: Order) -> Order:
    """The same order, twice as large."""
    return Order(order.name, order.count * 2, order.unit)


def price_of(name: str, prices: dict[str, int], default: object = NOTHING) -> object:
    """The price of that name, or the default; raises NoPrice where there is neither."""
    if name in prices:
        return prices[name]
    if default is NOTHING:
        raise NoPrice(name)
    return default


def uncalled(count: int) -> int:
    """Only a test that is skipped calls it."""
    return count + 1


@functools.lru_cache
def cached(count: int) -> int:
    """Its name holds no function."""
    return count + 1


def every(count: int, items: list[int]) -> Iterator[int]:
    """Every count-th item."""
    for place, item in enumerate(items):
        if place % count == 0:
            yield item


def currencies() -> list[str]:
    """Names from the table beside this file."""
    table = json.loads((Path(__file__).parent / "data" / "currencies.json").read_text())
    return sorted(table)


def remember(number: int) -> None:
    """Tests look at what this leaves behind."""
    _seen.append(number)
    return None


def shuffled(names: set[str]) -> str:
    """Depends on the order of a set."""
    return "".join(names)


def log(text: str) -> str:
    """Its test looks at nothing."""
    return text.upper() + "!" * (len(text) + 1)


def warn(text: str) -> None:
    """Its test looks at nothing either."""
    print(text.upper())
'''

_BASKETS = '''
"""Baskets."""

from __future__ import annotations

from collections.abc import Iterable

from shop.prices import Order


class Counted:
    """Knows how often it was changed."""

    changes = 0

    def change(self, times: int = 1) -> int:
        """Note that many changes; returns how many there were."""
        self.changes += times
        return self.changes


class Basket(Counted):
    """Orders by their names."""

    LARGEST = 9

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        """Begin with some orders, none of which counts as a change."""
        self._orders: dict[str, Order] = {}
        for order in orders:
            self._orders[order.name] = order

    def add(self, order: Order, times: int = 1) -> Basket:
        """Put an order in, or add it to that of its name; returns the basket itself."""
        found = self._orders.get(order.name)
        self._orders[order.name] = order
        if found is not None:
            found.count = min(self.LARGEST, found.count + order.count * times)
            self._orders[order.name] = found
        self.change()
        return self

    def change(self, times: int = 1) -> int:
        """Note that many changes, of which none is half a one."""
        return super().change(int(times))

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return self.__sum(order.count for order in self._orders.values())

    @count.setter
    def count(self, count: int) -> None:
        raise AttributeError(count)

    @classmethod
    def of(cls, **counts: int) -> Basket:
        """A basket with that many of each name."""
        return cls(Order(name, count) for name, count in counts.items() if count)

    @staticmethod
    def is_name(text: str) -> bool:
        """Whether an order may be called that."""
        return text.isidentifier() and not text.startswith("_")

    def __sum(self, counts: Iterable[int]) -> int:
        return sum(counts, 0)

    def __len__(self) -> int:
        return len(self._orders)


class Tally(dict[str, int]):
    """How often there was a name."""

    last = ""

    def note(self, name: str, times: int = 1) -> int:
        """Count a name; returns its new count."""
        self.last = name
        self[name] = self.get(name, 0) + times
        return self[name]
'''

_BASKET_TESTS = """
import pytest

from shop.baskets import Basket, Counted, Tally
from shop.prices import Order


def test_add():
    egg = Order("egg", 2)
    basket = Basket([egg])
    assert basket.add(Order("egg", 3)) is basket
    assert egg.count == 5
    assert basket.add(Order("ham", 4)).count == 9
    assert basket.add(Order("egg", 2), 3).count == 13
    assert (len(basket), basket.changes, Basket.changes) == (2, 3, 0)


def test_change():
    assert [Counted().change(3), Basket().change(2.5)] == [3, 2]


def test_of():
    basket = Basket.of(egg=2, ham=0)
    assert type(basket) is Basket
    assert (len(basket), basket.count) == (1, 2)


def test_is_name():
    assert Basket.is_name("egg") and Basket().is_name("ham")
    assert not Basket.is_name("_egg") and not Basket.is_name("1")


def test_tally():
    tally = Tally(egg=1)
    assert [tally.note("egg"), tally.note("ham", 2)] == [2, 2]
    assert (tally, type(tally), tally.last) == ({"egg": 2, "ham": 2}, Tally, "ham")
"""

_TESTS = """
import pytest

import shop
from shop import prices
from shop.prices import NoPrice, Order, Unit, doubled, every, price_of
from shop.prices import total as sum_up

PRICES = {"egg": 2, "ham": 5}


def test_total():
    orders = [Order("egg", 1, Unit.DOZEN), Order("ham", 2)]
    assert sum_up(orders, PRICES.get) == 34
    assert shop.total([], PRICES.get) == 0


def test_doubled():
    assert doubled(Order("egg", 3, Unit.DOZEN)) == Order("egg", 6, Unit.DOZEN)
    assert doubled(Order("ham", 0)).unit is Unit.PIECE


@pytest.mark.parametrize(("name", "price"), [("egg", 2), ("ham", 5)])
def test_price(name, price):
    assert price_of(name, PRICES) == price


def test_no_price():
    with pytest.raises(NoPrice):
        price_of("tea", PRICES)
    assert price_of("tea", PRICES, None) is None
    with pytest.raises(NoPrice):
        price_of("tea", PRICES, prices.NOTHING)


def test_every():
    assert list(every(2, [1, 2, 3, 4, 5])) == [1, 3, 5]
    assert list(every(3, [])) == []


def test_currencies():
    assert prices.currencies() == ["EUR", "USD"]


def test_remember():
    prices.remember(3)
    assert prices._seen == [3]


def test_shuffled():
    assert prices.shuffled(set("abcdefghij")) == "ORDER"


def test_log():
    prices.log("x")


def test_warn():
    prices.warn("x")


@pytest.mark.skip
def test_skipped():
    assert prices.uncalled(1) == 2


def test_cached():
    assert prices.cached(1) == 2
"""


def _order_of_a_set() -> str:
    """What one seed of hashes makes of it, and two others do not."""
    script = "print(''.join(set('abcdefghij')))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def pytest_alone(folder: Path) -> Path:
    """A directory of packages with pytest and what it imports, and nothing else."""
    installed = Path(sysconfig.get_path("purelib"))
    for name in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "py.py", "pygments"):
        (folder / name).symlink_to(installed / name)
    return folder


def write_repository(folder: Path) -> Path:
    """Write it into an empty folder."""
    tests = _TESTS.replace("ORDER", _order_of_a_set())
    files = {
        "shop/__init__.py": _INIT,
        "shop/prices.py": _PRICES,
        "shop/baskets.py": _BASKETS,
        "tests/test_baskets.py": _BASKET_TESTS,
        "shop/data/currencies.json": '{"USD": 1, "EUR": 2}',
        "tests/test_prices.py": tests,
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--cov'\n",
        ".env": "PASSWORD=hidden",
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content).lstrip("\n"))
    return folder
