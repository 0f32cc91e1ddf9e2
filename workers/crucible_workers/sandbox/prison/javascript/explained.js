// What is said of an exception, in one line.
'use strict';

const { inspect } = require('util');

function described(error) {
  try {
    if (error instanceof Error) return `${error.name}: ${error.message}`;
    return `threw ${inspect(error)}`;
  } catch {
    return 'threw an object that cannot be shown';
  }
}

// The line of a file that an exception came through; empty when it did not.
function textLine(error, path, readFileSync) {
  try {
    const at = String(error.stack).split('\n').find((each) => each.includes(path));
    const place = /:(\d+):\d+\)?$/.exec(at);
    return place ? readFileSync(path, 'utf8').split('\n')[place[1] - 1].trim() : '';
  } catch {
    return '';
  }
}

module.exports = { described, textLine };
