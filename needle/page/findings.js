// What the runs come to: the table of figures, and the sentences that may be concluded.

function estimateText(estimate) {
  // A share with its interval under it.
  if (!estimate || estimate.value === null) return "–";
  return [node("b", {}, percent(estimate.value)), " ",
    node("small", { class: "whole" }, interval(estimate.low, estimate.high))];
}

function overallText(map) {
  return estimateText(map.statistics.overall);
}

// No more than three figures are known of a length between tested ones.
const figures = (units) => length(Number(units.toPrecision(3)));

function effectiveText(map, definition) {
  const found = map.statistics.effective.find((each) => each.definition === definition);
  if (!found || found.threshold === null || found.state === null) return "–";
  const [shortest, longest] = [map.lengths[0], map.lengths[map.lengths.length - 1]];
  const value = { within: figures(found.length), below: `< ${length(shortest)}`,
    beyond: `≥ ${length(found.length === null ? longest : found.length)}` }[found.state];
  const ends = (low, high) => say("from_to", { low: low === null ? `< ${length(shortest)}` : figures(low),
    high: high === null ? `> ${length(longest)}` : figures(high) });
  const [range, tested] = [ends(found.low, found.high), ends(found.held_at, found.lost_at)];
  const small = (text) => [" ", node("small", { class: "whole" }, text)];
  // What is so whatever the curve's shape between tested lengths, where that is less.
  return [node("b", {}, value), small(range), tested !== range && small(say("tested", { range: tested }))];
}

function weakText(map) {
  const { weak } = map.statistics;
  if (!weak) return say("weak_none");
  const ends = (pair, write) => pair[0] === pair[1] ? write(pair[0]) : `${write(pair[0])}–${write(pair[1])}`;
  const near = (value) => depth(Number(value.toFixed(1)));
  return [say("weak_place", { lengths: ends(weak.lengths, length), depths: ends(weak.depths, near) }), " ",
    node("small", {}, say("weak_shares", { inside: percent(weak.inside), outside: percent(weak.outside) }))];
}

function leftOutText(map) {
  const counts = Object.entries(map.left_out);
  if (!counts.length) return say("none");
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const reasons = listed(counts.map(([verdict, count]) => `${verdictOf(map, verdict)} ${whole(count)}`));
  return [node("b", {}, whole(total)), " ", node("small", {}, reasons)];
}

function verdictOf(map, verdict) {
  // What an imported file lacks may still have been run.
  return verdict === "not_run" && runOf(map).imported ? say("no_result") : verdictName(verdict);
}

function squareVerdict(map, verdict) {
  // A square that an adaptive run has left says what the figure says of it.
  return (verdict === "not_run" && map.words[view.language].marks.not_run) || verdictOf(map, verdict);
}

function verdictEverywhere(verdict) {
  // What all runs of a page call it, where they agree.
  const there = held.maps.filter((map) => map.verdicts.some((counts) => verdict in counts));
  const names = unique(there.map((map) => squareVerdict(map, verdict)));
  return names.length === 1 ? names[0] : verdictName(verdict);
}

function spentText(map) {
  const { spent } = map;
  const amounts = Object.entries(spent.money).map(([currency, amount]) => money(amount, currency));
  return amounts.length ? listed(amounts) : say(runOf(map).simulated ? "free" : "not_known");
}

function tokensText(map) {
  const { spent } = map;
  const sent = spent.endpoint_prompt_tokens === null ? spent.prompt_tokens : spent.endpoint_prompt_tokens;
  if (!sent) return "–";
  const cached = spent.cached_tokens
    ? say("of_them_cached", { share: percent(spent.cached_tokens / sent, 0) }) : "";
  return [length(sent), " ", node("small", {}, cached)];
}

function summary(maps) {
  const heads = ["model", "text", "recall", "base", "effective_absolute", "effective_relative", "weak", "scored",
    "left_out", "tokens_in", "money", "latency"].map((key) => say(`head_${key}`));
  const rows = maps.map((map) => [
    [isolated(runOf(map).name), " ", node("span", { class: "badges" }, badges(runOf(map)))],
    node("span", { class: map.text_language === map.language ? "whole" : "" }, textName(map)),
    overallText(map),
    estimateText(map.statistics.base),
    effectiveText(map, "absolute"),
    effectiveText(map, "relative"),
    weakText(map),
    whole(map.scored),
    leftOutText(map),
    tokensText(map),
    spentText(map),
    seconds(map.spent.latency_s),
  ]);
  // A column that says nothing of any run is left out.
  const used = heads.map((_, column) => rows.some((row) => row[column] !== "–"));
  const kept = (cells) => cells.filter((_, column) => used[column]);
  return table(kept(heads), rows.map(kept), { class: "summary cards" });
}

function sentences(maps) {
  // What ends all of them alike is said once.
  const told = maps.map((map) => map.sentences[view.language]);
  const ends = told.map((some) => some[some.length - 1]);
  const shared = maps.length > 1 && told.every((some) => some.length > 1) && unique(ends).length === 1;
  const list = (some) => node("ul", {}, some.map((each) => node("li", {}, isolated(each))));
  return [node("h3", {}, say("conclusions")),
    node("div", { class: "claims" },
      maps.map((map, at) => node("div", {},
        node("h4", {}, isolated(runOf(map).name), " · ", textName(map)),
        list(shared ? told[at].slice(0, -1) : told[at])))),
    shared && [node("h4", {}, say("of_all")), node("ul", { class: "claims" }, node("li", {}, isolated(ends[0])))]];
}

function meanings(maps) {
  // What the numbers of the table mean, as far as they are there.
  const told = [say("meaning_interval"), say("meaning_effective")];
  if (maps.some((map) => map.statistics.weak)) told.push(say("meaning_weak"));
  told.push(say("meaning_left_out"));
  return node("ul", { class: "notes" }, told.map((text) => node("li", {}, text)));
}

function fillFindings() {
  const maps = shownMaps();
  fill(byId("findings"), node("h2", {}, say("findings_heading")),
    maps.length ? [summary(maps), meanings(maps), sentences(maps)] : node("p", {}, say("nothing_chosen")));
}
