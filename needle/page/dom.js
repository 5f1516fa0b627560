// Making elements. What is shown goes in as text or as a plain attribute, never as HTML, so that
// no answer, name or message can be more than the characters it is made of.

const ALLOWED = /^(class|id|type|for|name|value|title|role|lang|dir|scope|colspan|rowspan|tabindex|hidden|open|checked|disabled|selected|aria-[a-z]+|data-[a-z]+)$/;

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    } else if (name === "style") {
      for (const [property, said] of Object.entries(value)) made.style.setProperty(property, said);
    } else if (ALLOWED.test(name)) {
      made.setAttribute(name, value === true ? "" : String(value));
    } else {
      throw new Error(`no attribute ${name}`);
    }
  }
  append(made, children);
  return made;
}

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
}

const byId = (id) => document.getElementById(id);

// A name or an answer keeps its own direction to itself.
const isolated = (text) => node("bdi", {}, text);

function table(heads, rows, attributes = {}) {
  // Each row is a list of cells: text, an element, or a list of both. The first one heads its row.
  const head = node("tr", {}, heads.map((words) => node("th", { scope: "col" }, words)));
  const body = rows.map((cells) =>
    node("tr", {}, cells.map((cell, column) => column === 0
      ? node("th", { scope: "row" }, cell)
      : node("td", { "data-head": heads[column] }, node("span", {}, cell)))));
  return node("div", { class: "scroll" },
    node("table", attributes, node("thead", {}, head), node("tbody", {}, body)));
}

function terms(pairs, attributes = {}) {
  // A list of names and values; those without a value are left out.
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return node("dl", attributes, shown.map(([name, value]) =>
    node("div", {}, node("dt", {}, name), node("dd", {}, value))));
}

function folded(summary, make, attributes = {}) {
  // What is made only when it is first opened.
  const made = node("details", attributes, node("summary", {}, summary));
  made.addEventListener("toggle", () => {
    if (made.open && made.childElementCount === 1) append(made, [make()]);
  });
  return made;
}
