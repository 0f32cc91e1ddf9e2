// Values to text. Scalars are JSON; everything else is an array whose first item names its kind.
//
// Data goes by value and is numbered within one outermost call: the numbers carry identity, shared
// and cyclic structure, and the way back of changes made in place. What is not data (functions,
// promises, instances of a program's classes) goes by handle, numbered for the program's life.
// Even numbers are the driver's, odd ones the program's.

const handles = new Map();
const handled = new Map();
const described = new Set();
let nextHandle = isDriver ? 0 : 1;
const numbers = new Map();
const numbered = new Map();
let nextNumber = isDriver ? 0 : 1;
// numbers of the data already told in this message
const met = new Set();
// classes that the prompt defines on both sides, by prototype and by name
const sharedNames = new Map();
const sharedPrototypes = new Map();
const adoptions = new Map();

// an index is cheap to check for, other properties of a huge array are not
const LONG_ARRAY = 100_000;

function forgetData() {
  mapClear(numbers);
  mapClear(numbered);
}

function encode(value) {
  switch (typeof value) {
    case 'string': return stringify(value);
    case 'number': return encodeNumber(value);
    case 'boolean': return value ? 'true' : 'false';
    case 'undefined': return '["u"]';
    case 'bigint': return `["I","${bigIntText(value)}"]`;
    case 'symbol': return encodeSymbol(value);
    case 'function': return encodeHandle(value, encodeFunction);
    default: return value === null ? 'null' : encodeObject(value);
  }
}

function encodeNumber(value) {
  if (value !== value) return '["n","NaN"]';
  if (value === Infinity) return '["n","Infinity"]';
  if (value === -Infinity) return '["n","-Infinity"]';
  return is(value, -0) ? '["n","-0"]' : `${value}`;
}

function encodeAll(values) {
  let text = '';
  for (let i = 0; i < values.length; i++) text += (i ? ',' : '') + encode(values[i]);
  return `[${text}]`;
}

function encodeSymbol(value) {
  for (const name in WELL_KNOWN) if (WELL_KNOWN[name] === value) return `["y","w","${name}"]`;
  const key = keyFor(value);
  if (key !== undefined) return `["y","r",${stringify(key)}]`;
  return `["y","s",${handleOf(value)},${encode(symbolText(value))}]`;
}

function encodeKey(key) {
  return typeof key === 'symbol' ? encodeSymbol(key) : stringify(key);
}

function handleOf(value) {
  let id = mapGet(handles, value);
  if (id === undefined) {
    id = nextHandle;
    nextHandle += 2;
    remember(id, value);
  }
  return id;
}

function remember(id, value) {
  mapSet(handles, value, id);
  mapSet(handled, id, value);
}

const isOurs = (id) => (id % 2 === 0) === isDriver;

// Described once, then named by its number; so is a stand-in for what lives on the other side.
function encodeHandle(value, describe) {
  const id = handleOf(value);
  if (!isOurs(id) || setHas(described, id)) return `["h",${id}]`;
  setAdd(described, id);
  return describe(value, id);
}

function encodeFunction(value, id) {
  const held = (name) => (getOwnPropertyDescriptor(value, name) || NOTHING).value;
  const [name, length, prototype] = [held('name'), held('length'), held('prototype')];
  const title = typeof name === 'string' ? stringify(name) : '""';
  const count = typeof length === 'number' ? encodeNumber(length) : '0';
  const isObject = typeof prototype === 'object' && prototype !== null;
  return `["f",${id},${title},${count},${isObject ? encodePrototype(prototype) : 'null'}]`;
}

// A builtin by its name, a class of the prompt by its name, else a handle.
function encodePrototype(prototype) {
  if (prototype === null) return 'null';
  const base = mapGet(baseNames, prototype);
  if (base !== undefined) return `"${base}"`;
  const name = mapGet(sharedNames, prototype);
  if (name !== undefined) return `["k",${stringify(name)}]`;
  return encodeHandle(prototype,
    (value, id) => `["P",${id},${encodePrototype(getPrototypeOf(value))}]`);
}

function encodePromise(value) {
  return encodeHandle(value, (promise, id) => {
    watch(id, promise);
    return `["p",${id}]`;
  });
}

function encodeObject(value) {
  if (mapGet(handles, value) !== undefined) return encodeHandle(value, encodeInstance);
  const prototype = getPrototypeOf(value);
  // waiting for a thenable is its own realm's business
  if (typeof value.then === 'function' && !BRANDS.Promise(value)) return encodePromise(adopted(value));
  if (prototype === null) return encodeData(value, 'bare');
  const kind = mapGet(kinds, prototype);
  if (kind !== undefined && BRANDS[kind](value)) {
    return kind === 'Promise' ? encodePromise(value) : encodeData(value, kind);
  }
  return encodeOther(value, prototype);
}

