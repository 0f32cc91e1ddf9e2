// What a realm offers to whoever owns it: functions of text, so that no object changes realms.

return {
  __proto__: null,
  answer,
  // for a program's realm
  run,
  announce,
  ended,
  runBare,
  bareConsole,
  failed: (error) => reply('throw', error, [], '[]'),
  printed: () => printed,
  hasSettled: () => settled.length > 0,
  setIdle: (flag) => { isIdle = flag; },
  onSettled: (notify) => { notifySettled = notify; },
  expectClass: (name) => { setAdd(classNames, name); },
  // for a driver's
  ask,
  pump,
  share,
  setScope: (scope) => { ownScope = scope; },
  waitingCount: () => waitingCount,
  thrown: () => thrown,
  calls: () => [callCount, lastValue],
  broken: () => broken,
  close: () => { isOver = true; },
  // the pairs of names and values that `announce` wrote; throws what the program threw
  readReady: (frame) => {
    const [head, , body] = split(frame);
    const value = head === '["ready"]' ? decodeAll(parse(body)) : decode(parse(body));
    if (head === '["ready"]') return value;
    if (head !== '["throw"]') refuse('no names');
    thrown = value;
    throw value;
  },
};
