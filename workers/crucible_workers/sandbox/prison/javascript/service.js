// The untrusted side's end of the channel: answers its driver until that has seen enough.
'use strict';

const { FrameTooLarge } = require('./channel.js');

// between looks at a test's own timers
const SLICE_MILLISECONDS = 20;

// captured: a program in this realm may replace them
const later = setImmediate;
const timer = setTimeout;
const untimer = clearTimeout;
const { stringify, parse } = JSON;
const leave = process.reallyExit.bind(process);

const isPump = (frame) => frame.startsWith('["ask","pump"]');

function syntaxProblem(error) {
  return `["syntax"]\n${stringify(`${error.name}: ${error.message}`)}`;
}

// What a frame of one line and another brings.
const order = (frame) => parse(frame.slice(frame.indexOf('\n') + 1));

class Service {
  #channel;

  constructor(channel) {
    this.#channel = channel;
    this.exchange = (text) => {
      channel.send(text);
      return channel.receive();
    };
  }

  // Reply, or end: whoever waits for us sees the end of the channel.
  send(text) {
    try {
      this.#channel.send(text);
    } catch (error) {
      if (!(error instanceof FrameTooLarge)) leave(0);
      this.#channel.send('["large"]\n[]');
    }
  }

  receive() {
    try {
      return this.#channel.receive();
    } catch {
      return leave(0);
    }
  }

  // Questions are answered at once; only a pump lets this process' event loop run.
  serve(realm) {
    for (;;) {
      const frame = this.receive();
      if (frame.startsWith('["printed"]')) {
        // what it printed is in its output
        this.send('0');
      } else if (isPump(frame)) {
        this.#runUntilSettled(realm, frame);
        return;
      } else {
        this.send(realm.answer(frame));
      }
    }
  }

  #runUntilSettled(realm, frame) {
    let isDone = false;
    const finish = (isIdle) => {
      if (isDone) return;
      isDone = true;
      untimer(slice);
      process.removeListener('beforeExit', idle);
      realm.onSettled(undefined);
      realm.setIdle(isIdle);
      this.send(realm.answer(frame));
      later(() => this.serve(realm));
    };
    const idle = () => finish(true);
    const soon = () => later(finish, false);
    // unreferenced, so that the loop is seen to be empty
    const slice = timer(soon, SLICE_MILLISECONDS).unref();
    process.on('beforeExit', idle);
    realm.onSettled(soon);
    if (realm.hasSettled()) soon();
  }
}

module.exports = { Service, isPump, order, syntaxProblem };
