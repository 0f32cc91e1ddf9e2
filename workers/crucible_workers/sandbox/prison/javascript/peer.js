// One end of a channel: asks the other to do something with its objects, and answers it.
//
// A frame is a JSON head, and after line breaks what was encoded. While one end waits for its
// answer the other may ask back, so that a program can call a test's function.

const waiting = new Map();
const settled = [];
let waitingCount = 0;
let notifySettled;
let depth = 0;
let isIdle = false;
let isOver = false;
// what a test calls its functions on without meaning to
let ownScope;
let lastValue;
// the last exception that came from the other side
let thrown;
let callCount = 0;

function ask(verb, given) {
  if (isOver) throw new TypeProblem('the program has ended');
  if (depth === 0) forgetData();
  setClear(met);
  depth += 1;
  try {
    let frame = send(`["ask","${verb}"]\n${encodeAll(given)}`);
    while (isQuestion(frame)) frame = send(answer(frame));
    return readAnswer(frame);
  } finally {
    depth -= 1;
  }
}

function send(text) {
  let frame;
  try {
    frame = exchange(text);
  } catch {
    // what is caught here may be of another realm, which no program may see
    frame = null;
  }
  if (typeof frame !== 'string') {
    isOver = true;
    throw new TypeProblem('the other side is gone');
  }
  return frame;
}

const isQuestion = (frame) => textIndexOf(frame, '["ask",') === 0;

function split(frame) {
  const first = textIndexOf(frame, '\n');
  const second = textIndexOf(frame, '\n', first + 1);
  if (first < 0) refuse('no frame');
  if (second < 0) return [textSlice(frame, 0, first), textSlice(frame, first + 1), 'null'];
  return [textSlice(frame, 0, first), textSlice(frame, first + 1, second),
    textSlice(frame, second + 1)];
}

function readAnswer(frame) {
  const [head, changes, body] = split(frame);
  if (head !== '["throw"]' && head !== '["return"]') refuse('an unknown answer');
  let value;
  try {
    decodeAll(parse(changes));
    value = decode(parse(body));
  } catch (error) {
    refuse(`an answer that cannot be read: ${error}`);
  }
  if (head === '["return"]') return value;
  thrown = value;
  throw value;
}

// The reply to a question, as text.
function answer(frame) {
  if (depth === 0) forgetData();
  depth += 1;
  try {
    const [head, body] = split(frame);
    const given = decodeAll(parse(body));
    let kind = 'return';
    let value;
    try {
      value = VERBS[parse(head)[1]](given);
    } catch (error) {
      // whether the asker broke the protocol is not the answerer's to hide
      if (error instanceof BadValue) throw error;
      kind = 'throw';
      value = error;
    }
    return reply(kind, value, given, body);
  } finally {
    depth -= 1;
  }
}

function reply(kind, value, given, body) {
  try {
    setClear(met);
    const now = encodeAll(given);
    return `["${kind}"]\n${now === body ? '[]' : now}\n${encode(value)}`;
  } catch (error) {
    setClear(met);
    return `["throw"]\n[]\n${encode(error)}`;
  }
}

function rest(given, from) {
  const list = [];
  for (let i = from; i < given.length; i++) defineItem(list, given[i]);
  return list;
}

const VERBS = {
  __proto__: null,
  call: (given) => apply(allowed(given[0]), given[1], rest(given, 2)),
  construct: (given) => construct(allowed(given[0]), rest(given, 1)),
  get: ([object, key]) => (isReachable(object, key) ? object[key] : undefined),
  set: ([object, key, value]) => {
    if (isReachable(object, key)) object[key] = value;
  },
  has: ([object, key]) => isReachable(object, key) && key in object,
  delete: ([object, key]) => isReachable(object, key) && delete object[key],
  keys: ([object]) => ownKeys(object),
  own: ([object, key]) => {
    if (!isReachable(object, key) || !hasOwn(object, key)) return undefined;
    return [object[key], isEnumerable(object, key)];
  },
  text: ([object]) => `${object}`,
  settle: ([id, isKept, value]) => settle(id, isKept, value),
  pump: () => {
    const list = rest(settled, 0);
    settled.length = 0;
    return [list, isIdle];
  },
};

// A program may call those functions that a test gave it.
function allowed(method) {
  const id = mapGet(handles, method);
  if (isDriver && (typeof method !== 'function' || id === undefined || !isOurs(id))) {
    refuse('a function that no test gave');
  }
  return method;
}

