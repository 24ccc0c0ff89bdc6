// How numbers and times are written. Null is a dash: "not known" must never look like zero.

export const DASH = "–";
const MINUS = "−";

const fixed = new Map();
function decimals(value, digits) {
  if (!fixed.has(digits)) fixed.set(digits, new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return fixed.get(digits).format(value).replace("-", MINUS);
}
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 });
const exact = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 9 });

const known = (value) => typeof value === "number" && Number.isFinite(value);
// -0.001 rounds to "-0.00"; a sign on nothing would be noise.
const settle = (value, digits) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value);

export function number(value, digits = 2) {
  if (!known(value)) return DASH;
  if (Math.abs(value) >= 1e12) return compact.format(value).replace("-", MINUS);
  return decimals(settle(value, digits), digits);
}

export function signed(value, digits = 2) {
  if (!known(value)) return DASH;
  const settled = settle(value, digits);
  return (settled > 0 ? "+" : "") + number(settled, digits);
}

export const percent = (value, digits = 2) => (known(value) ? `${number(value, digits)}%` : DASH);
export const signedPercent = (value, digits = 2) => (known(value) ? `${signed(value, digits)}%` : DASH);
export const whole = (value) => number(value, 0);

/** Prices span meme coins and indices: keep about six figures, never fewer than two decimals. */
export function price(value) {
  if (!known(value)) return DASH;
  const size = Math.abs(value);
  return decimals(value, size >= 1000 || size === 0 ? 2 : size >= 1 ? 4 : Math.min(10, 5 - Math.floor(Math.log10(size))));
}

export const size = (value) => (known(value) ? exact.format(value).replace("-", MINUS) : DASH);

export const tone = (value) => (!known(value) || Math.abs(value) < 0.005 ? "" : value > 0 ? "up" : "down");

const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const yearFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const clock = (seconds) => stamp(seconds, (date) => clockFormat.format(date));
export const day = (seconds) => stamp(seconds, (date) => dayFormat.format(date));

/** The clock alone today, with the day on other days, with the year in other years (replays). */
export function when(seconds) {
  return stamp(seconds, (date) => {
    const now = new Date();
    if (date.toDateString() === now.toDateString()) return clockFormat.format(date);
    const dated = date.getFullYear() === now.getFullYear() ? dayFormat : yearFormat;
    return `${dated.format(date)} ${clockFormat.format(date)}`;
  });
}

function stamp(seconds, write) {
  const date = new Date(seconds * 1000);
  return !known(seconds) || Number.isNaN(date.getTime()) ? DASH : write(date);
}

export function duration(seconds) {
  if (!known(seconds)) return DASH;
  if (seconds < 0.05) return "under 0.1 s";
  if (seconds < 60) return `${number(seconds, seconds < 10 && !Number.isInteger(seconds) ? 1 : 0)} s`;
  if (seconds < 3600) return `${number(seconds / 60, Number.isInteger(seconds / 60) ? 0 : 1)} min`;
  return `${number(seconds / 3600, Number.isInteger(seconds / 3600) ? 0 : 1)} h`;
}

export const plural = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;

export const axisNumber = (value, step) => {
  if (Math.abs(value) >= 1e6) return compact.format(value).replace("-", MINUS);
  return number(value, step >= 1 ? 0 : Math.min(8, Math.ceil(-Math.log10(step))));
};

const ORIGINS = { generated: "generated", upload: "uploaded", folder: "bots folder", arena: "ships with Arena" };

/** Who wrote it, in a few words; a model is named only where one was used. */
export function provenance(bot) {
  if (bot.origin === "generated") {
    const writer = bot.model === "template" ? "written from a template" : bot.model ? `written by ${bot.model}` : "generated";
    return [bot.author, writer].filter(Boolean).join(", ");
  }
  if (bot.origin === "folder" || bot.origin === "arena") return ORIGINS[bot.origin];
  return [bot.author, ORIGINS[bot.origin] ?? bot.origin].filter(Boolean).join(", ");
}

/** How long ago, in the largest unit that fits. */
export function age(seconds) {
  if (!known(seconds)) return DASH;
  const passed = Math.max(0, Date.now() / 1000 - seconds);
  const unit = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => passed >= size) ?? [1, "s"];
  return `${Math.floor(passed / unit[0])} ${unit[1]}`;
}
