// Text to values, and stand-ins for what stays on the other side.
//
// In the driver a stand-in gives values and never lets the program answer a question that decides
// an assertion: converting one to a number, or comparing it with one, is a type error. The driver
// trusts no text: what our own encoder does not write raises `BadValue`.

class BadValue extends Error {}

// why the other side is not to be believed any more; no test may hide it by catching
let broken = null;

function refuse(reason) {
  broken ??= reason;
  throw new BadValue(reason);
}

const FROM_TEXT = { __proto__: null, NaN, Infinity, '-Infinity': -Infinity, '-0': -0 };

function decode(body) {
  if (typeof body !== 'object' || body === null) return body;
  const decoder = isArray(body) && typeof body[0] === 'string' ? DECODERS[body[0]] : undefined;
  return decoder === undefined ? refuse('unknown kind') : decoder(body);
}

function decodeAll(bodies) {
  if (!isArray(bodies)) refuse('no list');
  for (let i = 0; i < bodies.length; i++) {
    // in place: these indices exist, so no setter of a prototype is met
    const item = bodies[i];
    if (typeof item === 'object' && item !== null) bodies[i] = decode(item);
  }
  return bodies;
}

// The object of this number, if it is here and of the right kind; else a new one.
function container(number, test, make) {
  const found = mapGet(numbered, number);
  if (found !== undefined) return test(found) ? found : refuse('another kind');
  if (typeof number !== 'number' || isOurs(number)) refuse('a number of ours');
  const made = make();
  mapSet(numbers, made, number);
  mapSet(numbered, number, made);
  return made;
}

const isPlain = (value) => !isArray(value);

function put(target, key, value, isShown = true) {
  const now = getOwnPropertyDescriptor(target, key);
  if (now !== undefined && 'value' in now && is(now.value, value)) return;
  const descriptor = { __proto__: null, value, writable: true, enumerable: isShown,
    configurable: true };
  // a setter of the test's own object is called, as it would be in one process
  if (now !== undefined && now.set !== undefined) target[key] = value;
  else if (now === undefined || now.configurable) defineProperty(target, key, descriptor);
  else if (now.writable) defineProperty(target, key, { __proto__: null, value });
}

function fill(target, pairs, isShown = true) {
  if (!isArray(pairs) || pairs.length % 2) refuse('no pairs');
  const kept = new Set();
  let isTricky = false;
  for (let i = 0; i < pairs.length; i += 2) {
    const key = decode(pairs[i]);
    if (typeof key !== 'string' && typeof key !== 'symbol') refuse('no key');
    if (key === 'length' && isArray(target)) refuse('a length');
    const value = decode(pairs[i + 1]);
    isTricky ||= typeof value === 'function' && isConversion(key);
    put(target, key, value, isShown);
    setAdd(kept, key);
  }
  if (isDriver && isTricky) guard(target);
  return kept;
}

const isConversion = (key) => key === 'valueOf' || key === 'toString' || key === toPrimitive
  || key === 'join' || key === 'then';

// A program's own conversions would decide `f(x) < 5` anew each time they are asked.
function guard(target) {
  if (typeof target.then === 'function') refuse('a thenable');
  defineProperty(target, toPrimitive, { __proto__: null, value: refuseConversion, enumerable: false,
    configurable: true });
}

function refuseConversion() {
  throw new TypeProblem('an object of the program is no number and no text');
}

function refill(target, pairs, isShown) {
  const kept = fill(target, pairs, isShown);
  const keys = ownKeys(target);
  for (let i = 0; i < keys.length; i++) {
    if (isEnumerable(target, keys[i]) && !setHas(kept, keys[i])) deleteProperty(target, keys[i]);
  }
  return target;
}

function decodeArray([, number, items]) {
  if (!isArray(items)) refuse('no list');
  const target = container(number, isArray, () => items);
  if (target === items) return decodeAll(items);
  // items first: deleting what goes before would lose nothing, but shortening is one step
  if (target.length !== items.length) target.length = items.length;
  for (let i = 0; i < items.length; i++) put(target, i, decode(items[i]));
  return target;
}

function decodeSparse([, number, length, pairs]) {
  if (typeof length !== 'number' || !(length >= 0 && length < 2 ** 32)) refuse('a length');
  const target = container(number, isArray, () => []);
  target.length = length;
  return refill(target, pairs);
}

function decodeError([, number, name, hidden, shown]) {
  if (!(name in ERRORS)) refuse('an error');
  const target = container(number, isPlain, () => construct(ERRORS[name], name === 'AggregateError'
    ? [[]] : []));
  fill(target, hidden, false);
  fill(target, shown);
  return target;
}

function decodeMap([, number, items]) {
  const target = container(number, BRANDS.Map, () => new BASES.Map());
  const now = decodeAll(items);
  mapClear(target);
  for (let i = 0; i < now.length; i += 2) mapSet(target, now[i], now[i + 1]);
  return target;
}

