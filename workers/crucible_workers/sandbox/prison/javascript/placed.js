// The untrusted side of a repository's challenge: its modules, with a program where a function was.
//
// The module has a hole (`repository/javascript/hole.py`), which the program's text fills: it is
// evaluated in the module's scope. Neither the tests nor the original are in this process or in
// its prison.
'use strict';

const { pathToFileURL } = require('url');
const { Channel } = require('./channel.js');
const { realmScript } = require('./realm.js');
const { Service, order, syntaxProblem } = require('./service.js');
const { shareClasses } = require('./shared.js');

const CHANNEL = 3;
const HOLE = Symbol.for('crucible.hole');

const service = new Service(new Channel(CHANNEL));
const realm = realmScript().runInThisContext()(false, service.exchange);
const { root, path, name, target, text, imports, shared } = order(service.receive());
const { apply } = Reflect;

let evaluate;
let bring;
let spaces = [];
let program;
let problem;

// What fills the hole, for everybody in the module who calls it.
function hole(...given) {
  fill();
  return apply(program, this, given);
}

globalThis[HOLE] = (inScope, dynamicImport) => {
  evaluate ??= inScope;
  bring ??= dynamicImport;
  return hole;
};

// Once; throws what the program throws.
function fill() {
  if (program !== undefined) return;
  const real = evaluate('typeof module === "object" ? module : undefined');
  const made = { __proto__: real ?? null, exports: { __proto__: real?.exports ?? null } };
  const run = compiled();
  const [own, assigned] = apply(run, undefined, [undefined, made, made.exports, spaces]);
  program = found(own, assigned, made.exports);
  if (typeof program !== 'function') program = undefined;
}

function found(own, assigned, exported) {
  if (typeof own === 'function') return own;
  if (typeof exported === 'function') return exported;
  for (const key of [name, 'default']) {
    const value = Object.hasOwn(exported ?? {}, key) ? exported[key] : undefined;
    if (typeof value === 'function') return value;
  }
  return assigned === hole ? undefined : assigned;
}

// The program's text as a function of the module's scope.
function compiled() {
  const prelude = imports.map(({ names }, i) => names.map(([outer, inner]) => (
    `const ${inner} = crucible[${i}]${outer === '*' ? '' : `[${JSON.stringify(outer)}]`};`)).join(''));
  const value = target.includes('.') && !/^(?:module\.)?exports\b/.test(target) ? target : 'undefined';
  const inner = `${prelude.join('')}${text}\n;return [typeof ${name} === "undefined" ? undefined `
    + `: ${name}, ${value}];`;
  try {
    return evaluate(`(function (${name}, module, exports, crucible) {`
      + `return (function () {${inner}\n}).call(this);})`);
  } catch (error) {
    problem = syntaxProblem(error);
    throw error;
  }
}

async function load() {
  try {
    process.chdir(root);
    await import(pathToFileURL(path));
    if (evaluate === undefined) return realm.ended('never comes to where its function is');
    spaces = await Promise.all(imports.map(({ module }) => bring(module)));
    await shareClasses(realm, root, shared);
    fill();
  } catch (error) {
    return problem ?? realm.failed(error);
  }
  if (program === undefined) return realm.ended(`the program defines no function ${name}`);
  return realm.announce([[name, program]], undefined, null);
}

load().then((reply) => {
  service.send(reply);
  service.serve(realm);
});
