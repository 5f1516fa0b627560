// The window that shows a cell's trials, or one trial, whole.

function openCell(cell) {
  openTrials(cell.map, cell.trials, cell);
}

function openTrials(map, numbers, cell = null) {
  const dialog = byId("dialog");
  const run = runOf(map);
  const body = node("div", { class: "trial" });
  const choices = numbers.map((number) => node("button", { type: "button", "aria-pressed": "false",
    on: { click: () => show(number) } }, choiceName(map, number)));
  function show(number) {
    numbers.forEach((each, at) => choices[at].setAttribute("aria-pressed", String(each === number)));
    fill(body, trialParts(trial(map, number)));
    dialog.scrollTop = 0;
  }
  const place = cell && say("at_cell", { length: length(cell.length), depth: depth(cell.depth) });
  fill(dialog,
    node("header", {},
      node("h2", { id: "dialog-title", tabindex: "-1" }, isolated(run.name), " · ", textName(map), place && ` · ${place}`),
      node("button", { type: "button", class: "close", "aria-label": say("close"), on: { click: () => dialog.close() } }, "✕"),
      node("p", { class: "badges" }, badges(run))),
    numbers.length > 1 && node("div", { class: "choices", role: "group", "aria-label": say("replicates") }, choices),
    numbers.length ? body : node("p", {}, run.adaptive ? squareVerdict(map, "not_run") : say("no_trial")));
  if (numbers.length) show(numbers[0]);
  if (!dialog.open) dialog.showModal();
  byId("dialog-title").focus();
}

function choiceName(map, number) {
  const each = trial(map, number);
  return [node("span", { class: `chip ${each.verdict}` }),
    say("replicate_number", { number: each.replicate + 1 }), " · ", verdictOf(map, each.verdict)];
}

function trialParts(each) {
  const needle = each.map.needles[each.replicate] || each.map.needles[0];
  return [
    node("p", { class: "verdict" }, verdictChip(each),
      each.score !== null && node("b", {}, percent(each.score)),
      node("span", { class: "soft" }, scorerName(each.map.scorer))),
    each.explanation && node("p", {}, isolated(explain(each.explanation))),
    each.others.map(([scorer, score, verdict, why]) => node("p", { class: "soft" },
      `${scorerName(scorer)}${view.language === "zh" ? "：" : ": "}`,
      `${verdictName(verdict)}${score === null ? "" : ` ${percent(score)}`}`, why && [" – ", isolated(explain(why))])),
    each.failure && failureParts(each),
    part("question", node("p", {}, isolated(needle.question))),
    part("accepted", node("p", {}, isolated(needle.answers.map((group) =>
      group.join(view.language === "zh" ? "／" : " / ")).join(view.language === "zh" ? "；" : "; ")))),
    part("answer", answerParts(each.answer, each.answer_cut)),
    each.reasoning && folded(say("reasoning"), () => answerParts(each.reasoning, each.reasoning_cut)),
    part("needle_in_text", aroundParts(each)),
    part("counts", countParts(each)),
  ];
}

const part = (key, inside) => [node("h3", {}, say(key)), inside];

function answerParts(text, cut) {
  if (text === null) return node("p", { class: "soft" }, say("no_answer_kept"));
  if (text === "") return node("p", { class: "soft" }, say("empty_answer"));
  return [node("pre", { class: "answer", dir: "auto", tabindex: "0" }, text),
    cut > 0 && node("p", { class: "soft" }, sayCount("answer_cut", cut))];
}

function failureParts(each) {
  const { kind, status, message, permanent } = each.failure;
  return node("div", { class: "failure" },
    node("p", {}, node("b", {}, isolated(kind)), status ? ` (${status})` : "", " · ",
      say(permanent ? "failure_stays" : "failure_may_pass")),
    node("pre", { tabindex: "0" }, message));
}

function aroundParts(each) {
  const parts = each.places.map(([text, asked, actual, isDistractor, sides]) => {
    const [before, after] = sides === null ? ["", ""] : held.around[sides];
    const gap = each.map.text_language === "zh" ? "" : " ";
    return [
      node("blockquote", { dir: "auto" }, before, before && gap,
        node("mark", { class: isDistractor ? "distractor" : "" }, text), after && gap, after),
      node("p", { class: "soft" }, claused([isDistractor && say("distractor"),
        say("depth_both", { asked: depth(asked), actual: depth(actual) })].filter(Boolean))),
    ];
  });
  if (each.control) parts.push(node("p", {}, say(`explain_${each.control}`)));
  else if (each.places.every((place) => place[4] === null)) parts.push(node("p", { class: "soft" }, say("no_text")));
  return parts;
}

function countParts(each) {
  return terms([
    [say("length_asked"), each.control === "no_haystack" ? null : whole(each.context_length)],
    [say("tokens_ours"), known(each.prompt_tokens)],
    [say("tokens_endpoint"), known(each.endpoint_prompt_tokens)],
    [say("tokens_cached"), known(each.cached_tokens)],
    [say("tokens_reply"), known(each.completion_tokens)],
    [say("tokens_reasoning"), known(each.reasoning_tokens)],
    [say("money"), each.amount === null ? null : money(each.amount, each.currency)],
    [say("latency"), each.latency_s === null ? null : seconds(each.latency_s)],
    [say("attempts"), known(each.attempts)],
    [say("finish_reason"), each.finish_reason && isolated(each.finish_reason)],
    [say("head_replicate"), String(each.replicate + 1)],
    [say("needle_name"), isolated(each.needle)],
    [say("trial_key"), node("code", {}, each.key)],
  ], { class: "facts" });
}

const known = (number) => number === null || number === undefined ? null : whole(number);
