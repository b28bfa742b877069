// Alarms, and the messages that tell people of them.

import { count, decimal, flag, list, members, moment, oneOf, optional, words, type Of } from "./shape.ts";

/** Where an alarm stands; first what asks for somebody. */
export const ALARM_STATES = [
  "unacknowledged",
  "cleared_unacknowledged",
  "acknowledged",
  "pending",
  "shelved",
  "suppressed",
  "out_of_service",
  "normal",
] as const;
export type AlarmState = (typeof ALARM_STATES)[number];

/** How soon somebody must act; the soonest first. */
export const SEVERITIES = ["red", "orange", "yellow", "blue"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a section released at one moment of an alarm. */
const flow = members({ at: moment, released: decimal, bound: optional(words), required: optional(decimal) });
export type AlarmFlow = Of<typeof flow>;

const facts = {
  id: words,
  station: words,
  section: optional(words),
  gauge: optional(words),
  rule: words,
  severity: oneOf(SEVERITIES, null),
  drill: flag,
  chattering: flag,
  flat: flag,
  state: oneOf(ALARM_STATES, null),
  active: flag,
  acknowledged: flag,
  /** Whoever was to be told of it could not be, or has not been for minutes. */
  reached_nobody: flag,
  version: count,
  began_at: moment,
  raised_at: optional(moment),
  acknowledged_at: optional(moment),
  acknowledged_by: optional(words),
  acknowledged_as: optional(words),
  cleared_at: optional(moment),
  cleared_because: optional(words),
  raised_flow: optional(flow),
  cleared_flow: optional(flow),
};

export const alarm = members(facts);
export type Alarm = Of<typeof alarm>;

const step = members({ what: words, event_at: moment, detected_at: moment, by: optional(words), as: optional(words), version: count });
export type AlarmStep = Of<typeof step>;

export const alarmWithTimeline = members({ ...facts, newest_flow: optional(flow), timeline: list(step) });
export type AlarmWithTimeline = Of<typeof alarmWithTimeline>;

export const alarms = members({ alarms: list(alarm), next: optional(words) });

/** How far a message has come. */
export const MESSAGE_STATES = ["owed", "sent", "delivered", "failed", "expired"] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

export const notification = members({
  id: words,
  alarm: words,
  recipient: words,
  recipient_name: optional(words),
  channel: words,
  occasion: words,
  state: oneOf(MESSAGE_STATES, null),
  attempts: count,
  doubted: flag,
  owed_at: moment,
  sent_at: optional(moment),
  ended_at: optional(moment),
  text: words,
});
export type Notification = Of<typeof notification>;

export const notifications = members({ notifications: list(notification), next: optional(words) });
