// A challenge's tests: which names they take from a program, and how they are run.
'use strict';

const vm = require('vm');

const WORD = /[A-Za-z_$][\w$]*/g;
const DECLARED = /\b(?:function\b\s*\*?|class|const|let|var)\s*([A-Za-z_$][\w$]*)/g;
const OUTERMOST = /^(?:export\s+)?(?:async\s+)?(?:function\b\s*\*?|const|let|var)\s*([A-Za-z_$][\w$]*)/gm;
// no name of a program can be one of these
const RESERVED = new Set(`arguments async await break case catch class const continue debugger
  default delete do else enum eval export extends false finally for function if implements import
  in instanceof interface let new null of package private protected public return static super
  switch this throw true try typeof undefined var void while with yield NaN Infinity
  require module exports console assert test describe it __filename __dirname`.split(/\s+/));
// tests that change what outlives them need a process of their own
const LASTING = /\bprototype\b|\bglobal(?:This)?\b|\bprocess\b|\bdefinePropert|\bassign\s*\(|\bMath\.\w+\s*=/;
const IMPORT = /^[ \t]*import\s+(?:([\w$]+)\s*,?\s*)?(?:\*\s*as\s+([\w$]+)\s*|\{([^}]*)\}\s*)?(?:from\s*)?(['"])([^'"\n]+)\4[ \t]*;?/gm;

// Evaluated where no variable of ours is in scope. The scope object holds what a program and a
// prompt define; what the tests declare themselves lies before it, so no program can replace it.
const evaluate = vm.runInThisContext(`(function () {
  with (arguments[0]) { return (function () { return eval(arguments[0]); })(arguments[1]); }
})`);

class UnusableTests extends Error {}

class Tests {
  constructor({ prompt, entry_point: entry, source }) {
    this.entry = entry;
    this.source = scriptOf(source);
    this.lines = this.source.split('\n');
    this.isLasting = LASTING.test(source);
    const words = new Set(source.match(WORD));
    this.prompt = promptOf(prompt, words, entry);
    this.names = [...words].filter((word) => isFree(word) && word !== entry);
    if (entry !== null) this.names.push(entry);
  }

  // What the prompt defines for the tests: helpers, and classes known by name on both sides.
  helpers() {
    const found = this.prompt === undefined ? {} : this.prompt();
    return Object.entries(found).filter(([, value]) => value !== undefined);
  }

  // The tests' own value: a promise when they are asynchronous.
  run(scope) {
    return evaluate(scope, this.source);
  }
}

const isClass = (value) => typeof value === 'function' && /^class\b/.test(`${value}`);

function isFree(word) {
  return !RESERVED.has(word) && !(word in globalThis);
}

function compiles(source) {
  try {
    return new vm.Script(source, { filename: 'tests.js' }) && undefined;
  } catch (error) {
    return error;
  }
}

// As one script whose value is that of its last statement. Raises UnusableTests.
function scriptOf(source) {
  const plain = source.replace(/^#!.*/, '').replace(IMPORT, required);
  const problem = compiles(plain);
  if (problem === undefined) return `${plain}\n//# sourceURL=tests.js`;
  const waiting = `(async () => { ${plain}\n})()`;
  if (compiles(waiting) !== undefined) throw new UnusableTests(`${problem}`);
  return `${waiting}\n//# sourceURL=tests.js`;
}

function required(_, whole, all, some, __, name) {
  // names of the program's own module are in scope already
  if (name.startsWith('.')) return '';
  const parts = [];
  const module = `require(${JSON.stringify(name)})`;
  if (whole) parts.push(`const ${whole} = ${module};`);
  if (all) parts.push(`const ${all} = ${module};`);
  if (some) parts.push(`const {${some.replace(/\bdefault\s+as\b/g, 'strict:').replace(/\s+as\s+/g, ': ')}} = ${module};`);
  return parts.join(' ') || `${module};`;
}

// The prompt ends in an open function; whichever closing makes it a program does.
function promptOf(prompt, words, entry) {
  const declared = new Set([...prompt.matchAll(DECLARED)].map((match) => match[1]));
  // without a name, it is the last function that a prompt leaves open
  const asked = entry ?? [...prompt.matchAll(OUTERMOST)].map((match) => match[1]).pop();
  const wanted = [...declared].filter((name) => words.has(name) && name !== asked
    && !RESERVED.has(name));
  if (!wanted.length) return undefined;
  const values = wanted.map((name) => `${name}: typeof ${name} === "undefined" ? undefined : ${name}`);
  for (const closing of ['', '}', '};', '})', '}}']) {
    const source = `(function () { ${prompt}\n${closing}\n;return {${values.join(',')}}; })`;
    if (compiles(source) === undefined) {
      const made = vm.runInThisContext(source);
      try {
        made();
        return made;
      } catch {
        // a prompt that needs what it does not define helps nobody
      }
    }
  }
  return undefined;
}

module.exports = { Tests, UnusableTests, isClass };
