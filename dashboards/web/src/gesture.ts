// A click twice, or a key held down: what follows it at once meets another row that has come into the same place.

/** Two clicks of one gesture are that far apart at most. */
const GESTURE_MS = 800;

/** Whether what is asked for at `at` is asked by a gesture of its own, and not by the one that asked last. */
export function isItsOwn(lastAt: number | null, at: number): boolean {
  return lastAt === null || at - lastAt >= GESTURE_MS;
}
