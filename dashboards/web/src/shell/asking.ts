// A question that is asked again until it is answered: one at a time, and never by two clocks.

/** Calls back after a while, unless what it returns is called before. */
export type Later = (call: () => void) => () => void;

/**
 * Asks at once, and again after a while for as long as `ask` says that there is no answer. Whoever asks while one is
 * under way is asked for once more after it, since what it found may be older than the reason to ask.
 */
export function asking(ask: () => Promise<boolean>, later: Later): () => Promise<void> {
  let underWay: Promise<void> | null = null;
  let isOwed = false;
  let stop: (() => void) | null = null;
  const rounds = async (): Promise<void> => {
    let isAnswered;
    do {
      isOwed = false;
      isAnswered = await ask();
    } while (isOwed);
    underWay = null;
    if (!isAnswered) stop = later(() => void now());
  };
  const now = (): Promise<void> => {
    stop?.();
    stop = null;
    if (underWay === null) underWay = rounds();
    else isOwed = true;
    return underWay;
  };
  return now;
}
