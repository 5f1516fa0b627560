// Putting the page together, and together again where the reader changes it.

function fillFrame() {
  document.documentElement.lang = view.language === "zh" ? "zh-CN" : "en";
  document.querySelectorAll("[data-word]").forEach((each) => { each.textContent = say(each.dataset.word); });
  document.querySelectorAll("[data-label]").forEach((each) => each.setAttribute("aria-label", say(each.dataset.label)));
  const other = view.language === "zh" ? "en" : "zh";
  byId("to-language").textContent = other === "zh" ? "中文" : "English";
  byId("to-language").lang = other;
  byId("to-theme").textContent = say(isDark() ? "to_light" : "to_dark");
  const palette = byId("palette");
  fill(palette, Object.keys(held.palettes).map((name) => node("option", { value: name }, say(`palette_${name}`))));
  palette.value = view.palette;
  palette.parentElement.hidden = Object.keys(held.palettes).length < 2;
  const models = (runs) => listed(unique(runs.map((run) => run.model)));
  const title = say("title", { models: models(held.runs) });
  document.title = title;
  fill(byId("title"), title);
  fill(byId("about"), about());
  const simulated = held.runs.filter((run) => run.simulated);
  const imported = held.runs.filter((run) => run.imported);
  fill(byId("badges"), simulated.length > 0 && node("li", { class: "badge simulated" }, say("some_simulated",
    { models: models(simulated) })),
  imported.length > 0 && node("li", { class: "badge imported" }, say("some_imported",
    { models: models(imported) })));
  fill(byId("foot"), node("p", {}, say("foot", { version: held.version })));
}

function about() {
  const count = held.maps.reduce((sum, map) => sum + trialCount(map), 0);
  const dates = unique(held.runs.map((run) => run.imported && run.imported.date || run.date)).sort();
  const haystacks = unique(held.runs.flatMap((run) => Object.values(run.haystacks))).filter((name) => name !== "unknown");
  return claused([
    listed(tasks().map(taskName)),
    listed(LANGUAGES.filter((each) => held.maps.some((map) => map.text_language === each)).map(languageName)),
    haystacks.length > 0 && say("about_haystack", { names: listed(haystacks) }),
    sayCount("about_trials", count),
    dates.length > 1 ? `${dates[0]} – ${dates[dates.length - 1]}` : dates[0],
  ].filter(Boolean));
}

async function draw() {
  // The heatmaps are seen while the charts below them are still being drawn.
  await drawPanels();
  if (!view.printing) await new Promise((seen) => { setTimeout(seen); });
  await drawCharts();
  await drawDifferences();
}

function changeMaps() {
  view.page = 0;
  hideTip();
  for (const each of [fillSheet, fillFindings, fillProfiles, fillPaired, fillControls, fillTrials, fillSetup]) each();
  return draw();
}

function changeVerdicts() {
  view.page = 0;
  fillTrials();
  return drawPanels();
}

function changeLanguage() {
  fillFrame();
  fillFilters(changeMaps, changeVerdicts);
  return changeMaps();
}

function changeLook() {
  setScale();
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  byId("to-theme").textContent = say(isDark() ? "to_light" : "to_dark");
  document.querySelectorAll(".bar i").forEach((each) => { each.style.background = gradient(); });
  fillLegends();
  return draw();
}

function fillLegends() {
  // Legends have the colours of their lines.
  document.querySelectorAll(".legend").forEach((each, at) => {
    const { maps } = charts.filter((chart) => chart.axisName === "lengths")[at];
    each.replaceWith(legend(maps));
  });
}

function print(isPrinting) {
  if (view.printing === isPrinting) return;
  view.printing = isPrinting;
  document.documentElement.classList.toggle("printing", isPrinting);
  hideTip();
  changeLook();
}

function attendPage() {
  byId("to-language").addEventListener("click", () => {
    view.language = view.language === "zh" ? "en" : "zh";
    changeLanguage();
  });
  byId("to-theme").addEventListener("click", () => {
    view.theme = isDark() ? "light" : "dark";
    changeLook();
  });
  byId("palette").addEventListener("change", (event) => {
    view.palette = event.target.value;
    changeLook();
  });
  wantsDark.addEventListener("change", changeLook);
  const paper = window.matchMedia("print");
  paper.addEventListener("change", () => print(paper.matches));
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  window.addEventListener("scroll", hideTip, { passive: true });
  let width = window.innerWidth;
  let waiting = null;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width || view.printing) return;
    width = window.innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(draw, 120);
  });
  byId("dialog").addEventListener("click", (event) => {
    if (event.target === byId("dialog")) byId("dialog").close();
  });
}

async function start() {
  if (typeof DecompressionStream === "undefined") throw new Error("This page needs a browser of 2023 or later. 本页需要 2023 年以后的浏览器。");
  const [code, text] = await Promise.all([unpack("plotly"), unpack("data")]);
  runScript(code);
  held = JSON.parse(text);
  startView();
  if (window.innerWidth < 640) byId("filters").open = false;
  byId("page").hidden = false;
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  setScale();
  attendPage();
  await changeLanguage();
  // Told to whoever measures: milliseconds from opening the page to its last drawing.
  document.documentElement.dataset.drawn = String(Math.round(performance.now()));
}

start().catch((error) => {
  const trouble = byId("trouble");
  trouble.textContent = String(error && error.message || error);
  trouble.hidden = false;
});
