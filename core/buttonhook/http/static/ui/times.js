// Times in the viewer's zone; the exact one stays in the title.
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const YEAR = new Intl.DateTimeFormat(undefined, { year: "numeric", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MILLI = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
const AGO = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const REFRESH_MS = 20000;

function day(moment) {
  return (moment.getFullYear() === new Date().getFullYear() ? DAY : YEAR).format(moment);
}

function ago(moment) {
  const seconds = (moment.getTime() - Date.now()) / 1000;
  if (Math.abs(seconds) > 7 * 86400) return day(moment);
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ["second", 1];
  return AGO.format(Math.round(seconds / size), unit);
}

export function milli(moment) {
  return MILLI.format(moment);
}

function write(element) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const forms = { full: () => FULL.format(moment), short: () => day(moment), clock: () => CLOCK.format(moment), milli: () => milli(moment), ago: () => ago(moment) };
  const text = (forms[element.dataset.form] ?? forms.full)();
  if (element.textContent !== text) element.textContent = text;
  if (!element.dataset.exact) {
    element.dataset.exact = element.dateTime;
    element.title = `${FULL.format(moment)}\n${element.dateTime}`;
  }
}

export function writeTimes(root) {
  for (const each of root.querySelectorAll("time[datetime]")) write(each);
}

export function followTimes(root) {
  writeTimes(root);
  setInterval(() => { for (const each of document.querySelectorAll('time[data-form="ago"]')) write(each); }, REFRESH_MS);
}
