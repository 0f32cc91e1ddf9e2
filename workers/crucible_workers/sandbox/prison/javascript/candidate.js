// The untrusted side: loads programs and answers their driver. Nothing here decides a verdict.
//
// `node candidate.js many` judges plain computation, each program in a context of its own. A
// context starts with no object of ours or of Node's in it: what a program can reach was made by
// code evaluated inside it, functions that cross take and give text, and every exception of ours
// is swallowed before a program could catch it. Strings do not become code in there, so nothing
// that a text would have to name to be dangerous is made at run time behind the gate's back.
// `node candidate.js alone` judges one program with all of Node, in the process' own realm.
'use strict';

const { join } = require('path');
const { createRequire } = require('module');
const { pathToFileURL } = require('url');
const fs = require('fs');
const vm = require('vm');
const { Channel } = require('./channel.js');
const { realmScript } = require('./realm.js');
const { Service, isPump, order, syntaxProblem } = require('./service.js');

const CHANNEL = 3;
const MODULE_SYNTAX = /^\s*(?:import|export)\b|\bawait\b|\bimport\s*\.\s*meta\b/m;
const HOOK = 'crucible.names';

const service = new Service(new Channel(CHANNEL));
const script = realmScript();
const nothing = new vm.Script('0');
// captured: a program in this realm may replace it
const { stringify } = JSON;

// Behind a program's text, so that every name it declares is seen.
function namesText(names) {
  const pairs = names.map((name) => `typeof ${name}!=="undefined"&&["${name}",${name}]`);
  return `[${pairs.join(',')}]`;
}

const isLoad = (frame) => frame.startsWith('["load"]');

// ---- many programs, each in its own context

function serveMany() {
  let program;
  for (;;) {
    const frame = service.receive();
    if (isLoad(frame)) {
      program = loadInContext(order(frame));
      service.send(program.reply);
    } else if (frame.startsWith('["printed"]')) {
      service.send(stringify(program.realm.printed()));
      program = undefined;
    } else {
      service.send(answerInContext(program, frame));
    }
  }
}

function answerInContext(program, frame) {
  if (isPump(frame)) {
    // its promises' reactions wait in a queue of the context's own
    nothing.runInContext(program.context);
    program.realm.setIdle(true);
  }
  return program.realm.answer(frame);
}

function loadInContext({ source, names, entry, classes }) {
  const context = vm.createContext(Object.create(null), {
    codeGeneration: { strings: false, wasm: false },
    microtaskMode: 'afterEvaluate',
  });
  const realm = script.runInContext(context)(false, service.exchange);
  for (const name of classes) realm.expectClass(name);
  const define = (name, value) => Object.defineProperty(context, name,
    { __proto__: null, value, writable: true, configurable: true, enumerable: false });
  define('console', realm.bareConsole());
  let compiled;
  try {
    compiled = vm.compileFunction(`${source}\n;return ${namesText(names)}`, ['exports', 'module'],
      { filename: 'solution.js', parsingContext: context });
  } catch (error) {
    return { context, realm, reply: syntaxProblem(error) };
  }
  return { context, realm, reply: realm.runBare(compiled, entry) };
}

// ---- one program, with all of Node

let realm;

function serveAlone() {
  realm = script.runInThisContext()(false, service.exchange);
  const { source, names, entry, classes } = order(service.receive());
  for (const name of classes) realm.expectClass(name);
  const reply = loadCommon(source, names, entry);
  if (reply !== undefined) {
    service.send(reply);
    service.serve(realm);
  } else {
    loadModule(source, names, entry).then((text) => {
      service.send(text);
      service.serve(realm);
    });
  }
}

// The reply, or undefined when the program may be an ES module.
function loadCommon(source, names, entry) {
  const filename = join(process.cwd(), 'solution.js');
  const parameters = ['exports', 'require', 'module', '__filename', '__dirname'];
  let compiled;
  try {
    compiled = vm.compileFunction(`${source}\n;return ${namesText(names)}`, parameters,
      { filename, importModuleDynamically: dynamicImport() });
  } catch (error) {
    return MODULE_SYNTAX.test(source) ? undefined : syntaxProblem(error);
  }
  const require = createRequire(filename);
  const module = { exports: {}, id: '.', filename, loaded: false, children: [], paths: [], require };
  require.main = module;
  process.mainModule = module;
  process.argv[1] = filename;
  return realm.run(compiled, [module.exports, require, module, filename, process.cwd()], module,
    entry);
}

function dynamicImport() {
  const constant = vm.constants && vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  return constant === undefined ? (specifier) => import(specifier) : constant;
}

async function loadModule(source, names, entry) {
  const filename = join(process.cwd(), `solution-${process.pid}.mjs`);
  let pairs = [];
  globalThis[Symbol.for(HOOK)] = (found) => { pairs = found; };
  fs.writeFileSync(filename, `${source}\n;globalThis[Symbol.for("${HOOK}")](${namesText(names)})`);
  process.argv[1] = filename;
  try {
    const space = await import(pathToFileURL(filename));
    return realm.announce(pairs, { ...space }, entry);
  } catch (error) {
    return error instanceof SyntaxError ? syntaxProblem(error) : realm.failed(error);
  }
}

if (process.argv[2] === 'many') serveMany();
else serveAlone();
