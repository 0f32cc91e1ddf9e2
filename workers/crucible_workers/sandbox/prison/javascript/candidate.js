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
const { Channel, FrameTooLarge } = require('./channel.js');
const { realmScript } = require('./realm.js');

const CHANNEL = 3;
// between looks at a test's own timers
const SLICE_MILLISECONDS = 20;
const MODULE_SYNTAX = /^\s*(?:import|export)\b|\bawait\b|\bimport\s*\.\s*meta\b/m;
const HOOK = 'crucible.names';

const channel = new Channel(CHANNEL);
const script = realmScript();
const nothing = new vm.Script('0');
// captured: a program in this realm may replace them
const later = setImmediate;
const timer = setTimeout;
const untimer = clearTimeout;
const { stringify, parse } = JSON;
const leave = process.reallyExit.bind(process);

function exchange(text) {
  channel.send(text);
  return channel.receive();
}

// Reply, or end: whoever waits for us sees the end of the channel.
function send(text) {
  try {
    channel.send(text);
  } catch (error) {
    if (!(error instanceof FrameTooLarge)) leave(0);
    channel.send('["large"]\n[]');
  }
}

function receive() {
  try {
    return channel.receive();
  } catch {
    return leave(0);
  }
}

// Behind a program's text, so that every name it declares is seen.
function namesText(names) {
  const pairs = names.map((name) => `typeof ${name}!=="undefined"&&["${name}",${name}]`);
  return `[${pairs.join(',')}]`;
}

function syntaxProblem(error) {
  return `["syntax"]\n${stringify(`${error.name}: ${error.message}`)}`;
}

const isLoad = (frame) => frame.startsWith('["load"]');
const isPump = (frame) => frame.startsWith('["ask","pump"]');
const order = (frame) => parse(frame.slice(frame.indexOf('\n') + 1));

// ---- many programs, each in its own context

function serveMany() {
  let program;
  for (;;) {
    const frame = receive();
    if (isLoad(frame)) {
      program = loadInContext(order(frame));
      send(program.reply);
    } else if (frame.startsWith('["printed"]')) {
      send(stringify(program.realm.printed()));
      program = undefined;
    } else {
      send(answerInContext(program, frame));
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
  const realm = script.runInContext(context)(false, exchange);
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
  realm = script.runInThisContext()(false, exchange);
  const { source, names, entry, classes } = order(receive());
  for (const name of classes) realm.expectClass(name);
  const reply = loadCommon(source, names, entry);
  if (reply !== undefined) {
    send(reply);
    serveRest();
  } else {
    loadModule(source, names, entry).then((text) => {
      send(text);
      serveRest();
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

// Questions are answered at once; only a pump lets this process' event loop run.
function serveRest() {
  for (;;) {
    const frame = receive();
    if (frame.startsWith('["printed"]')) {
      // what it printed is in its output
      send('0');
    } else if (isPump(frame)) {
      runUntilSettled(frame);
      return;
    } else {
      send(realm.answer(frame));
    }
  }
}

function runUntilSettled(frame) {
  let isDone = false;
  const finish = (isIdle) => {
    if (isDone) return;
    isDone = true;
    untimer(slice);
    process.removeListener('beforeExit', idle);
    realm.onSettled(undefined);
    realm.setIdle(isIdle);
    send(realm.answer(frame));
    later(serveRest);
  };
  const idle = () => finish(true);
  const soon = () => later(finish, false);
  // unreferenced, so that the loop is seen to be empty
  const slice = timer(soon, SLICE_MILLISECONDS).unref();
  process.on('beforeExit', idle);
  realm.onSettled(soon);
  if (realm.hasSettled()) soon();
}

if (process.argv[2] === 'many') serveMany();
else serveAlone();
