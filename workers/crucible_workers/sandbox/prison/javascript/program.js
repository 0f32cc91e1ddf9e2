// Runs a program's top level and tells the driver what its names are.

// `given` are the parameters of the compiled program, as Node gives them to a module.
function run(compiled, given, module, entry) {
  let pairs;
  try {
    pairs = apply(compiled, module.exports, given);
  } catch (error) {
    return reply('throw', error, [], '[]');
  }
  if (!isArray(pairs)) return ended('returns at its top level, before its end');
  return announce(pairs, module.exports, entry);
}

function announce(pairs, exported, entry) {
  const known = [];
  const names = new Set();
  const add = (name, value) => {
    if (setHas(names, name)) return;
    setAdd(names, name);
    defineItem(known, [name, value]);
  };
  for (let i = 0; i < pairs.length; i++) {
    if (isArray(pairs[i])) add(pairs[i][0], pairs[i][1]);
  }
  try {
    addExports(exported, entry, add);
    shareClasses(known);
    forgetData();
    setClear(met);
    return `["ready"]\n[]\n${encodeAll(known)}`;
  } catch (error) {
    return reply('throw', error, [], '[]');
  }
}

// A module may export its function under its name, as all it exports, or as the default.
function addExports(exported, entry, add) {
  if (typeof exported === 'function' && entry !== null) add(entry, exported);
  if (typeof exported !== 'object' || exported === null) return;
  const keys = ownKeys(exported);
  for (let i = 0; i < keys.length; i++) {
    if (typeof keys[i] === 'string') add(keys[i], exported[keys[i]]);
  }
  if (entry !== null && typeof exported.default === 'function') add(entry, exported.default);
}

function shareClasses(pairs) {
  for (let i = 0; i < pairs.length; i++) {
    const [name, value] = pairs[i];
    if (typeof value === 'function' && setHas(classNames, name)) share(name, value.prototype);
  }
}

function share(name, prototype) {
  if (typeof prototype !== 'object' || prototype === null) return;
  mapSet(sharedNames, prototype, name);
  mapSet(sharedPrototypes, name, prototype);
}

const classNames = new Set();

function ended(reason) {
  return `["ended"]\n${stringify(reason)}`;
}

// In a realm without modules.
function runBare(compiled, entry) {
  const module = { exports: {} };
  return run(compiled, [module.exports, module], module, entry);
}

let printed = 0;

// A console that counts what it would print.
function bareConsole() {
  const print = (...items) => {
    for (let i = 0; i < items.length; i++) {
      // Node shows at most some kilobytes of an object
      printed += 1 + (typeof items[i] === 'string' ? items[i].length : 16);
    }
  };
  const made = {};
  const names = ['log', 'error', 'warn', 'info', 'debug', 'trace', 'dir', 'dirxml', 'table',
    'group', 'groupCollapsed', 'groupEnd', 'time', 'timeEnd', 'timeLog', 'count', 'countReset',
    'clear', 'assert'];
  for (let i = 0; i < names.length; i++) made[names[i]] = print;
  return made;
}