function decodeSet([, number, items]) {
  const target = container(number, BRANDS.Set, () => new BASES.Set());
  const now = decodeAll(items);
  setClear(target);
  for (let i = 0; i < now.length; i++) setAdd(target, now[i]);
  return target;
}

function decodeTyped([, number, name, items]) {
  if (!(name in TYPED)) {
    if (name !== 'Buffer') refuse('a typed array');
    name = 'Uint8Array';
  }
  const values = decodeAll(items);
  const make = () => (name === 'Buffer' ? bufferFrom(values) : new TYPED[name](values));
  const target = container(number, (value) => typedName(value) in TYPED, make);
  for (let i = 0; i < values.length; i++) if (!is(target[i], values[i])) target[i] = values[i];
  return target;
}

function decodeBytes([, number, items]) {
  const values = decodeAll(items);
  const target = container(number, BRANDS.ArrayBuffer, () => new Bytes(values).buffer);
  const bytes = new Bytes(target);
  for (let i = 0; i < values.length; i++) bytes[i] = values[i];
  return target;
}

function decodeDate([, number, time]) {
  const target = container(number, BRANDS.Date, () => new BASES.Date(NaN));
  dateSet(target, decode(time));
  return target;
}

function decodeRegExp([, number, source, flags, lastIndex]) {
  if (typeof source !== 'string' || typeof flags !== 'string') refuse('an expression');
  const target = container(number, BRANDS.RegExp, () => new BASES.RegExp(source, flags));
  put(target, 'lastIndex', decode(lastIndex));
  return target;
}

function decodeSymbol([, kind, name, text]) {
  if (kind === 'w') return name in WELL_KNOWN ? WELL_KNOWN[name] : refuse('a symbol');
  if (kind === 'r') return symbolFor(`${name}`);
  const found = mapGet(handled, name);
  if (found !== undefined) return found;
  if (typeof name !== 'number' || isOurs(name)) refuse('a handle of ours');
  const made = BASES.Symbol(decode(text));
  remember(name, made);
  return made;
}

// Put a stand-in under the other side's number.
function adopt(id, value) {
  if (typeof id !== 'number' || isOurs(id) || mapGet(handled, id) !== undefined) refuse('a handle');
  remember(id, value);
  return value;
}

function decodePrototype(body) {
  if (body === null) return null;
  if (typeof body === 'string') return body in BASES ? BASES[body].prototype : refuse('a class');
  const found = decode(body);
  return typeof found === 'object' && found !== null ? found : refuse('a prototype');
}

function decodeClass([, prototype, inner]) {
  const wanted = decodePrototype(prototype);
  const made = decode(inner);
  if (typeof made !== 'object' || made === null) refuse('no object');
  if (getPrototypeOf(made) !== wanted) setPrototypeOf(made, wanted);
  return made;
}

function decodeFrozen([, level, inner]) {
  const made = decode(inner);
  const steps = [preventExtensions, seal, freeze];
  if (isExtensible(made) && level in steps) steps[level](made);
  return made;
}

function decodeFunction([, id, name, length, prototype]) {
  const parent = prototype === null ? undefined : decodePrototype(prototype);
  return adopt(id, standInFunction(id, `${name}`, decode(length), parent));
}

const DECODERS = {
  __proto__: null,
  u: () => undefined,
  n: ([, name]) => (name in FROM_TEXT ? FROM_TEXT[name] : refuse('a number')),
  I: ([, digits]) => BASES.BigInt(digits),
  y: decodeSymbol,
  h: ([, id]) => {
    const found = mapGet(handled, id);
    return found === undefined ? refuse('an unknown handle') : found;
  },
  '@': ([, number]) => {
    const found = mapGet(numbered, number);
    return found === undefined ? refuse('an unknown number') : found;
  },
  a: decodeArray,
  A: decodeSparse,
  o: ([, number, pairs]) => refill(container(number, isPlain, () => ({})), pairs),
  N: ([, number, pairs]) => refill(container(number, isPlain, () => create(null)), pairs),
  e: decodeError,
  m: decodeMap,
  s: decodeSet,
  d: decodeDate,
  r: decodeRegExp,
  t: decodeTyped,
  B: decodeBytes,
  D: ([, number, buffer, offset, length]) => container(number, BRANDS.DataView,
    () => new BASES.DataView(decode(buffer), offset, length)),
  b: ([, number, name, value]) => container(number, BRANDS.box,
    () => (name in BOXES ? BASES.Object(decode(value)) : refuse('a box'))),
  z: decodeFrozen,
  c: decodeClass,
  k: ([, name]) => mapGet(sharedPrototypes, name) || refuse('an unknown class'),
  f: decodeFunction,
  P: ([, id, parent]) => adopt(id, standInPrototype(id, decodePrototype(parent))),
  O: ([, id, prototype]) => adopt(id, standInObject(id, decodePrototype(prototype))),
  p: ([, id]) => adopt(id, standInPromise(id)),
};
