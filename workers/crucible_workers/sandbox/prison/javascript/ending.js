// The last moment of a process, behind whatever else listens for it.
'use strict';

const really = process.reallyExit.bind(process);

// Calls back once with the exit status, when nobody can change it any more.
function atEnd(conclude) {
  let isOver = false;
  let isArmed = false;
  const finish = (code) => {
    if (isOver) return;
    isOver = true;
    conclude(code);
  };
  const arm = () => {
    if (isArmed) return;
    isArmed = true;
    process.on('exit', (code) => finish(process.exitCode ?? code));
  };
  process.on('beforeExit', arm);
  process.on('uncaughtExceptionMonitor', arm);
  // where every `process.exit` leads, also one of a listener like ours
  process.reallyExit = (code) => {
    finish(code ?? 0);
    really(code);
  };
}

module.exports = { atEnd };
