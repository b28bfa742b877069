// Chinese comes first, unless a browser has English and no Chinese; a choice stands over both.

import assert from "node:assert/strict";
import { test } from "node:test";

import { languageOf } from "./language.ts";

test("a browser without Chinese and with English is spoken to in English", () => {
  assert.equal(languageOf(null, ["en-US", "en"]), "en");
  assert.equal(languageOf(null, ["de", "EN-gb"]), "en");
  assert.equal(languageOf(null, ["en-US", "zh-CN"]), "zh");
  assert.equal(languageOf(null, ["ZH-Hant-TW"]), "zh");
  assert.equal(languageOf(null, ["fr"]), "zh");
  assert.equal(languageOf(null, []), "zh");
});

test("what was chosen stands, and what is no language was not chosen", () => {
  assert.equal(languageOf("zh", ["en"]), "zh");
  assert.equal(languageOf("en", ["zh-CN"]), "en");
  assert.equal(languageOf("fr", ["en"]), "en");
});
