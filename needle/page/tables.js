// Comparisons, controls, and how the runs were made.

function fillPaired() {
  const hidden = held.runs.filter((run, number) => !view.runs.has(number))
    .flatMap((run) => [run.model, run.folder]);
  const shown = held.paired.filter((each) => each.task === view.task &&
    (each.language === null ? view.languages.size > 1 : view.languages.has(each.language)) &&
    !hidden.includes(each.first) && !hidden.includes(each.second));
  const heads = ["pair", "text", "difference", "only", "p", "detectable"].map((key) => say(`head_${key}`));
  differences.length = 0;
  const rows = shown.map((each) => [
    isolated(pairName(each)),
    each.language ? languageName(each.language) : say("both_languages"),
    [node("b", {}, points(each.difference.value)), " ",
      node("small", {}, `${points(each.difference.low)} … ${points(each.difference.high)}`)],
    say("only_counts", { second: whole(each.only_second), first: whole(each.only_first), pairs: whole(each.pairs) }),
    [chance(each.p_adjusted), " ", node("small", {}, say(`test_${each.test}`))],
    each.detectable === null ? say("no_power") : say("in_points", { count: (100 * each.detectable).toFixed(1) }),
  ]);
  const told = held.differences[view.language].length > 0 && held.runs.length > 1;
  fill(byId("paired"), (rows.length > 0 || told) && [
    node("h2", {}, say("paired_heading")),
    rows.length > 0 && [table(heads, rows, { class: "cards" }),
      node("ul", { class: "claims" }, shown.map((each) => node("li", {}, isolated(each.sentence[view.language])))),
      node("p", { class: "hint" }, say("paired_lead")),
      shown.map((each) => folded(say("difference_map", { pair: pairTitle(each) }), () => makeDifference(each)))],
    told && [node("p", {}, say("not_paired")),
      node("ul", { class: "notes" }, held.differences[view.language].map((each) => node("li", {}, isolated(each))))]]);
}

function pairName(pair) {
  if (pair.of === "languages") return `${pair.second}${view.language === "zh" ? "：" : ": "}${say("gap")}`;
  return `${pair.second} − ${pair.first}`;
}

const pairTitle = (pair) => pair.language ? `${pairName(pair)} · ${languageName(pair.language)}` : pairName(pair);

function fillControls() {
  const maps = shownMaps().filter((map) => map.controls);
  const heads = ["model", "text", "no_needle", "no_haystack"].map((key) => say(`head_${key}`));
  const share = (part, all) => all ? `${percent(part / all)}${bracketed(`${part}/${all}`)}` : "–";
  const rows = maps.map((map) => {
    const { no_needle: without, made_up: madeUp, no_haystack: bare, known } = map.controls;
    return [isolated(runOf(map).name), textName(map), share(madeUp, without), share(known, bare)];
  });
  const replies = maps.map((map) => folded(`${say("control_replies")} · ${runOf(map).name} · ${textName(map)}`,
    () => node("ul", { class: "replies" }, [...map.trials.control.keys()]
      .filter((number) => map.trials.control[number])
      .map((number) => controlReply(map, number)))));
  fill(byId("controls"), maps.length > 0 && [node("h2", {}, say("controls_heading")),
    node("p", { class: "hint" }, say("controls_lead")),
    table(heads, rows, { class: "cards" }), replies]);
}

function controlReply(map, number) {
  const each = trial(map, number);
  const open = () => openTrials(map, [number]);
  return node("li", {},
    node("button", { type: "button", class: "link", on: { click: open } },
      `${say(`control_${each.control}`)}${each.control === "no_needle" ? ` · ${length(each.context_length)}` : ""}`),
    " ", isolated(each.answer === null ? failureText(each) : shorten(each.answer, 240)));
}

const shorten = (text, most) => text.length > most ? `${text.slice(0, most)}…` : text;

function failureText(each) {
  return each.failure ? `${each.failure.kind}${each.failure.status ? ` (${each.failure.status})` : ""}` : "";
}

function fillSetup() {
  const runs = [...held.runs.keys()].filter((number) => view.runs.has(number)).map((number) => held.runs[number]);
  fill(byId("setup"), node("h2", {}, say("setup_heading")), runs.map((run) => node("div", { class: "run" },
    node("h3", {}, isolated(run.name), " ", node("span", { class: "badges" }, badges(run))),
    terms([
      [say("run_folder"), isolated(run.folder)],
      [say("run_date"), run.date],
      [say("run_endpoint"), run.simulated ? say("simulated")
        : run.endpoint === "unknown" ? say("unknown") : isolated(run.endpoint)],
      [say("run_imported"), run.imported && [isolated(listed(run.imported.files)),
        run.imported.date && bracketed(run.imported.date)]],
      [say("run_lengths"), say(lengthsKey(run), { tokenizer: run.tokenizer })],
      [say("run_replicates"), whole(run.replicates)],
      [say("run_layout"), listed(run.layouts)],
    ], { class: "facts" }),
    node("h4", {}, say("run_command")), copyable(run.command),
    run.gaps[view.language].length > 0 && node("ul", { class: "notes" },
      run.gaps[view.language].map((each) => node("li", {}, isolated(each)))),
    run.files.map(([name, text]) => folded(say("run_file", { name }), () => copyable(text))),
    folded(say("run_config"), () => copyable(run.config)))));
}

function lengthsKey(run) {
  if (run.vendor_count) return "lengths_vendor";
  if (run.unit === "hanzi") return "lengths_hanzi";
  return run.tokenizer === "unknown" ? "lengths_unknown" : "lengths_common";
}

function copyable(text) {
  const shown = node("pre", { tabindex: "0" }, text);
  if (!navigator.clipboard) return shown;
  const button = node("button", { type: "button", class: "copy", on: { click: () =>
    navigator.clipboard.writeText(text).then(() => {
      button.textContent = say("copied");
      announce(say("copied"));
    }, () => {}) } }, say("copy"));
  return node("div", { class: "copyable" }, shown, button);
}
