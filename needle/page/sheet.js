// The sheet of heatmaps: a column a run, a row a language. A stage lies over each map and takes
// pointer, finger and keys; a cursor on it shows the cell that is meant.

const panels = []; // {map, holder, stage, cursor}

function mapSize(panel) {
  const width = Math.floor(panel.holder.parentElement.clientWidth);
  const { map } = panel;
  const most = view.printing ? 230 : 380;
  const inner = Math.min(Math.max(17 * map.depths.length, 0.62 * (width - MARGIN.l), 150), most);
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
  const cursor = node("div", { class: "cursor", hidden: true });
  const stage = node("div", {
    class: "stage", tabindex: "0", role: "application",
    "aria-roledescription": say("heatmap"), "aria-describedby": "keys",
    "aria-label": say("heatmap_of", { model: run.name, language: textName(map) }),
    style: { left: `${MARGIN.l}px`, right: `${MARGIN.r}px`, top: `${MARGIN.t}px`, bottom: `${MARGIN.b}px` },
  }, cursor);
  const panel = { map, holder, stage, cursor, at: null };
  panels.push(panel);
  attend(panel);
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
      return cell.score === null ? listed(Object.keys(cell.verdicts).map(verdictName)) : percent(cell.score);
    })]);
  return table([say("depth_by_length"), ...map.length_ticks], rows, { class: "cells" });
}

function moveTo(panel, column, row, announced) {
  const { map, cursor, stage } = panel;
  const columns = map.lengths.length;
  const rows = map.depths.length;
  const at = [Math.min(Math.max(column, 0), columns - 1), Math.min(Math.max(row, 0), rows - 1)];
  const isNew = !panel.at || panel.at[0] !== at[0] || panel.at[1] !== at[1];
  panel.at = at;
  cursor.hidden = false;
  cursor.style.left = `${100 * at[0] / columns}%`;
  cursor.style.top = `${100 * at[1] / rows}%`;
  cursor.style.width = `${100 / columns}%`;
  cursor.style.height = `${100 / rows}%`;
  const cell = cellAt(map, ...at);
  const box = stage.getBoundingClientRect();
  const told = describeCell(cell);
  showTip(told.title, `${runOf(map).name} · ${textName(map)}`, told.pairs,
    box.left + box.width * (at[0] + 0.5) / columns, box.top + box.height * (at[1] + 0.5) / rows);
  if (announced && isNew) announce(readOut(cell));
}

function leave(panel) {
  panel.cursor.hidden = true;
  hideTip();
}

function pointed(panel, event) {
  const box = panel.stage.getBoundingClientRect();
  return [Math.floor((event.clientX - box.left) / box.width * panel.map.lengths.length),
    Math.floor((event.clientY - box.top) / box.height * panel.map.depths.length)];
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-Infinity, 0], End: [Infinity, 0], PageUp: [0, -Infinity], PageDown: [0, Infinity] };

function attend(panel) {
  const { stage } = panel;
  stage.addEventListener("pointermove", (event) => moveTo(panel, ...pointed(panel, event), false));
  stage.addEventListener("pointerleave", () => leave(panel));
  stage.addEventListener("focus", () => {
    if (stage.matches(":focus-visible")) moveTo(panel, ...(panel.at || [0, 0]), true);
  });
  stage.addEventListener("blur", () => leave(panel));
  stage.addEventListener("click", (event) => {
    moveTo(panel, ...pointed(panel, event), false);
    hideTip();
    openCell(cellAt(panel.map, ...panel.at));
  });
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = STEPS[event.key];
    const [column, row] = panel.at || [0, 0];
    if (step) {
      moveTo(panel, column + step[0], row + step[1], true);
    } else if (event.key === "Enter" || event.key === " ") {
      hideTip();
      openCell(cellAt(panel.map, column, row));
    } else if (event.key === "Escape") {
      leave(panel);
    } else {
      return;
    }
    event.preventDefault();
  });
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
