// The small panel beside the pointer or the cursor, and what is read out of a cell.

function describeCell(cell) {
  const { map } = cell;
  const chosen = cell.trials.map((number) => trial(map, number));
  const of = (name) => chosen.map((each) => each[name]);
  const counts = Object.entries(cell.verdicts).map(([verdict, count]) =>
    `${squareVerdict(map, verdict)}${count > 1 || chosen.length > 1 ? ` ${count}` : ""}`);
  return {
    title: cell.score === null ? say("no_score") : percent(cell.score),
    pairs: [
      [say("interval"), cell.interval && cell.score !== null ? interval(...cell.interval) : null],
      [say("verdict"), listed(counts)],
      [say("length_asked"), `${length(cell.length)}${bracketed(whole(cell.length))}`],
      [say("depth_asked"), depth(cell.depth)],
      [say("depth_actual"), spanned(of("actual_depth_percent"), depth)],
      [say("tokens_ours"), spanned(of("prompt_tokens"), whole)],
      [say("tokens_endpoint"), spanned(of("endpoint_prompt_tokens"), whole)],
      [say("tokens_cached"), spanned(of("cached_tokens"), whole)],
    ],
  };
}

function readOut(cell) {
  const told = describeCell(cell);
  const [, range_] = told.pairs[0];
  return claused([
    `${runOf(cell.map).name}, ${textName(cell.map)}`,
    say("at_cell", { length: length(cell.length), depth: depth(cell.depth) }),
    `${told.title}${range_ ? bracketed(range_) : ""}`,
    told.pairs[1][1],
  ]);
}

function showTip(title, subtitle, pairs, left, top) {
  // At a place in the window, moved so that all of it is seen.
  const tip = byId("tip");
  fill(tip, node("p", { class: "tip-title" }, title), subtitle && node("p", {}, isolated(subtitle)),
    terms(pairs));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const right = document.documentElement.clientWidth;
  const x = left + 16 + width > right ? left - 16 - width : left + 16;
  const y = top + 16 + height > window.innerHeight ? top - 16 - height : top + 16;
  tip.style.left = `${Math.max(4, Math.min(x, right - width - 4))}px`;
  tip.style.top = `${Math.max(4, y)}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

function announce(text) {
  byId("live").textContent = text;
}