// An object of some class, or one that is not what its prototype says.
function encodeOther(value, prototype) {
  let parent = prototype;
  while (parent !== null && mapGet(kinds, parent) === undefined) parent = getPrototypeOf(parent);
  const kind = parent === null ? 'Object' : mapGet(kinds, parent);
  if (!BRANDS[kind](value)) return encodeHandle(value, encodeInstance);
  if (kind === 'Promise') return encodePromise(value);
  const isShared = mapGet(sharedNames, prototype) !== undefined;
  if (kind === 'Object' && !isShared) return encodeHandle(value, encodeInstance);
  return `["c",${encodePrototype(prototype)},${encodeData(value, kind)}]`;
}

function encodeInstance(value, id) {
  return `["O",${id},${encodePrototype(getPrototypeOf(value))}]`;
}

function adopted(value) {
  if (mapGet(adoptions, value) === undefined) {
    mapSet(adoptions, value, apply(promiseOf, BASES.Promise, [value]));
  }
  return mapGet(adoptions, value);
}

function encodeData(value, kind) {
  let number = mapGet(numbers, value);
  if (number === undefined) {
    number = nextNumber;
    nextNumber += 2;
    mapSet(numbers, value, number);
    mapSet(numbered, number, value);
  }
  if (setHas(met, number)) return `["@",${number}]`;
  setAdd(met, number);
  const text = ENCODERS[kind](value, number);
  if (isExtensible(value)) return text;
  return `["z",${isFrozen(value) ? 2 : isSealed(value) ? 1 : 0},${text}]`;
}

function encodeArray(value, number) {
  const { length } = value;
  let isDense = length > LONG_ARRAY || ownKeys(value).length === length + 1;
  for (let i = 0; i < length && isDense; i++) {
    isDense = value[i] !== undefined || hasOwn(value, i);
  }
  if (isDense) return `["a",${number},${encodeAll(value)}]`;
  return `["A",${number},${length},${encodeProperties(value)}]`;
}

function encodeProperties(value, isWanted = isEnumerable) {
  const keys = ownKeys(value);
  let text = '';
  for (let i = 0; i < keys.length; i++) {
    if (isWanted(value, keys[i])) {
      text += `${text && ','}${encodeKey(keys[i])},${encode(value[keys[i]])}`;
    }
  }
  return `[${text}]`;
}

function encodeError(value, number) {
  let parent = value;
  while (mapGet(kinds, parent) !== 'error') parent = getPrototypeOf(parent);
  const isHidden = (error, key) => key !== 'stack' && !isEnumerable(error, key);
  const isShown = (error, key) => key !== 'stack' && isEnumerable(error, key);
  const hidden = encodeProperties(value, isHidden);
  return `["e",${number},"${mapGet(baseNames, parent)}",${hidden},${encodeProperties(value, isShown)}]`;
}

function encodeMap(value, number) {
  const items = [];
  mapForEach(value, (item, key) => {
    defineItem(items, key);
    defineItem(items, item);
  });
  return `["m",${number},${encodeAll(items)}]`;
}

function encodeSet(value, number) {
  const items = [];
  setForEach(value, (item) => defineItem(items, item));
  return `["s",${number},${encodeAll(items)}]`;
}

function defineItem(list, value) {
  const descriptor = { __proto__: null, value, writable: true, enumerable: true, configurable: true };
  defineProperty(list, list.length, descriptor);
}

function encodeTyped(value, number) {
  const isBuffer = TYPED.Buffer && value instanceof TYPED.Buffer;
  return `["t",${number},"${isBuffer ? 'Buffer' : typedName(value)}",${encodeAll(value)}]`;
}

const ENCODERS = {
  __proto__: null,
  Object: (value, number) => `["o",${number},${encodeProperties(value)}]`,
  bare: (value, number) => `["N",${number},${encodeProperties(value)}]`,
  Array: encodeArray,
  error: encodeError,
  Map: encodeMap,
  Set: encodeSet,
  Date: (value, number) => `["d",${number},${encode(dateValue(value))}]`,
  RegExp: (value, number) => `["r",${number},${stringify(regExpSource(value))},`
    + `${stringify(regExpFlags(value))},${encode(value.lastIndex)}]`,
  ArrayBuffer: (value, number) => `["B",${number},${encodeAll(new Bytes(value))}]`,
  DataView: (value, number) => `["D",${number},${encode(viewBuffer(value))},`
    + `${viewOffset(value)},${viewLength(value)}]`,
  typed: encodeTyped,
  box: (value, number) => {
    const name = boxName(value);
    return `["b",${number},"${name}",${encode(UNBOX[name](value))}]`;
  },
};
