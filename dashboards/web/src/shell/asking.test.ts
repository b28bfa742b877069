// However often it is asked, one question is under way and one clock runs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { asking } from "./asking.ts";

/** Answers that come when they are given, and clocks that ring when they are rung. */
function world() {
  const open: ((isAnswered: boolean) => void)[] = [];
  const clocks = new Set<() => void>();
  let asked = 0;
  const now = asking(
    () => {
      asked += 1;
      return new Promise((resolve) => { open.push(resolve); });
    },
    (call) => {
      const ring = () => {
        clocks.delete(ring);
        call();
      };
      clocks.add(ring);
      return () => clocks.delete(ring);
    },
  );
  const answer = async (isAnswered: boolean): Promise<void> => {
    open.shift()?.(isAnswered);
    await new Promise((resolve) => { setImmediate(resolve); });
  };
  return { now, answer, ring: () => { for (const ring of [...clocks]) ring(); }, asked: () => asked, clocks: () => clocks.size };
}

test("what is not answered is asked again, and what is answered is not", async () => {
  const { now, answer, ring, asked, clocks } = world();
  void now();
  await answer(false);
  assert.deepEqual([asked(), clocks()], [1, 1]);
  ring();
  await answer(true);
  assert.deepEqual([asked(), clocks()], [2, 0]);
});

test("who asks again and again while nobody answers leaves one clock", async () => {
  const { now, answer, ring, asked, clocks } = world();
  for (let time = 0; time < 20; time += 1) {
    void now();
    await answer(false);
  }
  assert.deepEqual([asked(), clocks()], [20, 1]);
  ring();
  assert.equal(asked(), 21);
});

test("who asks while one is under way has it asked once more after it", async () => {
  const { now, answer, asked, clocks } = world();
  let ended = 0;
  for (let time = 0; time < 5; time += 1) void now().then(() => { ended += 1; });
  assert.equal(asked(), 1);
  await answer(true);
  assert.deepEqual([asked(), ended], [2, 0]);
  await answer(false);
  assert.deepEqual([asked(), ended, clocks()], [2, 5, 1]);
});
