// Difference maps: one run less another, cell by cell, drawn when they are first asked for.

const differences = []; // {holder, pair}

function differenceGrid(pair) {
  // The ticks of a pair's cells are those of a map of its task that has them.
  const columns = unique(pair.cells.map(([units]) => units));
  const rows = unique(pair.cells.map(([, share]) => share));
  const map = held.maps.find((each) => each.task === pair.task &&
    (pair.language === null || each.language === pair.language));
  const ticks = (places, own, names, write) => places.map((place) =>
    own.includes(place) ? names[own.indexOf(place)] : write(place));
  return {
    columns, rows, words: map.words[view.language],
    lengthTicks: ticks(columns, map.lengths, map.length_ticks, length),
    depthTicks: ticks(rows, map.depths, map.depth_ticks, depth),
  };
}

function drawDifference({ holder, pair }) {
  const grid = differenceGrid(pair);
  const [columns, rows] = [grid.columns.length, grid.rows.length];
  const width = Math.floor(holder.parentElement.clientWidth);
  const height = Math.round(Math.min(Math.max(15 * rows, LEAST), 320) + MARGIN.t + MARGIN.b);
  const at = (column, row) => pair.cells[column * rows + row];
  const z = grid.rows.map((_, row) => grid.columns.map((__, column) => at(column, row)[2]));
  const beyond = pair.cells.flatMap((cell, place) => cell[4] ? [square(place, rows)] : []);
  const short = Math.min((width - MARGIN.l - MARGIN.r) / columns, (height - MARGIN.t - MARGIN.b) / rows);
  const missing = pair.cells.flatMap((cell, place) => cell[2] === null ? [square(place, rows)] : []);
  const [under, over, shape] = colours().greys.not_run;
  return drawGrid(holder, [
    { type: "heatmap", z, zmin: -1, zmax: 1, colorscale: colourScale(held.differing), showscale: false, hoverinfo: "skip" },
    ...(missing.length ? [filled(missing, { fillpattern: { shape, fgcolor: over, bgcolor: under, size: 6, solidity: 0.18 } })] : []),
    separators(columns, rows, short),
    ...(beyond.length ? [{ ...filled(beyond, { line: { color: "#16191d", width: 2 } }), fill: "none" }] : []),
  ], grid, width, height);
}

function differenceStage(pair) {
  const grid = differenceGrid(pair);
  const [columns, rows] = [grid.columns.length, grid.rows.length];
  const at = (column, row) => pair.cells[column * rows + row];
  const title = (cell) => cell[2] === null ? say("no_pairs") : say("in_points", { count: points(cell[2]) });
  return makeStage({
    columns, rows, open: null, label: say("difference_of", { pair: pairName(pair) }),
    tell: (...place) => {
      const cell = at(...place);
      return [title(cell), pairName(pair), [
        [say("head_length"), length(cell[0])], [say("head_depth"), depth(cell[1])],
        [say("pairs_scored"), whole(cell[3])], [say("beyond_chance"), say(cell[4] ? "yes" : "no")]]];
    },
    read: (...place) => {
      const cell = at(...place);
      return claused([say("at_cell", { length: length(cell[0]), depth: depth(cell[1]) }), title(cell)]);
    },
  });
}

function makeDifference(pair) {
  const holder = node("div", { class: "plot", "aria-hidden": "true" });
  differences.push({ holder, pair });
  setTimeout(() => drawDifference({ holder, pair })); // once it has its place and width
  const runs = held.runs.filter((run) => [run.model, run.folder].some((name) => name === pair.first || name === pair.second));
  const lacks = pair.cells.some((cell) => cell[2] === null);
  const stops = `linear-gradient(to right, ${held.differing[view.palette].join(", ")})`;
  return node("div", { class: "panel difference" },
    node("div", { class: "key" }, node("div", { class: "bar" },
      node("span", {}, isolated(lesser(pair))), node("b", { style: { background: stops } }), node("span", {}, isolated(greater(pair)))),
    node("ul", {}, node("li", {}, node("span", { class: "swatch beyond" }), say("beyond_key")),
      lacks && node("li", {}, node("span", { class: "swatch not_run" }), say("no_pairs")))),
    runs.some((run) => run.simulated) && node("p", { class: "badges" }, node("span", { class: "badge simulated" }, say("simulated"))),
    node("div", { class: "map" }, holder, differenceStage(pair)));
}

const lesser = (pair) => say("finds_more", { name: pair.of === "languages" ? say("tongue_zh") : pair.first });
const greater = (pair) => say("finds_more", { name: pair.of === "languages" ? say("tongue_en") : pair.second });

function drawDifferences() {
  return Promise.all(differences.filter(({ holder }) => holder.isConnected && holder.clientWidth > 0).map(drawDifference));
}
