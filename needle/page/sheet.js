// The sheet of heatmaps: a column a run, a row a language.

const panels = []; // {map, holder}

function mapSize(panel) {
  const width = Math.floor(panel.holder.parentElement.clientWidth);
  const { map } = panel;
  const most = view.printing ? 230 : 380;
  const inner = Math.min(Math.max(17 * map.depths.length, 0.62 * (width - MARGIN.l), LEAST), most);
  return [width, Math.round(inner + MARGIN.t + MARGIN.b)];
}

function drawPanels() {
  // All are measured before any is drawn, so that the page is laid out once.
  const sizes = panels.map(mapSize);
  return Promise.all(panels.map((panel, at) => drawMap(panel.holder, panel.map, ...sizes[at])));
}

function badges(run, map) {
  const words = [];
  if (run.simulated) words.push(["simulated", say("simulated")]);
  if (run.imported) words.push(["imported", say("imported", { format: run.imported.format })]);
  const warning = map && map.words[view.language].warning;
  if (warning) words.push(["warning", warning]);
  return words.map(([kind, text]) => node("span", { class: `badge ${kind}` }, text));
}

function notesOf(map) {
  // What the map's own figure says under it, but for its recall, which stands above.
  return map.words[view.language].footer.flat().slice(1).filter((item) => item !== say("simulated"));
}

function noteList(items) {
  return items.length > 0 && node("ul", { class: "notes" }, items.map((item) => node("li", {}, isolated(item))));
}

function makePanel(map, shared) {
  const run = runOf(map);
  const holder = node("div", { class: "plot", "aria-hidden": "true" });
  panels.push({ map, holder });
  const stage = makeStage({
    columns: map.lengths.length, rows: map.depths.length,
    label: say("heatmap_of", { model: run.name, language: textName(map) }),
    tell: (...at) => {
      const told = describeCell(cellAt(map, ...at));
      return [told.title, `${run.name} · ${textName(map)}`, told.pairs];
    },
    read: (...at) => readOut(cellAt(map, ...at)),
    open: (...at) => openCell(cellAt(map, ...at)),
  });
  return node("figure", { class: "panel" },
    node("figcaption", {},
      node("h3", {}, isolated(run.name)),
      node("p", {}, `${textName(map)} · `, headline(map)),
      node("p", { class: "badges" }, badges(run, map))),
    node("div", { class: "map" }, holder, stage),
    noteList(notesOf(map).filter((item) => !shared.has(item))),
    folded(say("as_table"), () => cellTable(map), { class: "as-table" }));
}

function headline(map) {
  if (map.recall === null) return say("no_recall");
  const { overall } = map.statistics;
  const around = interval(overall.low, overall.high);
  return [node("b", {}, `${say("recall")} ${percent(map.recall)}`), around && bracketed(around),
    sayCount("of_scored", map.scored)];
}

function cellTable(map) {
  const rows = map.depths.map((each, row) => [map.depth_ticks[row],
    ...map.lengths.map((_, column) => {
      const cell = cellAt(map, column, row);
      if (cell.score !== null) return percent(cell.score);
      return listed(Object.keys(cell.verdicts).map((verdict) => squareVerdict(map, verdict)));
    })]);
  return table([say("depth_by_length"), ...map.length_ticks], rows, { class: "cells" });
}

function markKey(maps) {
  const marks = Object.assign({}, ...maps.map((map) => map.words[view.language].marks));
  const swatches = Object.entries(marks).map(([mark, words]) =>
    node("li", {}, node("span", { class: `swatch ${mark}` }), words));
  if (maps.some((map) => weakBox(map))) {
    swatches.push(node("li", {}, node("span", { class: "swatch weak" }), say("weak_region")));
  }
  return node("div", { class: "key" },
    node("div", { class: "bar", role: "img", "aria-label": say("bar_label") },
      node("span", {}, "0%"), node("i", { style: { background: gradient() } }), node("span", {}, "100%"),
      node("span", { class: "bar-name" }, maps.length ? maps[0].words[view.language].bar : "")),
    node("ul", {}, swatches));
}

function fillSheet() {
  panels.length = 0;
  const maps = shownMaps();
  const runs = runsOf(maps);
  const rows = LANGUAGES.filter((language) => maps.some((map) => map.language === language));
  fill(byId("sheet"),
    node("h2", {}, say("sheet_heading")),
    maps.length ? node("p", { class: "lead" }, subtitle(maps)) : node("p", {}, say("nothing_chosen")),
    maps.length > 0 && markKey(maps),
    node("p", { class: "hint", id: "keys" }, say("map_keys")),
    rows.map((language) => makeRow(language, maps, runs)));
}

function makeRow(language, maps, runs) {
  // What all maps of a row say alike is said once, under them.
  const here = maps.filter((each) => each.language === language);
  const notes = here.map(notesOf);
  const shared = new Set(notes[0].filter((item) => notes.every((each) => each.includes(item))));
  return [node("div", { class: "row", style: { "--columns": runs.length } }, runs.map((number) => {
    const map = here.find((each) => each.run === number);
    return map ? makePanel(map, shared) : node("p", { class: "absent" },
      say("absent", { model: held.runs[number].name, language: languageName(language) }));
  })), noteList([...shared])];
}

function subtitle(maps) {
  return runsOf(maps).length === 1 ? maps[0].words[view.language].subtitle
    : say("sheet_lead", { task: taskName(view.task) });
}
