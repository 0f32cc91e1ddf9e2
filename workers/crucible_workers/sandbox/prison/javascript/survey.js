// Runs one file of a repository's tests, and says which functions each of them called.
//
// V8 counts the calls of every function, exactly and without a change of any source; what it has
// counted is taken before and after each test. What runs outside of tests, while modules are
// loaded or before a suite, counts for every later test of the file.
'use strict';

const { Session } = require('inspector');
const { beforeEach, afterEach } = require('node:test');
const { pathToFileURL } = require('url');
const { Channel } = require('./channel.js');
const { described } = require('./explained.js');
const { atEnd } = require('./ending.js');
const { Recorder } = require('./recorder.js');

const host = new Channel(3);
const { root, path, file, isTraced } = JSON.parse(host.receive());
const prefix = `${pathToFileURL(root)}/`;
const recorder = new Recorder(file);
// calls of tests that have ended, by their names, in their order
const calls = new Map();
const outside = new Set();
let failure;

const session = new Session();
if (isTraced) {
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  beforeEach(() => { for (const each of taken()) outside.add(each); });
  afterEach(({ name }) => {
    if (!calls.has(name)) calls.set(name, []);
    calls.get(name).push(taken());
  });
}

// Functions called since the last time, each as its file and where it begins there.
function taken() {
  const found = [];
  if (!isTraced) return found;
  session.post('Profiler.takePreciseCoverage', (_, { result }) => {
    for (const { url, functions } of result) {
      const name = decodeURI(url).startsWith('/') ? `${pathToFileURL(url)}` : url;
      if (!name.startsWith(prefix) || name.includes('/node_modules/')) continue;
      for (const { ranges: [{ startOffset, count }] } of functions) {
        if (count > 0) found.push(`${startOffset} ${decodeURIComponent(name.slice(prefix.length))}`);
      }
    }
  });
  return found;
}

function conclude(status) {
  for (const each of taken()) outside.add(each);
  const tests = [...recorder.tests].map(([id, test]) => ({
    id,
    problem: test.error === undefined ? null : described(test.error),
    seconds: test.milliseconds / 1000,
    calls: [...new Set([...outside, ...(calls.get(test.name)?.shift() ?? [])])],
  }));
  if (!recorder.hasTests) {
    const problem = status || failure ? described(failure ?? new Error(`exit status ${status}`)) : null;
    tests.push({ id: file, problem, seconds: process.uptime(), calls: [...outside] });
  }
  host.send(JSON.stringify({ tests, failure: failure === undefined ? null : described(failure) }));
}

atEnd(conclude);
process.on('uncaughtExceptionMonitor', (error) => { if (!recorder.hasTests) failure ??= error; });
process.chdir(root);
process.argv[1] = path;
import(pathToFileURL(path)).catch((error) => {
  failure ??= error;
  process.exit(1);
});
