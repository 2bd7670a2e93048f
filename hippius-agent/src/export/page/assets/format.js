// Numbers and times for people.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const COUNTS = ["", " k", " M", " G", " T"];

function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  const places = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : Math.min(4, 2 - Math.floor(Math.log10(size)));
  return String(Number(value.toFixed(places)));
}

function scaled(value, base, names) {
  let step = 0;
  while (Math.abs(value) >= base * 0.9995 && step < names.length - 1) {
    value /= base;
    step += 1;
  }
  return [digits(value), names[step]];
}

/** Bytes with a unit. */
export function bytes(value) {
  const [number, unit] = scaled(value, 1024, BYTES);
  return `${number} ${unit}`;
}

/** A short count: 12.3 k. */
export function count(value) {
  return scaled(value, 1000, COUNTS).join("");
}

/** A whole number with thin spaces between thousands. */
export function whole(value) {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A duration with a unit. */
export function seconds(value) {
  if (value === 0) return "0 s";
  if (value < 0.001) return `${digits(value * 1e6)} µs`;
  if (value < 1) return `${digits(value * 1e3)} ms`;
  if (value < 120) return `${digits(value)} s`;
  if (value < 7200) return `${digits(value / 60)} min`;
  if (value < 172800) return `${digits(value / 3600)} h`;
  return `${digits(value / 86400)} d`;
}

/** A part of a whole. */
export const percent = (value) => `${digits(value * 100)} %`;

/** A value in one of the units of the panels. */
export function inUnit(value, unit) {
  if (value == null) return "–";
  switch (unit) {
    case "B": return bytes(value);
    case "B/s": return `${bytes(value)}/s`;
    case "s": return seconds(value);
    case "ratio": return percent(value);
    case "1/s": return `${count(value)}/s`;
    case "": return count(value);
    default: return unit.endsWith("/s") ? `${count(value)}/s` : count(value);
  }
}

/** What stands at the head of an axis: units that the ticks do not carry themselves. */
export const axisUnit = (unit) => (["B", "B/s", "s", "ratio"].includes(unit) ? "" : unit === "1/s" ? "per second" : unit);

/** A tick of an axis. */
export const tick = (value, unit) => (unit === "B/s" ? `${bytes(value)}/s` : axisUnit(unit) === "" && unit ? inUnit(value, unit) : count(value));

/** The time of day. */
export const clock = (unix, withSeconds = true) =>
  new Date(unix * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: withSeconds ? "2-digit" : undefined, hour12: false });

/** An account's address in the middle of a line: its ends tell it apart. */
export const short = (name) => (name.length > 22 ? `${name.slice(0, 8)}…${name.slice(-6)}` : name);
