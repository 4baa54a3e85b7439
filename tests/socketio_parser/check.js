// The real socket.io-parser behind two questions, one JSON object per line on stdin, one answer per line on stdout.
//
//   {"encode": packet}            -> {"frames": [frame, …]}
//   {"decode": [frame, …]}        -> {"packet": packet} or {"error": "…"}
//
// A packet is what socket.io-parser takes and gives. Bytes anywhere in it, and binary frames, are
// {"$bytes": "<hex>"}; text frames are strings.
"use strict";

const { createInterface } = require("node:readline");
const { Decoder, Encoder } = require("socket.io-parser");

const fromHex = (_key, value) =>
  value && typeof value === "object" && typeof value.$bytes === "string"
    ? Buffer.from(value.$bytes, "hex")
    : value;

// Buffers have a toJSON, which JSON.stringify calls before its replacer: so walk, rather than replace.
function toHex(value) {
  if (Buffer.isBuffer(value)) return { $bytes: value.toString("hex") };
  if (Array.isArray(value)) return value.map(toHex);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toHex(inner)]));
  }
  return value;
}

function decode(frames) {
  const packets = [];
  const decoder = new Decoder();
  decoder.on("decoded", (packet) => packets.push(packet));
  try {
    for (const frame of frames) decoder.add(frame);
  } catch (error) {
    return { error: error.message };
  }
  return packets.length === 1 ? { packet: packets[0] } : { error: `${packets.length} packets` };
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const question = JSON.parse(line, fromHex);
  const answer = question.encode
    ? { frames: new Encoder().encode(question.encode) }
    : decode(question.decode);
  process.stdout.write(JSON.stringify(toHex(answer)) + "\n");
});
