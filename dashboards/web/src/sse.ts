// `text/event-stream` in pieces as they come, made into events.
//
// It is read here and not by the browser's EventSource, which can neither say why it was refused nor begin at an id
// that another tab came to.

/** One event. */
export interface StreamEvent {
  readonly name: string;
  readonly data: string;
  readonly id: string;
}

/** The longest event that is read: a snapshot of 1,000 stations and 1,024 alarms is about 1 MiB. */
export const MAX_EVENT = 16 * 1024 * 1024;

/** What has come of an event that is not over yet. */
export interface Partial {
  readonly rest: string;
  readonly name: string;
  readonly data: readonly string[];
  readonly id: string;
}

export const NOTHING: Partial = { rest: "", name: "", data: [], id: "" };

/** Takes a piece: what is whole by now, and what is left. `null` where an event is too long. */
export function take(partial: Partial, piece: string): { events: readonly StreamEvent[]; partial: Partial } | null {
  // a carriage return at the very end may be the first half of a line's end
  const whole = partial.rest + piece;
  const isHalf = whole.endsWith("\r");
  const lines = (isHalf ? whole.slice(0, -1) : whole).split(/\r\n|\n|\r/);
  const rest = (lines.pop() ?? "") + (isHalf ? "\r" : "");
  const events: StreamEvent[] = [];
  let { name, id } = partial;
  let data = [...partial.data];
  for (const line of lines) {
    if (line === "") {
      if (data.length > 0) events.push({ name: name === "" ? "message" : name, data: data.join("\n"), id });
      name = "";
      data = [];
      continue;
    }
    const { field, value } = split(line);
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
    else if (field === "id" && !value.includes("\0")) id = value;
  }
  const length = data.reduce((sum, line) => sum + line.length, rest.length);
  return length > MAX_EVENT ? null : { events, partial: { rest, name, data, id } };
}

function split(line: string): { field: string; value: string } {
  const colon = line.indexOf(":");
  if (colon < 0) return { field: line, value: "" };
  const value = line.slice(colon + 1);
  return { field: line.slice(0, colon), value: value.startsWith(" ") ? value.slice(1) : value };
}
