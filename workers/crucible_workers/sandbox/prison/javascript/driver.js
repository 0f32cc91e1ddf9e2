// The trusted side: runs a challenge's tests against one program after another.
//
// The verdict is made here, when the tests and all they wait for have ended, and never from what a
// program says about itself. `node driver.js COUNT` holds the host's channel at 3 and COUNT
// channels to candidates' processes behind it.
'use strict';

const assert = require('assert');
const { createRequire } = require('module');
const { join } = require('path');
const { inspect } = require('util');
const { Channel, ChannelClosed, FrameTooLarge } = require('./channel.js');
const { described } = require('./explained.js');
const { realmScript } = require('./realm.js');
const { Tests, UnusableTests, isClass } = require('./tests.js');

const HOST = 3;
const DETAIL_LIMIT = 300;
const IDLE_MILLISECONDS = 1;
// handles of Node's own that say nothing about a test
const QUIET = new Set(['TTYWrap', 'PipeWrap', 'FileHandle', 'SignalWrap']);

const host = new Channel(HOST);
const realmOf = realmScript().runInThisContext();
const channels = Array.from({ length: Number(process.argv[2]) }, (_, i) => new Channel(HOST + 1 + i));
const ownGlobals = new Set(Reflect.ownKeys(globalThis));
const later = setImmediate;
const timer = setTimeout;
const leave = process.reallyExit.bind(process);

let tests;
let current;

// Thrown by a test's `process.exit`.
class TestExit extends Error {
  constructor(code) {
    super(`the tests exit with ${code}`);
    this.code = code;
  }
}

// One program under test.
class Attempt {
  failure;
  // why the program will not answer again; a pass needs this to be undefined at the end
  end;
  exitCode;
  isMainDone = false;

  constructor(channel) {
    this.channel = channel;
    this.realm = realmOf(true, (text) => this.exchange(text));
  }

  exchange(text) {
    try {
      this.channel.send(text);
      const frame = this.channel.receive();
      if (frame === '["large"]\n[]') throw new FrameTooLarge();
      return frame;
    } catch (error) {
      this.end ??= error instanceof FrameTooLarge
        ? ['output_limit', 'returned a value of more than 64 MiB'] : ['gone', ''];
      throw error;
    }
  }

  fail(error) {
    this.failure ??= { error };
  }

  start(source) {
    const helpers = tests.helpers();
    const classes = helpers.filter(([, value]) => isClass(value)).map(([name]) => name);
    const order = { source, names: [...tests.names, ...classes], entry: tests.entry, classes };
    const frame = this.exchange(`["load"]\n${JSON.stringify(order)}`);
    if (frame.startsWith('["syntax"]')) {
      this.end = ['syntax_error', String(JSON.parse(frame.slice(frame.indexOf('\n') + 1)))];
      return;
    }
    if (frame.startsWith('["ended"]')) {
      this.end = ['error', String(JSON.parse(frame.slice(frame.indexOf('\n') + 1)))];
      return;
    }
    for (const [name, value] of helpers) {
      if (isClass(value)) this.realm.share(name, value.prototype);
    }
    const scope = this.scopeOf(this.realm.readReady(frame), helpers);
    this.realm.setScope(scope);
    const value = tests.run(scope);
    if (value === null || typeof value !== 'object' || typeof value.then !== 'function') {
      this.isMainDone = true;
    } else {
      Promise.resolve(value).then(() => { this.isMainDone = true; }, (error) => this.fail(error));
    }
  }

  scopeOf(pairs, helpers) {
    const known = new Set(tests.names);
    const scope = { __proto__: null };
    for (const pair of pairs) {
      if (Array.isArray(pair) && known.has(pair[0])) scope[pair[0]] = pair[1];
    }
    for (const [name, value] of helpers) scope[name] = value;
    scope.module = { exports: {} };
    scope.exports = scope.module.exports;
    scope.require = createRequire(join(process.cwd(), 'tests.js'));
    scope.require.main = scope.module;
    scope.console = this.quietConsole();
    return scope;
  }

  // Prints nothing; an assertion of it counts even when a test catches what it throws.
  quietConsole() {
    const quiet = {};
    for (const name of Object.keys(console)) quiet[name] = () => {};
    quiet.assert = (value, ...message) => {
      if (value) return;
      const error = new assert.AssertionError({ message: message.join(' ') || undefined, actual: value, expected: true, operator: '==', stackStartFn: quiet.assert });
      this.fail(error);
      throw error;
    };
    return quiet;
  }

