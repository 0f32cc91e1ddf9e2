// Frames over a descriptor: four bytes of length, then UTF-8 text. Reading and writing block.
'use strict';

const fs = require('fs');

const MAX_FRAME_BYTES = 64 << 20;
const HEAD_BYTES = 4;
// most frames fit, so that one system call reads head and body
const CHUNK_BYTES = 1 << 16;

class ChannelClosed extends Error {}
class FrameTooLarge extends Error {}

// captured: a program in the same process may replace them
const { readSync, writeSync } = fs;
const { allocUnsafe, byteLength } = Buffer;
const apply = Reflect.apply;
const { copy, write, toString, writeUInt32BE, readUInt32BE } = Buffer.prototype;

class Channel {
  #descriptor;
  #buffer = allocUnsafe(CHUNK_BYTES);
  #start = 0;
  #end = 0;

  constructor(descriptor) {
    this.#descriptor = descriptor;
  }

  send(text) {
    const length = byteLength(text);
    if (length > MAX_FRAME_BYTES) throw new FrameTooLarge();
    const frame = allocUnsafe(HEAD_BYTES + length);
    apply(writeUInt32BE, frame, [length, 0]);
    apply(write, frame, [text, HEAD_BYTES, length, 'utf8']);
    let done = 0;
    while (done < frame.length) {
      try {
        done += writeSync(this.#descriptor, frame, done, frame.length - done);
      } catch (error) {
        throw new ChannelClosed(String(error.code));
      }
    }
  }

  // The next frame's text; throws ChannelClosed at the end.
  receive() {
    this.#fill(HEAD_BYTES);
    const length = apply(readUInt32BE, this.#buffer, [this.#start]);
    if (length > MAX_FRAME_BYTES) throw new FrameTooLarge();
    this.#fill(HEAD_BYTES + length);
    const from = this.#start + HEAD_BYTES;
    const text = apply(toString, this.#buffer, ['utf8', from, from + length]);
    this.#start = from + length;
    return text;
  }

  #fill(size) {
    if (this.#end - this.#start >= size) return;
    if (this.#buffer.length - this.#start < size || this.#start === this.#end) {
      const roomy = size <= this.#buffer.length ? this.#buffer : allocUnsafe(size);
      apply(copy, this.#buffer, [roomy, 0, this.#start, this.#end]);
      this.#end -= this.#start;
      this.#start = 0;
      this.#buffer = roomy;
    }
    while (this.#end - this.#start < size) {
      let count;
      try {
        count = readSync(this.#descriptor, this.#buffer, this.#end, this.#buffer.length - this.#end);
      } catch (error) {
        throw new ChannelClosed(String(error.code));
      }
      if (count === 0) throw new ChannelClosed('end');
      this.#end += count;
    }
  }
}

module.exports = { Channel, ChannelClosed, FrameTooLarge };
