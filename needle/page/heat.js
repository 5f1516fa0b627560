// Drawing one heatmap with plotly.js: squares, what marks them, and the weak region.
// Columns are lengths and rows are depths, both by number: square (0, 0) is the shortest length
// with the needle first.

const MARGIN = { l: 58, r: 18, t: 4, b: 40 }; // pixels; the stage lies over what is inside
const LEAST = 176; // pixels of a map's height: the name of its depths stands along it
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", ' +
  '"Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif';

const LIGHT = {
  ink: "#1d2229", soft: "#5a6472", rule: "#dfe3e8", paper: "#ffffff", fade: "rgba(255,255,255,0.82)",
  series: ["#0072B2", "#D55E00", "#009E73", "#8E4B9E", "#B8860B", "#56737F", "#C2185B", "#4B5320"],
  greys: {
    truncated: ["#E4E4E4", "#8A8A8A", "/"], filtered: ["#D6D6D6", "#6A6A6A", "."],
    failed: ["#CFCFCF", "#5A5A5A", "x"], not_run: ["#F3F3F3", "#CFCFCF", "|"],
  },
};
const DARK = {
  ink: "#e8ebef", soft: "#a3adba", rule: "#343b45", paper: "#15181d", fade: "rgba(21,24,29,0.82)",
  series: ["#56B4E9", "#F0914A", "#34C79A", "#CC91DC", "#E6C04A", "#9FB8C4", "#F06A9B", "#A9B665"],
  greys: {
    truncated: ["#3a4049", "#868f9b", "/"], filtered: ["#434a54", "#9aa3ae", "."],
    failed: ["#4a525d", "#b4bcc6", "x"], not_run: ["#22272e", "#454d58", "|"],
  },
};

const colours = () => isDark() ? DARK : LIGHT;

function colourScale(palettes) {
  const stops = palettes[view.palette];
  return stops.map((colour, at) => [at / (stops.length - 1), colour]);
}

function setScale() {
  // The key's own squares have the scale's colours too.
  const stops = held.palettes[view.palette];
  document.documentElement.style.setProperty("--least", stops[0]);
  document.documentElement.style.setProperty("--middle", stops[Math.floor(stops.length / 2)]);
}

const gradient = () => `linear-gradient(to right, ${held.palettes[view.palette].join(", ")})`;

function outline(boxes) {
  // Rectangles [left, top, right, bottom] as one path of a filled trace.
  const x = [];
  const y = [];
  for (const [left, top, right, bottom] of boxes) {
    x.push(left, right, right, left, left, null);
    y.push(top, top, bottom, bottom, top, null);
  }
  return { x, y };
}

const square = (at, rows) => {
  const column = Math.floor(at / rows);
  const row = at % rows;
  return [column - 0.5, row - 0.5, column + 0.5, row + 0.5];
};

function filled(boxes, look) {
  return { type: "scatter", mode: "lines", ...outline(boxes), fill: "toself", line: { width: 0 },
    hoverinfo: "skip", showlegend: false, ...look };
}

function hatched(map, mark, short) {
  // The smaller the squares, the closer the hatching.
  const rows = map.depths.length;
  const boxes = map.marks.flatMap((marks, at) => marks.includes(mark) ? [square(at, rows)] : []);
  if (!boxes.length) return [];
  const size = Math.max(4, Math.min(9, short / 2));
  if (mark === "refused") {
    return [filled(boxes, { fillcolor: "rgba(0,0,0,0)",
      fillpattern: { shape: "\\", fgcolor: "rgba(255,255,255,0.9)", bgcolor: "rgba(0,0,0,0)", size, solidity: 0.22 } })];
  }
  const [under, over, shape] = colours().greys[mark];
  return [filled(boxes, { fillpattern: { shape, fgcolor: over, bgcolor: under, size, solidity: 0.18 } })];
}

function corners(map, across, down) {
  const rows = map.depths.length;
  const x = [];
  const y = [];
  map.marks.forEach((marks, at) => {
    if (!marks.includes("partly")) return;
    const [, top, right] = square(at, rows);
    x.push(right - across, right, right, right - across, null);
    y.push(top, top, top + down, top, null);
  });
  // White round it, so that it is seen on dark colours too.
  const edge = { color: "#ffffff", width: view.palette === "safe" ? 0.8 : 0 };
  return x.length ? [{ ...filled([], { fillcolor: "#222222", line: edge }), x, y }] : [];
}

