// Which page is shown: the browser's address and its history.

import { signal } from "@preact/signals";

import { href, route, type Route } from "../route.ts";

export const place = signal<Route>(route(location.pathname, location.search));

/** Goes to a page, and back by the browser's button. */
export function go(to: Route): void {
  history.pushState(null, "", href(to));
  arrive();
  window.scrollTo(0, 0);
  // whoever reads with a screen reader hears where he is
  requestAnimationFrame(() => {
    document.getElementById("main")?.focus({ preventScroll: true });
  });
}

/** Changes what a page shows of itself, without a step in the history. */
export function refine(to: Route): void {
  history.replaceState(null, "", href(to));
  arrive();
}

/** Follows links within the pages without loading them anew. */
export function followLinks(): void {
  addEventListener("popstate", arrive);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
    const to = route(link.pathname, link.search);
    if (to.page === "unknown" || link.hash !== "") return;
    event.preventDefault();
    if (link.href === location.href) refine(to);
    else go(to);
  });
}

function arrive(): void {
  place.value = route(location.pathname, location.search);
}
