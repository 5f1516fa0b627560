// The list of trials, as the reader has chosen them.

const A_PAGE = 25;

function chosenTrials() {
  return shownMaps().flatMap((map) => [...Array(trialCount(map)).keys()]
    .filter((number) => showsTrial(map, number)).map((number) => [map, number]));
}

function fillTrials() {
  const chosen = chosenTrials();
  const pages = Math.max(1, Math.ceil(chosen.length / A_PAGE));
  view.page = Math.min(view.page, pages - 1);
  const first = view.page * A_PAGE;
  const shown = chosen.slice(first, first + A_PAGE);
  const heads = ["model", "text", "length", "depth", "replicate", "verdict", "answer"].map((key) => say(`head_${key}`));
  const rows = shown.map(([map, number]) => {
    const each = trial(map, number);
    return [
      isolated(runOf(map).name), textName(map),
      each.control === "no_haystack" ? "–" : length(each.context_length),
      each.control ? say(`control_${each.control}`) : depth(each.depth_percent),
      String(each.replicate + 1),
      verdictChip(each),
      node("button", { type: "button", class: "link answer-start", on: { click: () => openTrials(map, [number]) } },
        isolated(each.answer === null ? failureText(each) || say("no_answer_kept") : shorten(each.answer, 140) || say("empty_answer"))),
    ];
  });
  const turn = (by, key, canTurn) => node("button", { type: "button", disabled: !canTurn, id: `turn-${key}`, on: { click: () => {
    view.page += by;
    fillTrials();
    const again = byId(`turn-${key}`);
    (again.disabled ? byId("turn-list") : again).focus();
  } } }, say(key));
  fill(byId("trials"), node("h2", {}, say("trials_heading")),
    node("p", { class: "pager", id: "turn-list", tabindex: "-1" },
      node("span", {}, chosen.length
        ? say("trials_shown", { first: whole(first + 1), last: whole(first + shown.length), count: whole(chosen.length) })
        : say("trials_none")),
      pages > 1 && [turn(-1, "previous", view.page > 0), turn(1, "next", view.page < pages - 1)]),
    rows.length > 0 && table(heads, rows, { class: "cards trial-list" }));
}

function verdictChip(each) {
  const score = each.score !== null && each.score > 0 && each.score < 1 ? ` ${percent(each.score, 0)}` : "";
  return [node("span", { class: `chip ${each.verdict}` }), node("span", {}, `${verdictOf(each.map, each.verdict)}${score}`)];
}