function separators(columns, rows, short) {
  const x = [];
  const y = [];
  for (let column = 1; column < columns; column += 1) {
    x.push(column - 0.5, column - 0.5, null);
    y.push(-0.5, rows - 0.5, null);
  }
  for (let row = 1; row < rows; row += 1) {
    x.push(-0.5, columns - 0.5, null);
    y.push(row - 0.5, row - 0.5, null);
  }
  return { type: "scatter", mode: "lines", x, y, hoverinfo: "skip", showlegend: false,
    line: { color: colours().paper, width: Math.min(1.5, Math.max(0.5, 0.05 * short)) } };
}

function weakBox(map) {
  const { weak } = map.statistics;
  if (!weak) return null;
  const near = (values, wanted) => values.reduce((best, value, at) =>
    Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? at : best, 0);
  const [left, right] = weak.lengths.map((value) => near(map.lengths, value));
  const [top, bottom] = weak.depths.map((value) => near(map.depths, value));
  return [left - 0.5, top - 0.5, right + 0.5, bottom + 0.5];
}

function dashed(map) {
  const box = weakBox(map);
  if (!box) return [];
  const line = (look) => ({ type: "scatter", mode: "lines", ...outline([box]), hoverinfo: "skip",
    showlegend: false, cliponaxis: false, line: look });
  return [line({ color: "rgba(255,255,255,0.85)", width: 4 }),
    line({ color: "#16191d", width: 2, dash: "6px,4px" })];
}

function chosenTicks(ticks, extent, needed) {
  // As many of the ticks as there is room for, as evenly as can be, the first and the last among them.
  const { length: count } = ticks;
  let step = 1;
  while (step < count && step * extent / count < needed) step += 1;
  const parts = Math.max(Math.floor((count - 1) / step), 1);
  const chosen = unique(Array.from({ length: parts + 1 }, (_, part) => Math.round(part * (count - 1) / parts)));
  return { tickvals: chosen, ticktext: chosen.map((at) => ticks[at]) };
}

function axis(title, standoff, more) {
  const { soft, ink } = colours();
  return {
    title: { text: title, standoff, font: { size: 11.5, color: ink } }, fixedrange: true, showgrid: false,
    zeroline: false, ticks: "outside", ticklen: 4, tickcolor: "rgba(0,0,0,0)", tickfont: { size: 10.5, color: soft }, ticklabeloverflow: "allow",
    automargin: false, ...more,
  };
}

function drawGrid(holder, traces, grid, width, height) {
  // Draw squares with their axes; grid has the ticks and the words of both axes.
  const columns = grid.lengthTicks.length;
  const rows = grid.depthTicks.length;
  const widest = Math.max(...grid.lengthTicks.map((tick) => tick.length));
  return Plotly.react(holder, traces, {
    width, height, margin: MARGIN, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: FONT }, showlegend: false, dragmode: false,
    xaxis: axis(grid.words.lengths, 6, { range: [-0.5, columns - 0.5],
      ...chosenTicks(grid.lengthTicks, width - MARGIN.l - MARGIN.r, 7 * widest + 8) }),
    yaxis: axis(grid.words.depths, 6, { range: [rows - 0.5, -0.5],
      ...chosenTicks(grid.depthTicks, height - MARGIN.t - MARGIN.b, 14) }),
  }, { staticPlot: true, displayModeBar: false });
}

function drawMap(holder, map, width, height) {
  const columns = map.lengths.length;
  const rows = map.depths.length;
  const [wide, high] = [(width - MARGIN.l - MARGIN.r) / columns, (height - MARGIN.t - MARGIN.b) / rows];
  const short = Math.min(wide, high);
  const corner = Math.min(0.4 * short, 12);
  const z = map.depths.map((_, row) => map.lengths.map((__, column) => map.scores[column * rows + row]));
  const faded = map.lengths.flatMap((_, column) => map.depths.flatMap((__, row) =>
    dims(cellAt(map, column, row)) ? [square(column * rows + row, rows)] : []));
  const traces = [
    { type: "heatmap", z, zmin: 0, zmax: 1, colorscale: colourScale(held.palettes), showscale: false, hoverinfo: "skip" },
    ...Object.keys(LIGHT.greys).flatMap((mark) => hatched(map, mark, short)),
    ...hatched(map, "refused", short),
    ...corners(map, corner / wide, corner / high),
    separators(columns, rows, short),
    ...(faded.length ? [filled(faded, { fillcolor: colours().fade })] : []),
    ...dashed(map),
  ];
  const grid = { lengthTicks: map.length_ticks, depthTicks: map.depth_ticks, words: map.words[view.language] };
  return drawGrid(holder, traces, grid, width, height);
}
