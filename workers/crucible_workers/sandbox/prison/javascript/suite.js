// The trusted side of a repository's challenge: one file of its tests, run by Node's own runner.
//
// The repository lies in this process' prison with a hole where one function was; calls of it
// cross to the program's process. The verdict is made here, at the very end, from what became of
// each test, and never from what a program says or prints. The host's channel is at 3, the
// program's at 4.
'use strict';

const fs = require('fs');
const { pathToFileURL } = require('url');
const { AssertionError } = require('assert');
const { inspect } = require('util');
const { Channel, FrameTooLarge } = require('./channel.js');
const { described, textLine } = require('./explained.js');
const { atEnd } = require('./ending.js');
const { realmScript } = require('./realm.js');
const { NotPassed, Recorder } = require('./recorder.js');
const { shareClasses } = require('./shared.js');

const [HOST, PROGRAM] = [3, 4];
const HOLE = Symbol.for('crucible.hole');
const DETAIL_LIMIT = 300;
const IDLE_MILLISECONDS = 1;
// handles of Node's own that say nothing about a test
const QUIET = new Set(['TTYWrap', 'PipeWrap', 'FileHandle', 'SignalWrap']);

const host = new Channel(HOST);
const channel = new Channel(PROGRAM);
const realm = realmScript().runInThisContext()(true, exchange);
// captured: tests may replace them
const later = setImmediate;
const timer = setTimeout;
const { apply } = Reflect;
const { readFileSync } = fs;

const message = JSON.parse(host.receive());
const recorder = new Recorder(message.file);
// why the program will not answer again; a pass needs this to be undefined at the end
let end;
// what went wrong outside of any test
let failure;
let isPumping = false;
// whether a test may have left before what it asserts, for want of an answer
let hasUnsettled = false;
let program;

function exchange(text) {
  try {
    channel.send(text);
    const frame = channel.receive();
    if (frame === '["large"]\n[]') throw new FrameTooLarge();
    watch();
    return frame;
  } catch (error) {
    end ??= error instanceof FrameTooLarge
      ? ['output_limit', 'returned a value of more than 64 MiB'] : ['gone', ''];
    throw error;
  }
}

// Let the program's promises settle while a test waits for them.
function watch() {
  if (isPumping) return;
  isPumping = true;
  later(pump);
}

function pump() {
  if (end !== undefined || realm.waitingCount() === 0) {
    isPumping = false;
    return;
  }
  let isIdle = true;
  try {
    isIdle = realm.pump();
  } catch {
    // said by `end`, or by what is broken
    isPumping = false;
    return;
  }
  const isWaiting = process.getActiveResourcesInfo().some((kind) => !QUIET.has(kind));
  if (isIdle && !isWaiting) {
    // nobody will ever settle them: the runner ends the tests that wait
    isPumping = false;
    return;
  }
  // not from the timer itself, which would count as one of the tests' own
  timer(later, IDLE_MILLISECONDS, pump);
}

globalThis[HOLE] = () => function placed(...given) {
  return apply(program, message.usesThis ? this : undefined, given);
};

function start() {
  const frame = exchange(`["load"]\n${JSON.stringify(message.order)}`);
  const rest = () => String(JSON.parse(frame.slice(frame.indexOf('\n') + 1)));
  if (frame.startsWith('["syntax"]')) end = ['syntax_error', rest()];
  else if (frame.startsWith('["ended"]')) end = ['error', rest()];
  else [[, program]] = realm.readReady(frame);
}

async function run() {
  process.chdir(message.root);
  process.argv[1] = message.path;
  await shareClasses(realm, message.root, message.shared);
  await import(pathToFileURL(message.path));
}

function verdict(status) {
  let printed = 0;
  hasUnsettled = realm.waitingCount() > 0;
  if (end === undefined) {
    try {
      printed = Number(exchange('["printed"]\n[]')) || 0;
    } catch {
      // said by `end` now
    }
  }
  realm.close();
  const broken = realm.broken();
  if (broken !== null) return ['error', `wrote to its channel: ${broken}`, printed];
  if (end !== undefined) return [...end, printed];
  return [...outcome(status), printed];
}

function outcome(status) {
  if (failure !== undefined) return explain(failure.error);
  if (hasUnsettled) return ['failed', 'a promise of the program never settles'];
  for (const id of message.tests) {
    if (id === message.file) {
      if (status || recorder.hasTests) return ['failed', `${id} ends with exit status ${status}`];
      continue;
    }
    const found = recorder.tests.get(id);
    if (found === undefined) return ['failed', `${id} did not run`];
    if (found.error !== undefined) return explain(found.error);
  }
  return ['passed', ''];
}

function explain(error) {
  const text = described(error);
  if (error === realm.thrown() && error !== undefined) {
    return [/allocation failed/i.test(text) ? 'out_of_memory' : 'error', text];
  }
  const line = textLine(error, message.path, readFileSync);
  if (!(error instanceof AssertionError)) {
    const kind = error instanceof NotPassed ? 'failed' : 'error';
    return [kind, line ? `${text} in the test: ${line}` : text];
  }
  const parts = [line || text.split('\n')[0]];
  const [count, value] = realm.calls();
  if (count) parts.push(`the last call returned ${inspect(value, { depth: 2, breakLength: Infinity })}`);
  return ['failed', parts.join('; ')];
}

function conclude(status) {
  let found;
  try {
    found = verdict(status);
  } catch (error) {
    found = ['error', described(error), 0];
  }
  const [kind, detail, printed] = found;
  host.send(JSON.stringify({ outcome: kind, detail: detail.slice(0, DETAIL_LIMIT), printed }));
}

atEnd(conclude);
process.on('uncaughtExceptionMonitor', (error) => { if (!recorder.hasTests) failure ??= { error }; });

try {
  start();
} catch (error) {
  failure = { error };
}
if (end !== undefined || failure !== undefined) process.exit(0);
run().catch((error) => {
  failure ??= { error };
  process.exit(1);
});
