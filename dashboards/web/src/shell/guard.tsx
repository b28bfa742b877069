// What is shown where drawing a page fails: a fault in one page leaves the others, and the way to them, alone.

import { Component, type ComponentChildren } from "preact";

import { texts } from "./language.ts";

interface Props {
  /** Another key is another page, which is tried anew. */
  readonly page: string;
  readonly children: ComponentChildren;
}

export class Guard extends Component<Props, { readonly fault: string | null; readonly of: string | null }> {
  override state = { fault: null, of: null };

  override componentDidCatch(fault: unknown): void {
    this.setState({ fault: String(fault), of: this.props.page });
  }

  override render({ page, children }: Props): ComponentChildren {
    const { fault, of } = this.state;
    if (fault === null || of !== page) return children;
    const t = texts.value;
    return (
      <div class="failed" role="alert">
        <p><strong>{t.load.crashed}</strong></p>
        <p>{t.load.crashedHelp}</p>
        <p class="detail" lang="en">{fault}</p>
        <button type="button" class="button" onClick={() => { location.reload(); }}>{t.load.reload}</button>
      </div>
    );
  }
}
