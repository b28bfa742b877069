// The outbox: every message to a person, what it says and how far it has come.

import type { JSX } from "preact";

import type { MessageState, Notification } from "../api/alarm.ts";
import type { Loaded } from "../failure.ts";
import { href } from "../route.ts";
import { shortText } from "../time.ts";
import { NOTHING } from "../words.ts";
import { useTexts } from "./language.tsx";
import { useSite } from "./site.tsx";
import { Empty, Known } from "./states.tsx";

export interface OutboxProps {
  readonly messages: Loaded<readonly Notification[]>;
  readonly alarm: string | null;
  readonly asOf: number;
  readonly hasMore: boolean;
  readonly onMore: () => void;
  readonly again: () => void;
}

const GLYPHS: Record<MessageState, string> = { owed: "○", sent: "◐", delivered: "●", failed: "✕", expired: "⊘" };

export function Outbox({ messages, alarm, asOf, hasMore, onMore, again }: OutboxProps): JSX.Element {
  const t = useTexts();
  return (
    <div class="outbox">
      <div class="page-head">
        <h1>{t.outbox.heading}</h1>
        <span class="muted">{alarm === null ? t.outbox.hint : t.outbox.ofAlarm}</span>
        {alarm === null ? null : <a href={href({ page: "outbox", alarm: null })}>{t.outbox.all}</a>}
      </div>
      <Known of={messages} again={again}>
        {(known) =>
          known.length === 0 ? (
            <Empty title={t.outbox.none}><p>{t.outbox.noneHelp}</p></Empty>
          ) : (
            <>
              <ol class="messages">
                {known.map((message) => <Message key={message.id} message={message} asOf={asOf} />)}
              </ol>
              {hasMore ? <button type="button" class="button" onClick={onMore}>{t.outbox.more}</button> : null}
            </>
          )
        }
      </Known>
    </div>
  );
}

/** What stands there for whoever may not see messages; asking for them would be refused. */
export function NotYours(): JSX.Element {
  const { outbox } = useTexts();
  return (
    <div class="outbox">
      <div class="page-head"><h1>{outbox.heading}</h1></div>
      <Empty title={outbox.notYours}><p>{outbox.notYoursHelp}</p></Empty>
    </div>
  );
}

function Message({ message, asOf }: { readonly message: Notification; readonly asOf: number }): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  const { columns } = t.outbox;
  const at = (ms: number | null) => (ms === null ? NOTHING : shortText(ms, asOf, zone));
  const { state } = message;
  return (
    <li class={`message is-${state ?? "none"}`}>
      <span class="message-state">
        {state === null ? NOTHING : <><span aria-hidden="true">{GLYPHS[state]}</span> {t.messageStates[state]}</>}
        {message.doubted ? <span class="message-doubt muted">{t.outbox.doubted}</span> : null}
      </span>
      <span class="message-to">
        <bdi title={message.recipient}>{message.recipient_name ?? message.recipient}</bdi>
        <span class="muted">{t.channels[message.channel] ?? message.channel}</span>
      </span>
      <span class="message-text">
        {message.text}
        <span class="muted">{t.occasions[message.occasion] ?? message.occasion}{message.attempts === 0 ? "" : t.separator + t.outbox.attempts(message.attempts)}</span>
      </span>
      <dl class="message-times">
        <div><dt>{columns.owed}</dt><dd>{at(message.owed_at)}</dd></div>
        <div><dt>{columns.sent}</dt><dd>{at(message.sent_at)}</dd></div>
        <div><dt>{columns.ended}</dt><dd>{at(message.ended_at)}</dd></div>
      </dl>
    </li>
  );
}
