// Joins our files that run in a realm, as one script that evaluates to a function.
'use strict';

const { readFileSync } = require('fs');
const { join } = require('path');
const { Script } = require('vm');

// joined as the body of one strict function
const FILES = ['builtins.js', 'encode.js', 'decode.js', 'peer.js', 'program.js', 'surface.js'];

function realmScript() {
  const body = FILES.map((name) => readFileSync(join(__dirname, name), 'utf8')).join('\n');
  const source = `(function realm(isDriver, exchange) { 'use strict';\n${body}\n})`;
  return new Script(source, { filename: 'crucible-realm.js' });
}

module.exports = { realmScript };
