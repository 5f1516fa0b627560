// What the reader has chosen to see, and the controls that say so.

const view = {
  language: "en",
  theme: null, // null is the system's
  palette: "published",
  task: null,
  runs: new Set(),
  languages: new Set(),
  verdicts: new Set(),
  page: 0,
  printing: false,
};

const wantsDark = window.matchMedia("(prefers-color-scheme: dark)");

const isDark = () => !view.printing && (view.theme ? view.theme === "dark" : wantsDark.matches);

function startView() {
  const asked = document.documentElement.lang;
  const own = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  view.language = held.labels || (asked === "zh" ? "zh" : own);
  view.palette = held.palette;
  view.task = held.maps.length ? held.maps[0].task : null;
  view.runs = new Set(held.runs.keys());
  view.languages = new Set(held.maps.map((map) => map.language));
  view.verdicts = new Set(presentVerdicts());
}

const tasks = () => unique(held.maps.map((map) => map.task));

function shownMaps() {
  return held.maps.filter((map) =>
    map.task === view.task && view.runs.has(map.run) && view.languages.has(map.language));
}

const runsOf = (maps) => unique(maps.map((map) => map.run)).sort((a, b) => a - b);

const allVerdicts = () => view.verdicts.size === presentVerdicts().length;

function showsTrial(map, number) {
  return view.verdicts.has(map.trials.verdict[number]);
}

function dims(cell) {
  // A cell fades when none of its trials has a verdict that is chosen.
  return !Object.keys(cell.verdicts).some((verdict) => view.verdicts.has(verdict));
}

function choice(group, label, isChosen, change, type = "checkbox", colour = null) {
  const input = node("input", { type, name: group, on: { change: (event) => change(event.target.checked) } });
  input.checked = isChosen;
  return node("label", { class: "choice" }, input,
    colour && node("span", { class: `chip ${colour}` }), node("span", {}, label));
}

function toggled(set, item, isOn) {
  if (isOn) set.add(item);
  else set.delete(item);
}

function fillFilters(changeMaps, changeVerdicts) {
  const groups = [];
  const group = (key, choices) => groups.push(
    node("fieldset", {}, node("legend", {}, say(key)), choices));
  if (tasks().length > 1) {
    group("filter_task", tasks().map((task) => choice("task", taskName(task), task === view.task, () => {
      view.task = task;
      changeMaps();
    }, "radio")));
  }
  if (held.runs.length > 1) {
    group("filter_model", held.runs.map((run, number) => choice("run", isolated(run.name),
      view.runs.has(number), (isOn) => {
        toggled(view.runs, number, isOn);
        changeMaps();
      })));
  }
  const languages = LANGUAGES.filter((language) => held.maps.some((map) => map.language === language));
  if (languages.length > 1) {
    group("filter_language", languages.map((language) => choice("language", languageName(language),
      view.languages.has(language), (isOn) => {
        toggled(view.languages, language, isOn);
        changeMaps();
      })));
  }
  group("filter_verdict", presentVerdicts().map((verdict) => choice("verdict", verdictEverywhere(verdict),
    view.verdicts.has(verdict), (isOn) => {
      toggled(view.verdicts, verdict, isOn);
      changeVerdicts();
    }, "checkbox", verdict)));
  fill(byId("filter-form"), groups);
}