// A program may look at what a test's own classes define: builtins lead to `Function`.
function isReachable(object, key) {
  if (!isDriver) return true;
  const id = mapGet(handles, object);
  if (id === undefined || !isOurs(id) || typeof object !== 'object') return false;
  if (key === 'constructor' || key === '__proto__') return false;
  let holder = object;
  while (holder !== null && !hasOwn(holder, key)) holder = getPrototypeOf(holder);
  return holder === null || mapGet(baseNames, holder) === undefined;
}

function settle(id, isKept, value) {
  const deferred = mapGet(waiting, id);
  if (deferred === undefined) return;
  mapSet(waiting, id, undefined);
  waitingCount -= 1;
  if (isKept) deferred.resolve(value);
  else deferred.reject(value);
}

function watch(id, promise) {
  const note = (isKept) => (value) => {
    defineItem(settled, [id, isKept, value]);
    if (notifySettled !== undefined) notifySettled();
  };
  promiseThen(promise, note(true), note(false));
}

// Let the other side run what it has waiting; whether it has nothing left to do.
function pump() {
  while (settled.length > 0) {
    const given = settled[0];
    for (let i = 1; i < settled.length; i++) settled[i - 1] = settled[i];
    settled.length -= 1;
    ask('settle', given);
  }
  const [list, hasNothingLeft] = ask('pump', []);
  for (let i = 0; i < list.length; i++) settle(list[i][0], list[i][1], list[i][2]);
  return hasNothingLeft && list.length === 0;
}

// ---- stand-ins

// What the language asks of any object unasked, and what only our side may answer.
function isWithheld(key) {
  if (!isDriver) return false;
  return isOver || key === 'then' || (typeof key === 'symbol' && keyFor(key) !== undefined);
}

function conversion(self) {
  return (hint) => (hint === 'string' ? `${ask('text', [self])}` : refuseConversion());
}

function read(holder, key, self) {
  if (isWithheld(key)) return undefined;
  return isDriver && key === toPrimitive ? conversion(self) : ask('get', [holder, key]);
}

function standInFunction(id, name, length, prototype) {
  const target = function () {};
  defineProperty(target, 'name', { __proto__: null, value: name });
  defineProperty(target, 'length', { __proto__: null, value: length });
  target.prototype = prototype;
  const standIn = new Stand(target, {
    __proto__: null,
    apply: (_, self, given) => {
      callCount += 1;
      const clean = self === ownScope || self === globalThis ? undefined : self;
      lastValue = ask('call', joined([standIn, clean], given));
      return lastValue;
    },
    construct: (_, given, kind) => {
      callCount += 1;
      const made = ask('construct', joined([standIn], given));
      if (kind !== standIn && typeof made === 'object') setPrototypeOf(made, kind.prototype);
      return made;
    },
    get: (_, key) => (has(target, key) ? target[key] : read(standIn, key, standIn)),
    set: (_, key, value) => {
      ask('set', [standIn, key, value]);
      return true;
    },
  });
  return standIn;
}

function joined(list, given) {
  for (let i = 0; i < given.length; i++) defineItem(list, given[i]);
  return list;
}

function standInPrototype(id, parent) {
  const standIn = new Stand(create(parent), {
    __proto__: null,
    get: (_, key, self) => read(standIn, key, self),
    has: (_, key) => !isWithheld(key) && ask('has', [standIn, key]),
  });
  return standIn;
}

function standInObject(id, prototype) {
  const change = (verb, ...given) => {
    ask(verb, joined([standIn], given));
    return true;
  };
  const standIn = new Stand(create(prototype), {
    __proto__: null,
    get: (_, key) => read(standIn, key, standIn),
    set: (_, key, value) => change('set', key, value),
    has: (_, key) => !isWithheld(key) && ask('has', [standIn, key]),
    deleteProperty: (_, key) => change('delete', key),
    defineProperty: (_, key, descriptor) => change('set', key, descriptor.value),
    ownKeys: () => (isOver ? [] : ask('keys', [standIn])),
    getOwnPropertyDescriptor: (_, key) => {
      const found = isWithheld(key) ? undefined : ask('own', [standIn, key]);
      return found && { value: found[0], enumerable: found[1], writable: true, configurable: true };
    },
  });
  return standIn;
}

function standInPromise(id) {
  return new Deferred((resolve, reject) => {
    mapSet(waiting, id, { __proto__: null, resolve, reject });
    waitingCount += 1;
  });
}
