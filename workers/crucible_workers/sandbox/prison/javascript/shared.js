// Classes of a repository, which both sides have: their instances cross by their properties.
'use strict';

const { pathToFileURL } = require('url');

const { ownKeys, getPrototypeOf, apply } = Reflect;
const textOf = Function.prototype.toString;

// Makes those of these modules known to a realm, by the module and the name it exports them under.
async function shareClasses(realm, root, paths) {
  for (const path of paths) {
    let space;
    try {
      space = await import(pathToFileURL(`${root}/${path}`));
    } catch {
      // whoever needs it will say so
      continue;
    }
    for (const [name, value] of exportsOf(space)) {
      if (isClass(value)) realm.share(`${path}:${name}`, value.prototype);
    }
  }
}

function exportsOf(space) {
  const found = Object.entries(space);
  const whole = space.default;
  if (typeof whole === 'object' && whole !== null) found.push(...Object.entries(whole));
  return found;
}

function isClass(value) {
  if (typeof value !== 'function' || typeof value.prototype !== 'object') return false;
  if (value.prototype === null || value.prototype === Object.prototype) return false;
  return /^class\b/.test(apply(textOf, value, [])) || ownKeys(value.prototype).length > 1
    || getPrototypeOf(value.prototype) !== Object.prototype;
}

module.exports = { shareClasses };
