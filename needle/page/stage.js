// A stage lies over a drawn map and takes pointer, finger and keys; its cursor shows which cell is
// meant. ``tell`` gives a cell's title, subtitle and figures, ``read`` the words that are read aloud,
// and ``open`` opens what is in it.

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-Infinity, 0], End: [Infinity, 0], PageUp: [0, -Infinity], PageDown: [0, Infinity] };

const within = (value, count) => Math.min(Math.max(value, 0), count - 1);

function makeStage({ columns, rows, label, tell, read, open }) {
  const cursor = node("div", { class: "cursor", hidden: true });
  const stage = node("div", {
    class: "stage", tabindex: "0", role: "application", "aria-label": label,
    "aria-roledescription": say("heatmap"), "aria-describedby": "keys",
    style: { left: `${MARGIN.l}px`, right: `${MARGIN.r}px`, top: `${MARGIN.t}px`, bottom: `${MARGIN.b}px` },
  }, cursor);
  let at = null;

  function moveTo(column, row, isSpoken) {
    const next = [within(column, columns), within(row, rows)];
    const isNew = !at || at[0] !== next[0] || at[1] !== next[1];
    at = next;
    cursor.hidden = false;
    cursor.style.left = `${100 * at[0] / columns}%`;
    cursor.style.top = `${100 * at[1] / rows}%`;
    cursor.style.width = `${100 / columns}%`;
    cursor.style.height = `${100 / rows}%`;
    const box = stage.getBoundingClientRect();
    showTip(...tell(...at), box.left + box.width * (at[0] + 0.5) / columns,
      box.top + box.height * (at[1] + 0.5) / rows);
    if (isSpoken && isNew) announce(read(...at));
  }

  function leave() {
    cursor.hidden = true;
    hideTip();
  }

  function pointTo(event) {
    const box = stage.getBoundingClientRect();
    moveTo(Math.floor((event.clientX - box.left) / box.width * columns),
      Math.floor((event.clientY - box.top) / box.height * rows), false);
  }

  function openHere() {
    if (!open) return;
    hideTip();
    open(...at);
  }

  function press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = STEPS[event.key];
    const [column, row] = at || [0, 0];
    if (step) {
      moveTo(column + step[0], row + step[1], true);
    } else if (event.key === "Enter" || event.key === " ") {
      moveTo(column, row, false);
      openHere();
    } else if (event.key === "Escape") {
      leave();
    } else {
      return;
    }
    event.preventDefault();
  }

  stage.addEventListener("pointermove", pointTo);
  stage.addEventListener("pointerleave", leave);
  stage.addEventListener("blur", leave);
  stage.addEventListener("keydown", press);
  stage.addEventListener("focus", () => {
    if (stage.matches(":focus-visible")) moveTo(...(at || [0, 0]), true);
  });
  stage.addEventListener("click", (event) => {
    pointTo(event);
    openHere();
  });
  return stage;
}
