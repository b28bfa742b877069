// Where the pages begin: language and colours first, then what they know, then what is drawn.

import { render } from "preact";

import "./style/tokens.css";
import "./style/base.css";
import "./style/frame.css";
import "./style/overview.css";
import "./style/station.css";
import "./style/alarms.css";
import "./style/wall.css";
import { App } from "./shell/app.tsx";
import { begin } from "./shell/known.ts";
import { settle } from "./shell/language.ts";
import { poll } from "./shell/poll.ts";
import { followLinks } from "./shell/place.ts";
import { find, openScreen } from "./shell/session.ts";

async function start(page: HTMLElement): Promise<void> {
  await settle();
  followLinks();
  render(<App />, page);
  await openScreen();
  void find();
  const never = new AbortController().signal;
  begin(never);
  poll(never);
}

const page = document.getElementById("page");
if (page !== null) void start(page);
