// Decimals stay exact, and what is observed is never shown as more than it was.

import assert from "node:assert/strict";
import { test } from "node:test";

import { compare, decimalOf, floored, minus, observedText, percent, requiredText, text, type Decimal } from "./decimal.ts";

function of(literal: string): Decimal {
  const value = decimalOf(literal);
  assert.notEqual(value, null, literal);
  return value as Decimal;
}

test("a number is what its text says", () => {
  for (const literal of ["0", "0.612", "-0.75", "5", "9007199254740.993", "-9.223372036854775808"]) {
    assert.equal(text(of(literal)), literal);
  }
  assert.equal(text(of("1.5e3")), "1500");
  assert.equal(text(of("25e-3")), "0.025");
  for (const literal of ["", "-", ".5", "1.", "NaN", "0x1", "1e9999"]) assert.equal(decimalOf(literal), null);
});

test("an observed value is never rounded up to what is required", () => {
  const shown = (value: string, required: string) => observedText(of(value), of(required));
  assert.equal(shown("0.7996", "0.8"), "0.7996");
  assert.equal(shown("0.799999", "0.8"), "0.799999");
  assert.equal(shown("0.49986", "0.5"), "0.4998", "four decimals show that it is below");
  assert.equal(shown("0.612345", "0.8"), "0.612");
  assert.equal(shown("0.8", "0.8"), "0.800");
  assert.equal(shown("0.8009", "0.8"), "0.800");
  assert.equal(observedText(of("1.2345")), "1.234");
  assert.equal(observedText(of("-0.0001")), "-0.001");
});

test("no value below a limit is ever shown at it or above it", () => {
  for (let units = 0n; units < 2_000n; units += 7n) {
    for (const required of [of("0.8"), of("0.75"), of("1.234567"), of("0.000001")]) {
      const value: Decimal = { units: required.units * 10n ** BigInt(9 - required.decimals) - 1n - units * 997n, decimals: 9 };
      assert.ok(compare(of(observedText(value, required)), required) < 0, `${text(value)} of ${text(required)}`);
    }
  }
});

test("what is required keeps every decimal it has", () => {
  assert.equal(requiredText(of("0.8")), "0.800");
  assert.equal(requiredText(of("1.23456")), "1.23456");
  assert.equal(requiredText(of("5.2500000")), "5.250");
});

test("shares are truncated", () => {
  const rate = (share: string, decimals: number) => text(floored(percent(of(share)), decimals));
  assert.equal(rate("0.9941", 2), "99.41");
  assert.equal(rate("0.7999", 1), "79.9");
  assert.equal(rate("0.9999", 0), "99");
  assert.equal(rate("0", 2), "0.00");
  assert.equal(rate("1", 1), "100.0");
});

test("differences and comparisons do not care for decimals", () => {
  assert.equal(compare(of("0.80"), of("0.8")), 0);
  assert.equal(text(minus(of("0.8"), of("0.7996"))), "0.0004");
});