  // Whether there is nothing left to wait for; a test's own timers and files are waited for.
  isSettled() {
    const active = process.getActiveResourcesInfo().filter((kind) => !QUIET.has(kind));
    if (this.realm.waitingCount() > 0) {
      const isIdle = this.realm.pump();
      if (!isIdle) return false;
      if (active.length === 0) this.fail(new Error('a promise of the program never settles'));
      return active.length === 0;
    }
    if (active.length > 0) return false;
    if (!this.isMainDone) this.fail(new Error('the tests wait for what never comes'));
    return true;
  }

  // Outcome, detail, and how much the program says it printed.
  verdict() {
    let printed = 0;
    if (this.end === undefined) {
      try {
        printed = Number(this.exchange('["printed"]\n[]')) || 0;
      } catch {
        // said by `end` now
      }
    }
    this.realm.close();
    const broken = this.realm.broken();
    if (broken !== null) return ['error', `wrote to its channel: ${broken}`, printed];
    if (this.end !== undefined) return [...this.end, printed];
    if (this.failure !== undefined) return [...this.explain(this.failure.error), printed];
    if (this.exitCode) return ['failed', `the tests exit with ${this.exitCode}`, printed];
    return ['passed', '', printed];
  }

  explain(error) {
    const isTheirs = error === this.realm.thrown() && error !== undefined;
    const text = described(error);
    if (isTheirs) return [/allocation failed/i.test(text) ? 'out_of_memory' : 'error', text];
    const line = failingLine(error);
    if (!(error instanceof assert.AssertionError) && !(error instanceof TestExit)) {
      return ['error', line ? `${text} in the test: ${line}` : text];
    }
    const parts = [line || text.split('\n')[0]];
    const [count, value] = this.realm.calls();
    if (count) parts.push(`the last call returned ${inspect(value, { depth: 2, breakLength: Infinity })}`);
    return ['failed', parts.join('; ')];
  }
}

function failingLine(error) {
  const place = /tests\.js:(\d+)/.exec(String(error && error.stack));
  return place ? (tests.lines[place[1] - 1] || '').trim() : '';
}

function load(message) {
  tests = undefined;
  try {
    tests = new Tests(message);
    return { loaded: true };
  } catch (error) {
    if (!(error instanceof UnusableTests)) throw error;
    return { loaded: false, reason: error.message };
  }
}

function attempt({ source, channel }) {
  current = new Attempt(channels[channel]);
  try {
    current.start(source);
  } catch (error) {
    noticed(error);
  }
  later(look);
}

function look() {
  const it = current;
  try {
    const isOver = it.failure !== undefined || it.end !== undefined || it.exitCode !== undefined;
    if (!isOver && !it.isSettled()) {
      // not from the timer itself, which would count as one of the tests' own
      timer(later, IDLE_MILLISECONDS, look);
      return;
    }
  } catch (error) {
    noticed(error);
  }
  conclude(it);
}

function conclude(it) {
  it.exitCode ??= process.exitCode;
  const [outcome, detail, printed] = it.verdict();
  current = undefined;
  const isStale = tests.isLasting || process.getActiveResourcesInfo().some((kind) => !QUIET.has(kind));
  process.exitCode = undefined;
  for (const key of Reflect.ownKeys(globalThis)) if (!ownGlobals.has(key)) delete globalThis[key];
  host.send(JSON.stringify({ outcome, detail: detail.slice(0, DETAIL_LIMIT), printed, isStale }));
  later(serve);
}

function serve() {
  for (;;) {
    let message;
    try {
      message = JSON.parse(host.receive());
    } catch {
      leave(0);
    }
    if ('source' in message && 'channel' in message) {
      attempt(message);
      return;
    }
    host.send(JSON.stringify(load(message)));
  }
}

function noticed(error) {
  if (current === undefined) return;
  if (error instanceof TestExit) current.exitCode ??= error.code;
  else current.fail(error);
}

process.exit = (code = process.exitCode) => {
  const error = new TestExit(Number(code ?? 0));
  noticed(error);
  throw error;
};
process.on('uncaughtException', noticed);
process.on('unhandledRejection', noticed);

serve();
