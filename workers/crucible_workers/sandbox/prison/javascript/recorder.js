// What became of each test of one file, told by the events of Node's own test runner.
//
// A test's id is its file's path and, behind two colons, its name with those of the suites around
// it. A file that uses another runner, or none, is one test: it passes by its exit status.
'use strict';

const EVENTS = Symbol.for('crucible.events');

// A test that did not pass, for no reason of a program's.
class NotPassed extends Error {
  name = 'Error';
}

class Recorder {
  // by their ids, in the order in which they ended
  tests = new Map();
  // whether anything but the file itself was a test
  hasTests = false;
  #file;
  #names = [];
  #deepest = 0;

  constructor(file) {
    this.#file = file;
    globalThis[EVENTS] = (event) => this.#note(event);
  }

  #note({ type, data }) {
    if (type === 'test:start') {
      this.hasTests = true;
      this.#names[data.nesting] = data.name;
      this.#deepest = data.nesting;
    }
    if (type !== 'test:pass' && type !== 'test:fail') return;
    const isLeaf = this.#deepest === data.nesting;
    this.#deepest = data.nesting;
    if (data.details.type === 'suite' || !isLeaf) return;
    const id = `${this.#file}::${[...this.#names.slice(0, data.nesting), data.name].join(' > ')}`;
    const found = this.tests.get(id) ?? { name: data.name, times: 0, milliseconds: 0 };
    found.times += 1;
    found.milliseconds += data.details.duration_ms;
    found.error ??= errorOf(type, data);
    this.tests.set(id, found);
  }
}

// What speaks against a pass; undefined when nothing does.
function errorOf(type, data) {
  if (data.skip !== undefined && data.skip !== false) return new NotPassed('it is skipped');
  if (data.todo !== undefined && data.todo !== false) return new NotPassed('it is still to be done');
  if (type === 'test:pass') return undefined;
  const { error } = data.details;
  return error?.cause instanceof Error ? error.cause : error ?? new NotPassed('it failed');
}

module.exports = { EVENTS, NotPassed, Recorder };
