// Why a call was not answered as asked: RFC 9457, or nothing that could be read.

import { count, members, words, type Of } from "./shape.ts";

export const problem = members({ type: words, title: words, status: count, detail: words });
export type Problem = Of<typeof problem>;
