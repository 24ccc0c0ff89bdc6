// Pure arithmetic of chart axes: where ticks stand and what they say.

import { axisNumber, clock, day } from "./format.js";

const DAY = 86_400;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
  DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY, 1825 * DAY];

/** The domain, with a margin; a flat line gets room on both sides. */
export function padded(low, high) {
  if (high > low) return [low - (high - low) * 0.06, high + (high - low) * 0.06];
  const room = Math.max(Math.abs(low) * 0.001, 0.01);
  return [low - room, high + room];
}

/** Round values (1, 2 or 5 times a power of ten) inside the domain. */
export function valueTicks(low, high, wanted) {
  const raw = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10);
  const ticks = [];
  for (let index = Math.ceil(low / step); index * step <= high; index += 1) {
    ticks.push({ at: index * step, label: axisNumber(index * step, step) });
  }
  return ticks;
}

/** Round local times inside the domain: a tick at "12:00" stands at the reader's noon. */
export function timeTicks(from, to, wanted) {
  const raw = (to - from) / Math.max(1, wanted);
  const step = TIME_STEPS.find((candidate) => candidate >= raw) ?? TIME_STEPS.at(-1);
  const shift = new Date(from * 1000).getTimezoneOffset() * 60;
  const ticks = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) {
    ticks.push({ at, label: timeLabel(at, step) });
  }
  return ticks;
}

function timeLabel(at, step) {
  const shown = clock(at);
  if (step >= DAY || shown === "00:00:00") return day(at);
  return step < 60 ? shown : shown.slice(0, 5);
}

/** Index of the last point at or before `at`, or -1. */
export function indexAt(points, at) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].time <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
