// The page's words and numbers in the reader's language.

const LANGUAGES = ["en", "zh"];

function say(key, values = {}) {
  const words = held.words[key];
  if (!words) throw new Error(`no words for ${key}`);
  return words[view.language].replace(/\{(\w+)\}/g, (whole, name) =>
    name in values ? String(values[name]) : whole);
}

function sayCount(key, count, values = {}) {
  // English tells one from many; Chinese has the same words for both.
  const one = count === 1 && view.language === "en" && `${key}_one` in held.words;
  return say(one ? `${key}_one` : key, { count: whole(count), ...values });
}

const listed = (items) => items.join(view.language === "zh" ? "、" : ", ");
const claused = (items) => items.join(view.language === "zh" ? "；" : "; ");
const bracketed = (text) => view.language === "zh" ? `（${text}）` : ` (${text})`;

const whole = (number) => Math.round(number).toLocaleString("en-US");

function fixed(value, digits) {
  // A tie goes to the even digit, as in the figures and sentences that Python writes.
  const scaled = Math.abs(value) * 10 ** digits;
  const under = Math.floor(scaled);
  if (scaled - under !== 0.5 || under % 2 !== 0) return value.toFixed(digits);
  return (Math.sign(value) * under / 10 ** digits).toFixed(digits);
}

function percent(share, digits = 1) {
  if (share === null || share === undefined) return "–";
  // Only all and none are written 100% and 0%.
  let text = fixed(100 * share, digits);
  const rounded = Number(text);
  if ((rounded === 100 && share < 1) || (rounded === 0 && share > 0)) {
    text = (100 * share).toPrecision(rounded === 100 ? 5 : 1);
  }
  return `${Number(text)}%`;
}

function interval(low, high, digits = 1) {
  if (low === null || high === null || low === undefined || high === undefined) return "";
  return `${percent(low, digits)}–${percent(high, digits)}`;
}

function points(share) {
  // A difference of shares, in percentage points, with its sign.
  if (share === null || share === undefined) return "–";
  const text = fixed(100 * share, 1);
  return Number(text) > 0 ? `+${text}` : text.replace("-", "−");
}

function length(units) {
  if (units === null || units === undefined) return "–";
  const short = (scale) => Number((units / scale).toPrecision(4)); // as the figures and sentences have it
  if (units >= 1e6) return `${short(1e6)}M`;
  if (units >= 1000) return `${short(1000)}k`;
  return String(Math.round(units));
}

function depth(share) {
  if (share === null || share === undefined) return "–";
  return `${Number(share.toFixed(2))}%`;
}

function money(amount, currency) {
  if (amount === null || amount === undefined) return "–";
  const digits = amount === 0 ? 0 : Math.max(2, 2 - Math.floor(Math.log10(Math.abs(amount))));
  return `${Number(amount.toFixed(Math.min(digits, 9))).toLocaleString("en-US",
    { maximumFractionDigits: 9, minimumFractionDigits: 2 })} ${currency}`;
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  return say("seconds", { count: value < 10 ? value.toFixed(2) : value.toFixed(1) });
}

function chance(p) {
  if (p === null || p === undefined) return "–";
  return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
}

const verdictName = (verdict) => say(`verdict_${verdict}`);

const languageName = (language) => say(`language_${language}`);

function textName(map) {
  // Where needle and text differ in language, both are named.
  if (map.text_language === map.language) return languageName(map.language);
  return say("crossed", { needle: say(`tongue_${map.language}`), text: languageName(map.text_language) });
}

function taskName(task) {
  return `task_${task}` in held.words ? say(`task_${task}`) : task;
}

function scorerName(scorer) {
  return `scorer_${scorer}` in held.words ? say(`scorer_${scorer}`) : scorer;
}

function explain(reason) {
  // A scorer's own words are English. Those that needle's scorers use are known here by heart;
  // any other's, a judge's say, are shown as they are.
  if (view.language === "en") return reason;
  for (const [key, words] of Object.entries(held.words)) {
    if (!key.startsWith("why_")) continue;
    const [before, after] = words.en.split("{rest}");
    if (after === undefined ? reason === before
      : reason.startsWith(before) && reason.endsWith(after) && (before || after)) {
      if (after === undefined) return say(key);
      return say(key, { rest: explain(reason.slice(before.length, reason.length - after.length)) });
    }
  }
  return reason;
}
