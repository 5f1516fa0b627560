// Reading what the page holds: packed text into plain data, and looking up in them.

let held = null; // all data, once they are read

function bytesOf(packed) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(packed);
  const text = atob(packed); // a browser of before 2025
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function unpack(id) {
  const packed = new Blob([bytesOf(byId(id).textContent)]);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

function runScript(code) {
  // The page's policy lets this text run by its hash, and no other.
  const script = document.createElement("script");
  script.textContent = code;
  document.head.append(script);
  script.remove();
}

const runOf = (map) => held.runs[map.run];

const unique = (items) => [...new Set(items)];

const VERDICTS = ["found", "partial", "missed", "refused", "truncated", "filtered", "failed", "not_run"];

function presentVerdicts() {
  const there = new Set(held.maps.flatMap((map) =>
    [...map.trials.verdict, ...map.verdicts.flatMap((counts) => Object.keys(counts))]));
  return VERDICTS.filter((verdict) => there.has(verdict));
}

const trialCount = (map) => map.trials.verdict.length;

function trial(map, number) {
  // One trial as a record of its own, from the columns.
  const record = { map, number };
  for (const [name, column] of Object.entries(map.trials)) record[name] = column[number];
  return record;
}

function cellAt(map, column, row) {
  const at = column * map.depths.length + row;
  return {
    map, column, row,
    length: map.lengths[column],
    depth: map.depths[row],
    score: map.scores[at],
    verdicts: map.verdicts[at],
    marks: map.marks[at],
    interval: map.intervals[at] || null,
    trials: map.cells[at],
  };
}

function range(values) {
  // The least and the greatest of what is known, or null.
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length ? [Math.min(...known), Math.max(...known)] : null;
}

function spanned(values, write) {
  const found = range(values);
  if (!found) return null;
  const [low, high] = found.map(write);
  return low === high ? low : `${low}–${high}`;
}
