// The last moment of a process, behind whatever else listens for it.
'use strict';

const { exit } = process;

// Calls back with the exit status, when nobody can change it any more.
function atEnd(conclude) {
  let isArmed = false;
  const arm = () => {
    if (isArmed) return;
    isArmed = true;
    process.on('exit', (code) => conclude(process.exitCode ?? code));
  };
  process.on('beforeExit', arm);
  process.on('uncaughtExceptionMonitor', arm);
  process.exit = (code) => {
    arm();
    exit(code);
  };
}

module.exports = { atEnd };
