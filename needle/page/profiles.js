// Recall by length and by depth, with intervals: one chart an axis, one line a run.

const charts = []; // {holder, maps, axis}
const MARKS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon"];
const DASHES = ["solid", "dash", "dot", "dashdot"];

const RULER = 0.856; // the fixed threshold of the absolute definition

function isSpread(lengths) {
  // Lengths that double want a logarithmic axis, evenly spaced ones a straight one.
  const last = lengths.length - 1;
  return last > 1 && lengths[last] / lengths[0] > 8 &&
    (lengths[last] - lengths[last - 1]) > 4 * (lengths[1] - lengths[0]);
}

function spacedOut(places, position, needed) {
  // Those of the places whose words have room beside each other.
  const chosen = [];
  for (const place of places) {
    if (!chosen.length || position(place) - position(chosen[chosen.length - 1]) >= needed) chosen.push(place);
  }
  return chosen;
}

function drawChart(chart, width) {
  const { holder, maps, axisName } = chart;
  const look = colours();
  const along = axisName === "lengths";
  const places = unique(maps.flatMap((map) => map[axisName])).sort((a, b) => a - b);
  const spread = along && isSpread(places);
  const extent = places[places.length - 1] - places[0];
  const traces = maps.map((map, order) => {
    const told = map.statistics[axisName].filter(([, estimate]) => estimate.value !== null);
    const shift = (order - (maps.length - 1) / 2) * 0.008; // so that intervals do not hide each other
    const number = map.run % look.series.length;
    return {
      type: "scatter", mode: "lines+markers", hoverinfo: "none", showlegend: false,
      x: told.map(([at]) => spread ? at * (1 + 3 * shift) : at + shift * extent),
      y: told.map(([, estimate]) => estimate.value),
      customdata: told,
      error_y: { type: "data", symmetric: false, thickness: 1.2, width: 3, color: look.series[number],
        array: told.map(([, e]) => e.high === null ? 0 : e.high - e.value),
        arrayminus: told.map(([, e]) => e.low === null ? 0 : e.value - e.low) },
      line: { color: look.series[number], width: 1.8, dash: DASHES[map.run % DASHES.length] },
      marker: { color: look.series[number], size: 7, symbol: MARKS[map.run % MARKS.length] },
    };
  });
  const at = (place) => spread ? Math.log(place / places[0]) / Math.log(places[places.length - 1] / places[0])
    : (place - places[0]) / (extent || 1);
  const tickvals = along ? spacedOut(places, (place) => at(place) * (width - 110), 46) : [0, 25, 50, 75, 100];
  const share = { range: [-0.04, 1.06], tickvals: [0, 0.25, 0.5, 0.75, 1], showgrid: true,
    ticktext: ["0%", "25%", "50%", "75%", "100%"], gridcolor: look.rule };
  const margin = 0.06 * extent;
  const x = { tickvals, ticktext: tickvals.map(along ? length : depth),
    ...(spread ? { type: "log", range: [Math.log10(places[0]) - 0.1, Math.log10(places[places.length - 1]) + 0.1] }
      : { range: [places[0] - margin, places[places.length - 1] + margin] }) };
  const shapes = along ? [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: RULER, y1: RULER,
    line: { color: look.soft, width: 1, dash: "dot" } }] : [];
  const words = maps[0].words[view.language];
  const drawn = Plotly.react(holder, traces, {
    width, height: 270, margin: { l: 50, r: 8, t: 8, b: 44 }, font: { family: FONT },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, dragmode: false,
    hovermode: "closest", shapes, xaxis: axis(along ? words.lengths : words.depths, 8, x),
    yaxis: axis("", 0, share),
  }, { displayModeBar: false, scrollZoom: false, doubleClick: false, showTips: false });
  if (!chart.attended) {
    chart.attended = true;
    holder.on("plotly_hover", (event) => tellPoint(chart, event));
    holder.on("plotly_unhover", hideTip);
  }
  return drawn;
}

function tellPoint(chart, event) {
  const { curveNumber, customdata } = event.points[0];
  const [at, estimate] = customdata;
  const map = chart.maps[curveNumber];
  const along = chart.axisName === "lengths";
  showTip(percent(estimate.value), runOf(map).name, [
    [say("interval"), interval(estimate.low, estimate.high)],
    [say(along ? "length_asked" : "depth_asked"), along ? length(at) : depth(at)],
    [say("head_scored"), whole(estimate.scored)],
  ], event.event.clientX, event.event.clientY);
}

function legend(maps) {
  const look = colours();
  return node("ul", { class: "legend" }, maps.map((map) => node("li", {},
    node("i", { style: { "border-top": `3px ${["solid", "dashed", "dotted", "dashed"][map.run % 4]} ` +
      look.series[map.run % look.series.length] } }), isolated(runOf(map).name), badges(runOf(map)))));
}

function profileTable(maps, axisName) {
  const along = axisName === "lengths";
  const places = unique(maps.flatMap((map) => map[axisName])).sort((a, b) => a - b);
  const rows = places.map((at) => [along ? length(at) : depth(at), ...maps.map((map) => {
    const found = map.statistics[axisName].find(([place]) => place === at);
    return found ? estimateText(found[1]) : "–";
  })]);
  return table([say(along ? "head_length" : "head_depth"), ...maps.map((map) => runOf(map).name)], rows);
}

function makeChart(maps, axisName) {
  const holder = node("div", { class: "chart", role: "img",
    "aria-label": say(`chart_${axisName}`, { language: textName(maps[0]) }) });
  charts.push({ holder, maps, axisName });
  return node("figure", {},
    node("figcaption", {}, node("h4", {}, say(`by_${axisName}`))), holder,
    folded(say("as_table"), () => profileTable(maps, axisName), { class: "as-table" }));
}

function drawCharts() {
  const widths = charts.map((chart) => Math.floor(chart.holder.clientWidth));
  return Promise.all(charts.map((chart, at) => drawChart(chart, widths[at])));
}

function fillProfiles() {
  // Only lengths that are counted alike stand on one axis.
  charts.length = 0;
  const maps = shownMaps().filter((map) => map.scored > 0);
  const counted = (map) => say(lengthsKey(runOf(map)), { tokenizer: runOf(map).tokenizer });
  const groups = LANGUAGES.flatMap((language) => {
    const here = maps.filter((map) => map.language === language);
    const ways = unique(here.map(counted));
    return ways.map((way) => ({ maps: here.filter((map) => counted(map) === way),
      title: ways.length > 1 ? claused([textName(here[0]), say("lengths_way", { way })]) : textName(here[0]) }));
  });
  fill(byId("profiles"), groups.length > 0 && [node("h2", {}, say("profiles_heading")),
    node("p", { class: "hint" }, say("profiles_lead"))],
    groups.map((group) => node("div", { class: "together" },
      node("h3", {}, group.title), legend(group.maps),
      node("div", { class: "pair" }, makeChart(group.maps, "lengths"), makeChart(group.maps, "depths")))));
}
