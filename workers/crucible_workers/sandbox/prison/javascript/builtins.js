// What our code uses of a realm's builtins, captured before a program can replace any of it.
//
// The first of the files that `realm.js` joins as the body of one strict function of `isDriver` and
// `exchange`, evaluated in every realm that has values to send.

const { apply, construct, defineProperty, deleteProperty, getOwnPropertyDescriptor,
  getPrototypeOf, has, isExtensible, ownKeys, setPrototypeOf } = Reflect;
const { create, freeze, is, isFrozen, isSealed, preventExtensions, seal } = Object;
const { isArray } = Array;
const { parse, stringify } = JSON;
const { keyFor, for: symbolFor } = Symbol;
const promiseOf = Promise.resolve;

const uncurried = (method) => (self, ...given) => apply(method, self, given);
const getterOf = (prototype, name) => uncurried(getOwnPropertyDescriptor(prototype, name).get);

const mapGet = uncurried(Map.prototype.get);
const mapSet = uncurried(Map.prototype.set);
const mapClear = uncurried(Map.prototype.clear);
const mapForEach = uncurried(Map.prototype.forEach);
const mapSize = getterOf(Map.prototype, 'size');
const setAdd = uncurried(Set.prototype.add);
const setHas = uncurried(Set.prototype.has);
const setClear = uncurried(Set.prototype.clear);
const setForEach = uncurried(Set.prototype.forEach);
const setSize = getterOf(Set.prototype, 'size');
const dateValue = uncurried(Date.prototype.getTime);
const dateSet = uncurried(Date.prototype.setTime);
const regExpSource = getterOf(RegExp.prototype, 'source');
const regExpFlags = getterOf(RegExp.prototype, 'flags');
const promiseThen = uncurried(Promise.prototype.then);
const bigIntText = uncurried(BigInt.prototype.toString);
const symbolText = getterOf(Symbol.prototype, 'description');
const hasOwn = uncurried(Object.prototype.hasOwnProperty);
const isEnumerable = uncurried(Object.prototype.propertyIsEnumerable);
const typedPrototype = getPrototypeOf(Int8Array.prototype);
const typedName = getterOf(typedPrototype, Symbol.toStringTag);
const bufferLength = getterOf(ArrayBuffer.prototype, 'byteLength');
const viewLength = getterOf(DataView.prototype, 'byteLength');
const viewBuffer = getterOf(DataView.prototype, 'buffer');
const viewOffset = getterOf(DataView.prototype, 'byteOffset');
const Bytes = Uint8Array;
const TypeProblem = TypeError;
const { toPrimitive } = Symbol;
const Deferred = Promise;
const Stand = Proxy;
const textIndexOf = uncurried(String.prototype.indexOf);
const textSlice = uncurried(String.prototype.slice);
const NOTHING = freeze({ __proto__: null });

const listed = (...kinds) => {
  const found = { __proto__: null };
  for (const kind of kinds) found[kind.name] = kind;
  return found;
};
const TYPED = listed(Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array,
  Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array);
// Node's own, which a bare realm lacks
if (typeof Buffer === 'function') TYPED.Buffer = Buffer;
const ERRORS = listed(Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError,
  URIError, AggregateError);
const BOXES = listed(Number, String, Boolean, Symbol, BigInt);
const BASES = { ...listed(Object, Array, Map, Set, Date, RegExp, Promise, ArrayBuffer, DataView),
  ...TYPED, ...ERRORS, ...BOXES };
setPrototypeOf(BASES, null);
const bufferFrom = TYPED.Buffer && TYPED.Buffer.from;

const WELL_KNOWN = { __proto__: null };
for (const name of ownKeys(Symbol)) {
  if (typeof Symbol[name] === 'symbol') WELL_KNOWN[name] = Symbol[name];
}
const UNBOX = { __proto__: null };
for (const name in BOXES) UNBOX[name] = uncurried(BOXES[name].prototype.valueOf);

// prototypes of this realm: the name of their constructor, and how their objects cross
const baseNames = new Map();
const kinds = new Map();
for (const name in BASES) {
  baseNames.set(BASES[name].prototype, name);
  kinds.set(BASES[name].prototype, name in TYPED ? 'typed' : name in ERRORS ? 'error'
    : name in BOXES ? 'box' : name);
}

function holds(test, value) {
  try {
    test(value);
    return true;
  } catch {
    return false;
  }
}

function boxName(value) {
  for (const name in UNBOX) if (holds(UNBOX[name], value)) return name;
  return undefined;
}

// Whether an object with such a prototype is really such an object: `Object.create(Map.prototype)`
// is no Map.
const BRANDS = {
  __proto__: null,
  Object: () => true,
  Array: isArray,
  error: () => true,
  Map: (value) => holds(mapSize, value),
  Set: (value) => holds(setSize, value),
  Date: (value) => holds(dateValue, value),
  RegExp: (value) => hasOwn(value, 'lastIndex') && holds(regExpSource, value),
  Promise: (value) => holds((each) => promiseThen(each, undefined, () => {}), value),
  ArrayBuffer: (value) => holds(bufferLength, value),
  DataView: (value) => holds(viewLength, value),
  typed: (value) => typedName(value) in TYPED,
  box: (value) => boxName(value) !== undefined,
};
