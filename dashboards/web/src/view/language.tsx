// The texts of the language that is chosen, for everything that is drawn.

import { createContext } from "preact";
import { useContext } from "preact/hooks";

import { zh, type Texts } from "../texts/zh.ts";

export const Language = createContext<Texts>(zh);

export function useTexts(): Texts {
  return useContext(Language);
}
