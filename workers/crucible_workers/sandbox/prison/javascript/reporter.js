// Node's test runner asks for a reporter by its file: this one hands every event to our recorder.
'use strict';

const { EVENTS } = require('./recorder.js');

module.exports = async function* report(source) {
  for await (const event of source) globalThis[EVENTS]?.(event);
};
