// JSON as it is written: a number keeps its text, since a binary fraction is not what was stored.

/** A number as its text. */
export class Numeral {
  constructor(readonly text: string) {}
}

export type Json = null | boolean | string | Numeral | readonly Json[] | ReadonlyMap<string, Json>;

/** Why a text is no JSON. */
export class JsonFault extends Error {
  constructor(problem: string, at: number) {
    super(`${problem} at ${String(at)}`);
    this.name = "JsonFault";
  }
}

/** How deep arrays and objects may be within one another; nothing of the API comes near it. */
const DEPTH = 64;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\r\n]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t",
};

/** Reads a text that is one JSON value. */
export function parse(text: string): Json {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): Json {
    if (depth > DEPTH) throw new JsonFault("too deep", this.at);
    this.skip();
    switch (this.text[this.at]) {
      case "{": return this.object(depth);
      case "[": return this.array(depth);
      case '"': return this.string();
      case "t": return this.word("true", true);
      case "f": return this.word("false", false);
      case "n": return this.word("null", null);
      default: return new Numeral(this.match(NUMBER, "no value"));
    }
  }

  end(): void {
    this.skip();
    if (this.at < this.text.length) throw new JsonFault("more than one value", this.at);
  }

  private object(depth: number): ReadonlyMap<string, Json> {
    const members = new Map<string, Json>();
    this.at += 1;
    if (this.takes("}")) return members;
    do {
      this.skip();
      const name = this.string();
      if (!this.takes(":")) throw new JsonFault("no colon", this.at);
      members.set(name, this.value(depth + 1));
    } while (this.takes(","));
    if (!this.takes("}")) throw new JsonFault("no end of an object", this.at);
    return members;
  }

  private array(depth: number): readonly Json[] {
    const items: Json[] = [];
    this.at += 1;
    if (this.takes("]")) return items;
    do items.push(this.value(depth + 1));
    while (this.takes(","));
    if (!this.takes("]")) throw new JsonFault("no end of an array", this.at);
    return items;
  }

  private string(): string {
    if (this.text[this.at] !== '"') throw new JsonFault("no string", this.at);
    this.at += 1;
    let value = "";
    for (;;) {
      value += this.match(PLAIN, "");
      const next = this.text[this.at];
      if (next === '"') {
        this.at += 1;
        return value;
      }
      if (next !== "\\") throw new JsonFault("no end of a string", this.at);
      value += this.escape();
    }
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? "";
    if (letter === "u") {
      const digits = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new JsonFault("no escape", this.at);
      this.at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const escaped = ESCAPES[letter];
    if (escaped === undefined) throw new JsonFault("no escape", this.at);
    this.at += 2;
    return escaped;
  }

  private word<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw new JsonFault("no value", this.at);
    this.at += word.length;
    return value;
  }

  private takes(character: string): boolean {
    this.skip();
    const isThere = this.text[this.at] === character;
    if (isThere) this.at += 1;
    return isThere;
  }

  private skip(): void {
    this.match(SPACE, "");
  }

  private match(pattern: RegExp, problem: string): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) throw new JsonFault(problem, this.at);
    this.at = pattern.lastIndex;
    return found[0];
  }
}
