"""A JavaScript repository with both kinds of modules; its tests differ in what they hand over."""

from __future__ import annotations

from pathlib import Path

_PRICES = r"""
'use strict';

const { round } = require('./round.js');

/** Nobody knows that name. */
class NoPrice extends Error {}

class Order {
  constructor(name, count) {
    this.name = name;
    this.count = count;
  }

  get dozens() {
    return this.count / 12;
  }
}

function log(text) {
  console.log(text.toUpperCase());
}

function uncalled(n) {
  return n + 1;
}

function share(server) {
  return server.listening === false && server.constructor.name === 'Server';
}

// used before it is defined below
const FREE = total([], () => 1);

/**
 * The price of all orders together.
 * @param {Order[]} orders
 * @param {(name: string) => number} price
 */
function total(orders, price) {
  let sum = 0;
  for (const order of orders) {
    sum += order.count * price(order.name);
  }
  return round(sum, 2);
}

/** The price of that name; throws NoPrice where there is none. */
exports.priceOf = function (name, prices) {
  if (!(name in prices)) throw new NoPrice(name);
  return prices[name];
};

// Waits for the price.
const later = async (name, fetchPrice) => {
  const price = await fetchPrice(name);
  return { name, price: price * 2 };
};

// The same order, twice as large.
const doubled = (order) => new Order(order.name, order.count * 2);

Object.assign(exports, { FREE, NoPrice, Order, total, later, doubled, log, uncalled, share });
"""

_WORDS = r"""
import { basename } from 'node:path';

/** The words of a text, longest first. */
export default function words(text) {
  return [...text.matchAll(/\w+/g)].map(([word]) => word).sort((a, b) => b.length - a.length);
}

/** The stem of a path. */
export const stem = (path) => basename(path).split('.')[0];

export function* every(count, items) {
  for (let i = 0; i < items.length; i += count) yield items[i];
}
"""

_PRICE_TESTS = r"""
const { describe, it } = require('node:test');
const assert = require('node:assert');
const { Server } = require('node:net');
const shop = require('../src/prices.js');

const PRICES = { egg: 0.3, ham: 5 };
const ORDERS = [new shop.Order('egg', 3), { name: 'ham', count: 1 }];

describe('prices', () => {
  it('adds up', () => {
    assert.strictEqual(shop.FREE, 0);
    assert.strictEqual(shop.total(ORDERS, (name) => PRICES[name]), 5.9);
  });
  it('knows a price', () => assert.strictEqual(shop.priceOf('ham', PRICES), 5));
  it('throws', () => assert.throws(() => shop.priceOf('x', PRICES), shop.NoPrice));
  it('waits', async () => {
    const found = await shop.later('ham', async (name) => PRICES[name]);
    assert.deepStrictEqual(found, { name: 'ham', price: 10 });
  });
  it('doubles', () => assert.strictEqual(shop.doubled(new shop.Order('egg', 6)).dozens, 1));
  it('logs', () => shop.log('x'));
  it('shares', () => assert.strictEqual(shop.share(new Server()), true));
  it.skip('is skipped', () => assert.strictEqual(shop.uncalled(1), 2));
});
"""

_WORD_TESTS = r"""
import test from 'node:test';
import assert from 'node:assert/strict';
import words, { stem, every } from '../src/words.mjs';

test('words', () => { assert.deepEqual(words('a bcd ef'), ['bcd', 'ef', 'a']); });
test('stem', () => { assert.equal(stem('/a/b.c.d'), 'b'); });
test('every', () => { assert.deepEqual([...every(2, [1, 2, 3])], [1, 3]); });
"""

_FILES = {
    "package.json": '{"name": "shop", "version": "1.0.0"}\n',
    "src/prices.js": _PRICES,
    "src/round.js": (
        "// No runner knows its test.\n"
        "exports.round = (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits;\n"
    ),
    "src/words.mjs": _WORDS,
    "test/prices.test.js": _PRICE_TESTS,
    "test/words.test.mjs": _WORD_TESTS,
    "round.test.js": (
        "const assert = require('assert');\n"
        "assert.strictEqual(require('./src/round.js').round(1.26, 1), 1.3);\n"
    ),
    "later.test.js": (
        "const assert = require('assert');\n"
        "require('./src/prices.js').later('ham', async () => 5)\n"
        "  .then((found) => assert.strictEqual(found.price, 10));\n"
    ),
    "test/broken.test.cjs": "require('missing');\n",
    ".env": "PASSWORD=hidden",
}


def write_javascript(folder: Path) -> Path:
    """Write it into an empty folder."""
    for name, content in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.lstrip("\n"))
    return folder
